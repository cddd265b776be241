"""A lease in Redis: at most one process does what several could, most of the time.

It saves work and nothing hangs on it. A holder that is frozen may wake after its lease
has gone to another, so what is done under a lease must be safe without it: the
projector writes by compare-and-set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from persistence.redis.link import Linked, RedisAway, RedisLink, Script

TTL_S = 6.0
"""How long a lease lives without its holder: what a takeover waits at most."""
RENEW_S = 2.0
"""How often its holder renews it, and another asks for it."""
TIMEOUT_S = 1.0

_TAKE = Script(
    "if redis.call('get', KEYS[1]) == ARGV[1] then "
    "return redis.call('pexpire', KEYS[1], ARGV[2]) end "
    "if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end "
    "return 0"
)
_GIVE_BACK = Script(
    "if redis.call('get', KEYS[1]) == ARGV[1] then "
    "return redis.call('del', KEYS[1]) end return 0"
)


class RedisLease(Linked):
    """A lease of a name, under a token of its holder's own. Must be closed."""

    def __init__(
        self, url: str, site: str, name: str, token: str, *, ttl_s: float = TTL_S
    ) -> None:
        self._link = RedisLink(url, timeout_s=TIMEOUT_S)
        super().__init__(self._link)
        self._key = f"{site}:lease:{name}"
        self._token = token
        self._ttl_ms = int(ttl_s * 1000)

    async def take(self) -> bool:
        """Take it, or make it last; whether it is ours now.

        Raises:
            RedisAway: the outcome is unknown.
        """
        taken = await self._link.run(_TAKE, [self._key], self._token, self._ttl_ms)
        return bool(taken)

    async def give_back(self) -> None:
        """Let another have it at once; one that is not ours stays. Raises RedisAway."""
        await self._link.run(_GIVE_BACK, [self._key], self._token)


async def while_holding(
    lease: RedisLease,
    work: Callable[[asyncio.Event], Coroutine[Any, Any, None]],
    stop: asyncio.Event,
    *,
    renew_s: float = RENEW_S,
) -> None:
    """Do ``work`` whenever the lease is ours, until ``stop``; then give it back.

    The event tells the work to end when another process holds the lease. While Redis is
    away nothing changes: who works goes on, who stands by stands by.
    """
    halt = asyncio.Event()
    task: asyncio.Task[None] | None = None
    loop = asyncio.get_running_loop()
    try:
        while not stop.is_set():
            ours = await _is_ours(lease, already=task is not None)
            if ours and task is None:
                halt.clear()
                task = loop.create_task(work(halt))
            elif not ours and task is not None:
                halt.set()
                await task
                task = None
            if task is not None and task.done():
                await task
                return
            await _pause(stop, renew_s)
    finally:
        halt.set()
        if task is not None:
            await task
            await _given_back(lease)


async def _is_ours(lease: RedisLease, *, already: bool) -> bool:
    try:
        return await lease.take()
    except RedisAway:
        return already


async def _given_back(lease: RedisLease) -> None:
    try:
        await lease.give_back()
    except RedisAway:  # it ends by itself
        return


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
