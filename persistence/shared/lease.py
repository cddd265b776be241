"""A lease in Redis: usually, at most one process does a job that several could do.

It saves work, and correctness does not depend on it. A frozen holder may wake after its
lease has gone to another process, so the work must be safe without the lease: the
projector writes by compare-and-set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from persistence.redis.link import Linked, RedisAway, RedisLink, Script

TTL_S = 6.0
"""How long a lease lives without renewal, which bounds the time to a takeover."""
RENEW_S = 2.0
"""Interval at which the holder renews it and others try to acquire it."""
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
    """A named lease, held under the holder's random token. Must be closed."""

    def __init__(
        self, url: str, site: str, name: str, token: str, *, ttl_s: float = TTL_S
    ) -> None:
        self._link = RedisLink(url, timeout_s=TIMEOUT_S)
        super().__init__(self._link)
        self._key = f"{site}:lease:{name}"
        self._token = token
        self._ttl_ms = int(ttl_s * 1000)

    async def take(self) -> bool:
        """Acquire or renew the lease; whether this process holds it now.

        Raises:
            RedisAway: the outcome is unknown.
        """
        taken = await self._link.run(_TAKE, [self._key], self._token, self._ttl_ms)
        return bool(taken)

    async def give_back(self) -> None:
        """Release the lease, if this process holds it. Raises RedisAway."""
        await self._link.run(_GIVE_BACK, [self._key], self._token)


async def while_holding(
    lease: RedisLease,
    work: Callable[[asyncio.Event], Coroutine[Any, Any, None]],
    stop: asyncio.Event,
    *,
    renew_s: float = RENEW_S,
) -> None:
    """Run ``work`` while this process holds the lease, until ``stop``; then release it.

    The event tells the work to end when another process holds the lease. While Redis
    does not answer nothing changes: the working process continues, others stay on
    standby.
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
    except RedisAway:  # the lease expires by itself
        return


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
