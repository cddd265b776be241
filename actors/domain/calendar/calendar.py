"""The calendar: one provider's time, as a deterministic state machine.

Rule 1: everything that decides who gets a slot lives in this file.
Rule 2: it cannot read a clock, draw a random number, or wait; ``now`` is an argument.
Rule 3: ``decide`` may refuse and never changes the calendar (memos aside);
        ``apply`` (state.py) changes the calendar and never refuses.
Rule 4: expiry is a predicate: a hold whose deadline has come blocks nobody, whether
        or not its ``HoldExpired`` was journaled yet.

A command is judged in this order: its key (known: nothing to do, or reused), its
deadline, the holds that are due, then what it asks. One file because of rule 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.domain.calendar import views
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.staff import Desk
from actors.domain.calendar.validation import reason_problem
from actors.domain.calendar.views import ANYWHERE
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    VisitTypeId,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import (
    Affected,
    BookingView,
    HoldView,
    ProviderView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.reads import ReadEffect
from actors.domain.messages.refusals import (
    KEY_REUSED,
    NO_BOOKING,
    NO_PROVIDER,
    TOO_LATE,
    UNAVAILABLE,
    Refusal,
    extension_limit,
    hold_is_for_moving,
    invalid,
)


class Calendar(Desk):
    """One provider's calendar: asks are decided here, events applied in state.py."""

    __slots__ = ()

    def decide(
        self, command: cm.Command, now: Millis
    ) -> tuple[ev.Event, ...] | Refusal:
        """What follows from a command at ``now``: events to journal, or a refusal.

        An empty tuple means that there is nothing to do: either the key's answer is
        already remembered (see ``answer``), or the calendar's own command found
        nothing. Holds that are due expire first, unless the command is refused.
        The caller must journal the events, then ``apply`` them in order.
        """
        key = command.key
        if key:
            known = self.answers.entries.get(key)
            if known is not None:
                return () if known[0] == command.fingerprint else KEY_REUSED
        if 0 < command.deadline < now:
            return TOO_LATE
        kind = type(command)
        if not self.registered and kind is not cm.RegisterProvider:
            return () if kind in _OWN else NO_PROVIDER
        if self.soonest <= now:
            return self._decide_after_expiry(command, now)
        outcome = _DECIDERS[kind](self, command, now, self.version + 1)
        if outcome is None:
            return ()
        return outcome if isinstance(outcome, Refusal) else (outcome,)

    def refused(
        self, command: cm.Command, refusal: Refusal, now: Millis
    ) -> ev.CommandRefused:
        """The event that makes a keyed command's refusal last."""
        return ev.CommandRefused(
            provider_id=self.provider_id,
            at=now,
            version=self.version,
            key=command.key,
            fingerprint=command.fingerprint,
            code=refusal.code.value,
            detail=refusal.detail,
            about=refusal.about,
        )

    # --- views: functions of the state (and tzdata) ----------------------------

    def slots(
        self,
        visit_type: VisitTypeId,
        first: str | Minute,
        last: str | Minute,
        location_id: LocationId = ANYWHERE,
    ) -> SlotsView | Refusal:
        """Slots of a visit type; bounds as in reads.ReadSlots."""
        return views.slots(self, visit_type, first, last, location_id)

    def week(self, visit_type: VisitTypeId, week: str) -> SlotsView | Refusal:
        """Slots of a visit type that start in an ISO week of local days."""
        return views.week(self, visit_type, week)

    def schedule(
        self, first: str | Minute, last: str | Minute
    ) -> ScheduleView | Refusal:
        """Bookings of any status with a part in a span, and the leaves it meets."""
        return views.schedule(self, first, last)

    def hold(
        self, hold_id: HoldId, owner: PatientId | None = None
    ) -> HoldView | Refusal:
        """A live hold; an ``owner`` hears nothing of other people's."""
        hold = self.holds.get(hold_id)
        if hold is None or owner not in (None, hold.patient_id):
            return self._no_hold(hold_id, owner)
        return self.hold_view(hold)

    def booking(self, booking_id: BookingId) -> BookingView | Refusal:
        """A booking of any status."""
        booking = self.bookings.get(booking_id)
        return self.booking_view(booking) if booking else NO_BOOKING

    def provider(self) -> ProviderView | Refusal:
        """The profile, the rules, the leaves, the next free starts."""
        return views.provider(self) or NO_PROVIDER

    def effect(self, read: ReadEffect) -> Affected | Refusal:
        """What rules or a leave would hit, if they were set at the read's ``now``."""
        return views.effect(self, read)

    def next_free(self) -> Minute | None:
        """The soonest free start over all active visit types."""
        return min(views.next_free(self).values(), default=None)

    def next_free_visit_type(self) -> VisitTypeId | None:
        """Of which visit type the soonest free start is."""
        starts = views.next_free(self)
        return min(starts, key=starts.__getitem__, default=None)

    def _decide_after_expiry(
        self, command: cm.Command, now: Millis
    ) -> tuple[ev.Event, ...] | Refusal:
        due = sorted(
            (hold.expires, hold.hold_id)
            for hold in self.holds.values()
            if hold.expires <= now
        )
        version = self.version + len(due) + 1
        outcome = _DECIDERS[type(command)](self, command, now, version)
        if isinstance(outcome, Refusal):
            return outcome
        expired = tuple(
            ev.HoldExpired(
                provider_id=self.provider_id,
                at=now,
                version=self.version + place,
                hold_id=hold_id,
            )
            for place, (_, hold_id) in enumerate(due, 1)
        )
        return expired if outcome is None else (*expired, outcome)

    # --- holds -----------------------------------------------------------------

    def _place_hold(
        self, c: cm.PlaceHold, now: Millis, version: int
    ) -> ev.Event | Refusal:
        if c.hold_id in self.holds or c.hold_id in self.expired:
            return invalid("this hold_id is already in use")
        moving: Booking | Refusal | None = None
        if c.moving is not None:
            moving = self._own_booking(c.moving, c.patient_id, cm.RescheduleBooking)
        if isinstance(moving, Refusal):
            return moving
        found = self._free_slot(c.visit_type, c.start, now, moving)
        if found is UNAVAILABLE:
            return self._whose(c.patient_id, c.visit_type, c.start, now)
        if isinstance(found, Refusal):
            return found
        rule, location_id = found
        if not c.by_staff and (problem := self._hold_problem(c, now)):
            return problem
        end = Minute(c.start + rule.minutes)
        return ev.HoldPlaced(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            hold_id=c.hold_id,
            patient_id=c.patient_id,
            visit_type=c.visit_type,
            start=c.start,
            end=end,
            busy_start=Minute(c.start - rule.buffer_before),
            busy_end=Minute(end + rule.buffer_after),
            expires=Millis(now + self.policy.hold_ms),
            location_id=location_id,
            moving=c.moving,
        )

    def _hold_problem(self, c: cm.PlaceHold, now: Millis) -> Refusal | None:
        """The limit that this hold would exceed; a move needs no further visit."""
        found = self._too_many_holds(c.patient_id, c.visit_type, c.start, now)
        if found is None and c.moving is None:
            found = self._too_many_visits(c.patient_id, now)
        return found

    def _extend_hold(
        self, c: cm.ExtendHold, now: Millis, version: int
    ) -> ev.Event | Refusal:
        hold = self._live_hold(c.hold_id, c.owner, now)
        if isinstance(hold, Refusal):
            return hold
        policy = self.policy
        if not self.extensions_left(hold):
            minutes = policy.hold_total_ms // 60_000
            return extension_limit(policy.hold_extensions, minutes)
        until = min(now + policy.hold_ms, hold.placed + policy.hold_total_ms)
        return ev.HoldExtended(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            hold_id=c.hold_id,
            expires=Millis(max(hold.expires, until)),
        )

    def _release_hold(
        self, c: cm.ReleaseHold, now: Millis, version: int
    ) -> ev.Event | Refusal:
        hold = self._live_hold(c.hold_id, c.owner, now)
        if isinstance(hold, Refusal):
            return hold
        return ev.HoldReleased(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            hold_id=c.hold_id,
            patient_id=hold.patient_id,
        )

    # --- bookings --------------------------------------------------------------

    def _confirm_hold(
        self, c: cm.ConfirmHold, now: Millis, version: int
    ) -> ev.Event | Refusal:
        hold = self._live_hold(c.hold_id, c.owner, now)
        if isinstance(hold, Refusal):
            return hold
        return self._book_held(c, hold, now, version)

    def _book_held(
        self, c: cm.ConfirmHold | cm.BookSlot, hold: Hold, now: Millis, version: int
    ) -> ev.Event | Refusal:
        if problem := self._booking_problem(c.booking_id, c.reason):
            return invalid(problem)
        if late := self._late(hold, now):
            return late
        if hold.moving is not None and self.booked.hits(
            hold.busy_start // self.cell, hold.busy_end // self.cell
        ):
            return hold_is_for_moving(hold.moving)
        if not c.by_staff and (full := self._too_many_visits(hold.patient_id, now)):
            return full
        return ev.SlotBooked(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
            patient_id=hold.patient_id,
            visit_type=hold.visit_type,
            start=hold.start,
            end=hold.end,
            busy_start=hold.busy_start,
            busy_end=hold.busy_end,
            location_id=hold.location_id,
            hold_id=hold.hold_id,
            reason=c.reason,
        )

    def _booking_problem(self, booking_id: BookingId, reason: str) -> str:
        if booking_id in self.bookings:
            return "this booking_id is already in use"
        return reason_problem(reason)

    def _book_slot(
        self, c: cm.BookSlot, now: Millis, version: int
    ) -> ev.Event | Refusal:
        hold = self._own_hold(c.patient_id, c.visit_type, c.start, now)
        if hold is not None:
            return self._book_held(c, hold, now, version)
        if problem := self._booking_problem(c.booking_id, c.reason):
            return invalid(problem)
        found = self._slot_for(c.patient_id, c.visit_type, c.start, now)
        if isinstance(found, Refusal):
            return found
        rule, location_id, over = found
        if not c.by_staff and (full := self._too_many_visits(c.patient_id, now)):
            return full
        end = Minute(c.start + rule.minutes)
        return ev.SlotBooked(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
            patient_id=c.patient_id,
            visit_type=c.visit_type,
            start=c.start,
            end=end,
            busy_start=Minute(c.start - rule.buffer_before),
            busy_end=Minute(end + rule.buffer_after),
            location_id=location_id,
            hold_id=over.hold_id if over is not None else None,
            reason=c.reason,
        )

    def _reschedule(
        self, c: cm.RescheduleBooking, now: Millis, version: int
    ) -> ev.Event | Refusal:
        booking = self._changeable(c.booking_id, c.owner, cm.RescheduleBooking, now)
        if isinstance(booking, Refusal):
            return booking
        if (c.start is None) == (c.hold_id is None):
            return invalid("give either start or hold_id")
        if c.hold_id is not None:
            hold = self._live_hold(c.hold_id, booking.patient_id, now)
            if isinstance(hold, Refusal):
                return hold
            return self._move_to_hold(c, booking, hold, now, version)
        assert c.start is not None
        own = self._own_hold(booking.patient_id, booking.visit_type, c.start, now)
        if own is not None:
            return self._move_to_hold(c, booking, own, now, version)
        return self._move_to_start(c, booking, now, version)

    def _move_to_hold(
        self,
        c: cm.RescheduleBooking,
        booking: Booking,
        hold: Hold,
        now: Millis,
        version: int,
    ) -> ev.Event | Refusal:
        if late := self._late(hold, now):
            return late
        first, last = hold.busy_start // self.cell, hold.busy_end // self.cell
        if hold.moving is not None and self._is_booked_by_others(first, last, booking):
            return hold_is_for_moving(hold.moving)
        return ev.BookingRescheduled(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
            visit_type=hold.visit_type,
            start=hold.start,
            end=hold.end,
            busy_start=hold.busy_start,
            busy_end=hold.busy_end,
            location_id=hold.location_id,
            hold_id=hold.hold_id,
        )

    def _move_to_start(
        self, c: cm.RescheduleBooking, booking: Booking, now: Millis, version: int
    ) -> ev.Event | Refusal:
        assert c.start is not None
        found = self._slot_for(
            booking.patient_id, booking.visit_type, c.start, now, booking
        )
        if isinstance(found, Refusal):
            return found
        rule, location_id, over = found
        end = Minute(c.start + rule.minutes)
        return ev.BookingRescheduled(
            provider_id=self.provider_id,
            at=now,
            version=version,
            key=c.key,
            fingerprint=c.fingerprint,
            booking_id=c.booking_id,
            visit_type=booking.visit_type,
            start=c.start,
            end=end,
            busy_start=Minute(c.start - rule.buffer_before),
            busy_end=Minute(end + rule.buffer_after),
            location_id=location_id,
            hold_id=over.hold_id if over is not None else None,
        )

    # --- the calendar's own ----------------------------------------------------

    def _expire_holds(self, _c: cm.ExpireHolds, _now: Millis, _version: int) -> None:
        """Holds that are due expire before any command: nothing is left to do."""

    def _advance_window(
        self, _c: cm.AdvanceWindow, now: Millis, version: int
    ) -> ev.Event | None:
        if not self.window_due(now):
            return None
        return ev.WindowAdvanced(
            provider_id=self.provider_id,
            at=now,
            version=version,
            until=Minute(self._this_cell(now) * self.cell),
        )


