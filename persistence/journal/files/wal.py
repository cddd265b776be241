"""The write-ahead log of one shard, on which every acknowledgement is based.

Each append takes the shard's lock, checks that no newer epoch was sealed, writes one
frame, syncs once, and releases the lock. After a failed sync this object is unusable
(and the process should end): the content of the disk is then known only after a restart
has read it. See docs/decisions/0001-acknowledged.md.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from errno import EDQUOT, EIO, ENOSPC
from typing import Protocol

from crc32c import crc32c
from msgspec import Struct

from actors.domain.ids import Millis
from actors.domain.messages.events import Event
from actors.errors import Fenced, JournalFull, JournalUnavailable, OutcomeUnknown
from actors.ports import Record, Sealed
from persistence import codec
from persistence.files.disk import Disk
from persistence.journal.files.fence import EPOCH_FILE, Fence
from persistence.journal.files.format import (
    HEADER_BYTES,
    MARK_BYTES,
    NEW_SUFFIX,
    Header,
    Mark,
    damaged,
    pack_frame,
    pack_header,
    pack_mark,
    segment_bases,
    segment_name,
)
from persistence.journal.files.reader import WalReader
from persistence.journal.files.room import MIB
from persistence.journal.files.tail import WATERMARK_FILE, Tail, read_tail

FULL = frozenset({ENOSPC, EDQUOT})


class Limits(Struct, frozen=True):
    """Sizes of the log's files in bytes, and how long to wait for the lock."""

    segment_bytes: int = 64 * MIB
    """A segment that would grow beyond this is followed by a new one: large enough
    that there are few, small enough that trimming frees space."""
    grow_bytes: int = MIB
    """Space is reserved ahead in steps of this, so that a full disk is found early."""
    lock_wait_s: float = 5.0
    """A live writer holds the lock for milliseconds; longer means a stopped one."""


class Demand(Protocol):
    """Checks for space before it is used."""

    def __call__(self, length: int, /) -> None:
        """Check that ``length`` more bytes may be used. Raises JournalFull."""
        ...


def _all_you_want(_length: int, /) -> None:
    """No limit except the disk's own."""


