"""A snapshot: a calendar's state as bytes, versioned, exact.

``decode(encode(state))`` behaves as the state does, remembered keys included. The
fields are in at_rest.py.
"""

from __future__ import annotations

from actors.domain.calendar.at_rest import (
    FORMAT,
    SnapshotUnreadable,
    pack,
    unpack,
)
from actors.domain.calendar.state import CalendarState
from actors.domain.rules import Policy

__all__ = [
    "FORMAT",
    "SnapshotUnreadable",
    "decode",
    "encode",
    "encode_for_new_shard",
]


def encode(state: CalendarState) -> bytes:
    """The calendar's state as bytes, where it went included."""
    return pack(state.kept())


def encode_for_new_shard(state: CalendarState) -> bytes:
    """What a calendar that left takes along: the same bytes whenever it is asked."""
    left = state.left
    assert left is not None, "the calendar has not left this shard"
    kept = state.kept()
    kept.format = FORMAT
    kept.epoch = left.epoch
    kept.left = None
    return pack(kept)


def decode(blob: bytes, policy: Policy) -> CalendarState:
    """The state in a snapshot; ``policy`` is the site's, as when it was taken.

    Raises:
        SnapshotUnreadable: of an unknown format, or damaged.
    """
    kept, _ = unpack(blob)
    return CalendarState.restored_from(kept, policy)
