"""The journal in files: one folder per shard under one root (the embedded default).

Writes run on one thread, reads on another, so that the event loop never waits for the
disk. Any number of processes may read; among writers, the fence admits only the newest
epoch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.events import Event
from actors.errors import Fenced, JournalCorrupt
from actors.ports import Record, Sealed
from persistence.files.disk import Disk, SystemDisk
from persistence.files.writer_thread import WriterThread
from persistence.journal.files.format import segment_bases
from persistence.journal.files.reader import WalReader
from persistence.journal.files.room import KEEP_FREE, Room
from persistence.journal.files.tail import WATERMARK_FILE
from persistence.journal.files.wakes import POLL_S, WakeReceiver, WakeSender
from persistence.journal.files.wal import Limits, Wal

PRESSURE_EVERY_S = 1.0


class FileJournal:
    """``actors.ports.Journal`` over one write-ahead log per shard."""

    def __init__(
        self,
        root: Path,
        *,
        budget_bytes: int = 0,
        keep_free_bytes: int = KEEP_FREE,
        limits: Limits | None = None,
        disk: Disk | None = None,
    ) -> None:
        """``budget_bytes`` bounds all shards together; 0: limited by the disk only."""
        self._root = str(root)
        self._disk = disk or SystemDisk()
        self._limits = limits or Limits()
        self._room = Room(
            self._disk, self._root, budget=budget_bytes, keep_free=keep_free_bytes
        )
        self._waking = WakeSender(self._root)
        self._woken = WakeReceiver(self._root)
        self._wals: dict[ShardId, Wal] = {}
        self._readers: dict[ShardId, WalReader] = {}
        self._writing = WriterThread("journal-writer")
        self._reading = WriterThread("journal-reader")
        self._pressure = 0.0
        self._pressure_at = -PRESSURE_EVERY_S

    async def seal(self, shard: ShardId) -> Sealed:
        """Open for writing under the next epoch; see the port."""
        return await self._writing.run(self._wal(shard).seal)

    async def append(
        self, shard: ShardId, epoch: int, expected_seq: int, events: Sequence[Event]
    ) -> int:
        """Make events durable with one write and one sync; see the port."""
        wal = self._sealed(shard, epoch)
        call = partial(self._append, wal, epoch, expected_seq, events)
        return await self._writing.run(call)

    async def check(self, shard: ShardId, epoch: int) -> None:
        """Check that ``epoch`` still owns the shard; see the port.

        One small read of a cached file, too little for a thread.
        """
        self._sealed(shard, epoch).check(epoch)

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        """Durable records after ``after_seq``; see the port."""
        reader = self._reader(shard)
        return await self._reading.run(partial(reader.read, after_seq, limit))

    async def last_seq(self, shard: ShardId) -> int:
        """The durable end; see the port."""
        return await self._reading.run(self._reader(shard).last_seq)

    async def last_seqs(self, shards: Sequence[ShardId]) -> dict[ShardId, int]:
        """The durable ends of these shards; 0 for one without a journal.

        Raises:
            JournalCorrupt: one of them is damaged.
        """
        readers = [self._reader(shard) for shard in shards]
        ends = await self._reading.run(lambda: [one.last_seq() for one in readers])
        return dict(zip(shards, ends, strict=True))

    async def wait_for_news(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        """The shards with something after these seqs; waits for one.

        Empty also when another shard was written to, or an append failed.

        Raises:
            JournalUnavailable: the disk returned an error.
        """
        with self._woken.listening() as woken:
            ahead = await self._ahead(positions)
            if ahead or timeout_s <= 0:
                return ahead
            was_woken = await self._woken.wait(woken, timeout_s)
        ahead = await self._ahead(positions)
        if was_woken and not ahead:
            # A shard that is not followed yet, or a spurious wake-up.
            await asyncio.sleep(min(timeout_s, POLL_S))
        return ahead

    async def trim(
        self, shard: ShardId, upto_seq: int, before: Millis | None = None
    ) -> None:
        """Remove whole segments up to ``upto_seq``; see the port."""
        await self._writing.run(partial(self._wal(shard).trim, upto_seq, before))

    async def shards(self) -> Sequence[ShardId]:
        """Folders that hold a journal, by name."""
        return await self._reading.run(partial(shards_under, self._disk, self._root))

    def pressure(self) -> float:
        """Used fraction of the journal's budget; computed at most once a second."""
        now = time.monotonic()
        if now - self._pressure_at >= PRESSURE_EVERY_S:
            self._disk.make_folder(self._root)
            self._pressure = self._room.pressure()
            self._pressure_at = now
        return self._pressure

    async def close(self) -> None:
        """Finish pending writes, and release files and locks."""
        await self._writing.run(self._close_wals)
        await self._reading.run(self._close_readers)
        self._writing.stop()
        self._reading.stop()
        self._waking.close()
        self._woken.close()

    def _append(
        self, wal: Wal, epoch: int, expected_seq: int, events: Sequence[Event]
    ) -> int:
        last = wal.append(epoch, expected_seq, events)
        self._waking.send()
        return last

    async def _ahead(self, positions: Mapping[ShardId, int]) -> frozenset[ShardId]:
        try:
            ends = await self.last_seqs(tuple(positions))
        except JournalCorrupt:  # reading the shards one by one shows which
            return frozenset(positions)
        return frozenset(shard for shard in ends if ends[shard] > positions[shard])

    def _close_wals(self) -> None:
        for wal in self._wals.values():
            wal.close()
        self._wals.clear()

    def _close_readers(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _wal(self, shard: ShardId) -> Wal:
        if shard not in self._wals:
            self._wals[shard] = Wal(
                self._disk,
                f"{self._root}/{shard}",
                shard,
                limits=self._limits,
                demand=self._room.demand,
            )
        return self._wals[shard]

    def _sealed(self, shard: ShardId, epoch: int) -> Wal:
        if shard not in self._wals:
            raise Fenced(f"shard {shard} was not sealed here (epoch {epoch})")
        return self._wals[shard]

    def _reader(self, shard: ShardId) -> WalReader:
        if shard not in self._readers:
            folder = f"{self._root}/{shard}"
            self._readers[shard] = WalReader(self._disk, folder, shard)
        return self._readers[shard]


def shards_under(disk: Disk, root: str) -> list[ShardId]:
    """The shards that have a journal under ``root``, by name."""
    return [
        ShardId(name)
        for name in disk.names(root)
        if not name.startswith(".") and _has_journal(disk, f"{root}/{name}")
    ]


def _has_journal(disk: Disk, folder: str) -> bool:
    """A watermark without a segment is a journal too: one that was lost."""
    try:
        names = disk.names(folder)
    except NotADirectoryError:
        return False
    return WATERMARK_FILE in names or bool(segment_bases(names))
