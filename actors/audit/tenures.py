"""The taken time of each calendar, by owner, while one shard has the calendar.

An audit's books (actors/audit/audit.py): plain spans, so that a fault in a calendar's
bitmaps cannot hide itself.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Tenure:
    """One calendar at one shard: taken spans never overlap, by start."""

    version: int = 0
    begun_seq: int = 0
    """Records up to here are in it already."""
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    by_owner: dict[str, tuple[int, int]] = field(default_factory=dict)
    beside: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Holds that are to move a booking: their spans, and whose time they may meet."""
    bookings: dict[BookingId, AuditedBooking] = field(default_factory=dict)
    reserved: list[tuple[str, int, int]] = field(default_factory=list)
    """Reserves of the waiting list over the time of a visit that the next event frees:
    owner and span."""

    def take(self, owner: str, start: int, end: int, moving: str = "") -> str | None:
        """Note that ``owner`` has [start, end).

        Returns the name of a conflicting owner.

        A hold that is ``moving`` a booking may have time of that booking.
        """
        rival = self._rival(owner, start, end, moving)
        if moving:
            self.beside[owner] = (start, end, moving)
        else:
            insort(self.spans, (start, end, owner))
            self.by_owner[owner] = (start, end)
        return rival

    def _rival(self, owner: str, start: int, end: int, moving: str) -> str | None:
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

    def give_back(self, owner: str) -> bool:
        """Free the time of ``owner``; False if it had none."""
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
        return "" if same else "with other time taken"


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
            hold.hold_id, hold.busy_start, hold.busy_end, hold.moving or ""
        )
        if rival is not None:
            problems.append(f"{hold.hold_id} has time that {rival} has")
    for one in bookings:
        tenure.bookings[one.booking_id] = _audited(calendar.provider_id, one)
        if one.status is not BookingStatus.CANCELLED:
            rival = tenure.take(one.booking_id, one.busy_start, one.busy_end)
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
    )
