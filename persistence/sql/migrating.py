"""Bringing the read model's tables to this version, once, however many try at once.

On SQLite all steps are one transaction. On a server each step is one change that may
be run again, since DDL commits by itself: a migration that was broken off is simply
started anew. Several nodes that start together take turns by a lock of the server's,
which is gone with the connection of whoever held it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.sql.engine import MIGRATIONS, open_engine

log = logging.getLogger(__name__)

TURN_S = 600.0
"""How long to wait for another node's migration."""
_ASK_S = 5
"""How long the server is asked to wait for the lock at a time."""


async def migrate(url: str) -> None:
    """Bring the tables to the newest revision; quick when they are there already.

    Raises:
        DBAPIError: the database does not answer or does not let us.
        TimeoutError: another node has been migrating for ten minutes.
    """
    engine = open_engine(url, "upkeep")
    try:
        async with engine.connect() as connection:
            if await connection.run_sync(_is_current):
                return
        async with engine.connect() as connection:
            await _take_turn(connection)
            async with connection.begin():
                await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()  # which ends the turn, too


async def _take_turn(connection: AsyncConnection) -> None:
    """Nobody else migrates this database while this connection lasts."""
    if connection.dialect.name == "sqlite":
        return  # a writer keeps all others out by itself
    lock = {"name": _lock_name(connection.engine.url.database or ""), "wait": _ASK_S}
    ask = text("SELECT GET_LOCK(:name, :wait)")
    async with asyncio.timeout(TURN_S):
        while not await connection.scalar(ask, lock):
            log.info("another node migrates the read model; waiting for it")
    await connection.rollback()  # the lock is the session's, not a transaction's


def _lock_name(database: str) -> str:
    """A name of at most 64 characters: locks are the whole server's."""
    return f"slotcast-{hashlib.sha256(database.encode()).hexdigest()[:32]}"


def _is_current(connection: Connection) -> bool:
    # Imported here and below: the modules of readers and projector need none of it.
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    _make_version_table(connection)
    if _is_current(connection):  # it became so while we waited for our turn
        return
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_version_table(connection: Connection) -> None:
    """Alembic's own table, without the name for its key that servers complain of."""
    if connection.dialect.name == "sqlite":
        return
    if not inspect(connection).has_table("alembic_version"):
        version = Column("version_num", String(32), primary_key=True)
        Table("alembic_version", MetaData(), version).create(connection)
