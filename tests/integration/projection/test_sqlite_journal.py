"""The projector behind the real file journal, and a rebuild from real snapshots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import ProviderId
from actors.domain.messages.events import Event
from actors.domain.rules import Policy
from actors.ports import StoredCalendar
from persistence.journal.files.journal import FileJournal
from persistence.journal.memory import MemoryJournal
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.rebuilding.from_calendars import SnapshotSeeds
from persistence.readmodel.rebuilding.rebuild import rebuild, status
from persistence.readmodel.tables import READ_MODEL
from persistence.snapshots.files import FileSnapshots
from persistence.snapshots.memory import MemorySnapshots
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.fixtures.rows import all_rows
from tests.fixtures.story import NINE, SHARD, FixedClock, Story


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    opened = open_engine(url, "projector")
    yield opened
    await opened.dispose()


async def test_a_projector_follows_another_process_journal(
    tmp_path: Path, engine: AsyncEngine
) -> None:
    """A reader of the files sees what the owner made durable, batch by batch."""
    writer, reader = FileJournal(tmp_path / "j"), FileJournal(tmp_path / "j")
    sealed = await writer.seal(SHARD)
    projector = Projector(reader, SqlProjectionStore(engine), FixedClock())
    story, seq, done = Story(), 0, 0
    for number in range(20):
        events: list[Event] = [
            story.booked(number, NINE + 60 * number),
            story.arrived(number),
        ]
        seq = await writer.append(SHARD, sealed.epoch, seq, events)
        done += await projector.step()
    assert (seq, done) == (40, 40)
    (lag,) = await status(reader, engine)
    assert (lag.events, lag.epoch) == (0, sealed.epoch)
    assert len((await all_rows(engine))["appointment"]) == 20
    before = await all_rows(engine)
    await rebuild(reader, engine, FixedClock())
    assert await all_rows(engine) == before
    await reader.close()
    await writer.close()


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_snapshots_stand_for_trimmed_records(
    tmp_path: Path, engine: AsyncEngine, kind: str
) -> None:
    """Records trimmed after a snapshot: bookings come back from the snapshot."""
    journal = MemoryJournal()
    sealed = await journal.seal(SHARD)
    story, calendar = Story(), Calendar(CalendarState(ProviderId("prv_1"), Policy()))
    events: list[Event] = [story.registered(), story.offers()]
    events += [story.booked(n, NINE + 60 * n) for n in range(5)]
    for event in events:
        apply(calendar.state, event, sealed.epoch)
    await journal.append(SHARD, sealed.epoch, 0, [*events, story.cancelled(2)])
    snapshots = FileSnapshots(tmp_path / "s") if kind == "file" else MemorySnapshots()
    stored = {story.provider_id: StoredCalendar(7, encode(calendar.state))}
    await snapshots.save(SHARD, sealed.epoch, stored)
    await snapshots.advance(SHARD, sealed.epoch, 7)
    await journal.trim(SHARD, 7)
    seeds = SnapshotSeeds(snapshots, Policy())
    await rebuild(journal, engine, FixedClock(), seeds=seeds)
    rows = await all_rows(engine)
    status_of = {row[0]: row[7] for row in rows["appointment"]}
    assert status_of == {
        f"bkg_1.{n}": "cancelled" if n == 2 else "booked" for n in range(5)
    }
    assert len(rows["slot_claim"]) == 4 * 7
    assert len(rows["provider"]) == 1
    await snapshots.close()
