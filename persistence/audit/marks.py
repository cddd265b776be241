"""Marks of a journal's records, by which a follower notices that they were replaced.

A restored journal has other records at numbers that were read already. Marks of the
newest record and of ever older ones are kept with a position, so that the follower can
go back to the newest one that is still the same.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from actors.ports import Record

MARKS_MAX: Final = 32
"""Marks of one shard; with distances that double they reach back 2**30 records."""
MARK_BYTES: Final = 9

Marks = tuple[tuple[int, str], ...]
"""Sequence numbers and marks, the newest first."""


def mark_of(record: Record) -> str:
    """The mark of a record: of its head, so that a new field does not change it."""
    event = record.event
    head = f"{record.epoch} {type(event).__name__} {event.provider_id} "
    head += f"{event.version} {event.at}"
    return urlsafe_b64encode(sha256(head.encode()).digest()[:MARK_BYTES]).decode()


def with_newest(marks: Marks, records: Iterable[Record]) -> Marks:
    """Marks after these records were read, thinned out with their age.

    A number stays for twice the largest power of two that divides it: about one mark is
    left for each doubling of the distance, whatever the size of the batches.
    """
    merged = [*reversed([(one.seq, mark_of(one)) for one in records]), *marks]
    if not merged:
        return ()
    newest = merged[0][0]
    kept = [one for one in merged if newest - one[0] < 2 * (one[0] & -one[0])]
    return tuple(kept[:MARKS_MAX])


def text_of(marks: Marks) -> str:
    """Marks as they are stored."""
    return " ".join(f"{seq}:{mark}" for seq, mark in marks)


def marks_of(text: str) -> Marks:
    """Marks that were stored."""
    pairs = (one.split(":", 1) for one in text.split())
    return tuple((int(seq), mark) for seq, mark in pairs)
