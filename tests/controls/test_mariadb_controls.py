"""With a guard that only a server needs removed, its test must fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from persistence.readmodel import tables as t
from persistence.readmodel.projection import sql_bookings as projection_bookings
from persistence.sql import drivers as server_drivers
from tests.fixtures.mariadb import MariaDbServer
from tests.integration.sql import test_mariadb_faults as faults


async def test_without_whole_values_a_batch_is_a_statement_for_each_row(
    mariadb_server: MariaDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function among the values, and the drivers send each row by itself."""

    def with_function(
        connection: Connection,
        table: Any,
        rows: Sequence[tuple[Any, ...]],
        columns: tuple[str, ...] = (),
    ) -> None:
        names = table.columns.keys()
        places = ", ".join("%s" for _ in names[1:])
        statement = f"INSERT INTO {table.name} VALUES (CONCAT(%s), {places})"
        connection.exec_driver_sql(statement, list(rows))

    monkeypatch.setattr(projection_bookings, "insert_rows", with_function)
    with pytest.raises(AssertionError):
        await faults.test_a_batch_is_few_statements(mariadb_server, "asyncmy")


async def test_without_the_hook_a_read_only_server_is_kept(
    mariadb_server: MariaDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy alone keeps connections to a server that became read-only."""
    monkeypatch.setattr(server_drivers, "READ_ONLY_CODES", frozenset())
    with pytest.raises(AssertionError):
        await faults.test_a_server_that_becomes_read_only_is_left(mariadb_server)


async def test_on_duplicate_key_a_booking_vanishes(
    mariadb_server: MariaDbServer,
) -> None:
    """Why no upsert is used on a table with two unique keys: no error, and one row."""
    from sqlalchemy.dialects.mysql import insert as upsert

    from persistence.sql.engine import open_engine
    from tests.fixtures.read_model import empty_database

    engine = open_engine(empty_database(mariadb_server, "vanish"), "writer")
    row = {"event_id": "e-1", "kind": "k", "payload": {}, "created_at": 0}
    async with engine.begin() as connection:
        await connection.execute(insert(t.outbox), {**row, "id": 1, "attempts": 0})
        other = upsert(t.outbox).values(**row, id=2, attempts=7)
        done = await connection.execute(other.on_duplicate_key_update(attempts=7))
        ids = (await connection.scalars(t.outbox.select())).all()
    await engine.dispose()
    assert done.rowcount > 0
    assert ids == [1]
