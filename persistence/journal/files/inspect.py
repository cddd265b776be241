"""Read-only inspection of a journal: `slotcast journal verify | show`.

Both work beside a running server. `verify` reads every byte; records after the
watermark may still be being written, and are counted only if no watermark survived.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from actors.domain.ids import ProviderId, ShardId
from actors.errors import JournalCorrupt
from actors.ports import Record
from persistence import codec
from persistence.files.disk import Disk, SystemDisk
from persistence.journal.files.format import (
    FRAME,
    FRAME_BYTES,
    HEADER_BYTES,
    LENGTH_BYTES,
    Mark,
    damaged,
    frame_end,
    segment_bases,
    segment_name,
    unpack_length,
)
from persistence.journal.files.format import scan as scan_frames
from persistence.journal.files.journal import shards_under
from persistence.journal.files.reader import WalReader
from persistence.journal.files.tail import (
    check_chain,
    check_rest,
    read_header,
    read_mark,
)

PERSONAL = frozenset({"patient_id", "reason"})
"""Fields with personal data."""
HIDDEN = "hidden"
READ_LIMIT = 1000


class ShardReport(Struct, frozen=True):
    """What `verify` found in one shard.

    ``damage`` is empty, or a sentence with the file and the offset; counts then end at
    the damage. ``bytes`` is the length of the files, with room reserved ahead.
    ``torn_bytes`` follow the last sound record and are cut at the next start: an append
    that was never acknowledged.
    """

    shard: ShardId
    segments: int = 0
    records: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    first_epoch: int = 0
    last_epoch: int = 0
    torn_bytes: int = 0
    damage: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether a server can start on this journal."""
        return not self.damage


class _Count(Struct):
    """Counts so far; ``end`` is the offset in the current segment."""

    end: int = 0
    segments: int = 0
    records: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    first_epoch: int = 0
    last_epoch: int = 0
    torn_bytes: int = 0


def verify(root: Path, disk: Disk | None = None) -> list[ShardReport]:
    """Read all shards under ``root``, every record and its event; changes nothing."""
    disk = disk or SystemDisk()
    return [verify_shard(disk, str(root), shard) for shard in _shards(disk, root)]


def verify_shard(disk: Disk, root: str, shard: ShardId) -> ShardReport:
    """Read one shard."""
    folder = f"{root}/{shard}"
    count, damage = _look(disk, folder, shard)
    if damage:  # unless a running server removed a segment meanwhile
        count, damage = _look(disk, folder, shard)
    counts = msgspec.structs.asdict(count)
    del counts["end"]
    return ShardReport(shard, damage=damage, **counts)


def _look(disk: Disk, folder: str, shard: ShardId) -> tuple[_Count, str]:
    count = _Count()
    try:
        _walk(disk, folder, shard, count)
    except JournalCorrupt as found:
        return count, str(found)
    except OSError as error:
        return count, f"{folder} cannot be read: {error}"
    return count, ""


def show(
    root: Path,
    *,
    shard: ShardId | None = None,
    provider: ProviderId | None = None,
    after_seq: int = 0,
    limit: int = 100,
    personal: bool = False,
) -> Iterator[dict[str, Any]]:
    """Durable records as plain values: shard, seq, epoch, event and its fields.

    Personal data are hidden unless ``personal``. ``after_seq`` counts in each shard;
    trimmed records are skipped.

    Raises:
        JournalCorrupt: a record is damaged.
        JournalUnavailable: the disk returned an error.
    """
    disk = SystemDisk()
    left = limit
    for one in [shard] if shard is not None else _shards(disk, root):
        for record in _records(disk, f"{root}/{one}", one, after_seq):
            if left <= 0:
                return
            if provider is None or record.event.provider_id == provider:
                left -= 1
                yield shown(one, record, personal=personal)


def shown(shard: ShardId, record: Record, *, personal: bool = False) -> dict[str, Any]:
    """A record as plain values."""
    fields = msgspec.to_builtins(msgspec.structs.asdict(record.event))
    return {
        "shard": shard,
        "seq": record.seq,
        "epoch": record.epoch,
        "event": type(record.event).__name__,
        **(fields if personal else _without_persons(fields)),
    }


def _without_persons(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if name in PERSONAL and inner else _without_persons(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_without_persons(inner) for inner in value]
    return value


def _shards(disk: Disk, root: Path) -> list[ShardId]:
    return shards_under(disk, str(root))


def _records(
    disk: Disk, folder: str, shard: ShardId, after_seq: int
) -> Iterator[Record]:
    bases = segment_bases(disk.names(folder))
    after = max(after_seq, bases[0] - 1) if bases else after_seq
    reader = WalReader(disk, folder, shard)
    try:
        while records := reader.read(after, READ_LIMIT):
            yield from records
            after = records[-1].seq
    finally:
        reader.close()


def _walk(disk: Disk, folder: str, shard: ShardId, count: _Count) -> None:
    """Count records, up to the first damage."""
    mark = read_mark(disk, folder)
    bases = check_chain(disk, folder, shard)
    if mark is not None and (not bases or mark.base > bases[-1]):
        raise damaged(f"{folder}/{segment_name(mark.base)}", 0, "it is missing")
    for base in bases:
        if count.segments == 0:
            count.first_seq = base
            count.last_seq = base - 1
        _walk_segment(disk, folder, base, mark, count)
        if count.torn_bytes and base != bases[-1]:
            path = f"{folder}/{segment_name(base)}"
            raise damaged(path, count.end, "the last records of a segment are bad")
    if count.records == 0:
        count.first_seq = 0


def _walk_segment(
    disk: Disk, folder: str, base: int, mark: Mark | None, count: _Count
) -> None:
    path = f"{folder}/{segment_name(base)}"
    header, size = read_header(disk, folder, base)
    if base != count.last_seq + 1:
        raise damaged(path, 0, f"it begins with seq {base} after {count.last_seq}")
    handle = disk.open(path)
    try:
        data = disk.read(handle, size, 0)
    finally:
        disk.close(handle)
    body = memoryview(data)[HEADER_BYTES:]
    found = scan_frames(body, HEADER_BYTES, path, base - 1, header.epoch)
    count.segments += 1
    count.bytes += size
    count.records += found.records
    count.last_seq = found.seq
    count.first_epoch = count.first_epoch or header.epoch
    count.last_epoch = found.epoch
    _decode_all(data, found.end, path)
    torn = check_rest(data, found, path)
    if mark is not None and mark.base == base and found.end < mark.offset:
        raise damaged(path, found.end, "a durable record has changed or is missing")
    count.torn_bytes = torn
    count.end = found.end


def _decode_all(data: bytes, end: int, path: str) -> None:
    view = memoryview(data)
    at = HEADER_BYTES
    while at < end:
        stop = frame_end(view, at)
        inner = at + FRAME_BYTES
        for _ in range(FRAME.unpack_from(view, at)[3]):
            begin = inner + LENGTH_BYTES
            inner = begin + unpack_length(view, inner)[0]
            try:
                codec.decode(view[begin:inner])
            except JournalCorrupt as error:
                raise damaged(path, begin, str(error)) from error
        at = stop
