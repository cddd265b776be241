"""Dropping the read model and rebuilding it, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import decode, encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import ProviderId, ShardId
from actors.domain.rules import Policy
from actors.errors import JournalCorrupt
from persistence.readmodel import tables as t
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.rebuilding import rebuild as rebuilding
from persistence.readmodel.rebuilding.from_calendars import RebuildImpossible, Seed
from persistence.readmodel.rebuilding.rebuild import rebuild, status
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.fixtures.rows import all_rows
from tests.fixtures.story import NINE, FixedClock, Story, StoryJournal, a_clinic

ONE, TWO = ShardId("s0001"), ShardId("s0002")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    opened = open_engine(url, "projector")
    yield opened
    await opened.dispose()


def region() -> StoryJournal:
    """Two shards with shared clinics, moves, a conflict and a waiting tail."""
    journal = StoryJournal()
    for number in range(8):
        story = Story(number, a_clinic(number % 3, name=f"By {number}"))
        journal.tell(
            ONE if number % 2 else TWO,
            story.registered(f"Dr {number}"),
            story.offers(),
            *(story.booked(n, NINE + n * 40, patient=n) for n in range(12)),
            story.moved(3, NINE + 3_000),
            story.cancelled(4),
            story.booked(50, NINE + 4 * 40),
            story.arrived(5),
        )
        if number == 6:
            journal.tell(TWO, story.booked(60, NINE))
    return journal


async def project(journal: StoryJournal, engine: AsyncEngine) -> None:
    projector = Projector(journal, SqlProjectionStore(engine), FixedClock())
    while await projector.step():
        pass


async def test_a_rebuild_equals_the_projection(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows come back as they were; damage is repaired; no notice is sent twice."""
    journal = region()
    await SqlDirectory(engine, engine).put_clinics([a_clinic(1, name="Official")])
    await project(journal, engine)
    before = await all_rows(engine)
    assert before["projection_conflict"]
    async with engine.begin() as connection:
        await connection.execute(delete(t.appointment))
        await connection.execute(text("UPDATE provider SET name = 'damaged'"))
        await connection.execute(text("DELETE FROM clinic_word"))
    progress: list[tuple[int, int]] = []
    monkeypatch.setattr("persistence.readmodel.rebuilding.rebuild.BATCH_MAX", 10)
    await rebuild(journal, engine, FixedClock(), lambda *at: progress.append(at))
    after = await all_rows(engine)
    before.pop("clinic_word")  # imported clinics are neither dropped nor repaired
    after.pop("clinic_word")
    assert after == before
    assert progress[-1] == (145, 145)
    assert progress == sorted(progress)


async def test_what_was_not_told_yet_is_told_by_a_rebuild(engine: AsyncEngine) -> None:
    """Notices of events that were not projected yet are written, once."""
    journal = region()
    await project(journal, engine)
    told = len((await all_rows(engine))["outbox"])
    journal.tell(ONE, Story(99).booked(1))
    for _ in range(2):
        await rebuild(journal, engine, FixedClock())
        assert len((await all_rows(engine))["outbox"]) == told + 1


