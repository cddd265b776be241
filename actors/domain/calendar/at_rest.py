"""The format of a stored calendar: the fields of a snapshot, and their order.

Also read by the audit (actors/audit/audit.py). Derived data (bitmaps, queues) are not
stored but rebuilt, so they cannot disagree.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from actors.domain.calendar.holding.grouped import KeptGroups
from actors.domain.calendar.holding.renewals import Entries
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.ids import (
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
)
from actors.domain.messages.answers import (
    Affected,
    BookingView,
    Done,
    GroupView,
    HoldView,
    TimeOffView,
)
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Availability, Profile, TimeOff, Waiting

FORMAT = 1
"""Raise it when the meaning of a field changes, and let ``unpack`` read the old one."""
FORMAT_LEFT = 2
"""Format of a calendar that moved to another shard: older programs must refuse it, or
they would answer for a calendar they do not own."""

_Answer = HoldView | BookingView | TimeOffView | Affected | Done | GroupView | Refusal


class SnapshotUnreadable(Exception):
    """The bytes are not a snapshot that this version knows. Replay the journal."""


class Departure(Struct, frozen=True, array_like=True):
    """The shard a calendar moved to, and the seq and epoch of its last record."""

    to_shard: ShardId
    seq: int
    epoch: int


class Kept(Struct, array_like=True):
    """A calendar's state."""

    format: int
    provider_id: ProviderId
    version: int
    epoch: int
    profile: Profile | None
    availability: Availability | None
    time_off: list[TimeOff]
    holds: list[Hold]
    bookings: list[Booking]
    window: Minute
    fresh: bool
    expired: dict[HoldId, PatientId]
    answers: dict[str, tuple[int, Millis, _Answer]]
    left: Departure | None = None
    passed: Minute = Minute(0)
    """Set only if it differs from the window; older programs ignore it."""
    lately_held: Entries = {}
    rules_version: int = 0
    waiting: Waiting | None = None
    groups: KeptGroups | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


def pack(kept: Kept) -> bytes:
    """The fields as bytes."""
    return _encoder.encode(kept)


def unpack(blob: bytes) -> tuple[Kept, Departure | None]:
    """The state in a snapshot, and the calendar's new shard if it moved.

    Raises:
        SnapshotUnreadable: of an unknown format, or damaged.
    """
    try:
        kept = _decoder.decode(blob)
    except msgspec.DecodeError as error:
        raise SnapshotUnreadable(str(error)) from error
    if kept.format not in (FORMAT, FORMAT_LEFT):
        raise SnapshotUnreadable(f"format {kept.format}, not {FORMAT}")
    return kept, kept.left
