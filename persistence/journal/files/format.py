"""The bytes of a journal's files: segment headers, frames, epoch slots, watermark.

A segment is a header block and frames, then zeros (room reserved ahead). A frame is one
append: all its events are under one checksum, so a torn append is discarded as a whole.
All integers are little-endian; checksums are CRC-32C.

::

    header   magic 8s · crc u32 · format u16 · shard length u16 · base seq u64
             · previous base u64 · previous end u64 · epoch u64 · shard (UTF-8),
             zeros up to 512 bytes
    frame    magic 4s · crc u32 · length u32 · count u32 · epoch u64 · first seq u64
             · count times (length u32 · event)
    slot     magic 4s · crc u32 · epoch u64                    two in the epoch file
    mark     magic 4s · crc u32 · epoch u64 · seq u64 · base u64 · offset u64
             · prefix crc u32                                  one in the watermark
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from crc32c import crc32c
from msgspec import Struct

from actors.errors import JournalCorrupt

FORMAT = 1
HEADER_BYTES = 512
SEGMENT_SUFFIX = ".wal"
NEW_SUFFIX = ".new"
LENGTH_BYTES = 4

_SEGMENT_MAGIC = b"SLOTWAL\n"
_HEADER = struct.Struct("<8sIHHQQQQ")
_HEADER_CRC_FROM = 12

FRAME_MAGIC = b"\xc1\xfe\xb1\xf7"
"""Bytes that no UTF-8 text contains, so that no event's text looks like a frame."""
FRAME = struct.Struct("<4sIIIQQ")
FRAME_BYTES = FRAME.size
_FRAME_CRC_FROM = 8
FRAME_MAX = 256 * 1024 * 1024
"""Longest frame in bytes; bounds the memory that a damaged length can request."""

_CRC = struct.Struct("<I")
_EVENT_LENGTH = struct.Struct("<I")
pack_length = _EVENT_LENGTH.pack
unpack_length = _EVENT_LENGTH.unpack_from

_SLOT = struct.Struct("<4sIQ")
SLOT_MAGIC = b"EPOC"
SLOT_BYTES = _SLOT.size
SLOT_STRIDE = 4096
"""The two slots are in different pages, so that a torn write damages only one."""

_MARK = struct.Struct("<4sIQQQQI")
_MARK_MAGIC = b"MARK"
MARK_BYTES = _MARK.size


class Header(Struct, frozen=True):
    """A segment's header: its own position and the previous segment's.

    ``base`` is the seq of its first record. ``previous`` is the base of the segment
    before it (0 for the first one) and ``previous_end`` that one's end in bytes, so
    that a missing or shortened segment is detected without reading it.
    """

    shard: str
    base: int
    epoch: int
    previous: int = 0
    previous_end: int = 0


class Mark(Struct, frozen=True):
    """How far a shard's journal is durable.

    ``base`` names the segment, ``offset`` the end of the last durable frame in it,
    ``crc`` is over the segment's bytes from the header's end to ``offset``.
    """

    epoch: int
    seq: int
    base: int
    offset: int
    crc: int


class Scan(Struct, frozen=True):
    """Result of scanning the valid frames at the start of a segment's bytes.

    ``end`` is the offset after the last valid frame (in the file), ``epoch`` its
    epoch. ``frames`` and ``records`` count the scanned ones.
    """

    end: int
    seq: int
    epoch: int
    frames: int
    records: int


def segment_name(base: int) -> str:
    """The file that holds seq ``base`` and what follows."""
    return f"{base:020d}{SEGMENT_SUFFIX}"


def segment_bases(names: Sequence[str]) -> list[int]:
    """The segments among a folder's names, by their base seq, ascending."""
    return sorted(
        int(name.removesuffix(SEGMENT_SUFFIX))
        for name in names
        if name.endswith(SEGMENT_SUFFIX)
        and name.removesuffix(SEGMENT_SUFFIX).isdecimal()
    )


def pack_header(header: Header) -> bytes:
    """The first ``HEADER_BYTES`` of a segment."""
    shard = header.shard.encode()
    numbers = (header.base, header.previous, header.previous_end, header.epoch)
    block = _HEADER.pack(_SEGMENT_MAGIC, 0, FORMAT, len(shard), *numbers) + shard
    block = block.ljust(HEADER_BYTES, b"\0")
    if len(block) > HEADER_BYTES:
        raise ValueError(f"the shard's name is too long: {header.shard!r}")
    crc = crc32c(block[_HEADER_CRC_FROM:])
    return block[:8] + crc.to_bytes(4, "little") + block[_HEADER_CRC_FROM:]


def unpack_header(block: bytes, path: str) -> Header:
    """The header in a segment's first bytes.

    Raises:
        JournalCorrupt: damaged, or written by a newer program.
    """
    if len(block) < HEADER_BYTES or block[:8] != _SEGMENT_MAGIC:
        raise damaged(path, 0, "it does not begin with a segment's header")
    _, crc, number, length, *numbers = _HEADER.unpack_from(block)
    if crc32c(block[_HEADER_CRC_FROM:HEADER_BYTES]) != crc:
        raise damaged(path, 0, "the segment's header is damaged")
    if number != FORMAT:
        raise JournalCorrupt(
            f"{path} has journal format {number}, this program reads {FORMAT}: run "
            "the program that wrote it, or a newer one"
        )
    shard = block[_HEADER.size : _HEADER.size + length].decode()
    base, previous, previous_end, epoch = numbers
    return Header(shard, base, epoch, previous, previous_end)


