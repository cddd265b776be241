"""The projection store on SQLite, for the projector process.

Every transaction is one call on one thread that owns one connection: the driver is
called directly, with one switch from and to the event loop per transaction. It is the
only connection that checkpoints (persistence/sql/engine.py says why there must be one);
other writes of the process go through an engine of role "writer".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import Engine

from persistence.files.writer_thread import WriterThread
from persistence.readmodel.projection.sql import SqlProjectionStore, available
from persistence.sql.engine import open_sqlite

T = TypeVar("T")


class SqliteProjectionStore(SqlProjectionStore):
    """``ProjectionStore`` on the file of this URL. Must be closed."""

    def __init__(self, url: str) -> None:
        self.engine = open_sqlite(url, "projector")
        self.lanes = 1
        self._thread = WriterThread("projection")

    async def close(self) -> None:
        """Finish the current transaction and close the connection."""
        await self._thread.run(self.engine.dispose)
        self._thread.stop()

    async def _do(self, work: Callable[[Connection], T]) -> T:
        async with available():
            return await self._thread.run(partial(_transact, self.engine, work))


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)
