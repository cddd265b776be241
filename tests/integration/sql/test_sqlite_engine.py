"""Engines and migrations on SQLite."""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from persistence.readmodel.tables import READ_MODEL, metadata
from persistence.sql.engine import open_engine, read_model_url
from persistence.sql.migrating import migrate


def schema(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path) as connection:
        query = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name"
        return [row for row in connection.execute(query) if "alembic" not in row[1]]


async def test_migrations_and_models_agree(tmp_path: Path) -> None:
    """Upgrading an empty database gives just the tables of the models."""
    path = tmp_path / "m.db"
    await migrate(f"sqlite:///{path}", READ_MODEL)
    engine = open_engine(f"sqlite:///{path}", "reader")
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda c: compare_metadata(
                MigrationContext.configure(c, opts={"compare_type": True}), metadata
            )
        )
    await engine.dispose()
    assert differences == []
    created = create_engine(f"sqlite:///{tmp_path}/c.db")
    metadata.create_all(created)
    created.dispose()
    assert schema(path) == schema(tmp_path / "c.db")


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    """A server may migrate at each start."""
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    before = schema(tmp_path / "m.db")
    await migrate(url, READ_MODEL)
    assert schema(tmp_path / "m.db") == before


async def test_each_revision_may_be_run_again(tmp_path: Path) -> None:
    """A revision that was done, but not noted as done, does no harm."""
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    before = schema(tmp_path / "m.db")
    engine = open_engine(url, "writer")

    def again(connection: Connection) -> None:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            for script in ScriptDirectory(str(READ_MODEL.migrations)).walk_revisions():
                name = f"persistence.readmodel.migrations.versions.v{script.revision}"
                importlib.import_module(name).upgrade()

    async with engine.begin() as connection:
        await connection.run_sync(again)
    await engine.dispose()
    assert schema(tmp_path / "m.db") == before


async def test_lanes_are_carried_over_from_claims(tmp_path: Path) -> None:
    """Of older rows: overbooked visits, and the seats of sessions with several."""
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    engine = open_engine(url, "writer")
    module = "persistence.readmodel.migrations.versions.v0031"
    # Booking, start, type, status, the lane of its claim; and what is made of it.
    rows = (
        ("first", 540, "class", "booked", 0, -1),
        ("second", 540, "class", "booked", -1, -2),
        ("gone", 540, "class", "cancelled", None, 0),
        ("beside", 540, "other", "booked", None, 0),
        ("over", 600, "consult", "booked", 2, 2),
        ("plain", 600, "consult", "booked", 0, 0),
    )

    def again(connection: Connection) -> dict[str, int]:
        tables = READ_MODEL.metadata.tables
        visit, claim = tables["appointment"], tables["slot_claim"]
        for name, start, kind, status, lane, _ in rows:
            given = {
                one.name: "" if one.type.python_type is str else 0
                for one in visit.columns
                if not one.nullable
            }
            given |= {"booking_id": name, "provider_id": "prv_1", "status": status}
            given |= {"start_minute": start, "visit_type": kind, "confidential": False}
            connection.execute(visit.insert().values(given))
            if lane is not None:
                row = ("prv_1", start, lane, name)
                connection.execute(claim.insert().values(row))
        with Operations.context(MigrationContext.configure(connection)):
            importlib.import_module(module).upgrade()
        found = connection.execute(select(visit.c.booking_id, visit.c.lane))
        return {row.booking_id: row.lane for row in found}

    async with engine.begin() as connection:
        lanes = await connection.run_sync(again)
    await engine.dispose()
    assert lanes == {name: lane for name, *_, lane in rows}


def test_revisions_hold_one_change_each() -> None:
    """MySQL commits each DDL statement by itself, so a revision has only one."""
    for path in (READ_MODEL.migrations / "versions").glob("v*.py"):
        source = path.read_text()
        steps = ("create_table", "create_index", "add_column", "widen_text")
        assert sum(source.count(f"    {step}(") for step in steps) == 1, path.name


def test_the_models_compile_for_mysql_and_mariadb() -> None:
    """Keys have a binary collation, tables are InnoDB, and no index is too long."""
    dialect = mysql.dialect()
    for table in metadata.sorted_tables:
        ddl = str(CreateTable(table).compile(dialect=dialect))
        assert "ENGINE=InnoDB" in ddl
        assert "CHARSET=utf8mb4" in ddl
        columns = [table.primary_key.columns, *(i.columns for i in table.indexes)]
        for keys in columns:
            size = sum(4 * (getattr(c.type, "length", None) or 2) for c in keys)
            assert size <= 3_072, table.name
        for index in table.indexes:
            CreateIndex(index).compile(dialect=dialect)
        for column in table.primary_key.columns:
            if column.name == "change_id":
                assert "change_id BIGINT" in ddl  # numbered by the database
            elif column.name.endswith("_id") or column.name in {"word", "shard"}:
                assert f"{column.name} VARCHAR" in ddl
                assert "COLLATE utf8mb4_bin" in ddl


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("mysql://u@h/d", "mysql+asyncmy"),
        ("mariadb://u@h/d", "mariadb+asyncmy"),
        ("mysql+aiomysql://u@h/d", "mysql+aiomysql"),
    ],
)
def test_urls_get_their_driver(given: str, driver: str) -> None:
    """An operator writes the database's name; a driver that is named stays."""
    assert read_model_url(given).drivername == driver


def test_other_databases_are_refused() -> None:
    """A database that Slotcast does not speak to is named in the error."""
    with pytest.raises(ValueError, match="oracle"):
        read_model_url("oracle://u@h/d")


async def pragma(engine: Any, name: str) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(f"PRAGMA {name}"))


async def test_only_the_projector_checkpoints(tmp_path: Path) -> None:
    """WAL, NORMAL, waiting for locks; and one connection that checkpoints."""
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    seen = {}
    for role in ("projector", "writer", "reader"):
        engine = open_engine(url, role)
        seen[role] = await pragma(engine, "wal_autocheckpoint")
        assert await pragma(engine, "journal_mode") == "wal"
        assert await pragma(engine, "busy_timeout") == 5_000
        assert await pragma(engine, "foreign_keys") == 1
        if role != "reader":
            assert await pragma(engine, "synchronous") == 1
        await engine.dispose()
    assert seen == {"projector": 1_000, "writer": 0, "reader": 0}


async def test_readers_cannot_write(tmp_path: Path) -> None:
    """A reader's statement that would write is refused by SQLite itself."""
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    engine = open_engine(url, "reader")
    async with engine.connect() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.execute(text("DELETE FROM outbox"))
    await engine.dispose()


async def test_errors_show_no_values(tmp_path: Path) -> None:
    """Parameters carry personal data, so that errors leave them out."""
    url = f"sqlite:///{tmp_path}/m.db"
    engine = open_engine(url, "writer")
    with pytest.raises(OperationalError) as caught:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT :p FROM nowhere"), {"p": "Ms Secret"})
    assert "Secret" not in str(caught.value)
    await engine.dispose()
