"""Decisions in which nobody competes: profile, rules, leaves, and a visit's course.

Cancelling, checking in, completing and marking no-shows follow the table in
lifecycle.py, each in its time (decision 0033). Who gets a slot is decided in
calendar.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from actors.domain.calendar.lifecycle import UNDO_MS, UNDOABLE
from actors.domain.calendar.occupancy import Booking
from actors.domain.calendar.rulings import MINUTE_MS, Judgement
from actors.domain.calendar.stranding import Marks, marks
from actors.domain.calendar.validation import (
    TIME_OFF_MAX,
    availability_problem,
    profile_problem,
    reason_problem,
    time_off_problem,
)
from actors.domain.ids import Millis, is_provider_id
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.refusals import (
    FINAL,
    NO_BOOKING,
    NO_TIME_OFF,
    NOTHING_TO_UNDO,
    Refusal,
    invalid,
    too_early,
    version_behind,
)
from actors.domain.rules import Availability, TimeOff


class Desk(Judgement):
    """What a clinic's front desk decides."""

    __slots__ = ()

    # --- who and when ----------------------------------------------------------

    def _register(
        self, c: cm.RegisterProvider, now: Millis, version: int
    ) -> ev.Event | Refusal:
        if not is_provider_id(self.provider_id):
            return invalid("provider_id must be prv_ and 1 to 64 of A-Z a-z 0-9 _ -")
        if problem := profile_problem(c.profile):
            return invalid(problem)
        return ev.ProviderRegistered(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            # A change of the profile is no reinstatement.
            profile=replace(c.profile, retired=self.retired),
        )

    def _set_retired(self, c: cm.SetRetired, now: Millis, version: int) -> ev.Event:
        assert self.profile is not None, "only registered calendars decide"
        return ev.ProviderRegistered(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            profile=replace(self.profile, retired=c.retired),
        )

    def _set_availability(
        self, c: cm.SetAvailability, now: Millis, version: int
    ) -> ev.Event | Refusal:
        if 0 < c.known < self.rules_version:
            return version_behind(self.rules_version)
        if problem := availability_problem(c.availability, self.policy):
            return invalid(problem)
        return ev.AvailabilitySet(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            availability=c.availability,
            stranded=marks(self, c.availability, self.time_off.values(), now),
        )

    def _add_time_off(
        self, c: cm.AddTimeOff, now: Millis, version: int
    ) -> ev.Event | Refusal:
        problem = time_off_problem(c.start, c.end, c.reason)
        if c.time_off_id in self.time_off:
            problem = "this time_off_id is already in use"
        elif len(self.time_off) >= TIME_OFF_MAX:
            problem = f"at most {TIME_OFF_MAX} times off; remove some"
        if problem:
            return invalid(problem)
        leave = TimeOff(c.time_off_id, c.start, c.end, c.reason)
        leaves = (*self.time_off.values(), leave)
        return ev.TimeOffAdded(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            time_off=leave,
            stranded=self._marks_of_leave(leave, leaves, now),
        )

    def _marks_of_leave(
        self, leave: TimeOff, leaves: Iterable[TimeOff], now: Millis
    ) -> Marks:
        rules = self.availability or Availability()
        return marks(self, rules, leaves, now, (leave.start, leave.end))

    def _remove_time_off(
        self, c: cm.RemoveTimeOff, now: Millis, version: int
    ) -> ev.Event | Refusal:
        leave = self.time_off.get(c.time_off_id)
        if leave is None:
            return NO_TIME_OFF
        others = [off for off in self.time_off.values() if off is not leave]
        return ev.TimeOffRemoved(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            time_off_id=c.time_off_id,
            stranded=self._marks_of_leave(leave, others, now),
        )

    def _cancel(
        self, c: cm.CancelBooking, now: Millis, version: int
    ) -> ev.Event | Refusal:
        booking = self._changeable(c.booking_id, c.owner, cm.CancelBooking, now)
        if isinstance(booking, Refusal):
            return booking
        if problem := reason_problem(c.reason):
            return invalid(problem)
        return ev.BookingCancelled(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
            by_patient=c.owner is not None,
            reason=c.reason,
        )

    def _too_early(
        self,
        c: cm.CheckIn | cm.CompleteVisit | cm.MarkNoShow,
        booking: Booking,
        now: Millis,
    ) -> Refusal | None:
        """Whether the time of this outcome has not come."""
        if self.policy.early_outcomes or now >= booking.start * MINUTE_MS:
            return None
        if isinstance(c, cm.MarkNoShow):
            return too_early(booking.start)
        opens = self._day_of(booking)
        return too_early(opens) if now < opens * MINUTE_MS else None

    def _undo(self, c: cm.UndoOutcome, now: Millis, version: int) -> ev.Event | Refusal:
        booking = self.bookings.get(c.booking_id)
        if booking is None:
            return NO_BOOKING
        if booking.status not in UNDOABLE or not booking.past:
            return NOTHING_TO_UNDO
        status, at = booking.past[-1]
        if now - at > UNDO_MS:
            return FINAL
        return ev.OutcomeUndone(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
            status=status,
        )

    def _check_in(self, c: cm.CheckIn, now: Millis, version: int) -> ev.Event | Refusal:
        return self._mark_visit(c, ev.PatientArrived, now, version)

    def _complete(
        self, c: cm.CompleteVisit, now: Millis, version: int
    ) -> ev.Event | Refusal:
        return self._mark_visit(c, ev.VisitCompleted, now, version)

    def _no_show(
        self, c: cm.MarkNoShow, now: Millis, version: int
    ) -> ev.Event | Refusal:
        return self._mark_visit(c, ev.NoShowMarked, now, version)

    def _mark_visit(
        self,
        c: cm.CheckIn | cm.CompleteVisit | cm.MarkNoShow,
        event: type[ev.PatientArrived | ev.VisitCompleted | ev.NoShowMarked],
        now: Millis,
        version: int,
    ) -> ev.Event | Refusal:
        booking = self._own_booking(c.booking_id, None, type(c))
        if isinstance(booking, Refusal):
            return booking
        if early := self._too_early(c, booking, now):
            return early
        return event(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
        )
