"""Connections to the read model: the only module that knows dialects and drivers.

SQLite (WAL): each write transaction begins IMMEDIATE, because a deferred one that
reads first fails at once when another writer was quicker, whatever the busy timeout.
Only the projector's connection checkpoints: SQLite before 3.51.3 can corrupt a WAL
that two connections write and checkpoint at one time. Readers are ``query_only``.
synchronous=NORMAL: a killed process loses nothing, a power cut may take back the last
transactions, offset included, and the projector does them again.

MySQL and MariaDB: READ COMMITTED through asyncmy, statements bounded by time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from actors.errors import Unavailable

Role = Literal["reader", "writer", "projector"]

READERS = 4
"""Connections of a reader pool; each is a thread with aiosqlite."""
BUSY_MS = 5_000
"""How long SQLite waits for another process's write transaction."""
JOURNAL_BYTES = 64 * 1024 * 1024
"""Size to which SQLite cuts its WAL after a checkpoint."""
PAGES_PER_CHECKPOINT = 1_000
MIGRATIONS = Path(__file__).parent / "migrations"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
}
_TRANSIENT_CODES = frozenset(
    {1040, 1053, 1205, 1213, 1290, 1836, 1927, 2003, 2006, 2013, 2014, 4031}
)
"""MySQL's and MariaDB's errors that a new connection or a second try may cure."""


def read_model_url(url: str) -> URL:
    """The URL with the asynchronous driver that its database needs.

    Raises:
        ValueError: a database that Slotcast does not speak to.
    """
    parsed = make_url(url)
    family = parsed.drivername.partition("+")[0]
    driver = _DRIVERS.get(family)
    if driver is None:
        raise ValueError(f"read model on {family!r}: use one of {sorted(_DRIVERS)}")
    return parsed if "+" in parsed.drivername else parsed.set(drivername=driver)


def open_engine(url: str, role: Role) -> AsyncEngine:
    """An engine for this role. After use you must ``await engine.dispose()``.

    ``reader``: a few connections that cannot write. ``writer``: one connection, for
    imports and senders. ``projector``: one connection, the only one to checkpoint.
    """
    target = read_model_url(url)
    sqlite = target.drivername.startswith("sqlite")
    engine = create_async_engine(
        target,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=READERS if role == "reader" else 1,
        max_overflow=0,
        hide_parameters=True,  # they carry personal data, and errors are logged
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
        **({} if sqlite else _server_options()),
    )
    if sqlite:
        _prepare_sqlite(engine, role)
    return engine


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _server_options() -> dict[str, Any]:
    return {
        "pool_pre_ping": True,
        "pool_recycle": 1_800,
        "isolation_level": "READ COMMITTED",
        "connect_args": {
            "connect_timeout": 3,
            "read_timeout": 10,
            "charset": "utf8mb4",
            "init_command": "SET time_zone = '+00:00'",
        },
    }


def _prepare_sqlite(engine: AsyncEngine, role: Role) -> None:
    begin = "BEGIN" if role == "reader" else "BEGIN IMMEDIATE"

    def connect(connection: Any, _record: object) -> None:
        # Off: sqlite3's own transactions, which begin late and never before DDL.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _pragmas(role):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "begin", start)


def _pragmas(role: Role) -> list[str]:
    common = [f"busy_timeout = {BUSY_MS}", "foreign_keys = ON", "mmap_size = 0"]
    if role == "reader":
        return [*common, "query_only = ON", "wal_autocheckpoint = 0"]
    pages = PAGES_PER_CHECKPOINT if role == "projector" else 0
    return [
        *common,
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"wal_autocheckpoint = {pages}",
        f"journal_size_limit = {JOURNAL_BYTES}",
    ]


def is_data_error(error: DBAPIError) -> bool:
    """Whether the rows are at fault, so that trying again would fail again.

    IntegrityError and DataError say so; of the others only what is known to come
    from a value, since all else may be the connection's or the server's trouble.
    """
    if type(error).__name__ in {"IntegrityError", "DataError"}:
        return not _is_transient(error)
    return isinstance(error.orig, OverflowError)


def _is_transient(error: DBAPIError) -> bool:
    arguments = getattr(error.orig, "args", ()) or (None,)
    return error.connection_invalidated or arguments[0] in _TRANSIENT_CODES


def reason_of(error: BaseException) -> str:
    """What went wrong, without statement and values: fit for logs and for parking."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}"


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for questions; whatever ails the database is ``Unavailable``.

    Raises:
        Unavailable: the read model does not answer just now.
    """
    try:
        async with engine.connect() as connection:
            yield connection
    except (DBAPIError, OSError, PoolTimeout) as error:
        message = "the read model does not answer; try again in a moment"
        raise Unavailable(message) from error


async def migrate(url: str) -> None:
    """Bring the tables to the newest revision; quick when they are there already.

    On SQLite all steps are one transaction. Elsewhere each step is one change that
    may be run again, so that a broken-off migration is simply started anew.
    """
    engine = open_engine(url, "writer")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    # Imported here: a server whose tables are current needs little of it, and the
    # modules of readers and projector nothing.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() == head:
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
