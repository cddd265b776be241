"""Reading a shard's journal, also while another process writes it.

A reader never goes past the watermark, so it sees durable records only. It remembers
where it stopped, so that following costs one small read when nothing is new.
"""

from __future__ import annotations

from msgspec import Struct

from actors.errors import JournalCorrupt, JournalUnavailable
from actors.ports import Record
from persistence import codec
from persistence.files.disk import Disk
from persistence.journal.files.format import (
    FRAME,
    FRAME_BYTES,
    HEADER_BYTES,
    LENGTH_BYTES,
    damaged,
    frame_end,
    frame_is_sound,
    frame_length,
    segment_bases,
    segment_name,
    unpack_length,
)
from persistence.journal.files.tail import (
    WATERMARK_FILE,
    read_header,
    read_mark_from,
    read_tail,
)

CHUNK = 1024 * 1024
"""Most bytes of one read: large enough for the disk, small enough for memory."""
CHUNK_MIN = 16 * 1024
PLACES_MAX = 2
"""Places where readings stopped: the projection and the audit trail follow a journal,
one behind the other, and neither should begin at the segment's start each time."""


class RecordPosition(Struct):
    """A frame's beginning: the record before it, its segment and offset."""

    seq: int
    base: int
    offset: int


class WalReader:
    """Reads the durable records of one shard, in order. One thread at a time."""

    def __init__(self, disk: Disk, folder: str, shard: str) -> None:
        """Opens nothing yet: the shard may not have a journal."""
        self._disk = disk
        self._folder = folder
        self._shard = shard
        self._places: list[RecordPosition] = []
        self._segment: tuple[int, int] | None = None
        self._mark: int | None = None

    def last_seq(self) -> int:
        """The durable end; 0 if the shard has no journal.

        Raises:
            JournalCorrupt: a durable record is damaged.
            JournalUnavailable: the disk refuses.
        """
        try:
            return self._last_seq()
        except OSError as error:
            raise JournalUnavailable(f"cannot read {self._folder}: {error}") from error

    def read(self, after_seq: int, limit: int) -> list[Record]:
        """Durable records after ``after_seq``, at most ``limit``.

        Raises:
            JournalCorrupt: a record is damaged, or ``after_seq + 1`` was trimmed.
            JournalUnavailable: the disk refuses.
        """
        try:
            try:
                return self._read(after_seq, limit)
            except FileNotFoundError:  # a place in a segment that has been trimmed
                self.close()
                return self._read(after_seq, limit)
        except OSError as error:
            self.close()
            raise JournalUnavailable(f"cannot read {self._folder}: {error}") from error

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        self._leave_segment()
        if self._mark is not None:
            self._disk.close(self._mark)
        self._mark = None
        self._places.clear()

    def _last_seq(self) -> int:
        if self._mark is None:
            try:
                self._mark = self._disk.open(f"{self._folder}/{WATERMARK_FILE}")
            except FileNotFoundError:
                return self._end_by_scan()
        mark = read_mark_from(self._disk, self._mark)
        return mark.seq if mark else self._end_by_scan()

    def _end_by_scan(self) -> int:
        """Only if no watermark survived, that is until the next seal."""
        tail = read_tail(self._disk, self._folder, self._shard)
        return tail.seq if tail else 0

    def _read(self, after_seq: int, limit: int) -> list[Record]:
        end = self._last_seq()
        records: list[Record] = []
        # Bytes after the watermark may be gone after the next power cut.
        limit = min(limit, end - after_seq)
        if limit < 1:
            return records
        place = self._place(after_seq)
        while len(records) < limit and place.seq < end:
            data = self._chunk(place, CHUNK if place.seq < after_seq else limit * 256)
            if self._take(place, data, after_seq, limit, records):
                break
        return records

    def _place(self, after_seq: int) -> RecordPosition:
        """The last known place before a record; the one that was used last is last."""
        places = self._places
        before = [place for place in places if place.seq <= after_seq]
        if before:
            place = max(before, key=lambda one: one.seq)
            places.remove(place)
        else:
            place = self._find(after_seq)
        places.append(place)
        del places[:-PLACES_MAX]
        return place

    def _find(self, after_seq: int) -> RecordPosition:
        """The beginning of the segment that holds ``after_seq + 1``."""
        bases = segment_bases(self._disk.names(self._folder))
        held = [base for base in bases if base <= after_seq + 1]
        if not held:
            first = bases[0] if bases else "none"
            raise JournalCorrupt(
                f"{self._folder} begins with seq {first}: seq {after_seq + 1} was "
                "trimmed or lost. A reader that needs it must start from a snapshot or "
                "a backup that covers it."
            )
        return RecordPosition(held[-1] - 1, held[-1], HEADER_BYTES)

    def _chunk(self, place: RecordPosition, wanted: int) -> bytes:
        """Bytes from ``place`` on that begin with a whole frame.

        Continues in the next segment where this one has ended.
        """
        length = min(max(wanted, CHUNK_MIN), CHUNK)
        for _ in range(2):
            handle = self._enter_segment(place.base)
            data = self._disk.read(handle, length, place.offset)
            if not frame_end(data, 0):
                length = FRAME_BYTES + frame_length(data)
                data = self._disk.read(handle, length, place.offset)
            if frame_end(data, 0):
                return data
            bases = segment_bases(self._disk.names(self._folder))
            if place.base not in bases:  # trimmed while it was open here
                raise FileNotFoundError(segment_name(place.base))
            if place.seq + 1 not in bases:
                break
            place.base, place.offset = place.seq + 1, HEADER_BYTES
        path = f"{self._folder}/{segment_name(place.base)}"
        raise damaged(path, place.offset, f"seq {place.seq + 1} should be here")

    def _take(
        self,
        place: RecordPosition,
        data: bytes,
        after_seq: int,
        limit: int,
        records: list[Record],
    ) -> bool:
        """Add records from the frames of ``data``; True when enough were read."""
        view = memoryview(data)
        at = 0
        while end := frame_end(view, at):
            _, _, _, count, _, first = FRAME.unpack_from(view, at)
            last = first + count - 1
            if first != place.seq + 1 or (
                last > after_seq and not frame_is_sound(view, at, end)
            ):
                path = f"{self._folder}/{segment_name(place.base)}"
                raise damaged(path, place.offset, "a record has changed")
            if last > after_seq:
                skip = max(after_seq + 1 - first, 0)
                wanted = limit - len(records)
                _decode(view, at, (skip, min(count, skip + wanted)), records)
                if skip + wanted < count:
                    return True
            place.seq, place.offset, at = last, place.offset + end - at, end
            if len(records) >= limit:
                return True
        return False

    def _enter_segment(self, base: int) -> int:
        if self._segment is None or self._segment[0] != base:
            self._leave_segment()
            read_header(self._disk, self._folder, base)
            path = f"{self._folder}/{segment_name(base)}"
            self._segment = (base, self._disk.open(path))
        return self._segment[1]

    def _leave_segment(self) -> None:
        if self._segment is not None:
            self._disk.close(self._segment[1])
            self._segment = None


def _decode(
    view: memoryview, at: int, span: tuple[int, int], records: list[Record]
) -> None:
    """Add the events ``span[0]`` to ``span[1]`` of the frame at ``at``."""
    _, _, _, _, epoch, first = FRAME.unpack_from(view, at)
    at += FRAME_BYTES
    start, stop = span
    decode, add = codec.decode, records.append
    for number in range(stop):
        begin = at + LENGTH_BYTES
        at = begin + unpack_length(view, at)[0]
        if number >= start:
            add(Record(first + number, epoch, decode(view[begin:at])))
