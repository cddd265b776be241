"""One shard's changes, by long poll: one call in flight, and its reply to the hub.

While the hub fans out, changes gather at the shard and travel in the next reply. The
wait is random around ten seconds, so that polls of many gateways do not synchronise. A
failed poll loses nothing: the cursor has not moved. A reply that cannot be read, from a
shard of another version perhaps, is skipped: its calendars are read instead.
"""

from __future__ import annotations

import asyncio
from random import Random
from time import monotonic
from typing import Final, Protocol

import structlog

from actors.domain.ids import ShardId
from actors.domain.messages.changes import FeedBatch
from actors.errors import SchedulingError, ShardAsleep
from actors.ports import Clock, Feed
from gateway.config import LiveSettings
from gateway.live.core.frames import Position
from gateway.live.topics.hub import Hub

_GRACE_S: Final = 5.0
_BACKOFF_S: Final = (0.05, 5.0)
_EMPTY_S: Final = 0.05
"""Minimum interval between polls of a shard that answers at once with nothing."""
_UNWATCHED_S: Final = 2.0
"""Interval of polls while no topic of the shard is watched here: each poll costs both
sides as much as a call with many commands."""
_NO_EPOCH: Final = Position(0, 0)
"""A cursor before all others: the reply is a reset with the shard's position."""

log = structlog.get_logger("slotcast.live")


def backoff_s(failures: int, random: Random) -> float:
    """A random pause whose range doubles with each consecutive failure."""
    low, high = _BACKOFF_S
    longest = min(high, low * 2 ** min(failures, 10))
    return random.uniform(low, longest)  # nosec B311


class FeedFollower(Protocol):
    """What is told of all changes, beside the hub."""

    @property
    def is_wanted(self) -> bool:
        """Whether changes are wanted at once."""
        ...

    def on_feed(self, shard: ShardId, batch: FeedBatch) -> None:
        """Take a poll's reply."""
        ...


class ShardFeed:
    """Polls one shard. ``heard_at`` is when it answered last (monotonic)."""

    def __init__(
        self,
        shard: ShardId,
        link: Feed,
        hub: Hub,
        clock: Clock,
        settings: LiveSettings,
        random: Random,
    ) -> None:
        self.shard = shard
        self.heard_at = monotonic()
        self._link = link
        self._hub = hub
        self._clock = clock
        self._settings = settings
        self._random = random
        self._failures = 0
        self._news = asyncio.Event()
        self.follower: FeedFollower | None = None
        self._skips = False
        """Make the next reply a reset."""

    def silent_s(self) -> float:
        """Seconds since the last successful poll."""
        return monotonic() - self.heard_at

    async def run(self) -> None:
        """Poll until cancelled, or until the shard is passive and has no topics."""
        while True:
            try:
                pause_s = await self._poll_once()
            except ShardAsleep:
                # A passive shard publishes nothing; the call that activates it starts a
                # feed.
                if not self._hub.has_topics(self.shard):
                    return
                pause_s = self._failed()
            except (SchedulingError, TimeoutError):
                pause_s = self._failed()
            except Exception:
                log.exception("changes cannot be read", shard=self.shard)
                self._skips = True
                pause_s = self._failed()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            else:
                await self._until_watched()

    def _is_watched(self) -> bool:
        follower = self.follower
        is_followed = follower is not None and follower.is_wanted
        return is_followed or self._hub.is_watched(self.shard)

    def look(self) -> None:
        """There is a new topic: if it is of this shard, polling goes on at once."""
        self._news.set()

    async def _until_watched(self) -> None:
        # A topic is read first, so what happened until now is not missed.
        try:
            async with asyncio.timeout(_UNWATCHED_S):
                while not self._is_watched():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    async def _poll_once(self) -> float:
        settings, random = self._settings, self._random
        asked = self._hub.cursor(self.shard)
        jitter = random.uniform(-1, 1)  # nosec B311
        wait_s = settings.poll_wait_s + settings.poll_jitter_s * jitter
        began = monotonic()
        at = _NO_EPOCH if self._skips else asked
        async with asyncio.timeout(wait_s + _GRACE_S):
            batch = await self._link.poll(
                self.shard, at.epoch, at.version, int(wait_s * 1000)
            )
        if not self._hub.on_feed(self.shard, asked, batch, self._clock.now()):
            return self._failed()
        if self.follower is not None:
            self.follower.on_feed(self.shard, batch)
        self._skips = False
        self._failures = 0
        self.heard_at = monotonic()
        is_empty = not (batch.changes or batch.reset or batch.more)
        if is_empty and self.heard_at - began < min(_EMPTY_S, wait_s / 2):
            return _EMPTY_S
        return 0.0

    def _failed(self) -> float:
        self._failures += 1
        return backoff_s(self._failures, self._random)
