"""Waiting for the projection, and reading while it writes, on SQLite."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.domain.ids import BookingId, Millis, Minute
from actors.errors import Unavailable
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import Offset, StoreUnavailable
from persistence.readmodel.queries.bookings import HistoryEntry, SqlBookingHistory
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.queries.progress import SqlProgress
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal


@pytest.fixture
async def url(tmp_path: Path) -> str:
    name = f"sqlite:///{tmp_path}/m.db"
    await migrate(name, READ_MODEL)
    return name


async def test_many_waiters_share_one_query(url: str) -> None:
    """Two hundred who wait cost about as many queries as one."""
    writer, readers = open_engine(url, "projector"), open_engine(url, "reader")
    store, progress = SqlProjectionStore(writer), SqlProgress(readers)
    async with asyncio.TaskGroup() as group:
        waits = [
            group.create_task(progress.reached(SHARD, seq, timeout_s=30))
            for seq in range(1, 201)
        ]
        await store.apply(SHARD, 0, Offset(100, 1), [])
        await store.apply(SHARD, 100, Offset(200, 1), [])
    assert all(wait.result() for wait in waits)
    assert progress.queries < 50
    await writer.dispose()
    await readers.dispose()


async def test_a_cancelled_waiter_leaves_the_others_waiting(url: str) -> None:
    """A reader cancelled in mid-query hands the query over to another."""
    writer, readers = open_engine(url, "projector"), open_engine(url, "reader")
    store, progress = SqlProjectionStore(writer), SqlProgress(readers)
    async with asyncio.TaskGroup() as group:
        leader = group.create_task(progress.reached(SHARD, 1, timeout_s=30))
        other = group.create_task(progress.reached(SHARD, 1, timeout_s=30))
        await asyncio.sleep(0)  # both have begun to wait
        leader.cancel()
        await store.apply(SHARD, 0, Offset(1, 1), [])
    assert other.result()
    await writer.dispose()
    await readers.dispose()


async def test_two_processes_worth_of_projectors(url: str) -> None:
    """Two projectors with connections of their own write each event once."""
    story, journal = Story(), StoryJournal()
    journal.tell(SHARD, *(story.booked(n, NINE + 60 * n) for n in range(300)))
    engines = [open_engine(url, "projector") for _ in range(2)]
    projectors = [
        Projector(journal, SqlProjectionStore(engine), FixedClock(), batch_max=7)
        for engine in engines
    ]

    async def follow(projector: Projector) -> None:
        while (await SqlProgress(engines[0]).offsets()).get(SHARD, 0) < 300:
            await projector.step()

    await asyncio.gather(*map(follow, projectors))
    assert sum(projector.projected for projector in projectors) == 300
    assert not projectors[0].parked
    assert not projectors[1].parked
    for engine in engines:
        await engine.dispose()


async def test_a_bookings_history_is_told_in_order(url: str) -> None:
    """From when to when a visit was moved, and who called it off."""
    writer = open_engine(url, "projector")
    story, journal = Story(), StoryJournal()
    journal.tell(
        SHARD, story.booked(1), story.moved(1, NINE + 60), story.cancelled(1, "ill")
    )
    await Projector(journal, SqlProjectionStore(writer), FixedClock()).step()
    began, later = Minute(NINE), Minute(NINE + 60)
    history = await SqlBookingHistory(writer).history(BookingId("bkg_1.1"))
    assert list(history) == [
        HistoryEntry(1, 1, "booked", Millis(1_000), None, began, None, ""),
        HistoryEntry(2, 2, "rescheduled", Millis(2_000), began, later, None, ""),
        HistoryEntry(3, 3, "cancelled", Millis(3_000), None, None, True, "ill"),
    ]
    await writer.dispose()


async def test_a_store_without_tables_is_unavailable(tmp_path: Path) -> None:
    """What no row is at fault for is the store's trouble: wait, never park."""
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db", "projector")
    store = SqlProjectionStore(engine)
    with pytest.raises(StoreUnavailable, match="no such table"):
        await store.apply(SHARD, 0, Offset(1, 1), [])
    await engine.dispose()
    lost = open_engine(f"sqlite:///{tmp_path}/no/such/folder/x.db", "projector")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await SqlProjectionStore(lost).offset(SHARD)
    await lost.dispose()


async def test_readers_of_a_lost_database_hear_unavailable(tmp_path: Path) -> None:
    """A reader is told to try again, in the system's own words, not in SQL's."""
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db", "reader")
    with pytest.raises(Unavailable, match="read model"):
        await SqlDirectory(engine).clinic_count()
    with pytest.raises(Unavailable, match="read model"):
        await SqlBookingHistory(engine).booking(BookingId("bkg_1.1"))
    with pytest.raises(Unavailable, match="read model"):
        await SqlProgress(engine).reached(SHARD, 1, timeout_s=5)
    await engine.dispose()
