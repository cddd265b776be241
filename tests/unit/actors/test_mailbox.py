"""The mailbox answers nothing before the journal says that it is durable."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.answers import BookingView, HoldView, SlotsView
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy
from actors.errors import (
    CalendarRecovering,
    Fenced,
    JournalCorrupt,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
)
from actors.hosting.mailbox import Mailbox
from actors.ports import ShardReply, Trouble, TroubleCode
from actors.shard.limits import ShardLimits
from tests.unit.actors import practice as p
from tests.unit.actors.stores import FaultyJournal, FaultySnapshots

SHARD = ShardId("s0000")


class ManualClock:
    def __init__(self) -> None:
        self.time = p.NOW

    def now(self) -> Millis:
        return self.time

    def steady(self) -> Millis:
        return self.now()


class Desk:
    """A mailbox over stores that a test can break."""

    def __init__(self, limits: ShardLimits | None = None) -> None:
        self.journal = FaultyJournal()
        self.snapshots = FaultySnapshots()
        self.clock = ManualClock()
        self.limits = limits or ShardLimits(retry_ms=1, append_ms=200)
        self.mailbox = self.make()

    def make(self) -> Mailbox:
        return Mailbox(
            SHARD, self.journal, self.snapshots, self.clock, Policy(), self.limits
        )


@asynccontextmanager
async def desk(limits: ShardLimits | None = None) -> AsyncIterator[Desk]:
    one = Desk(limits)
    await one.mailbox.open()
    await one.mailbox.execute(p.opened())
    try:
        yield one
    finally:
        one.journal.gate.set()
        await one.mailbox.close()


def codes(replies: Sequence[ShardReply]) -> list[TroubleCode | None]:
    return [one.code if isinstance(one, Trouble) else None for one in replies]


def state(reply: ShardReply, start: int = p.NINE) -> str:
    assert isinstance(reply, SlotsView)
    return reply.states[reply.starts.index(start)]


async def test_nobody_is_told_before_the_journal_answers() -> None:
    """While the append is in flight there is no answer, no news, no new view."""
    async with desk() as one:
        feed = await one.mailbox.poll(0, 0, 0)
        one.journal.gate.clear()
        one.journal.appending.clear()
        booking = asyncio.ensure_future(one.mailbox.execute([p.book("a")]))
        reading = asyncio.ensure_future(one.mailbox.execute([p.slots()]))
        polling = asyncio.ensure_future(one.mailbox.poll(feed.epoch, feed.number, 999))
        await one.journal.appending.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not booking.done()
        assert not reading.done()
        assert not polling.done()
        one.journal.gate.set()
        assert isinstance((await booking)[0], BookingView)
        assert state((await reading)[0]) == "b"
        assert len((await polling).changes) >= 1


async def test_what_arrives_during_an_append_travels_in_the_next() -> None:
    """One batch at a time; all that waited shares one append."""
    async with desk() as one:
        one.journal.gate.clear()
        one.journal.appending.clear()
        first = asyncio.ensure_future(one.mailbox.execute([p.book("a")]))
        await one.journal.appending.wait()
        batches = one.mailbox.status().batches
        rest = [
            asyncio.ensure_future(one.mailbox.execute([p.book(f"b{n}", n)]))
            for n in range(1, 9)
        ]
        await asyncio.sleep(0)
        one.journal.gate.set()
        await asyncio.gather(first, *rest)
        assert one.mailbox.status().batches == batches + 2


async def test_unknown_outcome_that_did_happen_has_one_effect() -> None:
    """The append was durable but its answer lost: the retry hears the booking."""
    async with desk() as one:
        lost: list[str] = []
        one.mailbox.on_unknown = lambda: lost.append("unknown")
        one.journal.faults_after = [OutcomeUnknown()]
        before = one.mailbox.status().epoch
        assert codes(await one.mailbox.execute([p.book("a")])) == [TroubleCode.UNKNOWN]
        (again,) = await one.mailbox.execute([p.book("a")])
        assert isinstance(again, BookingView)
        assert again.epoch == before
        assert one.mailbox.status().epoch == before + 1
        assert lost == ["unknown"]
        bookings = [r for r in one.journal.records if r.event.key == "b-a"]
        assert len(bookings) == 1


async def test_unknown_outcome_that_did_not_happen_leaves_no_ghost() -> None:
    """The append was lost: readers see the slot free, and the retry books it."""
    async with desk() as one:
        one.journal.faults = [OutcomeUnknown()]
        await one.mailbox.execute([p.book("a")])
        (view,) = await one.mailbox.execute([p.slots()])
        assert state(view) == "f"
        (again,) = await one.mailbox.execute([p.book("a")])
        assert isinstance(again, BookingView)


async def test_fenced_shard_leaves_for_good() -> None:
    """A newer owner exists: the mailbox says so, never writes again, and stays shut."""
    async with desk() as one:
        left: list[str] = []
        one.mailbox.on_fenced = lambda: left.append("fenced")
        one.journal.epoch += 1
        assert codes(await one.mailbox.execute([p.book("a")])) == [TroubleCode.UNKNOWN]
        assert left == ["fenced"]
        assert one.mailbox.state == "left"
        assert codes(await one.mailbox.execute([p.slots()])) == [TroubleCode.RECOVERING]
        with pytest.raises(CalendarRecovering):
            await one.mailbox.poll(0, 0, 10)


async def test_refusal_of_a_zombie_is_not_told() -> None:
    """A batch of refusals and repeated answers only is checked with the journal."""
    async with desk() as one:
        await one.mailbox.execute([p.book("a")])
        checks = one.journal.checks
        (no,) = await one.mailbox.execute([p.book("b", key="")])
        assert isinstance(no, Refusal)
        assert one.journal.checks == checks + 1
        one.journal.epoch += 1
        assert codes(await one.mailbox.execute([p.book("a")])) == [TroubleCode.UNKNOWN]


async def test_full_journal_answers_full_and_recovers() -> None:
    """Nothing was written: the caller is told, and the slot is free afterwards."""
    async with desk() as one:
        one.journal.faults = [JournalFull()]
        full = await one.mailbox.execute([p.book("a")])
        assert codes(full) == [TroubleCode.JOURNAL_FULL]
        (view,) = await one.mailbox.execute([p.slots()])
        assert state(view) == "f"


async def test_silent_journal_is_taken_for_down_until_it_answers() -> None:
    """While the journal is away requests are told at once; then they are served."""
    async with desk(ShardLimits(retry_ms=1, retry_max_ms=5, append_ms=20)) as one:
        one.journal.gate.clear()
        one.journal.down = JournalUnavailable()
        down = await one.mailbox.execute([p.book("a")])
        assert codes(down) == [TroubleCode.JOURNAL_DOWN]
        assert codes(await one.mailbox.execute([p.slots()])) == [
            TroubleCode.JOURNAL_DOWN
        ]
        one.journal.down = None
        await one.mailbox.open()
        one.journal.gate.set()  # the late write arrives now, and is shut out
        (view,) = await one.mailbox.execute([p.slots()])
        assert state(view) == "f"


async def test_corrupt_journal_refuses_to_open() -> None:
    """Damage before the tail is final, and is said."""
    one = Desk()
    one.journal.down = JournalCorrupt("s0000: segment 1, offset 12")
    with pytest.raises(JournalCorrupt):
        await one.mailbox.open()
    (reply,) = await one.mailbox.execute([p.slots()])
    assert isinstance(reply, Trouble)
    assert reply.code is TroubleCode.JOURNAL_DOWN, "answered at once, not retried"
    assert "damaged" in reply.detail
    await one.mailbox.close()


async def test_full_mailbox_says_so_at_once() -> None:
    """Beyond the bound requests are overloaded; those that wait are answered."""
    async with desk(ShardLimits(mailbox_max=2)) as one:
        one.journal.gate.clear()
        one.journal.appending.clear()
        first = asyncio.ensure_future(one.mailbox.execute([p.book("a")]))
        await one.journal.appending.wait()
        waits = asyncio.ensure_future(one.mailbox.execute([p.slots(), p.slots()]))
        await asyncio.sleep(0)
        over = await one.mailbox.execute([p.slots()])
        assert codes(over) == [TroubleCode.OVERLOADED]
        one.journal.gate.set()
        assert codes([*await first, *await waits]) == [None] * 3


async def test_waiting_for_recovery_is_bounded() -> None:
    """A shard that does not open in time answers that it is recovering; closed, it has
    nothing that waits."""
    one = Desk(ShardLimits(answer_ms=10, retry_ms=60_000))
    one.journal.down = OutcomeUnknown()
    one.mailbox.start()
    assert codes(await one.mailbox.execute([p.slots()])) == [TroubleCode.RECOVERING]
    assert one.mailbox.status().mailbox == 1
    await one.mailbox.close()
    assert one.mailbox.status().mailbox == 0


async def test_cancelled_caller_changes_nothing_for_others() -> None:
    """A caller who leaves while the batch is in flight shifts no other reply."""
    async with desk() as one:
        one.journal.gate.clear()
        one.journal.appending.clear()
        gone = asyncio.ensure_future(one.mailbox.execute([p.hold("a")]))
        await one.journal.appending.wait()
        gone.cancel()
        other = asyncio.ensure_future(one.mailbox.execute([p.hold("b", 1)]))
        await asyncio.sleep(0)
        one.journal.gate.set()
        (reply,) = await other
        assert isinstance(reply, HoldView)
        assert reply.start == p.NINE + 30


async def test_close_stores_what_changed_and_opening_replays_nothing() -> None:
    """After a clean close the snapshots hold everything up to the journal's end."""
    async with desk() as one:
        await one.mailbox.execute([p.book("a"), p.hold("b", 1)])
    assert one.snapshots.at == len(one.journal.records)
    assert codes(await one.mailbox.execute([p.slots()])) == [TroubleCode.RECOVERING]
    again = one.make()
    await again.open()
    (view,) = await again.execute([p.slots()])
    assert (state(view), state(view, p.NINE + 30)) == ("b", "h")
    await again.close()


