"""Connections to the read model: the only module that knows dialects and drivers.

SQLite (WAL): each write transaction begins IMMEDIATE, because a deferred one that
reads first fails at once when another writer was quicker, whatever the busy timeout.
Only the projector's connection checkpoints: SQLite before 3.51.3 can corrupt a WAL
that two connections write and checkpoint at one time. Readers are ``query_only``.
synchronous=NORMAL: a killed process loses nothing, a power cut may take back the last
transactions, offset included, and the projector does them again.

MySQL and MariaDB: READ COMMITTED through asyncmy (or aiomysql, by the URL), in UTC and
strict; every statement, connection and wait for one is bounded by time, so that a
server that is frozen is as good as one that is down (persistence/sql/drivers.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from actors.errors import Unavailable
from persistence.sql import damage
from persistence.sql import drivers as server_drivers
from persistence.sql.replica import RECYCLE_S, ReplicaOrPrimary

Role = Literal["reader", "reports", "writer", "projector", "upkeep", "records"]

READERS = 4
"""Connections of a reader pool; each is a thread with aiosqlite."""
PROJECTOR_LANES = 3
"""Connections of a projector on a server: one per shard written at a time."""
ANSWER_S: dict[Role, float] = {
    "reader": 5.0,
    "reports": 30.0,
    "writer": 10.0,
    "projector": 15.0,
    "upkeep": 900.0,
    "records": 10.0,
}
"""How long a server may take for one answer. Migrations and rebuilds walk through
whole tables; the other roles' statements take milliseconds."""
REPORT_S = 25.0
"""How long a statement of a report may take: less than its answer."""
POOL_WAIT_S = 5.0
"""How long to wait for a free connection."""
BUSY_MS = 5_000
"""How long SQLite waits for another process's write transaction."""
JOURNAL_BYTES = 64 * 1024 * 1024
"""Size to which SQLite cuts its WAL after a checkpoint."""
PAGES_PER_CHECKPOINT = 1_000

_READING: frozenset[Role] = frozenset({"reader", "reports"})
"""Roles that cannot write."""
_DRIVERS = {
    "sqlite": ("aiosqlite",),
    "mysql": ("asyncmy", "aiomysql"),
    "mariadb": ("asyncmy", "aiomysql"),
}
_TOO_LONG = frozenset({1969, 3024, "interrupted"})
"""MariaDB's and MySQL's errors, and what SQLite says."""
_UNKNOWN_DATABASE = 1049
_CONTENDED_CODES = frozenset({1205, 1213})
"""A row that another transaction held for too long; a deadlock."""
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
    family, _, driver = parsed.drivername.partition("+")
    if family not in _DRIVERS:
        raise ValueError(f"read model on {family!r}: use one of {sorted(_DRIVERS)}")
    if not driver:
        return parsed.set(drivername=f"{family}+{_DRIVERS[family][0]}")
    if driver not in _DRIVERS[family]:
        known = " or ".join(_DRIVERS[family])
        raise ValueError(f"driver {driver!r} for {family}: use {known}, or name none")
    return parsed


def sqlite_file(url: str) -> damage.SqliteFile | None:
    """The file of a read model in SQLite; None if it is elsewhere."""
    target = read_model_url(url)
    if not target.drivername.startswith("sqlite") or not target.database:
        return None
    return damage.SqliteFile(Path(target.database))


def open_engine(url: str, role: Role, *, fallback: str = "") -> AsyncEngine:
    """An engine for this role. After use you must ``await engine.dispose()``.

    ``reader``: a few connections that cannot write (``url`` may be a replica's; then
    ``fallback`` is the primary's, which is asked while the replica is away).
    ``reports``: the same, for statements that walk through tables and are ended after
    ``REPORT_S``. ``writer``: one connection, for imports and senders. ``projector``:
    on SQLite one connection, the only one to checkpoint; on a server a few, see
    ``lanes``.
    ``upkeep``: a projector's whose statements may take minutes, for migrations and
    rebuilds. ``records``: reads and writes what is no copy of anything, so that a
    commit on SQLite is on the disk (``synchronous=FULL``).
    """
    target = read_model_url(url)
    sqlite = target.drivername.startswith("sqlite")
    engine = create_async_engine(
        target,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=_pool_size(role, sqlite=sqlite),
        max_overflow=0,
        hide_parameters=True,  # they carry personal data, and errors are logged
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
        **({} if sqlite else _server_options(target, role, fallback)),
    )
    if sqlite:
        _prepare_sqlite(engine.sync_engine, role)
    else:
        server_drivers.note_lost_connections(engine.sync_engine)
        if role in _READING:
            event.listen(engine.sync_engine, "connect", _forbid_writing)
        if role == "reports":
            event.listen(engine.sync_engine, "connect", _bound_statements)
    return engine


def open_sqlite(url: str, role: Role) -> Engine:
    """An engine with one connection for a thread of the caller's: dispose of it there.

    Without an event loop between, a statement costs a third.

    Raises:
        ValueError: it is no URL of SQLite.
    """
    target = read_model_url(url)
    if not is_sqlite(url):
        raise ValueError("this needs a database in SQLite")
    engine = create_engine(
        target.set(drivername="sqlite"),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,  # they carry personal data, and errors are logged
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
        connect_args={"check_same_thread": False},
    )
    _prepare_sqlite(engine, role)
    return engine


