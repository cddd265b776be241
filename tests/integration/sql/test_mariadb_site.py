"""What an operator and a reader see of a read model on MariaDB."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from actors.domain.ids import PatientId
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.queries.bookings import SqlBookingHistory
from persistence.readmodel.queries.progress import SqlProgress
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.read_model import empty_database
from tests.fixtures.rows import all_rows
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal


async def test_nodes_that_start_together_migrate_once(
    mariadb_server: MariaDbServer,
) -> None:
    """Six nodes at one time on an empty database: tables once, none fails."""
    url = mariadb_server.url(mariadb_server.create_database("together"))
    await asyncio.gather(*(migrate(url, READ_MODEL) for _ in range(6)))
    engine = open_engine(url, "reader")
    assert all(rows == [] for rows in (await all_rows(engine)).values())
    async with engine.connect() as connection:
        versions = await connection.scalars(text("SELECT * FROM alembic_version"))
        assert len(versions.all()) == 1
    await engine.dispose()


async def test_a_reader_who_changed_something_waits_for_the_replica(
    mariadb_server: MariaDbServer,
) -> None:
    """Progress is measured where the rows are read: a replica that lags says no."""
    primary = empty_database(mariadb_server, "primary")
    replica = empty_database(mariadb_server, "replica")
    journal, story = StoryJournal(), Story()
    journal.tell(SHARD, story.booked(1))
    engines = [open_engine(url, "projector") for url in (primary, replica)]
    readers = open_engine(replica, "reader")
    progress, history = SqlProgress(readers), SqlBookingHistory(readers)

    async def seen() -> int:
        page, _ = await history.of_patient(
            PatientId("pat_1"), first=None, last=None, status=None, after="", limit=9
        )
        return len(page)

    await Projector(journal, SqlProjectionStore(engines[0]), FixedClock()).step()
    assert not await progress.reached(SHARD, 1, timeout_s=0.1)
    assert await seen() == 0
    async with asyncio.TaskGroup() as tasks:
        waits = tasks.create_task(progress.reached(SHARD, 1, timeout_s=20))
        # Replication of the one transaction: offset and rows come together.
        store = SqlProjectionStore(engines[1])
        tasks.create_task(Projector(journal, store, FixedClock()).step())
    assert waits.result()
    assert await seen() == 1
    for engine in (*engines, readers):
        await engine.dispose()


async def test_texts_of_any_kind_come_back(mariadb_server: MariaDbServer) -> None:
    """Four-byte characters, quotes, percent signs, NUL: stored and read as they are."""
    hostile = "𝕬da 🏥 100% %s '\"\\ \x00 Żak; DROP TABLE appointment -- "
    for driver in ("asyncmy", "aiomysql"):
        url = empty_database(mariadb_server, "texts", driver)
        engine = open_engine(url, "projector")
        journal, story = StoryJournal(), Story()
        journal.tell(SHARD, story.registered(hostile), story.booked(1))
        journal.tell(SHARD, story.cancelled(1, hostile), story.booked(2, NINE + 60))
        projector = Projector(journal, SqlProjectionStore(engine), FixedClock())
        assert await projector.step() == 4
        rows = await all_rows(engine)
        assert not projector.parked
        assert rows["provider"][0][4] == hostile
        assert hostile in {row[16] for row in rows["appointment"]}
        assert hostile in {row[11] for row in rows["appointment_history"]}
        await engine.dispose()


async def test_ids_that_differ_in_case_are_different(
    mariadb_server: MariaDbServer,
) -> None:
    """Keys are compared byte by byte: no booking is another one's in capitals."""
    url = empty_database(mariadb_server, "letters")
    engine = open_engine(url, "projector")
    async with engine.begin() as connection:
        for word in ("ada", "Ada", "áda"):
            row = {"word": word}
            query = "INSERT INTO provider_word VALUES (:word, 'prv_1')"
            await connection.execute(text(query), row)
        query = "SELECT word FROM provider_word WHERE word = 'ada'"
        found = (await connection.scalars(text(query))).all()
    await engine.dispose()
    assert found == ["ada"]
