"""Writes a shard's journal files from records with given seqs and epochs.

For `slotcast restore`: every record keeps its seq and its epoch, and the first one
need not be seq 1. Nothing here is durable, and no process may open the journal, until
``finish`` has returned; an interrupted import is discarded as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from crc32c import crc32c

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt
from actors.ports import Record
from persistence import codec
from persistence.files.disk import Disk, SystemDisk
from persistence.files.writer_thread import WriterThread
from persistence.journal.files.fence import Fence
from persistence.journal.files.format import (
    HEADER_BYTES,
    MARK_BYTES,
    Header,
    Mark,
    pack_frame,
    pack_header,
    pack_mark,
    segment_name,
)
from persistence.journal.files.room import MIB
from persistence.journal.files.tail import WATERMARK_FILE

SEGMENT_BYTES = 64 * MIB
FRAME_RECORDS = 500
"""Records per frame; a reader reads whole frames."""


class FileJournalImport:
    """Writes the journals of an empty site, one shard after the other."""

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        disk: Disk | None = None,
    ) -> None:
        """``root`` is created when needed."""
        self._root = str(root)
        self._segment_bytes = segment_bytes
        self._disk = disk or SystemDisk()
        self._shards: dict[ShardId, _ShardImport] = {}
        self._thread = WriterThread("journal-import")

    async def write(self, shard: ShardId, records: Sequence[Record]) -> None:
        """Add records, which must follow those written before.

        Raises:
            FileExistsError: the shard has a journal already.
            JournalCorrupt: they do not follow.
            OSError: the disk returned an error.
        """
        await self._thread.run(lambda: self._write(shard, records))

    async def finish(self, shard: ShardId, epoch: int) -> None:
        """Make the shard's journal durable; its next owner has an epoch above this."""
        await self._thread.run(lambda: self._shards.pop(shard).finish(epoch))

    async def close(self) -> None:
        """Close the files; an unfinished shard is not a journal."""
        await self._thread.run(self._close)
        self._thread.stop()

    def _write(self, shard: ShardId, records: Sequence[Record]) -> None:
        if shard not in self._shards:
            folder = f"{self._root}/{shard}"
            self._shards[shard] = _ShardImport(
                self._disk, folder, shard, self._segment_bytes
            )
        self._shards[shard].write(records)

    def _close(self) -> None:
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()


class _ShardImport:
    """One shard's folder while it is being written."""

    def __init__(
        self, disk: Disk, folder: str, shard: ShardId, segment_bytes: int
    ) -> None:
        if disk.names(folder):
            raise FileExistsError(f"{folder} is not empty")
        self._disk = disk
        self._folder = folder
        self._shard = shard
        self._segment_bytes = segment_bytes
        self._mark = Mark(0, 0, 0, 0, 0)
        self._segment: int | None = None
        disk.make_folder(folder)

    def write(self, records: Sequence[Record]) -> None:
        for epoch, run in itertools.groupby(records, lambda record: record.epoch):
            same = list(run)
            for start in range(0, len(same), FRAME_RECORDS):
                self._frame(epoch, same[start : start + FRAME_RECORDS])

    def finish(self, epoch: int) -> None:
        self._leave_segment()
        fence = Fence(self._disk, self._folder, lock_wait_s=1.0)
        fence.open()
        try:
            fence.lock()
            fence.advance(max(epoch, self._mark.epoch) - 1)
        finally:
            fence.close()
        watermark = self._disk.open(f"{self._folder}/{WATERMARK_FILE}", create=True)
        try:
            self._disk.reserve(watermark, 0, MARK_BYTES)
            self._put(watermark, pack_mark(self._mark), 0)
            self._disk.sync(watermark)
        finally:
            self._disk.close(watermark)
        self._disk.sync_folder(self._folder)

    def close(self) -> None:
        if self._segment is not None:
            self._disk.close(self._segment)
            self._segment = None

    def _frame(self, epoch: int, records: Sequence[Record]) -> None:
        mark, first = self._mark, records[0].seq
        if self._segment is None:
            self._begin(Header(self._shard, first, epoch))
        elif first != mark.seq + 1 or epoch < mark.epoch:
            raise JournalCorrupt(
                f"record {first} of epoch {epoch} cannot follow record {mark.seq} of "
                f"epoch {mark.epoch} in the journal of {self._shard}"
            )
        elif mark.offset > self._segment_bytes:
            self._leave_segment()
            self._begin(Header(self._shard, first, epoch, mark.base, mark.offset))
        seqs = [record.seq for record in records]
        if seqs != list(range(first, first + len(seqs))):
            raise JournalCorrupt(f"records are missing in the journal of {self._shard}")
        frame = pack_frame(epoch, first, [codec.encode(one.event) for one in records])
        mark = self._mark
        assert self._segment is not None, "begun above"
        self._put(self._segment, frame, mark.offset)
        end, crc = mark.offset + len(frame), crc32c(frame, mark.crc)
        self._mark = Mark(epoch, seqs[-1], mark.base, end, crc)

    def _begin(self, header: Header) -> None:
        path = f"{self._folder}/{segment_name(header.base)}"
        self._segment = self._disk.open(path, create=True)
        self._put(self._segment, pack_header(header), 0)
        epoch, seq = header.epoch, header.base - 1
        self._mark = Mark(epoch, seq, header.base, HEADER_BYTES, 0)

    def _leave_segment(self) -> None:
        if self._segment is not None:
            self._disk.sync(self._segment)
            self._disk.close(self._segment)
            self._segment = None

    def _put(self, handle: int, data: bytes, offset: int) -> None:
        """Write all bytes, or raise: nothing here is acknowledged in part."""
        written = 0
        while written < len(data):
            count = self._disk.write(handle, data[written:], offset + written)
            if not count:
                raise OSError(f"{self._folder}: the disk is full")
            written += count