async def test_snapshots_are_taken_beside_the_work() -> None:
    """After enough events a round stores the calendars and moves the position."""
    limits = ShardLimits(snapshot_events=3, snapshot_gap_ms=0, snapshot_chunk=1)
    async with desk(limits) as one:
        for number in range(6):
            one.clock.time = Millis(one.clock.time + 1)
            await one.mailbox.execute([p.book(f"a{number}", number)])
            await asyncio.sleep(0)
        while one.snapshots.at < 3:
            one.clock.time = Millis(one.clock.time + 1)
            await one.mailbox.execute([p.slots()])
        assert one.mailbox.status().snapshots >= 1


async def test_failed_snapshot_costs_nothing_but_a_later_one() -> None:
    """The position stays, requests are answered, and closing stores everything."""
    limits = ShardLimits(snapshot_events=1, snapshot_gap_ms=0)
    async with desk(limits) as one:
        one.snapshots.faults = [OSError("disk")]
        while one.snapshots.faults:
            one.clock.time = Millis(one.clock.time + 1)
            await one.mailbox.execute([p.slots()])
        (reply,) = await one.mailbox.execute([p.book("a")])
        assert isinstance(reply, BookingView)
    assert one.snapshots.at == len(one.journal.records)


async def test_newer_owner_of_the_snapshots_ends_the_shard() -> None:
    """A save that is fenced means that another owner exists."""
    limits = ShardLimits(snapshot_events=1, snapshot_gap_ms=0)
    async with desk(limits) as one:
        one.snapshots.faults = [Fenced()]
        while one.mailbox.state == "open":
            one.clock.time = Millis(one.clock.time + 1)
            await one.mailbox.execute([p.slots()])
        assert one.mailbox.state == "left"


