"""Snapshots in files: one SQLite database per shard, every blob under a checksum.

The rollback journal with ``synchronous=EXTRA`` is used, not the write-ahead log:
snapshots are rare, a commit must be durable because the journal is trimmed after it,
and older SQLite versions can damage a write-ahead log that two processes write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from crc32c import crc32c

from actors.domain.ids import ProviderId, ShardId
from actors.errors import Fenced, JournalCorrupt, JournalFull, JournalUnavailable
from actors.ports import StoredCalendar
from persistence.files.writer_thread import WriterThread

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000
PROVIDERS_PER_QUERY = 500
"""SQLite takes 999 parameters in its oldest builds."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS shard (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL, position INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS calendar (
    provider_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL, crc INTEGER NOT NULL, blob BLOB NOT NULL);
"""


class SnapshotCorrupt(JournalCorrupt):
    """A stored calendar, or the file it is in, is damaged."""


class FileSnapshots:
    """``actors.ports.SnapshotStore`` in SQLite files under one root."""

    def __init__(self, root: Path) -> None:
        """Files are made when something is first stored."""
        self._root = root
        self._connections: dict[ShardId, sqlite3.Connection] = {}
        self._thread = WriterThread("snapshots")

    async def position(self, shard: ShardId) -> int:
        """See the port. Raises SnapshotCorrupt, JournalUnavailable."""
        path = self._path(shard)
        return await self._ask(shard, lambda db: _shard_row(db, path)[1], 0)

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        """See the port. Raises SnapshotCorrupt, JournalUnavailable."""
        call = partial(_load, path=self._path(shard), providers=list(providers))
        return await self._ask(shard, call, {})

    async def providers(self, shard: ShardId) -> Sequence[ProviderId]:
        """Whose calendars are stored, by id; for a rebuild of the read model."""
        return await self._ask(shard, _providers, [])

    async def save(
        self, shard: ShardId, epoch: int, calendars: Mapping[ProviderId, StoredCalendar]
    ) -> None:
        """See the port. Raises Fenced, SnapshotCorrupt, JournalFull and the like."""
        await self._ask(
            shard,
            partial(
                _save, path=self._path(shard), epoch=epoch, calendars=dict(calendars)
            ),
        )

    async def advance(self, shard: ShardId, epoch: int, position: int) -> None:
        """See the port; a position never goes back."""
        await self._ask(
            shard,
            partial(_advance, path=self._path(shard), epoch=epoch, position=position),
        )

    async def close(self) -> None:
        """Close the files."""
        await self._thread.run(self._close)
        self._thread.stop()

    def _close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _path(self, shard: ShardId) -> Path:
        return self._root / f"{shard}.sqlite3"

    async def _ask(
        self,
        shard: ShardId,
        call: Callable[[sqlite3.Connection], T],
        absent: T | None = None,
    ) -> T:
        """Do it on the thread; ``absent`` is the answer where nothing was stored."""
        return await self._thread.run(partial(self._do, shard, call, absent))

    def _do(
        self,
        shard: ShardId,
        call: Callable[[sqlite3.Connection], T],
        absent: T | None,
    ) -> T:
        path = self._path(shard)
        try:
            if absent is not None and not path.exists():
                return absent
            return call(self._connection(shard, path))
        except (sqlite3.Error, OSError) as error:
            self._forget(shard)
            raise _named(error, path) from error

    def _connection(self, shard: ShardId, path: Path) -> sqlite3.Connection:
        if shard not in self._connections:
            self._root.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False
            )
            self._connections[shard] = connection
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=EXTRA")
            connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        return self._connections[shard]

    def _forget(self, shard: ShardId) -> None:
        connection = self._connections.pop(shard, None)
        if connection is not None:
            connection.close()


def _shard_row(db: sqlite3.Connection, path: Path) -> tuple[int, int]:
    row = db.execute("SELECT epoch, position, crc FROM shard").fetchone()
    if row is None:
        return 0, 0
    epoch, position, crc = row
    if checksum("", epoch, b"%d" % position) != crc:
        raise _corrupt(path, "the shard's position has changed")
    return int(epoch), int(position)


def _load(
    db: sqlite3.Connection, *, path: Path, providers: list[ProviderId]
) -> Mapping[ProviderId, StoredCalendar]:
    found: dict[ProviderId, StoredCalendar] = {}
    for start in range(0, len(providers), PROVIDERS_PER_QUERY):
        some = providers[start : start + PROVIDERS_PER_QUERY]
        marks = ",".join("?" * len(some))
        rows = db.execute(
            "SELECT provider_id, seq, crc, blob FROM calendar "  # noqa: S608  # nosec B608
            f"WHERE provider_id IN ({marks})",
            some,
        )
        for provider, seq, crc, blob in rows:
            if not isinstance(blob, bytes) or checksum(provider, seq, blob) != crc:
                raise _corrupt(path, f"the snapshot of {provider} has changed")
            found[provider] = StoredCalendar(seq, blob)
    return found


def _providers(db: sqlite3.Connection) -> Sequence[ProviderId]:
    rows = db.execute("SELECT provider_id FROM calendar ORDER BY provider_id")
    return [ProviderId(row[0]) for row in rows]


def _save(
    db: sqlite3.Connection,
    *,
    path: Path,
    epoch: int,
    calendars: dict[ProviderId, StoredCalendar],
) -> None:
    rows = [
        (provider, stored.seq, checksum(provider, stored.seq, stored.blob), stored.blob)
        for provider, stored in calendars.items()
    ]
    with _Transaction(db, path, epoch):
        db.executemany("INSERT OR REPLACE INTO calendar VALUES (?, ?, ?, ?)", rows)


def _advance(db: sqlite3.Connection, *, path: Path, epoch: int, position: int) -> None:
    with _Transaction(db, path, epoch, position):
        pass  # the shard's row is all there is to write


class _Transaction:
    """A write by one epoch: all or nothing, and nothing if a newer one has written."""

    def __init__(
        self, db: sqlite3.Connection, path: Path, epoch: int, position: int = 0
    ) -> None:
        self._db = db
        self._path = path
        self._epoch = epoch
        self._position = position

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._take_over()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")

    def _take_over(self) -> None:
        newest, position = _shard_row(self._db, self._path)
        if newest > self._epoch:
            raise Fenced(f"{self._path}: epoch {self._epoch} is superseded by {newest}")
        position = max(position, self._position)
        crc = checksum("", self._epoch, b"%d" % position)
        self._db.execute(
            "INSERT OR REPLACE INTO shard VALUES (1, ?, ?, ?)",
            (self._epoch, position, crc),
        )


def checksum(provider: str, seq: int, blob: bytes) -> int:
    """The CRC-32C of a snapshot, its provider and seq included."""
    return int(crc32c(blob, crc32c(f"{provider} {seq} ".encode())))


def _corrupt(path: Path, what: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"{path}: {what}. Move this file away: if the shard's journal still begins at "
        "seq 1, it is rebuilt from there; otherwise restore it from a backup."
    )


def _named(error: sqlite3.Error | OSError, path: Path) -> Exception:
    """Our name for a trouble of the database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return JournalFull(f"{path}: the disk is full")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return _corrupt(path, str(error))
    return JournalUnavailable(f"{path}: {error}")
