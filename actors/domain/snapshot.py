"""A calendar at rest: its state as bytes, versioned, exact.

``decode(encode(calendar))`` behaves as the calendar does, remembered keys included.
What follows from the state (bitmaps, queues) is rebuilt, so it cannot disagree.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from actors.domain.answers import BookingView, Done, HoldView, TimeOffView
from actors.domain.calendar import Calendar
from actors.domain.errors import Refusal
from actors.domain.ids import HoldId, Millis, Minute, PatientId, ProviderId
from actors.domain.occupancy import Booking, Hold
from actors.domain.rules import Availability, Policy, Profile, TimeOff

FORMAT = 1
"""Raise it when the meaning of a field changes, and teach ``decode`` the old one."""

_Answer = HoldView | BookingView | TimeOffView | Done | Refusal


class SnapshotUnreadable(Exception):
    """The bytes are not a snapshot that this version knows. Replay the journal."""


class _Snapshot(Struct, array_like=True):
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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Snapshot)


def encode(calendar: Calendar) -> bytes:
    """The calendar's state as bytes."""
    return _encoder.encode(
        _Snapshot(
            FORMAT,
            calendar.provider_id,
            calendar.version,
            calendar.epoch,
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
    )


def decode(blob: bytes, policy: Policy) -> Calendar:
    """The calendar of a snapshot; ``policy`` is the site's, as when it was taken.

    Raises:
        SnapshotUnreadable: of an unknown format, or damaged.
    """
    try:
        kept = _decoder.decode(blob)
    except msgspec.DecodeError as error:
        raise SnapshotUnreadable(str(error)) from error
    if kept.format != FORMAT:
        raise SnapshotUnreadable(f"format {kept.format}, not {FORMAT}")
    calendar = Calendar(kept.provider_id, policy)
    calendar.version = kept.version
    calendar.epoch = kept.epoch
    calendar.profile = kept.profile
    calendar.registered = kept.profile is not None
    calendar.availability = kept.availability
    calendar.time_off = {off.time_off_id: off for off in kept.time_off}
    calendar.window = kept.window
    calendar.fresh = kept.fresh
    calendar.expired = kept.expired
    calendar.answers.restore(kept.answers)
    for hold in kept.holds:
        calendar.add_hold(hold)
    for booking in kept.bookings:
        calendar.add_booking(booking)
    calendar.restored()
    return calendar
