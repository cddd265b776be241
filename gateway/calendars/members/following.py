"""Settles what feeds tell of groups: debts and doubts, if their gateway does not.

Every gateway hears of all of them, so each waits for a moment of its own first; mostly
there is nothing left to do by then. What feeds did not tell, because no gateway was
there, is in the worker's outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import structlog

from actors.domain.ids import BookingId, Millis, ProviderId, ShardId
from actors.domain.messages.changes import FeedBatch
from actors.errors import Unavailable
from care.resources.settling import Settling

LEAST_S: Final = 1.0
MOST_S: Final = 4.0
"""A gateway that has decided something carries it out within milliseconds."""
TRIES_MAX: Final = 30
"""Attempts while a calendar does not answer, two and a half seconds apart at a mean."""
WAITING_MAX: Final = 5_000
"""What is waited for at a time; more are left to the worker."""

_Name = tuple[ProviderId, BookingId | None]
"""A booking that owes something, or without it a calendar with doubts."""

log = structlog.get_logger("slotcast.groups")


class Follower(Protocol):
    """What is told of all changes of calendars."""

    @property
    def is_wanted(self) -> bool:
        """Whether changes are wanted at once."""
        ...

    def on_feed(self, shard: ShardId, batch: FeedBatch) -> None:
        """Take a poll's reply."""
        ...


class Followers:
    """Several of them, told one after another."""

    def __init__(self, *followers: Follower | None) -> None:
        self._followers = [one for one in followers if one is not None]

    @property
    def is_wanted(self) -> bool:
        """Whether one of them wants changes at once."""
        return any(one.is_wanted for one in self._followers)

    def on_feed(self, shard: ShardId, batch: FeedBatch) -> None:
        """Tell all of them."""
        for one in self._followers:
            one.on_feed(shard, batch)


class FollowedGroups:
    """One per gateway; ``close`` it."""

    is_wanted = False
    """A poll every other second is soon enough."""

    def __init__(
        self, settling: Settling, now: Callable[[], Millis], random: Random
    ) -> None:
        self._settling = settling
        self._now = now
        self._random = random
        self._waiting: dict[_Name, asyncio.Task[None]] = {}

    def on_feed(self, _shard: ShardId, batch: FeedBatch) -> None:
        """Remember what is not settled, each thing once."""
        for change in batch.changes:
            if change.owed:
                for owed in change.owed:
                    self._wait(change.provider_id, owed.booking_id)
            if change.doubts:
                self._wait(change.provider_id, None)

    def close(self) -> None:
        """Leave the rest to others."""
        for task in self._waiting.values():
            task.cancel()

    async def settled(self) -> None:
        """Wait for all of it; for tests."""
        while self._waiting:
            await asyncio.gather(*self._waiting.values(), return_exceptions=True)

    def _wait(self, provider_id: ProviderId, visit: BookingId | None) -> None:
        name = provider_id, visit
        if name in self._waiting or len(self._waiting) >= WAITING_MAX:
            return
        work = self._settle(provider_id, visit)
        task = asyncio.get_running_loop().create_task(work)
        self._waiting[name] = task
        task.add_done_callback(lambda _task: self._waiting.pop(name, None))

    async def _settle(self, provider_id: ProviderId, visit: BookingId | None) -> None:
        for _ in range(TRIES_MAX):
            await asyncio.sleep(self._random.uniform(LEAST_S, MOST_S))  # nosec B311
            try:
                again_at = await self._once(provider_id, visit)
            except Unavailable:
                continue
            except Exception:
                log.exception("a group is left to be settled")
                return
            if not again_at:
                return
            await asyncio.sleep(max(0, again_at - self._now()) / 1000)

    async def _once(self, provider_id: ProviderId, visit: BookingId | None) -> Millis:
        if visit is None:
            return await self._settling.resolve_all(provider_id)
        await self._settling.pay(provider_id, visit)
        return Millis(0)
