"""Entries of a journal's stream: writing and reading events.

An event is stored behind a checksum that covers its seq: Redis does not verify its
file, and a proxy may mix up replies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from crc32c import crc32c
from msgspec import Struct

from actors.domain.ids import ShardId
from actors.domain.messages.events import Event
from actors.errors import JournalCorrupt
from actors.ports import Record
from persistence import codec

_CRC = struct.Struct("<I")
_SEQ = struct.Struct("<Q")
EVENT = b"e"
"""The field of an event; a marker, written when a shard is opened, has another."""


class StreamEntry(Struct, frozen=True):
    """An event in the stream."""

    epoch: int
    seq: int
    data: bytes


def entry_id(epoch: int, seq: int) -> str:
    """The id of the record at ``seq``, or of the marker after it."""
    return f"{epoch}-{seq}"


def padded(epoch: int) -> str:
    """An epoch as a string that sorts like the number."""
    return f"{epoch:016d}"


def position_of(name: bytes) -> tuple[int, int]:
    """Epoch and seq of an id."""
    epoch, _, seq = name.partition(b"-")
    return int(epoch), int(seq)


def data_of(seq: int, event: Event) -> bytes:
    """The stored form of an event at ``seq``."""
    payload = codec.encode(event)
    return _CRC.pack(crc32c(payload, crc32c(_SEQ.pack(seq)))) + payload


def datas_of(after_seq: int, events: Iterable[Event]) -> list[bytes]:
    """The stored form of events from ``after_seq + 1`` on."""
    return [data_of(seq, event) for seq, event in enumerate(events, after_seq + 1)]


def entries_of(reply: Any) -> list[StreamEntry]:
    """The events of an XRANGE reply, without the markers."""
    entries = []
    for name, fields in reply:
        if fields[0] == EVENT:
            epoch, seq = position_of(name)
            entries.append(StreamEntry(epoch, seq, fields[1]))
    return entries


def records_of(
    shard: ShardId, after_seq: int, entries: Sequence[StreamEntry]
) -> list[Record]:
    """The events, checked: whole, and following ``after_seq`` without a gap.

    Raises:
        JournalCorrupt: one is damaged or missing.
    """
    records = []
    for expected, entry in enumerate(entries, after_seq + 1):
        if entry.seq != expected:
            raise JournalCorrupt(
                f"shard {shard}: seq {expected} was trimmed"
                if expected == after_seq + 1
                else f"shard {shard}: seq {expected} is missing before {entry.seq}"
            )
        records.append(Record(entry.seq, entry.epoch, event_of(shard, entry)))
    return records


def event_of(shard: ShardId, entry: StreamEntry) -> Event:
    """The event of an entry. Raises JournalCorrupt: it is damaged."""
    payload = entry.data[_CRC.size :]
    crc = crc32c(payload, crc32c(_SEQ.pack(entry.seq)))
    if entry.data[: _CRC.size] != _CRC.pack(crc):
        raise JournalCorrupt(
            f"shard {shard}: the record {entry.epoch}-{entry.seq} is damaged"
        )
    return codec.decode(payload)
