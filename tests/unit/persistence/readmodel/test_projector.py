"""The projector: what it does when something is wrong."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from actors.domain.ids import ShardId
from actors.domain.messages import events as ev
from actors.errors import JournalUnavailable
from actors.ports import Record
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection import operations_of as projection
from persistence.readmodel.projection import projector as projecting
from persistence.readmodel.projection import resting as projector_rest
from persistence.readmodel.projection.lags import lag
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.store import Offset, ParkKind, StoreUnavailable
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal


async def follow(journal: StoryJournal, twin: MemoryReadModel) -> Projector:
    projector = Projector(journal, twin, FixedClock())
    while await projector.step():
        pass
    return projector


async def test_a_journal_that_lost_its_tail_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Offset ahead of the journal: an alarm that says so, and the others go on."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, *(story.booked(n, NINE + 60 * n) for n in range(4)))
    await follow(journal, twin)
    del journal.records[SHARD][2:]
    other = ShardId("s0001")
    journal.tell(other, Story(2).booked(1))
    projector = Projector(journal, twin, FixedClock())
    with caplog.at_level(logging.ERROR):
        assert await projector.step() == 1
        assert await projector.step() == 0
    assert "at seq 4, but the journal ends at 2" in projector.refused[SHARD]
    assert caplog.text.count("not projected") == 1
    assert await twin.offset(SHARD) == Offset(4, 1)
    assert await twin.offset(other) == Offset(1, 1)


async def test_another_journal_that_grew_past_the_offset_is_refused() -> None:
    """A record of an older epoch after the offset belongs to another history."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.epoch = 5
    journal.tell(SHARD, story.booked(1))
    await follow(journal, twin)
    journal.epoch = 2
    journal.records.clear()
    journal.tell(SHARD, story.booked(2), story.booked(3, NINE + 60))
    projector = await follow(journal, twin)
    assert "another journal" in projector.refused[SHARD]
    assert len(twin.appointments) == 1


async def test_trimmed_records_are_refused() -> None:
    """Records that were trimmed before they were projected are missed aloud."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1))
    await journal.trim(SHARD, 1)
    journal.tell(SHARD, story.booked(2))
    projector = await follow(journal, twin)
    assert "trimmed" in projector.refused[SHARD]


async def test_an_offset_that_goes_back_is_harmless() -> None:
    """After a restored database the events since then are projected again."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1))
    projector = await follow(journal, twin)
    backup = dict(twin.appointments), dict(twin._offsets), dict(twin.claims)
    told = dict(twin.outbox), dict(twin._told)
    journal.tell(SHARD, story.booked(2, NINE + 60), story.arrived(2))
    while await projector.step():
        pass
    whole = dict(twin.appointments)
    twin.appointments, twin._offsets, twin.claims = backup
    twin.outbox, twin._told = told
    twin.claims_of.pop(story.booking(2))
    journal.tell(SHARD, story.booked(3, NINE + 120))
    while await projector.step():
        pass
    del twin.appointments[story.booking(3)]
    assert twin.appointments == whole
    assert await twin.offset(SHARD) == Offset(4, 1)
    assert not projector.parked


async def test_poison_is_parked_and_the_rest_goes_on() -> None:
    """An event of an unknown kind is kept aside; what follows is projected."""

    class Novelty(ev.EventBase, frozen=True, kw_only=True, tag="novelty"):
        pass

    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1))
    novelty = Novelty(**story._common(None))
    journal.records[SHARD].append(Record(2, 1, novelty))  # type: ignore[arg-type]
    journal.tell(SHARD, story.arrived(1))
    projector = await follow(journal, twin)
    assert projector.parked == {ParkKind.POISON: 1}
    assert "Novelty" in twin.conflict_rows[SHARD, 2].reason
    assert twin.appointments[story.booking(1)].status.value == "arrived"


async def test_a_fault_in_the_projection_is_parked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even an unforeseen exception stops one event only."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1), story.booked(2, NINE + 60))
    real = projection.project

    def faulty(shard: ShardId, record: Record, *, cell_minutes: int) -> object:
        if record.seq == 1:
            raise ZeroDivisionError("oops")
        return real(shard, record, cell_minutes=cell_minutes)

    monkeypatch.setattr(projection, "project", faulty)
    projector = await follow(journal, twin)
    assert projector.parked == {ParkKind.POISON: 1}
    assert list(twin.appointments) == [story.booking(2)]


