"""The projection store's contract: memory twin, SQLite, MariaDB by both drivers."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from actors.domain.ids import ShardId
from actors.domain.messages.events import Event
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.operations_of import project
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.sqlite import SqliteProjectionStore
from persistence.readmodel.projection.store import (
    Committed,
    Mismatch,
    Moved,
    Offset,
    ParkKind,
    ProjectionStore,
    ShardAdvance,
)
from persistence.sql.engine import open_engine
from tests.fixtures.read_model import EVERYWHERE, empty_read_model
from tests.fixtures.rows import Rows, sql_summary, twin_summary
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal, a_clinic


class Model:
    """A store under test, and a way to look at its rows."""

    def __init__(
        self, store: ProjectionStore, rows: Callable[[], Awaitable[Rows]]
    ) -> None:
        self.store = store
        self.rows = rows

    def projector(self, journal: StoryJournal, batch: int = 1_000) -> Projector:
        return Projector(journal, self.store, FixedClock(), batch_max=batch)


@pytest.fixture(params=(*EVERYWHERE, "sqlite on a thread"))
async def model(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Model]:
    if request.param == "memory":
        twin = MemoryReadModel()

        async def twin_rows() -> Rows:
            return twin_summary(twin)

        yield Model(twin, twin_rows)
        return
    on_thread = request.param == "sqlite on a thread"
    kind = "sqlite" if on_thread else request.param
    url = empty_read_model(kind, request, tmp_path)
    engine = open_engine(url, "reader" if on_thread else "projector")

    async def sql_rows() -> Rows:
        return await sql_summary(engine)

    if on_thread:
        store = SqliteProjectionStore(url)
        yield Model(store, sql_rows)
        await store.close()
    else:
        yield Model(SqlProjectionStore(engine), sql_rows)
    await engine.dispose()


def a_day(story: Story) -> StoryJournal:
    journal = StoryJournal()
    journal.tell(
        SHARD,
        story.registered(),
        story.offers(),
        story.booked(1, NINE),
        story.window(NINE),
        story.booked(2, NINE + 60, patient=2),
        story.moved(1, NINE + 120),
        story.cancelled(2),
        story.booked(3, NINE),
        story.arrived(1),
        story.fulfilled(1),
        story.noshow(3),
    )
    return journal


async def test_nothing_is_projected_at_first(model: Model) -> None:
    """A shard that was never projected stands at 0."""
    assert await model.store.offset(SHARD) == Offset(0, 0)
    assert await model.store.shard_offsets() == {}


@pytest.mark.parametrize("batch", [1, 2, 3, 1_000])
async def test_rows_follow_the_journal(model: Model, batch: int) -> None:
    """Whatever the batches, the rows say what the events said."""
    journal = a_day(Story())
    projector = model.projector(journal, batch)
    while await projector.step():
        pass
    rows = await model.rows()
    status = {row[0]: row[6] for row in rows["appointment"]}
    assert status == {
        "bkg_1.1": "fulfilled",
        "bkg_1.2": "cancelled",
        "bkg_1.3": "noshow",
    }
    claimed = {(row[1], row[3]) for row in rows["slot_claim"]}
    first = (NINE - 5) // 5
    assert claimed == {(first + 24 + i, "bkg_1.1") for i in range(7)} | {
        (first + i, "bkg_1.3") for i in range(7)
    }
    kinds = [row[1] for row in rows["outbox"]]
    assert sorted(kinds) == [
        "booking.arrived",
        "booking.booked",
        "booking.booked",
        "booking.booked",
        "booking.cancelled",
        "booking.fulfilled",
        "booking.noshow",
        "booking.rescheduled",
    ]
    assert await model.store.offset(SHARD) == Offset(11, 1)
    assert not projector.parked


async def test_the_offset_guards_every_row(model: Model) -> None:
    """A batch from an offset that has moved changes nothing and says where it is."""
    journal = a_day(Story())
    await model.projector(journal).step()
    before = await model.rows()
    records = journal.records[SHARD][:4]
    operations = [op for record in records for op in project(SHARD, record)]
    outcome = await model.store.apply(SHARD, 0, Offset(4, 1), operations)
    assert outcome == Moved(Offset(11, 1))
    assert await model.rows() == before


async def test_two_projectors_are_harmless(model: Model) -> None:
    """Two projectors that take turns write each event once."""
    story = Story()
    journal = a_day(story)
    one, two = model.projector(journal, 3), model.projector(journal, 2)
    while await one.step() + await two.step():
        pass
    rows = await model.rows()
    assert len(rows["outbox"]) == 8
    assert len(rows["appointment_history"]) == 8
    assert not one.parked
    assert not two.parked


async def test_a_slot_given_twice_is_parked(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """The later of two bookings of one cell is parked; everything else goes on."""
    story, other = Story(1), Story(2)
    journal = StoryJournal()
    journal.tell(
        SHARD,
        story.registered(),
        story.booked(1, NINE),
        other.booked(7, NINE),
        story.booked(2, NINE + 20),  # shares two cells with booking 1
        story.arrived(2),  # of a booking that was parked
        story.booked(3, NINE + 60),
        other.cancelled(7),
    )
    projector = model.projector(journal)
    with caplog.at_level(logging.ERROR):
        assert await projector.step() == 7
    rows = await model.rows()
    assert {row[0] for row in rows["appointment"]} == {"bkg_1.1", "bkg_1.3", "bkg_2.7"}
    assert rows["projection_conflict"] == [
        (SHARD, 4, "claim", "bkg_1.2", "bkg_1.1"),
        (SHARD, 5, "orphan", "bkg_1.2", ""),
    ]
    assert projector.parked == {ParkKind.CLAIM: 1, ParkKind.ORPHAN: 1}
    assert await model.store.parked() == {ParkKind.CLAIM: 1, ParkKind.ORPHAN: 1}
    assert caplog.text.count("ALARM") == 2
    assert await projector.step() == 0


async def test_a_double_booking_undone_in_the_same_batch_is_still_seen(
    model: Model,
) -> None:
    """That the first booking was cancelled later does not hide the overlap."""
    story = Story()
    journal = StoryJournal()
    journal.tell(SHARD, story.booked(1), story.booked(2), story.cancelled(1))
    await model.projector(journal).step()
    rows = await model.rows()
    assert [row[2] for row in rows["projection_conflict"]] == ["claim"]


async def test_a_released_cell_may_be_claimed_in_the_same_batch(model: Model) -> None:
    """Cancel and book again, many times over in one batch, raises no alarm."""
    story = Story()
    journal = StoryJournal()
    for number in range(1, 40):
        journal.tell(SHARD, story.booked(number), story.cancelled(number))
    journal.tell(SHARD, story.booked(40), story.moved(40, NINE + 10))
    projector = model.projector(journal)
    await projector.step()
    assert not projector.parked
    assert len((await model.rows())["slot_claim"]) == 7


async def test_each_lane_is_claimed_once(model: Model) -> None:
    """Seats and overbooked visits have claims of their own; a lane given twice parks.

    The first seat claims what a visit with its time to itself would.
    """
    story = Story()
    journal = StoryJournal()
    lanes = (-1, -2, 1, 2, 1, 0)
    journal.tell(
        SHARD,
        *(
            msgspec.structs.replace(story.booked(number), lane=lane)
            for number, lane in enumerate(lanes, 1)
        ),
        story.cancelled(2),
        msgspec.structs.replace(story.moved(3, NINE), lane=-2),
    )
    projector = model.projector(journal)
    await projector.step()
    rows = await model.rows()
    assert [row[3] for row in rows["projection_conflict"]] == ["bkg_1.5", "bkg_1.6"]
    claimed = {(row[2], row[3]) for row in rows["slot_claim"]}
    assert claimed == {(0, "bkg_1.1"), (-1, "bkg_1.3"), (2, "bkg_1.4")}


async def test_refusals_leave_no_row(model: Model) -> None:
    """A batch with one misfit leaves no row and no offset at all."""
    story = Story()
    journal = StoryJournal()
    journal.tell(SHARD, story.registered(), story.booked(1), story.booked(2))
    operations = [op for r in journal.records[SHARD] for op in project(SHARD, r)]
    outcome = await model.store.apply(SHARD, 0, Offset(3, 1), operations)
    assert isinstance(outcome, Mismatch)
    assert all(not rows for rows in (await model.rows()).values())
    assert await model.store.offset(SHARD) == Offset(0, 0)


async def test_shards_have_their_own_offsets(model: Model) -> None:
    """Shards are projected independently of each other."""
    journal = StoryJournal()
    journal.tell(ShardId("s0001"), Story(1).booked(1))
    journal.tell(ShardId("s0002"), Story(2).booked(1), Story(3).booked(1))
    await model.projector(journal).step()
    assert await model.store.shard_offsets() == {
        "s0001": Offset(1, 1),
        "s0002": Offset(2, 1),
    }


async def test_empty_operations_move_the_offset(model: Model) -> None:
    """Records without rows still move the offset."""
    outcome = await model.store.apply(SHARD, 0, Offset(5, 2), [])
    assert outcome == Committed(Offset(5, 2))
    assert await model.store.apply(SHARD, 0, Offset(6, 2), []) == Moved(Offset(5, 2))


def batch_of(journal: StoryJournal, shard: ShardId, prev_seq: int = 0) -> ShardAdvance:
    """All records of a shard, as a batch that follows ``prev_seq``."""
    records = journal.records[shard]
    operations = [op for record in records for op in project(shard, record)]
    return ShardAdvance(shard, prev_seq, Offset(len(records), 1), operations)


async def test_shards_are_written_together(model: Model) -> None:
    """One transaction over several shards leaves the rows of one for each."""
    one, two = ShardId("s0001"), ShardId("s0002")
    journal = StoryJournal()
    journal.tell(one, Story(1).registered(), Story(1).booked(1))
    journal.tell(two, Story(2).registered(), Story(2).booked(1), Story(2).arrived(1))
    batches = [batch_of(journal, shard) for shard in (two, one)]
    assert await model.store.apply_together(batches)
    ends = {one: Offset(2, 1), two: Offset(3, 1)}
    assert await model.store.shard_offsets() == ends
    rows = await model.rows()
    assert {row[0] for row in rows["appointment"]} == {"bkg_1.1", "bkg_2.1"}
    assert len(rows["outbox"]) == 3


@pytest.mark.parametrize("misfit", ["moved", "claim", "orphan", "poison"])
async def test_together_means_all_or_none(model: Model, misfit: str) -> None:
    """One shard whose batch does not fit leaves no row of any shard, and no offset."""
    one, two = ShardId("s0001"), ShardId("s0002")
    story, other = Story(1), Story(2)
    journal = StoryJournal()
    journal.tell(one, story.booked(1))
    misfits: dict[str, list[Event]] = {
        "moved": [other.booked(1)],
        "claim": [other.booked(1), other.booked(2)],
        "orphan": [other.cancelled(7)],
        "poison": [other.booked(1), other.booked(1, NINE + 60)],
    }
    journal.tell(two, *misfits[misfit])
    batches = [batch_of(journal, one), batch_of(journal, two, int(misfit == "moved"))]
    assert not await model.store.apply_together(batches)
    assert all(not rows for rows in (await model.rows()).values())
    assert await model.store.shard_offsets() == {}


async def test_a_misfit_of_one_shard_is_parked_and_the_others_go_on(
    model: Model,
) -> None:
    """A round over several shards parks what does not fit, of that shard alone."""
    one, two = ShardId("s0001"), ShardId("s0002")
    journal = StoryJournal()
    journal.tell(one, Story(1).booked(1), Story(1).arrived(1))
    journal.tell(two, Story(2).booked(1), Story(2).booked(2), Story(2).arrived(1))
    projector = model.projector(journal)
    assert await projector.step() == 5
    assert projector.parked == {ParkKind.CLAIM: 1}
    rows = await model.rows()
    assert [row[:2] for row in rows["projection_conflict"]] == [(two, 2)]
    assert {row[6] for row in rows["appointment"]} == {"arrived"}
    assert len(rows["outbox"]) == 4


@pytest.mark.parametrize("seed", range(6))
async def test_clinics_do_not_depend_on_the_order_of_shards(
    model: Model, seed: int
) -> None:
    """One clinic registered by providers of several shards ends up the same."""
    chance = random.Random(seed)
    events = []
    for number in range(1, 6):
        story = Story(number, a_clinic(1, name=f"Name {number}"))
        events.append((ShardId(f"s{number}"), story.registered(at=number // 2)))
    chance.shuffle(events)
    for shard, event in events:
        journal = StoryJournal()
        journal.tell(shard, event)
        await model.projector(journal).step()
    assert (await model.rows())["clinic"] == [("cln_1", "Name 5", False, 2, "prv_5")]
