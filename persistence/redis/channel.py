"""A Redis subscription that restarts by itself, and reports each restart.

Messages are lost while there is no subscription, so each start is reported: the
listener then reads what it may have missed. A silent Redis is pinged every second, and
the connection is dropped after three seconds without an answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final

from hiredis import ReplyError

from care.sharing import Standing
from persistence.redis.functions import packed
from persistence.redis.link import PAUSE_LEAST_S, PAUSE_MOST_S, RedisAway, jittered
from persistence.redis.wire import (
    Pushed,
    RedisConnection,
    WireDown,
    address_of,
    connected,
)

TIMEOUT_S: Final = 2.0
"""Timeout in seconds; long, since no request waits for a subscription."""
SIGN_OF_LIFE_S: Final = 1.0
SILENCE_MAX_S: Final = 3.0

_CHANCE: Final = random.SystemRandom()

Began = Callable[[], Awaitable[None]]
"""Called when the subscription is active: messages from now on are received."""


class RedisChannel:
    """A subscription to some channels of one Redis."""

    def __init__(
        self,
        url: str,
        channels: Sequence[str],
        jitter: Callable[[], float] = _CHANCE.random,
    ) -> None:
        self._address = address_of(url)
        self._channels = tuple(channels)
        self._jitter = jitter
        self._away_since: float | None = monotonic()
        self._reason = "not yet connected"

    def standing(self) -> Standing:
        """Whether the subscription is active."""
        if self._away_since is None:
            return Standing(ok=True)
        seconds = monotonic() - self._away_since
        return Standing(
            ok=False,
            detail=f"not subscribed at Redis {self._address.place} for {seconds:.0f} s "
            f"({self._reason})",
        )

    async def run(self, heard: Pushed, began: Began) -> None:
        """Listen until cancelled. RedisAway from ``began`` starts it again.

        ``heard`` is called while bytes are read, from the subscription on, perhaps
        before ``began`` has returned. An exception from it ends the connection.
        """
        pause_s = PAUSE_LEAST_S
        while True:
            try:
                await self._listen(heard, began)
            except (WireDown, RedisAway, ReplyError) as error:
                self._reason = str(error)
            if self._away_since is None:
                self._away_since = monotonic()
                pause_s = PAUSE_LEAST_S
            await asyncio.sleep(jittered(pause_s, self._jitter()))
            pause_s = min(PAUSE_MOST_S, pause_s * 2)

    async def _listen(self, heard: Pushed, began: Began) -> None:
        line = await connected(self._address, "slotcast", TIMEOUT_S, heard)
        try:
            # One command per channel: a refused SUBSCRIBE has one reply for all its
            # channels.
            asked = [packed("SUBSCRIBE", channel) for channel in self._channels]
            for reply in await line.ask(b"".join(asked), len(asked), TIMEOUT_S):
                if isinstance(reply, ReplyError):
                    raise reply
            await began()
            self._away_since = None
            await self._stay(line)
        finally:
            line.drop("the subscription was cancelled")

    async def _stay(self, line: RedisConnection) -> None:
        """Ping until the connection ends. Raises WireDown."""
        while True:
            await asyncio.wait({line.ended}, timeout=SIGN_OF_LIFE_S)
            if line.ended.done():
                raise WireDown(line.ended.result(), sent=True, ended=True)
            await line.ask(packed("PING"), 1, SILENCE_MAX_S - SIGN_OF_LIFE_S)
