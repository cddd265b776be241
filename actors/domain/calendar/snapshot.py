"""A calendar at rest: its state as bytes, versioned, exact.

``decode(encode(calendar))`` behaves as the calendar does, remembered keys included.
The fields are in at_rest.py.
"""

from __future__ import annotations

from actors.domain.calendar.at_rest import (
    FORMAT,
    SnapshotUnreadable,
    pack,
    restore,
    unpack,
)
from actors.domain.calendar.calendar import Calendar
from actors.domain.rules import Policy

__all__ = ["FORMAT", "SnapshotUnreadable", "decode", "encode"]


def encode(calendar: Calendar) -> bytes:
    """The calendar's state as bytes."""
    return pack(calendar)


def decode(blob: bytes, policy: Policy) -> Calendar:
    """The calendar of a snapshot; ``policy`` is the site's, as when it was taken.

    Raises:
        SnapshotUnreadable: of an unknown format, or damaged.
    """
    kept, left = unpack(blob)
    calendar = Calendar(kept.provider_id, policy)
    restore(calendar, kept)
    calendar.left = left
    return calendar
