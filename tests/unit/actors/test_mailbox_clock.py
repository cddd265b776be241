"""A machine's clock that is wrong pauses a shard; it spoils nothing for good."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from actors.domain.ids import ShardId
from actors.domain.messages.answers import BookingView, Done, HoldView, SlotsView
from actors.domain.messages.commands import TrustClock
from actors.domain.messages.events import ClockTrusted
from actors.domain.rules import Policy
from actors.hosting.mailbox import Mailbox
from actors.ports import Request, ShardReply, Trouble, TroubleCode
from actors.shard.clock_watch import CONFIRM_MS
from actors.shard.limits import ShardLimits
from tests.fakes.clocks import SteppedClock
from tests.unit.actors import practice as p
from tests.unit.actors.stores import FaultyJournal, FaultySnapshots

DAY_S = 86_400


class Surgery:
    """A mailbox whose machine's clock a test sets wrong."""

    def __init__(self) -> None:
        self.journal = FaultyJournal()
        self.snapshots = FaultySnapshots()
        self.clock = SteppedClock(p.NOW)
        self.mailbox = self._made()

    def _made(self) -> Mailbox:
        limits = ShardLimits(retry_ms=1)
        return Mailbox(
            *(ShardId("s0000"), self.journal, self.snapshots, self.clock),
            *(Policy(), limits),
        )

    async def ask(self, *requests: Request) -> Sequence[ShardReply]:
        return await self.mailbox.execute(requests)

    async def restart(self) -> None:
        """The clock is put right while no process runs that could see it."""
        await self.mailbox.close()
        self.clock.set_wrong(0)
        self.mailbox = self._made()
        await self.mailbox.open()

    async def wait(self, seconds: float) -> None:
        """Time goes on, with a request now and then."""
        for _ in range(int(seconds) // 15 + 1):
            self.clock.step(15)
            await self.ask(p.slots())

    @property
    def newest_at(self) -> int:
        return max(record.event.at for record in self.journal.records)


@asynccontextmanager
async def surgery() -> AsyncIterator[Surgery]:
    one = Surgery()
    await one.mailbox.open()
    await one.ask(*p.opened())
    try:
        yield one
    finally:
        await one.mailbox.close()


def offered(reply: ShardReply) -> bool:
    assert isinstance(reply, SlotsView), reply
    return p.NINE in reply.starts


async def test_a_command_refused_under_a_wrong_clock_leaves_no_trace() -> None:
    """400 days ahead for a second: 503, and then everything is offered as before."""
    async with surgery() as one:
        one.clock.set_wrong(400 * DAY_S)
        view, held = await one.ask(p.slots(), p.hold("a"))
        assert isinstance(view, SlotsView), "what is known can still be read"
        assert isinstance(held, Trouble)
        assert held.code is TroubleCode.CLOCK
        assert "400 days" in held.detail
        assert held.retry_after_s > 0
        assert one.mailbox.status().clock_doubted
        one.clock.set_wrong(0)
        one.clock.step(1)
        (held,) = await one.ask(p.hold("a"))
        assert isinstance(held, HoldView)
        assert held.expires == one.clock.now() + Policy().hold_ms
        await one.restart()
        (view,) = await one.ask(p.slots())
        assert offered(view)
        assert one.newest_at <= one.clock.now()


async def test_holds_do_not_end_while_the_clock_is_not_believed() -> None:
    """Nothing of the shard's own happens either."""
    async with surgery() as one:
        await one.ask(p.hold("a"))
        one.clock.set_wrong(DAY_S)
        await one.ask(p.slots())
        one.clock.set_wrong(0)
        (booked,) = await one.ask(p.confirm("a"))
        assert isinstance(booked, BookingView)


async def ahead(one: Surgery) -> None:
    """The clock was ahead for long, was believed, and is right again; a restart."""
    one.clock.set_wrong(3 * DAY_S)
    await one.wait(CONFIRM_MS / 1000 + 60)
    (booked,) = await one.ask(p.book("far", 48 * 4))
    assert isinstance(booked, BookingView)
    assert one.newest_at > p.NOW + 3 * DAY_S * 1000 - 1


async def test_a_journal_ahead_of_the_clock_is_an_alarm_that_names_the_command(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After a restart it is unknown which of the two is right; the status says so."""
    async with surgery() as one:
        await ahead(one)
        with caplog.at_level(logging.ERROR):
            await one.restart()
            await one.ask(p.slots())
        assert "slotcast journal trust-clock" in caplog.text
        assert one.mailbox.status().clock_ahead_ms > 2 * DAY_S * 1000
        assert not one.mailbox.status().clock_doubted


async def test_an_operator_lowers_the_journals_time_knowingly() -> None:
    """What was closed is offered again, it is journaled, and it outlives a restart."""
    async with surgery() as one:
        await ahead(one)
        await one.restart()
        (view,) = await one.ask(p.slots())
        assert not offered(view)
        (done,) = await one.ask(TrustClock(provider_id=p.ANA))
        assert isinstance(done, Done)
        (view,) = await one.ask(p.slots())
        assert offered(view)
        told = [r.event for r in one.journal.records]
        (trusted,) = [event for event in told if isinstance(event, ClockTrusted)]
        assert trusted.at == one.clock.now()
        assert trusted.ahead_of > trusted.at + 2 * DAY_S * 1000
        await one.restart()
        (held,) = await one.ask(p.hold("a"))
        assert isinstance(held, HoldView)
        assert held.expires == one.clock.now() + Policy().hold_ms
        assert not one.mailbox.status().clock_ahead_ms
        (again,) = await one.ask(TrustClock(provider_id=p.ANA))
        assert isinstance(again, Done)
        assert sum(isinstance(e, ClockTrusted) for e in told) == 1


async def test_a_clock_that_comes_back_heals_by_itself() -> None:
    """The process saw it leave and come back: no operator is needed."""
    async with surgery() as one:
        await ahead(one)
        one.clock.set_wrong(0)
        await one.wait(30)
        (view,) = await one.ask(p.slots())
        assert offered(view)
        assert any(isinstance(r.event, ClockTrusted) for r in one.journal.records)
        await one.restart()
        (held,) = await one.ask(p.hold("a"))
        assert isinstance(held, HoldView)


async def test_a_small_correction_shortens_no_hold_by_half() -> None:
    """The clock jumps 50 s: a hold of two minutes still lasts nearly two minutes."""
    async with surgery() as one:
        await one.ask(p.hold("a"))
        one.clock.set_wrong(50)
        one.clock.step(100)
        (booked,) = await one.ask(p.confirm("a"))
        assert isinstance(booked, BookingView)
