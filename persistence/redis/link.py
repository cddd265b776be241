"""A road to Redis for what must never wait for it: short timeouts and a breaker.

A call that takes longer than its time, or fails, counts against Redis; after two in
a row (or at once, when nothing listens) the road is closed for a while, doubling and
jittered, and every call fails at once, without touching the network. Then one call
tries again. So a Redis that is away or frozen costs a request at most one short wait
per pause, and the event loop nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from actors.errors import Unavailable
from care.sharing import Standing

T = TypeVar("T")

REQUEST_S: Final = 0.05
"""The longest that anything on a request's way waits for Redis."""
FAILURES_MAX: Final = 2
PAUSE_LEAST_S, PAUSE_MOST_S = 0.1, 2.0
"""How long the road stays closed; doubles, and is shortened by up to a half."""
CONNECTIONS_MAX: Final = 4
"""Calls at a time; what is sent through here is batched."""
TROUBLES: Final = (RedisError, OSError, TimeoutError, RuntimeError)
"""All that redis-py raises when Redis does not do what it should. RuntimeError is what
uvloop says of a connection that was closed between two steps of the client."""

_UNREACHABLE: Final = (OSError, RedisConnectionError)
_CHANCE: Final = random.SystemRandom()


class RedisAway(Unavailable):
    """Redis does not answer; what it would have said is not known."""


class LinkTally(Struct):
    """Counts since the start of this process."""

    calls: int = 0
    failures: int = 0
    refused: int = 0
    """Calls that were not made, for the road was closed."""


def place_of(url: str) -> str:
    """Where a Redis is, without its password: for people and for the log."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


def jittered(pause_s: float, jitter: float) -> float:
    """A pause shortened by up to a half; ``jitter`` is from 0 to 1."""
    return pause_s * (0.5 + jitter / 2)


def pending_cancellations() -> int:
    """How often the running task was cancelled, and has not ended yet.

    The client asks a connection for left-over bytes with a timeout of 0 seconds, and
    now and then takes a cancellation for the end of that time.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def open_redis(
    url: str, *, timeout_s: float, connections_max: int = CONNECTIONS_MAX
) -> Redis:
    """A client that never retries by itself and never waits longer than told."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections_max,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        client_name="slotcast",
        protocol=2,
    )
    return Redis.from_pool(pool)


class RedisLink:
    """Calls to one Redis. Must be closed."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = REQUEST_S,
        now: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = _CHANCE.random,
    ) -> None:
        self.place = place_of(url)
        self.tally = LinkTally()
        self._redis = open_redis(url, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._now = now
        self._jitter = jitter
        self._failures = 0
        self._not_before = 0.0
        self._away_since: float | None = None
        self._reason = ""

    async def call(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Do something with Redis, within the time.

        Raises:
            RedisAway: it did not answer in time, refused, or is not asked just now.
        """
        self._pass_gate()
        self.tally.calls += 1
        cancellations = pending_cancellations()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await work(self._redis)
        except TROUBLES as error:
            self._failed(error)
            said = str(error) if isinstance(error, ResponseError) else self._reason
            raise RedisAway(f"Redis at {self.place} did not answer: {said}") from None
        self._failures, self._not_before = 0, 0.0
        self._away_since = None
        if pending_cancellations() > cancellations:
            raise asyncio.CancelledError
        return answer

    def standing(self) -> Standing:
        """Whether it answered when it was last asked."""
        if self._away_since is None:
            return Standing(ok=True)
        seconds = self._now() - self._away_since
        return Standing(
            ok=False,
            detail=f"Redis at {self.place} has not answered for {seconds:.0f} s "
            f"({self._reason})",
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose(close_connection_pool=True)

    def _pass_gate(self) -> None:
        now = self._now()
        if now < self._not_before:
            self.tally.refused += 1
            raise RedisAway(f"Redis at {self.place} is away; asked again soon.")
        if self._failures:
            # One call finds out; the others do not wait with it.
            self._not_before = now + self._timeout_s

    def _failed(self, error: Exception) -> None:
        self.tally.failures += 1
        self._failures += 1
        self._reason = type(error).__name__
        now = self._now()
        if self._away_since is None:
            self._away_since = now
        if self._failures >= FAILURES_MAX or isinstance(error, _UNREACHABLE):
            doubled = PAUSE_LEAST_S * 2 ** min(self._failures - 1, 10)
            pause_s = jittered(min(PAUSE_MOST_S, doubled), self._jitter())
            self._not_before = now + pause_s