async def test_a_lost_database_tells_nobody_of_the_past(engine: AsyncEngine) -> None:
    """A rebuild from nothing writes no notice up to the journal's end then."""
    journal = region()
    await rebuild(journal, engine, FixedClock())
    assert (await all_rows(engine))["outbox"] == []
    journal.tell(ONE, Story(99).booked(1))
    await project(journal, engine)
    assert len((await all_rows(engine))["outbox"]) == 1


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("kills", [1, 2, 3])
async def test_a_rebuild_may_be_broken_off_and_begun_again(
    engine: AsyncEngine, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off after any batch, a second rebuild, or the projector, finishes it."""
    journal = region()
    await project(journal, engine)
    before = await all_rows(engine)
    left = kills

    def die(_done: int, _total: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    monkeypatch.setattr("persistence.readmodel.rebuilding.rebuild.BATCH_MAX", 9)
    with pytest.raises(Killed):
        await rebuild(journal, engine, FixedClock(), die)
    monkeypatch.undo()
    assert await all_rows(engine) != before
    if kills % 2:
        await rebuild(journal, engine, FixedClock())
    else:
        await project(journal, engine)
    assert await all_rows(engine) == before


async def test_a_projector_may_run_meanwhile(engine: AsyncEngine) -> None:
    """A projector with old offsets in mind is told that they moved, and helps."""
    journal = region()
    running = Projector(journal, SqlProjectionStore(engine), FixedClock(), batch_max=20)
    while await running.step():
        pass
    before = await all_rows(engine)
    journal.tell(TWO, Story(77).registered())
    async with engine.begin() as connection:
        await rebuilding._reset(connection, {ONE: 0, TWO: 0}, {})
    assert await running.step() < 40
    await rebuild(journal, engine, FixedClock())
    while await running.step():
        pass
    after = await all_rows(engine)
    assert after["appointment"] == before["appointment"]
    assert after["outbox"] == before["outbox"]
    assert not running.refused


class Resting:
    """Calendars at rest, made by applying the journal's first records."""

    def __init__(self, journal: StoryJournal, position: int) -> None:
        self.journal = journal
        self.at = position
        self.asked: list[ShardId] = []

    async def position(self, shard: ShardId) -> int:
        return self.at

    async def calendars(self, shard: ShardId) -> AsyncIterator[Seed]:
        self.asked.append(shard)
        records = self.journal.records[shard]
        providers = sorted({r.event.provider_id for r in records})
        for index, provider in enumerate(providers):
            seq = min(self.at + index, len(records))  # each rests at another seq
            seen = [r for r in records[:seq] if r.event.provider_id == provider]
            if seen:
                calendar = Calendar(CalendarState(ProviderId(provider), Policy()))
                for record in seen:
                    apply(calendar.state, record.event, record.epoch)
                yield Seed(seq, decode(encode(calendar.state), Policy()))


def plain_region() -> StoryJournal:
    """One shard, no planted conflict: a calendar could not hold one."""
    journal = StoryJournal()
    for number in range(4):
        story = Story(number, a_clinic(number))
        journal.tell(
            ONE,
            story.registered(f"Dr {number}"),
            story.offers(),
            *(story.booked(n, NINE + n * 40, patient=n) for n in range(6)),
            story.moved(3, NINE + 3_000),
            story.cancelled(4),
            story.booked(50, NINE + 4 * 40),
            story.arrived(5),
        )
    return journal


def comparable(rows: dict[str, Any]) -> dict[str, Any]:
    """Rows without the seqs and versions at which a snapshot was taken."""
    return {
        "appointment": [(r[0], *r[5:]) for r in rows["appointment"]],
        "slot_claim": rows["slot_claim"],
        "provider": [(r[0], *r[4:]) for r in rows["provider"]],
        "provider_word": rows["provider_word"],
        "visit_type": rows["visit_type"],
        "clinic": [r[:11] for r in rows["clinic"]],
        "projection_offset": rows["projection_offset"],
        "outbox": rows["outbox"],
    }


@pytest.mark.parametrize("position", [1, 12, 25, 47])
@pytest.mark.parametrize("lost", [True, False])
async def test_calendars_at_rest_stand_for_trimmed_records(
    engine: AsyncEngine, tmp_path: Path, position: int, lost: bool
) -> None:
    """With old records trimmed the same bookings, claims and providers come back."""
    journal = plain_region()
    if not lost:
        await project(journal, engine)
    other = f"sqlite:///{tmp_path}/other.db"
    await migrate(other, READ_MODEL)
    full = open_engine(other, "projector")
    await project(journal, full)
    expected = comparable(await all_rows(full))
    await full.dispose()
    await journal.trim(ONE, position)
    await rebuild(journal, engine, FixedClock(), seeds=Resting(journal, position))
    rows = comparable(await all_rows(engine))
    if lost:
        told = expected.pop("outbox")
        assert told
        assert rows.pop("outbox") == []
        rows.pop("projection_offset")
        expected.pop("projection_offset")
    assert rows == expected
    history = (await all_rows(engine))["appointment_history"]
    if not lost:
        assert len(history) == len(expected["outbox"])


async def test_rows_that_nothing_else_has_are_kept(engine: AsyncEngine) -> None:
    """An old booking, trimmed and forgotten by its calendar, survives a rebuild."""
    journal = plain_region()
    await project(journal, engine)
    async with engine.begin() as connection:
        old = select(t.appointment).where(t.appointment.c.booking_id == "bkg_0.1")
        row = dict((await connection.execute(old)).mappings().one())
        row.update(booking_id="bkg_0.old", seq=2, busy_start=0, busy_end=10)
        await connection.execute(t.appointment.insert().values(row))
    await journal.trim(ONE, 20)
    await rebuild(journal, engine, FixedClock(), seeds=Resting(journal, 20))
    ids = {row[0] for row in (await all_rows(engine))["appointment"]}
    assert "bkg_0.old" in ids
    assert len(ids) == 4 * 7 + 1


async def test_a_rebuild_without_the_old_records_is_refused(
    engine: AsyncEngine,
) -> None:
    """Trimmed records and no snapshots: nothing is thrown away."""
    journal = region()
    await project(journal, engine)
    before = await all_rows(engine)
    await journal.trim(ONE, 5)
    with pytest.raises(RebuildImpossible, match="snapshots are needed"):
        await rebuild(journal, engine, FixedClock())
    await journal.trim(ONE, 50)
    with pytest.raises(JournalCorrupt):
        await rebuild(journal, engine, FixedClock(), seeds=Resting(journal, 20))
    assert await all_rows(engine) == before


async def test_status_tells_the_lag(engine: AsyncEngine) -> None:
    """Lag is counted in events, with the instant of the oldest that waits."""
    journal = region()
    lags = await status(journal, engine)
    assert [(one.shard, one.events) for one in lags] == [(ONE, 72), (TWO, 73)]
    assert lags[0].oldest_waiting_at == 1_000
    await project(journal, engine)
    lags = await status(journal, engine)
    assert [(one.events, one.oldest_waiting_at) for one in lags] == [(0, None)] * 2
