"""Listening to Redis: a subscription that starts again by itself, and says when.

Messages are lost while there is no subscription, so each start is reported: the
listener reads then what it may have missed. A Redis that falls silent is asked for a
sign of life every second, and given up after three.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final

from redis.asyncio.client import PubSub

from care.sharing import Standing
from persistence.redis.link import (
    PAUSE_LEAST_S,
    PAUSE_MOST_S,
    TROUBLES,
    jittered,
    open_redis,
    pending_cancellations,
    place_of,
)

TIMEOUT_S: Final = 2.0
"""No answer waits for a subscription, so it may take its time."""
SIGN_OF_LIFE_S: Final = 1.0
SILENCE_MAX_S: Final = 3.0

_CHANCE: Final = random.SystemRandom()

Heard = Callable[[str, bytes], None]
"""Told the channel and what was published there."""
Began = Callable[[], Awaitable[None]]
"""Told that from now on everything published is heard."""


class RedisChannel:
    """A subscription to some channels of one Redis."""

    def __init__(
        self,
        url: str,
        channels: Sequence[str],
        jitter: Callable[[], float] = _CHANCE.random,
    ) -> None:
        self.place = place_of(url)
        self._url = url
        self._channels = tuple(channels)
        self._jitter = jitter
        self._away_since: float | None = monotonic()
        self._reason = "not yet connected"

    def standing(self) -> Standing:
        """Whether what is published now is heard."""
        if self._away_since is None:
            return Standing(ok=True)
        seconds = monotonic() - self._away_since
        return Standing(
            ok=False,
            detail=f"not heard from Redis at {self.place} for {seconds:.0f} s "
            f"({self._reason})",
        )

    async def run(self, heard: Heard, began: Began) -> None:
        """Listen until cancelled. Redis's errors from ``began`` start it again."""
        pause_s = PAUSE_LEAST_S
        while True:
            redis = open_redis(self._url, timeout_s=TIMEOUT_S, connections_max=1)
            try:
                async with redis.pubsub() as subscription:
                    await subscription.subscribe(*self._channels)
                    await self._listen(subscription, heard, began)
            except TROUBLES as error:
                self._reason = type(error).__name__
            finally:
                await redis.aclose(close_connection_pool=True)
            if pending_cancellations():
                raise asyncio.CancelledError
            if self._away_since is None:
                self._away_since = monotonic()
                pause_s = PAUSE_LEAST_S
            await asyncio.sleep(jittered(pause_s, self._jitter()))
            pause_s = min(PAUSE_MOST_S, pause_s * 2)

    async def _listen(self, subscription: PubSub, heard: Heard, began: Began) -> None:
        heard_at = monotonic()
        confirmed = 0
        while True:
            message = await subscription.get_message(timeout=SIGN_OF_LIFE_S)
            if pending_cancellations():
                raise asyncio.CancelledError
            now = monotonic()
            if message is None:
                if now - heard_at > SILENCE_MAX_S:
                    raise TimeoutError
                await subscription.ping()
                continue
            heard_at = now
            if message["type"] == "message":
                _tell(message, heard)
            elif message["type"] == "subscribe":
                # The client subscribes again by itself after a broken connection:
                # each full round of confirmations is a beginning.
                confirmed += 1
                if confirmed % len(self._channels) == 0:
                    await began()
                    self._away_since = None


def _tell(message: dict[str, Any], heard: Heard) -> None:
    heard(message["channel"].decode(), message["data"])
