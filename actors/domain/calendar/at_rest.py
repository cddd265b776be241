"""The fields of a calendar at rest, as bytes: what a snapshot holds, and in what order.

Also for readers that trust no calendar (actors/audit/audit.py). What follows from the
state (bitmaps, queues) is not here and is rebuilt, so it cannot disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.renewals import Entries
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
    HoldView,
    TimeOffView,
)
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Availability, Profile, TimeOff

if TYPE_CHECKING:
    from actors.domain.calendar.state import CalendarState

FORMAT = 1
"""Raise it when the meaning of a field changes, and teach ``unpack`` the old one."""
FORMAT_LEFT = 2
"""A calendar that moved to another shard: a program that does not know of that must
not read it, or it would answer for a calendar that it does not own."""

_Answer = HoldView | BookingView | TimeOffView | Affected | Done | Refusal


class SnapshotUnreadable(Exception):
    """The bytes are not a snapshot that this version knows. Replay the journal."""


class Leave(Struct, frozen=True, array_like=True):
    """Where a calendar went, and its last record's place and epoch."""

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
    left: Leave | None = None
    passed: Minute = Minute(0)
    """Only where it is not the window; a program that does not know it skips it."""
    lately_held: Entries = {}
    rules_version: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


def pack(calendar: CalendarState) -> bytes:
    """The calendar's state as bytes, where it went included."""
    number = FORMAT if calendar.left is None else FORMAT_LEFT
    kept = _kept(number, calendar, calendar.epoch)
    kept.left = calendar.left
    return _encoder.encode(kept)


def pack_for_new_shard(calendar: CalendarState) -> bytes:
    """What a calendar that left takes along: the same bytes whenever it is asked."""
    assert calendar.left is not None, "it did not leave"
    return _encoder.encode(_kept(FORMAT, calendar, calendar.left.epoch))


def _kept(number: int, calendar: CalendarState, epoch: int) -> Kept:
    return Kept(
        number,
        calendar.provider_id,
        calendar.version,
        epoch,
        calendar.profile,
        calendar.availability,
        list(calendar.time_off.values()),
        list(calendar.holds.values()),
        list(calendar.bookings.values()),
        calendar.window,
        calendar.fresh,
        calendar.expired,
        calendar.answers.entries,
        passed=Minute(0) if calendar.passed == calendar.window else calendar.passed,
        lately_held=calendar.renewals.entries,
        rules_version=calendar.rules_version,
    )


def unpack(blob: bytes) -> tuple[Kept, Leave | None]:
    """The state in a snapshot, and where its calendar went, if it did.

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


def restore(calendar: CalendarState, kept: Kept) -> None:
    """Fill an empty calendar."""
    calendar.version = kept.version
    calendar.epoch = kept.epoch
    calendar.profile = kept.profile
    calendar.registered = kept.profile is not None
    calendar.availability = kept.availability
    calendar.rules_version = kept.rules_version
    calendar.time_off = {off.time_off_id: off for off in kept.time_off}
    calendar.window = kept.window
    calendar.passed = kept.passed or kept.window
    calendar.fresh = kept.fresh
    calendar.expired = kept.expired
    calendar.answers.restore(kept.answers)
    calendar.renewals.entries = kept.lately_held
    for hold in kept.holds:
        if not hold.placed:  # kept by a program that did not count extensions
            hold.extensions = int(hold.extended)
            lasts = calendar.policy.hold_ms * (1 + hold.extensions)
            hold.placed = Millis(hold.expires - lasts)
        calendar.add_hold(hold)
    for booking in kept.bookings:
        calendar.add_booking(booking)
    calendar.restored()
