"""The fields of a calendar at rest, as bytes: what a snapshot holds, and in what order.

Also for readers that trust no calendar (actors/audit.py). What follows from the state
(bitmaps, queues) is not here and is rebuilt, so it cannot disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from actors.domain.answers import BookingView, Done, HoldView, TimeOffView
from actors.domain.errors import Refusal
from actors.domain.ids import (
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
)
from actors.domain.occupancy import Booking, Hold
from actors.domain.rules import Availability, Profile, TimeOff

if TYPE_CHECKING:
    from actors.domain.state import CalendarState

FORMAT = 1
"""Raise it when the meaning of a field changes, and teach ``unpack`` the old one."""
FORMAT_LEFT = 2
"""A calendar that moved to another shard: a program that does not know of that must
not read it, or it would answer for a calendar that it does not own."""

_Answer = HoldView | BookingView | TimeOffView | Done | Refusal


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


class _Left(Kept, array_like=True):
    left: Leave | None = None
    passed: Minute = Minute(0)
    """Only where it is not the window; a program that does not know it skips it."""


_K = TypeVar("_K", bound=Kept)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Left)


def pack(calendar: CalendarState) -> bytes:
    """The calendar's state as bytes, where it went included."""
    if calendar.left is None:
        return _encoded(FORMAT, calendar, calendar.epoch)
    return _encoded(FORMAT_LEFT, calendar, calendar.epoch, calendar.left)


def pack_for_new_shard(calendar: CalendarState) -> bytes:
    """What a calendar that left takes along: the same bytes whenever it is asked."""
    assert calendar.left is not None, "it did not leave"
    return _encoded(FORMAT, calendar, calendar.left.epoch)


def _encoded(
    number: int, calendar: CalendarState, epoch: int, left: Leave | None = None
) -> bytes:
    if left is None and calendar.passed == calendar.window:
        return _encoder.encode(_kept(Kept, number, calendar, epoch))
    kept = _kept(_Left, number, calendar, epoch)
    kept.left, kept.passed = left, calendar.passed
    return _encoder.encode(kept)


def _kept(kind: type[_K], number: int, calendar: CalendarState, epoch: int) -> _K:
    return kind(
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
    )


def unpack(blob: bytes) -> tuple[_Left, Leave | None]:
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


def restore(calendar: CalendarState, kept: _Left) -> None:
    """Fill an empty calendar."""
    calendar.version = kept.version
    calendar.epoch = kept.epoch
    calendar.profile = kept.profile
    calendar.registered = kept.profile is not None
    calendar.availability = kept.availability
    calendar.time_off = {off.time_off_id: off for off in kept.time_off}
    calendar.window = kept.window
    calendar.passed = kept.passed or kept.window
    calendar.fresh = kept.fresh
    calendar.expired = kept.expired
    calendar.answers.restore(kept.answers)
    for hold in kept.holds:
        calendar.add_hold(hold)
    for booking in kept.bookings:
        calendar.add_booking(booking)
    calendar.restored()