async def test_an_outage_of_the_store_is_waited_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store is down the projector waits longer each time, then catches up."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, *(story.booked(n, NINE + 60 * n) for n in range(5)))
    twin.available = False
    stop = asyncio.Event()
    pauses: list[float] = []

    async def pause(stopping: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)
        twin.available = len(pauses) >= 8
        if len(pauses) == 15:
            stopping.set()
        await asyncio.sleep(0)

    monkeypatch.setattr(projecting, "pause", pause)
    monkeypatch.setattr(projector_rest, "pause", pause)
    with caplog.at_level(logging.WARNING):
        await Projector(journal, twin, FixedClock()).run(stop, lambda: 0.0)
    assert pauses[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert pauses[8:] == [0.03, 0.005, 0.01, 0.02, 0.04, 0.08, 0.1]
    assert len(twin.appointments) == 5
    assert "the store is down" in caplog.text


async def test_an_outage_of_the_journal_is_waited_out() -> None:
    """A journal that does not answer raises out of a step and changes nothing."""

    class Silent(StoryJournal):
        async def shards(self) -> list[ShardId]:
            raise JournalUnavailable("locked")

    with pytest.raises(JournalUnavailable):
        await Projector(Silent(), MemoryReadModel(), FixedClock()).step()


async def test_stop_ends_the_run_at_once() -> None:
    """A pause is cut short when the projector is asked to stop."""
    stop = asyncio.Event()
    projector = Projector(StoryJournal(), MemoryReadModel(), FixedClock())
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        run = group.create_task(projector.run(stop))
        stop.set()
    assert run.done()


async def test_lag_is_told_per_shard() -> None:
    """Events that wait, and the instant of the oldest."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1))
    await follow(journal, twin)
    journal.tell(SHARD, story.arrived(1), story.fulfilled(1))
    (one,) = await lag(journal, twin)
    assert (one.events, one.projected_seq, one.journal_seq) == (2, 1, 3)
    assert one.oldest_waiting_at == 2_000


async def test_lanes_do_not_trip_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane whose store fails makes all offsets be read again, and nothing else."""
    other, begun, failed = ShardId("s0001"), asyncio.Event(), asyncio.Event()
    journal, twin = StoryJournal(), MemoryReadModel()
    journal.tell(SHARD, Story(1).booked(1))
    journal.tell(other, Story(2).booked(1))
    read, apply = journal.read, twin.apply

    async def late(shard: ShardId, after: int, limit: int) -> Any:
        if shard == other:
            begun.set()
            await failed.wait()
        return await read(shard, after, limit)

    async def away(shard: ShardId, *given: Any) -> Any:
        if shard == SHARD and not failed.is_set():
            await begun.wait()
            failed.set()
            raise StoreUnavailable("away")
        return await apply(shard, *given)

    monkeypatch.setattr(journal, "read", late)
    monkeypatch.setattr(twin, "apply", away)
    projector = Projector(journal, twin, FixedClock(), batch_max=1, lanes=2)
    with pytest.raises(StoreUnavailable):
        await projector.step()
    assert await projector.step() == 1
    assert await twin.shard_offsets() == {SHARD: Offset(1, 1), other: Offset(1, 1)}


async def test_projectors_come_back_out_of_step(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The pause doubles up to its bound, and half of it is left to chance."""
    stop, twin, asked = asyncio.Event(), MemoryReadModel(), 0
    monkeypatch.setattr(projecting, "BACK_OFF_LEAST_S", 0.001)
    monkeypatch.setattr(projecting, "BACK_OFF_MOST_S", 0.004)
    pauses: list[float] = []

    async def note(_: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)

    async def away(_: ShardId) -> Offset:
        nonlocal asked
        asked += 1
        if asked == 5:
            stop.set()
        raise StoreUnavailable("away")

    monkeypatch.setattr(projecting, "pause", note)
    monkeypatch.setattr(twin, "offset", away)
    journal = StoryJournal()
    journal.tell(SHARD, Story().booked(1))
    chances = iter([0.0, 0.5, 0.999, 0.0, 1.0])
    await Projector(journal, twin, FixedClock()).run(stop, lambda: next(chances))
    assert pauses == pytest.approx([0.001, 0.0015, 0.002002, 0.004, 0.002])