_OWN = frozenset({cm.ExpireHolds, cm.AdvanceWindow})
"""The shard's own commands; they carry no key, and are never refused."""

_Decider = Callable[[Calendar, Any, Millis, int], ev.Event | Refusal | None]
_DECIDERS: dict[type, _Decider] = {
    cm.RegisterProvider: Calendar._register,
    cm.SetRetired: Calendar._set_retired,
    cm.SetAvailability: Calendar._set_availability,
    cm.AddTimeOff: Calendar._add_time_off,
    cm.RemoveTimeOff: Calendar._remove_time_off,
    cm.PlaceHold: Calendar._place_hold,
    cm.ExtendHold: Calendar._extend_hold,
    cm.ReleaseHold: Calendar._release_hold,
    cm.ConfirmHold: Calendar._confirm_hold,
    cm.BookSlot: Calendar._book_slot,
    cm.CancelBooking: Calendar._cancel,
    cm.RescheduleBooking: Calendar._reschedule,
    cm.CheckIn: Calendar._check_in,
    cm.CompleteVisit: Calendar._complete,
    cm.MarkNoShow: Calendar._no_show,
    cm.UndoOutcome: Calendar._undo,
    cm.ExpireHolds: Calendar._expire_holds,
    cm.AdvanceWindow: Calendar._advance_window,
}