async def test_poll_survives_a_recovery() -> None:
    """A poll that waits through a recovery is told to read again."""
    async with desk() as one:
        feed = await one.mailbox.poll(0, 0, 0)
        assert feed.reset
        one.journal.faults = [OutcomeUnknown()]
        polling = asyncio.ensure_future(
            one.mailbox.poll(feed.epoch, feed.number, 5_000)
        )
        await asyncio.sleep(0)
        await one.mailbox.execute([p.book("a")])
        again = await polling
        assert again.reset
        assert again.epoch == feed.epoch + 1


async def test_quiet_poll_ends_with_silence() -> None:
    """Without news the poll ends after its wait with the same cursor."""
    async with desk() as one:
        feed = await one.mailbox.poll(0, 0, 0)
        quiet = await one.mailbox.poll(feed.epoch, feed.number, 5)
        assert quiet.changes == []
        assert not quiet.reset
        assert quiet.number == feed.number


async def test_snapshots_ahead_of_the_journal_refuse_to_open() -> None:
    """A journal that lost its end, or belongs to another site, is not written to."""
    one = Desk()
    one.snapshots.at = 5
    with pytest.raises(JournalCorrupt, match="a snapshot is at 5"):
        await one.mailbox.open()
    assert one.mailbox.state == "corrupt"
    await one.mailbox.close()
