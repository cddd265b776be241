"""Where a shard's journal ends: the read-only half of opening it.

All headers are read, so that a missing or shortened segment is found at once; of the
contents only the last segment is checked. Damage further back is found when it is read
(every read checks), by a recovery for all it needs, or by `journal verify`.
"""

from __future__ import annotations

from crc32c import crc32c
from msgspec import Struct

from persistence.files.disk import Disk
from persistence.journal.files.format import (
    HEADER_BYTES,
    MARK_BYTES,
    Header,
    Mark,
    Scan,
    damaged,
    scan,
    segment_bases,
    segment_name,
    sound_frame_after,
    unpack_header,
    unpack_mark,
)

WATERMARK_FILE = "watermark"
MARK_TRIES = 3
"""Attempts to read a mark while another process writes it; a torn one is reread."""


class Tail(Struct, frozen=True):
    """The last segment, up to its last sound frame.

    ``size`` is the file's length, ``torn`` how many bytes after the end are neither
    frame nor zero, ``unsynced`` the sound bytes that the watermark does not vouch for,
    ``crc`` the checksum of the sound bytes after the header.
    """

    base: int
    end: int
    seq: int
    epoch: int
    size: int
    torn: int
    unsynced: bytes
    crc: int


def read_mark(disk: Disk, folder: str) -> Mark | None:
    """The watermark of a shard's folder; None if there is no sound one."""
    try:
        handle = disk.open(f"{folder}/{WATERMARK_FILE}")
    except FileNotFoundError:
        return None
    try:
        return read_mark_from(disk, handle)
    finally:
        disk.close(handle)


def read_mark_from(disk: Disk, handle: int) -> Mark | None:
    """The watermark in an open file; None if there is no sound one."""
    for _ in range(MARK_TRIES):
        mark = unpack_mark(disk.read(handle, MARK_BYTES, 0))
        if mark is not None:
            return mark
    return None


def read_header(disk: Disk, folder: str, base: int) -> tuple[Header, int]:
    """A segment's header and its file's length.

    Raises:
        JournalCorrupt: damaged, or of another segment.
    """
    path = f"{folder}/{segment_name(base)}"
    handle = disk.open(path)
    try:
        header = unpack_header(disk.read(handle, HEADER_BYTES, 0), path)
        size = disk.size(handle)
    finally:
        disk.close(handle)
    if header.base != base:
        raise damaged(path, 0, f"its header belongs to a segment from {header.base}")
    return header, size


def check_chain(disk: Disk, folder: str, shard: str) -> list[int]:
    """The bases of all segments, after a check that none is missing or shortened.

    Raises:
        JournalCorrupt: says which file.
    """
    bases = segment_bases(disk.names(folder))
    before, size_before = 0, 0
    for base in bases:
        header, size = read_header(disk, folder, base)
        path = f"{folder}/{segment_name(base)}"
        if header.shard != shard:
            raise damaged(path, 0, f"it belongs to shard {header.shard}, not {shard}")
        if before and header.previous != before:
            missing = segment_name(header.previous)
            raise damaged(path, 0, f"the segment before it, {missing}, is missing")
        if before and size_before < header.previous_end:
            lost = header.previous_end - size_before
            path = f"{folder}/{segment_name(before)}"
            raise damaged(path, size_before, f"{lost} bytes are missing at its end")
        before, size_before = base, size
    return bases


def read_tail(disk: Disk, folder: str, shard: str) -> Tail | None:
    """The end of the journal; None if there is none yet. Changes nothing.

    Raises:
        JournalCorrupt: a durable record is damaged or missing.
    """
    bases = check_chain(disk, folder, shard)
    mark = read_mark(disk, folder)
    last = bases[-1] if bases else 0
    if mark is not None and mark.base > last:
        missing = f"{folder}/{segment_name(mark.base)}"
        raise damaged(missing, 0, "this segment is missing")
    if not bases:
        return None
    path = f"{folder}/{segment_name(last)}"
    handle = disk.open(path)
    try:
        data = disk.read(handle, disk.size(handle), 0)
    finally:
        disk.close(handle)
    return _tail_of(data, path, last, mark)


def _tail_of(data: bytes, path: str, base: int, mark: Mark | None) -> Tail:
    header = unpack_header(data, path)
    view = memoryview(data)
    here = mark if mark is not None and mark.base == base else None
    if here is None:
        found = scan(view[HEADER_BYTES:], HEADER_BYTES, path, base - 1, header.epoch)
    else:
        _check_durable(view, path, header, here)
        found = scan(view[here.offset :], here.offset, path, here.seq, here.epoch)
    torn = check_rest(data, found, path)
    since = here.offset if here else HEADER_BYTES
    return Tail(
        base=base,
        end=found.end,
        seq=found.seq,
        epoch=max(found.epoch, header.epoch),
        size=len(data),
        torn=torn,
        # Without any mark the machine itself went down: then nothing is only in the
        # page cache, and the bytes read are those on the disk.
        unsynced=bytes(view[since : found.end]) if mark else b"",
        crc=crc32c(view[HEADER_BYTES : found.end]),
    )


def _check_durable(view: memoryview, path: str, header: Header, mark: Mark) -> None:
    """Raise unless the bytes that the watermark covers exist and are correct."""
    if mark.offset > len(view):
        lost = mark.offset - len(view)
        raise damaged(path, len(view), f"{lost} durable bytes are missing")
    durable = view[HEADER_BYTES : mark.offset]
    if crc32c(durable) == mark.crc:
        return
    found = scan(durable, HEADER_BYTES, path, header.base - 1, header.epoch)
    raise damaged(path, found.end, "a durable record has changed")


def check_rest(data: bytes, found: Scan, path: str) -> int:
    """How many bytes after the last sound frame are torn; the rest are zeros.

    Raises:
        JournalCorrupt: a sound frame follows, so the bad bytes were durable once.
    """
    torn = len(data[found.end :].rstrip(b"\0"))
    later = sound_frame_after(data, found.end) if torn else None
    if later is not None:
        what = f"a bad record is followed by a good one at byte {later}"
        raise damaged(path, found.end, what)
    return torn


__all__ = [
    "WATERMARK_FILE",
    "Tail",
    "check_chain",
    "check_rest",
    "read_header",
    "read_mark",
    "read_mark_from",
    "read_tail",
]