class Wal:
    """One shard's log, written by one activation of the shard.

    Not safe for several threads at once. After ``OutcomeUnknown`` it only refuses.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        shard: str,
        *,
        limits: Limits | None = None,
        demand: Demand = _all_you_want,
    ) -> None:
        """Opens nothing yet; ``folder`` is the shard's own, created by ``seal``."""
        self._disk = disk
        self._folder = folder
        self._shard = shard
        self._limits = limits or Limits()
        self._demand = demand
        self._fence = Fence(disk, folder, self._limits.lock_wait_s)
        self._reader = WalReader(disk, folder, shard)
        self._segment: int | None = None
        self._watermark: int | None = None
        self._room = 0
        self._mark = Mark(0, 0, 0, 0, 0)
        self._poison = ""

    # --- owning ------------------------------------------------------------------

    def seal(self) -> Sealed:
        """Open for writing under the next epoch, and cut a torn end.

        Raises:
            JournalCorrupt: a durable record is damaged; nothing was changed.
            JournalUnavailable: locked by another process, or a disk error.
        """
        self._refuse_if_poisoned()
        try:
            self._disk.make_folder(self._folder)
            self._refuse_without_epoch()
            self._fence.open()
            self._fence.lock()
        except OSError as error:
            raise JournalUnavailable(f"cannot open {self._folder}: {error}") from error
        try:
            tail = read_tail(self._disk, self._folder, self._shard)
            epoch = self._fence.advance(
                max(tail.epoch, self._mark.epoch) if tail else 0
            )
            self._adopt(tail, epoch)
        except OSError as error:
            self._mark = Mark(0, 0, 0, 0, 0)
            raise JournalUnavailable(f"cannot seal {self._folder}: {error}") from error
        finally:
            self._fence.unlock()
        return Sealed(epoch, self._mark.seq)

    def check(self, epoch: int) -> None:
        """Check that ``epoch`` still owns the shard.

        Raises:
            Fenced: it does not.
            JournalUnavailable: the epoch cannot be read.
        """
        self._refuse_if_poisoned()
        try:
            self._fence.check(epoch)
        except OSError as error:
            raise JournalUnavailable(f"cannot read {self._folder}: {error}") from error

    def close(self) -> None:
        """Close files and release locks. The shard can be sealed again afterwards."""
        self._fence.close()
        self._reader.close()
        for handle in (self._segment, self._watermark):
            if handle is not None:
                self._disk.close(handle)
        self._segment = self._watermark = None

    # --- writing -----------------------------------------------------------------

    def append(self, epoch: int, expected_seq: int, events: Sequence[Event]) -> int:
        """Make events durable, all or none; the new last seq.

        Raises:
            Fenced: a newer epoch was sealed, or ``expected_seq`` is not the end.
            JournalFull: no room; nothing was written.
            JournalUnavailable: the lock is held; nothing was written.
            OutcomeUnknown: this process must end.
        """
        self._refuse_if_poisoned()
        encode = codec.encode
        frame = pack_frame(epoch, expected_seq + 1, [encode(event) for event in events])
        self._fence.lock()
        try:
            self.check(epoch)
            if expected_seq != self._mark.seq:
                raise Fenced(
                    f"{self._folder} ends at seq {self._mark.seq}, not {expected_seq}"
                )
            if events:
                self._make_room(epoch, len(frame))
                self._write(epoch, len(events), frame)
        finally:
            self._fence.unlock()
        return self._mark.seq

    def trim(self, upto_seq: int, before: Millis | None = None) -> None:
        """Remove whole segments up to ``upto_seq``, oldest first; never the last.

        With ``before`` only segments that ended before that instant.

        Raises:
            JournalUnavailable: locked, or a disk error; the rest can be removed later.
        """
        try:
            bases = segment_bases(self._disk.names(self._folder))
            if not bases:
                return
            self._fence.open()
            self._fence.lock()
            try:
                # The last record stays: its instant is the floor of the clock.
                upto_seq = min(upto_seq, self.last_seq() - 1)
                bases = segment_bases(self._disk.names(self._folder))
                for base, after in itertools.pairwise(bases):
                    if after - 1 > upto_seq or self._is_young(after, before):
                        break
                    self._disk.unlink(f"{self._folder}/{segment_name(base)}")
                    # One at a time: the disk may forget them in any order, and a
                    # gap would look like a lost segment.
                    self._disk.sync_folder(self._folder)
            finally:
                self._fence.unlock()
        except OSError as error:
            raise JournalUnavailable(f"cannot trim {self._folder}: {error}") from error

    def _is_young(self, seq: int, before: Millis | None) -> bool:
        """Whether the record at ``seq`` was decided at ``before`` or later."""
        if before is None:
            return False
        found = self._reader.read(seq - 1, 1)
        return not found or found[0].event.at >= before

    # --- reading -----------------------------------------------------------------

    def read(self, after_seq: int, limit: int) -> list[Record]:
        """Durable records after ``after_seq``; see ``WalReader.read``."""
        return self._reader.read(after_seq, limit)

    def last_seq(self) -> int:
        """The durable end."""
        return self._reader.last_seq()

    # --- inside ------------------------------------------------------------------

    def _refuse_without_epoch(self) -> None:
        """The epoch file is durable before the first segment is created."""
        names = self._disk.names(self._folder)
        if EPOCH_FILE not in names and segment_bases(names):
            raise damaged(f"{self._folder}/{EPOCH_FILE}", 0, "it is missing")

    def _adopt(self, tail: Tail | None, epoch: int) -> None:
        """Make the journal's end durable, and continue there under the new epoch."""
        self._leave_segment()
        if tail is None:
            self._segment = self._begin_segment(Header(self._shard, 1, epoch))
            self._mark = Mark(epoch, 0, 1, HEADER_BYTES, 0)
        else:
            path = f"{self._folder}/{segment_name(tail.base)}"
            self._segment = self._disk.open(path, write=True)
            self._settle(self._segment, tail)
            self._mark = Mark(epoch, tail.seq, tail.base, tail.end, tail.crc)
        if self._watermark is None:
            path = f"{self._folder}/{WATERMARK_FILE}"
            self._watermark = self._disk.open(path, create=True)
            self._disk.reserve(self._watermark, 0, MARK_BYTES)
        self._disk.sync_folder(self._folder)
        self._write_whole(self._watermark, pack_mark(self._mark), 0)

    def _settle(self, segment: int, tail: Tail) -> None:
        """Cut the torn end physically, and sync what may never have been synced.

        A writer may have died between write and sync, or on a failed sync, after which
        the kernel considers the pages clean. Rewriting the bytes makes the pages dirty,
        so that the next sync covers them.
        """
        self._room = tail.size
        if tail.torn:
            self._disk.truncate(segment, tail.end)
            self._room = tail.end
        if tail.unsynced:
            start = tail.end - len(tail.unsynced)
            self._write_whole(segment, tail.unsynced, start)
        self._disk.sync(segment)

    def _make_room(self, epoch: int, length: int) -> None:
        """Reserve space for a frame, in this segment or a new one.

        Raises:
            JournalFull: there is none; nothing was changed.
        """
        end = self._mark.offset
        limits = self._limits
        try:
            if end > HEADER_BYTES and end + length > limits.segment_bytes:
                self._rotate(epoch)
                end = self._mark.offset
            if end + length > self._room:
                grow = max(limits.grow_bytes, length)
                self._demand(grow)
                self._disk.reserve(self._opened(), end, grow)
                self._room = end + grow
        except OSError as error:
            if error.errno not in FULL:
                raise self._poisoned(error) from error
            raise JournalFull(f"no room in {self._folder}: {error}") from error

    def _rotate(self, epoch: int) -> None:
        self._demand(self._limits.grow_bytes)
        mark = self._mark
        header = Header(self._shard, mark.seq + 1, epoch, mark.base, mark.offset)
        segment = self._begin_segment(header)
        with contextlib.suppress(OSError):  # only frees space
            self._disk.truncate(self._opened(), mark.offset)
        self._leave_segment()
        self._segment = segment
        self._room = max(self._limits.grow_bytes, HEADER_BYTES)
        self._mark = Mark(epoch, mark.seq, mark.seq + 1, HEADER_BYTES, 0)

    def _begin_segment(self, header: Header) -> int:
        """A new segment with a durable header, under its name only when it is whole.

        Raises:
            OSError: it could not be created.
        """
        path = f"{self._folder}/{segment_name(header.base)}"
        block = pack_header(header)
        room = max(self._limits.grow_bytes, HEADER_BYTES)
        segment = self._disk.open(path + NEW_SUFFIX, create=True)
        try:
            self._disk.truncate(segment, 0)
            self._disk.reserve(segment, 0, room)
            self._write_whole(segment, block, 0)
            self._disk.sync(segment)
            self._disk.rename(path + NEW_SUFFIX, path)
            self._sync_name(path)
        except OSError:
            self._disk.close(segment)
            raise
        self._room = room
        return segment

    def _sync_name(self, path: str) -> None:
        """Sync the folder. A named segment is the last one, even if this fails."""
        try:
            self._disk.sync_folder(self._folder)
        except OSError as error:
            raise OSError(EIO, f"{path} may not be there after a crash") from error

    def _write_whole(self, handle: int, data: bytes, offset: int) -> None:
        if self._disk.write(handle, data, offset) != len(data):
            raise OSError(ENOSPC, "short write")

    def _write(self, epoch: int, count: int, frame: bytes) -> None:
        segment, mark = self._opened(), self._mark
        try:
            written = self._disk.write(segment, frame, mark.offset)
        except OSError as error:
            if error.errno not in FULL:
                raise self._poisoned(error) from error
            written = 0
        try:
            if written != len(frame):
                self._undo(segment, mark.offset)
            self._disk.sync(segment)
        except OSError as error:
            raise self._poisoned(error) from error
        crc = crc32c(frame, mark.crc)
        end = mark.offset + len(frame)
        self._mark = Mark(epoch, mark.seq + count, mark.base, end, crc)
        # An old watermark only delays readers.
        with contextlib.suppress(OSError):
            self._disk.write(self._opened_watermark(), pack_mark(self._mark), 0)

    def _undo(self, segment: int, end: int) -> None:
        """Undo a short write: once the cut is synced, nothing of it is left."""
        self._disk.truncate(segment, end)
        self._disk.sync(segment)
        self._room = end
        raise JournalFull(f"no room in {self._folder}: nothing was written")

    def _poisoned(self, error: OSError) -> OutcomeUnknown:
        self._poison = str(error)
        return OutcomeUnknown(
            f"{self._folder}: it is unknown whether the last append is durable "
            f"({error}): this process must end, and the journal be reopened"
        )

    def _refuse_if_poisoned(self) -> None:
        if self._poison:
            raise JournalUnavailable(
                f"{self._folder}: a write failed ({self._poison}): this process must "
                "end, and the journal be reopened; check the disk"
            )

    def _leave_segment(self) -> None:
        if self._segment is not None:
            self._disk.close(self._segment)
            self._segment = None

    def _opened(self) -> int:
        assert self._segment is not None, "sealed first"
        return self._segment

    def _opened_watermark(self) -> int:
        assert self._watermark is not None, "sealed first"
        return self._watermark