def is_sqlite(url: str) -> bool:
    """Whether this read model is a file of SQLite."""
    return read_model_url(url).drivername.startswith("sqlite")


def lanes(engine: AsyncEngine) -> int:
    """How many batches a projector may write at one time on this engine."""
    pool = engine.pool
    return pool.size() if isinstance(pool, AsyncAdaptedQueuePool) else 1


def _pool_size(role: Role, *, sqlite: bool) -> int:
    if role in _READING:
        return READERS
    return 1 if sqlite or role == "writer" else PROJECTOR_LANES


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _server_options(url: URL, role: Role, fallback: str) -> dict[str, Any]:
    arguments = server_drivers.connect_arguments(url, ANSWER_S[role])
    recycle_s = 1_800
    if fallback and read_model_url(fallback) != url:
        primary = read_model_url(fallback).set(drivername=url.drivername)
        create, speaks = arguments["async_creator_fn"], url.get_dialect()()
        _, to_replica = speaks.create_connect_args(url)
        _, to_primary = speaks.create_connect_args(primary)
        either = ReplicaOrPrimary(create, to_replica, to_primary)
        arguments["async_creator_fn"] = either
        recycle_s = RECYCLE_S
    return {
        "pool_pre_ping": True,
        "pool_recycle": recycle_s,
        "pool_timeout": POOL_WAIT_S,
        "pool_use_lifo": True,  # what is not needed grows old, and the server drops it
        "isolation_level": "READ COMMITTED",
        "connect_args": arguments,
    }


def _forbid_writing(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION READ ONLY")
    cursor.close()


def _bound_statements(connection: Any, _record: object) -> None:
    """The server ends a statement by itself: MariaDB and MySQL name it differently."""
    cursor = connection.cursor()
    cursor.execute("SELECT VERSION()")
    is_mariadb = "mariadb" in str(cursor.fetchone()[0]).lower()
    setting = (
        f"max_statement_time = {REPORT_S}"
        if is_mariadb
        else f"max_execution_time = {int(REPORT_S * 1000)}"
    )
    cursor.execute(f"SET SESSION {setting}")
    cursor.close()


def _prepare_sqlite(engine: Engine, role: Role) -> None:
    begin = "BEGIN" if role in _READING else "BEGIN IMMEDIATE"

    def connect(connection: Any, _record: object) -> None:
        # Off: sqlite3's own transactions, which begin late and never before DDL.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _pragmas(role):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    damage.notice_damage(engine)
    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", start)


def _pragmas(role: Role) -> list[str]:
    common = [f"busy_timeout = {BUSY_MS}", "foreign_keys = ON", "mmap_size = 0"]
    if role in _READING:
        return [*common, "query_only = ON", "wal_autocheckpoint = 0"]
    pages = PAGES_PER_CHECKPOINT if role in ("projector", "upkeep") else 0
    return [
        *common,
        "journal_mode = WAL",
        f"synchronous = {'FULL' if role == 'records' else 'NORMAL'}",
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


def is_contended(error: BaseException) -> bool:
    """Whether another transaction had locked a row, while the server answers.

    Nothing was committed, and other rows may be free. ``error`` may be the Unavailable
    that ``answering`` made of it.
    """
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    arguments = getattr(getattr(cause, "orig", None), "args", ()) or (None,)
    return arguments[0] in _CONTENDED_CODES


def is_out_of_time(error: DBAPIError) -> bool:
    """Whether a statement was ended for taking too long."""
    arguments = getattr(error.orig, "args", ()) or (None,)
    return arguments[0] in _TOO_LONG


def is_missing_database(error: BaseException) -> bool:
    """Whether a server says that it has no database of that name."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    arguments = getattr(getattr(cause, "orig", None), "args", ()) or (None,)
    return bool(arguments[0] == _UNKNOWN_DATABASE)


def _is_transient(error: DBAPIError) -> bool:
    arguments = getattr(error.orig, "args", ()) or (None,)
    return error.connection_invalidated or arguments[0] in _TRANSIENT_CODES


def reason_of(error: BaseException) -> str:
    """What went wrong, without statement and values: fit for logs and for parking."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}"


@asynccontextmanager
async def answering(what: str) -> AsyncIterator[None]:
    """Turns every failure of the database to answer into ``Unavailable``.

    Raises:
        Unavailable: the database does not answer; the message names ``what``.
        DBAPIError: the rows are at fault, so trying again would fail again.
    """
    try:
        yield
    except DBAPIError as error:
        if is_data_error(error):
            raise
        raise Unavailable(_silent(what)) from error
    except (OSError, PoolTimeout) as error:
        raise Unavailable(_silent(what)) from error


def _silent(what: str) -> str:
    return f"{what} cannot be reached; try again in a moment"


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
        if damage.is_damaged(error):
            message = "the read model is damaged; it is being rebuilt, bookings go on"
        raise Unavailable(message) from error


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in one transaction, committed at the end of the block.

    Raises:
        Unavailable: the database does not answer; the outcome of a commit under way
            is unknown.
        DBAPIError: the rows are at fault.
    """
    async with answering("the database"), engine.begin() as connection:
        yield connection