def pack_frame(epoch: int, first_seq: int, events: Sequence[bytes]) -> bytes:
    """One append: encoded events under one checksum."""
    parts = []
    for event in events:
        parts.append(pack_length(len(event)))
        parts.append(event)
    body = b"".join(parts)
    head = FRAME.pack(FRAME_MAGIC, 0, len(body), len(events), epoch, first_seq)
    crc = crc32c(body, crc32c(head[_FRAME_CRC_FROM:]))
    crc_bytes = crc.to_bytes(4, "little")
    return b"".join((FRAME_MAGIC, crc_bytes, head[_FRAME_CRC_FROM:], body))


def frame_end(data: bytes | memoryview, at: int) -> int:
    """Where the frame at ``at`` in ``data`` ends, or 0 if there is no whole one."""
    if at + FRAME_BYTES > len(data):
        return 0
    magic, _, length, _, _, _ = FRAME.unpack_from(data, at)
    end: int = at + FRAME_BYTES + length
    if magic != FRAME_MAGIC or length > FRAME_MAX or end > len(data):
        return 0
    return end


def frame_length(data: bytes) -> int:
    """The body's length in bytes according to the frame's head; 0 without a head."""
    if len(data) < FRAME_BYTES or data[:4] != FRAME_MAGIC:
        return 0
    return min(int(FRAME.unpack_from(data)[2]), FRAME_MAX)


def frame_is_sound(data: bytes | memoryview, at: int, end: int) -> bool:
    """Whether the checksum of the frame from ``at`` to ``end`` is correct."""
    (crc,) = _CRC.unpack_from(data, at + 4)
    return bool(crc32c(data[at + _FRAME_CRC_FROM : end]) == crc)


def scan(data: bytes | memoryview, start: int, path: str, seq: int, epoch: int) -> Scan:
    """Scan the valid frames at the start of ``data``; ``start`` is its file offset.

    ``seq`` and ``epoch`` are those of the record before it.

    Raises:
        JournalCorrupt: a valid frame that does not follow the previous one.
    """
    view = memoryview(data)
    at = frames = records = 0
    size, unpack = len(view), FRAME.unpack_from
    while at + FRAME_BYTES <= size:
        magic, _, length, count, frame_epoch, first = unpack(view, at)
        end = at + FRAME_BYTES + length
        if magic != FRAME_MAGIC or end > size or not frame_is_sound(view, at, end):
            break
        if first != seq + 1 or frame_epoch < epoch:
            raise damaged(path, start + at, f"seq {first} follows seq {seq}")
        seq, epoch, at = seq + count, frame_epoch, end
        frames += 1
        records += count
    return Scan(start + at, seq, epoch, frames, records)


def sound_frame_after(data: bytes, at: int) -> int | None:
    """The offset of a valid frame after ``at``: corruption, not a torn end.

    An append is one frame and is synced before the next is written, so a valid frame
    behind an invalid one means that the invalid one was durable once.
    """
    view = memoryview(data)
    found = data.find(FRAME_MAGIC, at)
    while found != -1:
        end = frame_end(view, found)
        if end and found > at and frame_is_sound(view, found, end):
            return found
        found = data.find(FRAME_MAGIC, found + 1)
    return None


def pack_slot(epoch: int) -> bytes:
    """One slot of the epoch file."""
    body = epoch.to_bytes(8, "little")
    return _SLOT.pack(SLOT_MAGIC, crc32c(body), epoch)


def unpack_slot(data: bytes) -> int | None:
    """The slot's epoch; None if it is damaged or was never written."""
    if len(data) < SLOT_BYTES:
        return None
    magic, crc, epoch = _SLOT.unpack_from(data)
    sound = magic == SLOT_MAGIC and crc32c(data[8:SLOT_BYTES]) == crc
    return int(epoch) if sound else None


def pack_mark(mark: Mark) -> bytes:
    """The watermark file's bytes."""
    fields = (mark.epoch, mark.seq, mark.base, mark.offset, mark.crc)
    block = _MARK.pack(_MARK_MAGIC, 0, *fields)
    return block[:4] + crc32c(block[8:]).to_bytes(4, "little") + block[8:]


def unpack_mark(data: bytes) -> Mark | None:
    """The watermark; None if it is torn or was never written."""
    if len(data) < MARK_BYTES:
        return None
    magic, crc, *fields = _MARK.unpack_from(data)
    if magic != _MARK_MAGIC or crc32c(data[8:MARK_BYTES]) != crc:
        return None
    return Mark(*fields)


def damaged(path: str, offset: int, what: str) -> JournalCorrupt:
    """The error for a damaged journal, with the location and the remedy."""
    return JournalCorrupt(
        f"{path} is damaged at byte {offset}: {what}. Nothing was changed. Keep a copy "
        "of this shard's folder, run `slotcast journal verify`, check the disk, and "
        "restore the whole folder from a backup."
    )
