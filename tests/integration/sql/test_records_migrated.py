"""Migrations of the records take their rows along: records have no other copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from persistence.records.models import RECORDS
from persistence.sql import migrating
from persistence.sql.engine import open_engine
from tests.fixtures.full_records import Rows, fill, found, plain, reflected

if TYPE_CHECKING:
    from tests.fixtures.mariadb import MariaDbServer


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(RECORDS.migrations))
    config.attributes["connection"] = connection
    return config


def _revisions() -> list[str]:
    """All revisions, the oldest first."""
    walked = ScriptDirectory.from_config(_config()).walk_revisions()
    return [one.revision for one in walked][::-1]


def _upgrade(connection: Connection, revision: str) -> None:
    migrating._make_version_table(connection)
    command.upgrade(_config(connection), revision)


@pytest.fixture(params=("sqlite", "asyncmy"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    server = cast("MariaDbServer", request.getfixturevalue("mariadb_server"))
    name = f"migrated_{request.node.originalname}"[:60]
    return server.url(server.create_database(name), "asyncmy")


async def _run(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = open_engine(url, "upkeep")
    try:
        async with engine.connect() as connection, connection.begin():
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _lost(connection: Connection, kept: list[Rows]) -> list[str]:
    """Values that are not what was inserted."""
    tables, wrong = reflected(connection).tables, []
    for number, rows in enumerate(kept, 1):
        for table, row in rows.items():
            now = found(connection, tables[table], row)
            wrong += [
                f"{table}.{name} of revision {number}: {now.get(name)!r}"
                for name, value in row.items()
                if now.get(name) != plain(value)
            ]
    return wrong


async def test_rows_of_every_older_state_come_through_unchanged(url: str) -> None:
    """A row in each table at each revision; at the newest all are what they were.

    The tables are those of a new installation then, with the rows in them.
    """
    kept: list[Rows] = []
    for number, revision in enumerate(_revisions(), 1):

        def step(connection: Connection, to: str = revision, n: int = number) -> Rows:
            _upgrade(connection, to)
            return fill(connection, n)

        kept.append(await _run(url, step))
    assert set(kept[-1]) == set(RECORDS.metadata.tables)
    assert await _run(url, lambda connection: _lost(connection, kept)) == []
    assert await _run(url, lambda one: migrating._is_current(one, RECORDS))


async def test_control_a_lost_or_a_changed_value_is_found(url: str) -> None:
    """What a careless migration does to rows: an emptied column, a shortened text."""

    def damaged(connection: Connection) -> list[list[str]]:
        _upgrade(connection, "head")
        kept = [fill(connection, 1)]
        seen = []
        tables = reflected(connection).tables
        for table, column, value in (
            ("account", "email", b""),
            ("session", "agent", "short"),
            ("membership", "ended_at", None),
        ):
            change = tables[table].update().values({column: value})
            connection.execute(change)
            seen.append(_lost(connection, kept))
        return seen

    found_in = await _run(url, damaged)
    assert [len(one) for one in found_in] == [1, 2, 3]
