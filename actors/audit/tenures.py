"""The taken time of each calendar, by owner, while one shard has the calendar.

An audit's books (actors/audit/audit.py): plain spans, so that a fault in a calendar's
bitmaps cannot hide itself.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Set
from dataclasses import dataclass, field
from typing import TypeVar

from actors.domain.calendar.at_rest import Kept
from actors.domain.calendar.occupancy import Booking
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import BookingId, PatientId, ProviderId
from actors.domain.messages.answers import BookingStatus


@dataclass(frozen=True, slots=True)
class AuditedBooking:
    """A booking according to the events; spans in minutes, half-open."""

    provider_id: ProviderId
    patient_id: PatientId
    status: BookingStatus
    start: int
    end: int
    busy_start: int
    busy_end: int
    lane: int = field(default=0, compare=False)
    """Which of the visits at its time it is (calendar/sessions.py); rows do not say."""


@dataclass(slots=True)
class Tenure:
    """One calendar at one shard: taken spans never overlap, by start.

    Seats of a group visit have the same span and different lanes; each lane of
    overbooked visits has spans of its own.
    """

    version: int = 0
    begun_seq: int = 0
    """Records up to here are in it already."""
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    by_owner: dict[str, tuple[int, int]] = field(default_factory=dict)
    beside: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Holds that are to move a booking: their spans, and whose time they may meet."""
    seats: dict[str, int] = field(default_factory=dict)
    """Owners in ``spans`` that have a seat of a group visit, and its lane."""
    overbooked: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Owners in lanes of overbooked visits: lane and span."""
    bookings: dict[BookingId, AuditedBooking] = field(default_factory=dict)
    offers: dict[str, str] = field(default_factory=dict)
    """Whom each reserve of the waiting list is offered to; empty: to no patient."""
    reserved: list[tuple[str, int, int, int]] = field(default_factory=list)
    """Reserves of the waiting list over the time of a visit that the next event frees:
    owner, span and lane."""

    def take(
        self, owner: str, start: int, end: int, moving: str = "", lane: int = 0
    ) -> str | None:
        """Note that ``owner`` has [start, end).

        Returns the name of a conflicting owner.

        A hold that is ``moving`` a booking may have time of that booking.
        """
        if lane > 0:
            return self._overbook(owner, start, end, lane)
        rival = self._rival(owner, start, end, moving, lane)
        if lane < 0:
            self.seats[owner] = lane
            moving = ""  # a seat meets no other visit
        if moving:
            self.beside[owner] = (start, end, moving)
        else:
            insort(self.spans, (start, end, owner))
            self.by_owner[owner] = (start, end)
        return rival

    def _overbook(self, owner: str, start: int, end: int, lane: int) -> str | None:
        rivals = [
            other
            for other, (number, since, until) in self.overbooked.items()
            if number == lane and since < end and start < until
        ]
        self.overbooked[owner] = (lane, start, end)
        return rivals[0] if rivals else None

    def _rival(
        self, owner: str, start: int, end: int, moving: str, lane: int
    ) -> str | None:
        if lane:
            return self._rival_of_seat(start, end, lane)
        at = bisect_left(self.spans, (start, end, owner))
        for since, until, other in self.spans[max(0, at - 1) :]:
            if since >= end:
                break
            if start < until and other != moving:
                return other
        for other, (since, until, moved) in self.beside.items():
            if since < end and start < until and moved != owner:
                return other
        return None

    def _rival_of_seat(self, start: int, end: int, lane: int) -> str | None:
        """Who has the seat, or time of the session without a seat of it."""
        for since, until, other in self.spans:
            if since >= end:
                break
            same = (since, until) == (start, end)
            if start < until and not (same and self.seats.get(other, lane) != lane):
                return other
        for other, (since, until, _) in self.beside.items():
            if since < end and start < until:
                return other
        return None

    def give_back(self, owner: str) -> bool:
        """Free the time of ``owner``; False if it had none."""
        self.seats.pop(owner, None)
        if self.overbooked.pop(owner, None) is not None:
            return True
        if self.beside.pop(owner, None) is not None:
            return True
        span = self.by_owner.pop(owner, None)
        if span is None:
            return False
        del self.spans[bisect_left(self.spans, (*span, owner))]
        return True

    def problem_with(self, later: Tenure) -> str:
        """Why ``later`` cannot be this calendar after a move; "" if it can.

        A calendar forgets visits of long ago, which this one may still have.
        """
        if later.version != self.version:
            return f"at version {later.version}, not {self.version}"
        if any(self.bookings.get(one) != told for one, told in later.bookings.items()):
            return "with other bookings"
        forgotten = self.bookings.keys() - later.bookings.keys()
        kept = [span for span in self.spans if span[2] not in forgotten]
        same = kept == later.spans and self.beside == later.beside
        same = same and _without(self.seats, forgotten) == later.seats
        same = same and _without(self.overbooked, forgotten) == later.overbooked
        same = same and self.offers == later.offers
        return "" if same else "with other time taken"


_T = TypeVar("_T")


def _without(owners: dict[str, _T], forgotten: Set[BookingId]) -> dict[str, _T]:
    return {owner: one for owner, one in owners.items() if owner not in forgotten}


def tenure_of(calendar: CalendarState | Kept, seq: int) -> tuple[Tenure, list[str]]:
    """The taken time of a stored calendar, and its inconsistencies."""
    tenure, problems = Tenure(calendar.version, seq), []
    if isinstance(calendar, CalendarState):
        occupancy = calendar.occupancy
        holds = list(occupancy.holds.values())
        bookings = list(occupancy.bookings.values())
    else:
        holds, bookings = calendar.holds, calendar.bookings
    for hold in holds:
        rival = tenure.take(
            hold.hold_id, hold.busy_start, hold.busy_end, hold.moving or "", hold.lane
        )
        if rival is not None:
            problems.append(f"{hold.hold_id} has time that {rival} has")
        if hold.reserved:
            tenure.offers[hold.hold_id] = hold.patient_id
    for one in bookings:
        tenure.bookings[one.booking_id] = _audited(calendar.provider_id, one)
        if one.status is not BookingStatus.CANCELLED:
            span = one.busy_start, one.busy_end
            rival = tenure.take(one.booking_id, *span, lane=one.lane)
            if rival is not None:
                problems.append(f"{one.booking_id} has time that {rival} has")
    return tenure, problems


def _audited(provider: ProviderId, booking: Booking) -> AuditedBooking:
    return AuditedBooking(
        provider_id=provider,
        patient_id=booking.patient_id,
        status=booking.status,
        start=booking.start,
        end=booking.end,
        busy_start=booking.busy_start,
        busy_end=booking.busy_end,
        lane=booking.lane,
    )
