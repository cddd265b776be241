"""With a guard of the shard removed the checks below fail: the checks can see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from actors.domain.calendar import views
from actors.domain.ids import Millis, ShardId
from actors.domain.messages.answers import BookingView
from actors.domain.messages.events import Event
from actors.domain.rules import Policy
from actors.errors import OutcomeUnknown
from actors.hosting.mailbox import Mailbox
from actors.ports import ShardReply
from actors.shard.batch import Batch
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from tests.unit.actors import practice as p
from tests.unit.actors.stores import FaultyJournal, FaultySnapshots

SHARD = ShardId("s0000")


class FixedClock:
    def now(self) -> Millis:
        return p.NOW

    def steady(self) -> Millis:
        return self.now()


class HastyMailbox(Mailbox):
    """Answers while the append is still in flight."""

    async def _append(self, events: Sequence[Event]) -> int:
        self.late = asyncio.ensure_future(super()._append(events))
        self.late.add_done_callback(lambda late: late.cancelled() or late.exception())
        return self.shard.last_seq + len(events)


class StubbornMailbox(Mailbox):
    """Keeps its memory when the outcome of an append is unknown."""

    async def _append(self, events: Sequence[Event]) -> int:
        try:
            return await super()._append(events)
        except OutcomeUnknown:
            return self.shard.last_seq


class CredulousMailbox(Mailbox):
    """Refuses without asking who owns the shard."""

    async def _turn(self, calls: Sequence[object]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Batch, "must_check", False)
            await super()._turn(calls)  # type: ignore[arg-type]


TURNS = 1_000
"""Of the event loop: an answer that waits for nothing takes a few dozen."""


class Site:
    def __init__(self, kind: type[Mailbox]) -> None:
        self.journal = FaultyJournal()
        limits = ShardLimits(retry_ms=1, append_ms=200)
        self.mailbox = kind(
            SHARD, self.journal, FaultySnapshots(), FixedClock(), Policy(), limits
        )

    async def open(self) -> None:
        await self.mailbox.open()
        await self.mailbox.execute(p.opened())
        await asyncio.sleep(0)


async def is_durable_when_acknowledged(kind: type[Mailbox]) -> bool:
    """Whether a booking that was answered is in the journal at that moment."""
    site = Site(kind)
    await site.open()
    site.journal.gate.clear()
    booking = asyncio.ensure_future(site.mailbox.execute([p.book("a")]))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    early = booking.done()
    site.journal.gate.set()
    await booking
    await site.mailbox.close()
    return not early


async def reads_what_is_durable(kind: type[Mailbox]) -> bool:
    """Whether a lost append leaves no trace in what readers see."""
    site = Site(kind)
    await site.open()
    site.journal.faults = [OutcomeUnknown()]
    await site.mailbox.execute([p.book("ghost")])
    (again,) = await site.mailbox.execute([p.book("b", patient="pat_2")])
    await site.mailbox.close()
    return isinstance(again, BookingView)


async def is_silent_once_replaced(kind: type[Mailbox]) -> bool:
    """Whether a shard that was replaced never answers "taken" from stale memory."""
    site = Site(kind)
    await site.open()
    await site.mailbox.execute([p.book("a")])
    site.journal.epoch += 1
    (reply,) = await site.mailbox.execute([p.book("b", key="")])
    await site.mailbox.close()
    return _is_trouble(reply)


def _is_trouble(reply: ShardReply) -> bool:
    return type(reply).__name__ == "Trouble"


async def test_answering_before_the_append_is_noticed() -> None:
    """The order journal, then answer: kept, and missed when broken."""
    assert await is_durable_when_acknowledged(Mailbox)
    assert not await is_durable_when_acknowledged(HastyMailbox)


async def test_keeping_memory_after_an_unknown_outcome_is_noticed() -> None:
    """Memory is dropped with an unknown outcome; keeping it shows a ghost."""
    assert await reads_what_is_durable(Mailbox)
    assert not await reads_what_is_durable(StubbornMailbox)


async def test_refusing_without_a_check_is_noticed() -> None:
    """A refusal is checked with the journal; unchecked, a zombie speaks."""
    assert await is_silent_once_replaced(Mailbox)
    assert not await is_silent_once_replaced(CredulousMailbox)


def test_reading_between_begin_and_commit_is_noticed() -> None:
    """Memory is ahead of the journal within a batch: the view there is a ghost's."""
    shard = Shard(SHARD, Policy(), ShardLimits())
    shard.opened(1, 0, 0, ())
    shard.adopt(p.ANA, None)
    setting_up = shard.begin(p.opened(), p.NOW)
    shard.commit(setting_up, len(setting_up.events))
    batch = shard.begin([p.book("a")], p.NOW)
    resident = shard.residents.get(p.ANA)
    assert resident is not None
    ghost = views.booking(resident.calendar.state, p.book("a").booking_id)
    assert isinstance(ghost, BookingView)
    with pytest.raises(AssertionError):
        shard.begin([p.slots()], p.NOW)
    shard.commit(batch, 3)
