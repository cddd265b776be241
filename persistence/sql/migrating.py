"""Bringing the tables of a schema to this version, once, however many try at once.

On SQLite all steps are one transaction. On a server each step is one change that may
be run again, since DDL commits by itself: an interrupted migration is simply
started again. Several nodes that start together take turns by a lock of the server's,
which ends with the connection that held it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.sql.engine import is_missing_database, open_engine
from persistence.sql.schema import Schema

log = logging.getLogger(__name__)

TURN_S = 600.0
"""How long to wait for another node's migration."""
_ASK_S = 5
"""How long the server is asked to wait for the lock at a time."""


async def migrate(url: str, schema: Schema) -> None:
    """Bring the tables to the newest revision; quick when they are there already.

    Raises:
        DBAPIError: the database does not answer or does not let us.
        TimeoutError: another node has been migrating for ten minutes.
    """
    try:
        await _migrate(url, schema)
    except DBAPIError as error:
        if not is_missing_database(error):
            raise
        await _make_database(url)
        await _migrate(url, schema)


async def is_migrated(url: str, schema: Schema) -> bool:
    """Whether the tables are of this version; False of a database that is not there.

    Raises:
        DBAPIError: the database does not answer or does not let us.
    """
    engine = open_engine(url, "upkeep")
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_is_current, schema)
    except DBAPIError as error:
        if not is_missing_database(error):
            raise
        return False
    finally:
        await engine.dispose()


async def _migrate(url: str, schema: Schema) -> None:
    engine = open_engine(url, "upkeep")
    try:
        async with engine.connect() as connection:
            if await connection.run_sync(_is_current, schema):
                return
        async with engine.connect() as connection:
            await _take_turn(connection, schema)
            async with connection.begin():
                await connection.run_sync(_upgrade, schema)
    finally:
        await engine.dispose()  # which ends the turn, too


async def _make_database(url: str) -> None:
    """Make a database that is not there, if the server lets this user."""
    parsed = make_url(url)
    server = parsed.set(database="").render_as_string(hide_password=False)
    engine = open_engine(server, "upkeep")
    try:
        async with engine.begin() as connection:
            quoted = connection.dialect.identifier_preparer.quote(parsed.database or "")
            await connection.execute(
                text(f"CREATE DATABASE IF NOT EXISTS {quoted} CHARACTER SET utf8mb4")
            )
    finally:
        await engine.dispose()


async def _take_turn(connection: AsyncConnection, schema: Schema) -> None:
    """Keep other processes from migrating while this connection lasts."""
    if connection.dialect.name == "sqlite":
        return  # a writer keeps all others out by itself
    lock = {"name": _lock_name(connection.engine.url.database or ""), "wait": _ASK_S}
    ask = text("SELECT GET_LOCK(:name, :wait)")
    async with asyncio.timeout(TURN_S):
        while not await connection.scalar(ask, lock):
            log.info("another node migrates the %s; waiting for it", schema.name)
    await connection.rollback()  # the lock is the session's, not a transaction's


def _lock_name(database: str) -> str:
    """A name of at most 64 characters: locks are the whole server's."""
    return f"slotcast-{hashlib.sha256(database.encode()).hexdigest()[:32]}"


def _is_current(connection: Connection, schema: Schema) -> bool:
    # Without Alembic: only a process that has to migrate loads it.
    if not inspect(connection).has_table("alembic_version"):
        return False
    found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    return list(found) == [schema.newest_revision()]


def _upgrade(connection: Connection, schema: Schema) -> None:
    from alembic import command
    from alembic.config import Config

    _make_version_table(connection)
    if _is_current(connection, schema):  # it became so while we waited for our turn
        return
    config = Config()
    config.set_main_option("script_location", str(schema.migrations))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_version_table(connection: Connection) -> None:
    """Alembic's own table, without the name for its key that servers complain of."""
    if connection.dialect.name == "sqlite":
        return
    if not inspect(connection).has_table("alembic_version"):
        version = Column("version_num", String(32), primary_key=True)
        Table("alembic_version", MetaData(), version).create(connection)
