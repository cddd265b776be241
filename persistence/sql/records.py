"""Sessions on the records, for reading and for writing.

A writing session is one transaction: it commits at the end of its block, and rolls
back if the block raises. On SQLite it excludes other writers from its first statement
on; keep it short, and never wait in it for anything but the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from persistence.sql.engine import answering, is_sqlite, open_engine, open_sqlite
from persistence.sql.one_thread import OneThread

TRANSACTIONS_MAX: Final = 500
"""Transactions of ``transact`` that wait on SQLite: at most about two seconds of work
where a synced write takes some milliseconds."""
QUESTIONS_MAX: Final = 2_000
"""Questions of ``look`` that wait on SQLite: a fraction of a second of work."""
T = TypeVar("T")


class Records:
    """The records' database. Must be closed after use."""

    def __init__(self, url: str) -> None:
        self._readers = open_engine(url, "reader")
        self.engine: AsyncEngine = open_engine(url, "records")
        self._blocking: Engine | None = (
            open_sqlite(url, "records") if is_sqlite(url) else None
        )
        """Connects when it is first used; most processes never do."""
        self._thread = OneThread("records", TRANSACTIONS_MAX)
        self._looking: Engine | None = (
            open_sqlite(url, "reader") if is_sqlite(url) else None
        )
        """The same for what is read all the time."""
        self._look_thread = OneThread("records-look", QUESTIONS_MAX)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one instant and cannot write.

        Raises:
            Unavailable: the database does not answer.
        """
        async with answering("the records"), AsyncSession(self._readers) as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed together, durably, at the end.

        Raises:
            Unavailable: the database does not answer. The outcome of a commit that
                was under way is unknown; what is written must bear being repeated.
        """
        async with (
            answering("the records"),
            AsyncSession(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction, committed durably when it returns.

        For what is written all the time: on SQLite it is one call on one thread, where
        a session changes threads for every statement.

        Raises:
            Overloaded: too many transactions wait; nothing was begun.
            Unavailable: as for ``writing``.
        """
        async with answering("the records"):
            if self._blocking is not None:
                call = partial(_do, self._blocking, work)
                return await self._thread.run(call)
            async with self.engine.begin() as connection:
                return await connection.run_sync(work)

    async def change(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in a session of one transaction, as ``transact`` does.

        Raises:
            Unavailable: as for ``writing``.
        """
        return await self.transact(partial(_in_session, work=work))

    async def look(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a connection that cannot write.

        For short questions that are asked all the time, like ``transact``.

        Raises:
            Overloaded: too many questions wait.
            Unavailable: the database does not answer.
        """
        async with answering("the records"):
            if self._looking is not None:
                call = partial(_ask, self._looking, work)
                return await self._look_thread.run(call)
            async with self._readers.connect() as connection:
                return await connection.run_sync(work)

    async def checkpoint(self) -> None:
        """Fold SQLite's log back into the file; one process of a site may do it.

        Gateways never checkpoint: before SQLite 3.51.3, two connections that write and
        checkpoint at one time can damage the file.
        """
        if self.engine.dialect.name != "sqlite":
            return
        async with self.engine.connect() as connection:
            # Below SQLAlchemy, which would begin a transaction first.
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()

    async def close(self) -> None:
        """Close all connections."""
        if self._blocking is not None:
            self._thread.close()
            self._blocking.dispose()
        if self._looking is not None:
            self._look_thread.close()
            self._looking.dispose()
        await self._readers.dispose()
        await self.engine.dispose()


def _do(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _in_session(connection: Connection, work: Callable[[Session], T]) -> T:
    with Session(connection, expire_on_commit=False) as session:
        made = work(session)
        session.flush()
        return made


def _ask(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        return work(connection)
