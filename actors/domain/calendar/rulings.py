"""What a decision asks of the calendar: is it offered, is it free, whose is it?

Nothing here changes the calendar. ``now`` comes in; a hold whose deadline has come
counts for nothing, whether or not its HoldExpired was journaled yet.
"""

from __future__ import annotations

from msgspec.structs import replace

from actors.domain.calendar.lifecycle import BLOCKING, TRANSITIONS
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.views import zone_of
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    VisitTypeId,
)
from actors.domain.messages.answers import BOOKED, FREE, HELD, BookingStatus, SlotsView
from actors.domain.messages.commands import RescheduleBooking
from actors.domain.messages.refusals import (
    BEGUN,
    HOLD_EXPIRED,
    NO_BOOKING,
    NO_HOLD,
    NO_VISIT_TYPE,
    NOT_OFFERED,
    UNAVAILABLE,
    Refusal,
    booked_by_you,
    booking_limit,
    held_by_you,
    hold_confirmed,
    hold_limit,
    renewal_limit,
    stranded,
    too_late_for_patients,
    wrong_status,
)
from actors.domain.rules import BookingLimits, VisitType
from actors.domain.time.grid import ones
from actors.domain.zones import zone_named

MINUTE_MS = 60_000
WINDOW_AHEAD = 5
"""Minutes. A window further ahead of now was moved by a clock that was wrong."""


class Judgement(CalendarState):
    """A calendar's state with the questions that decisions ask."""

    __slots__ = ()

    def window_due(self, now: Millis) -> bool:
        """Whether AdvanceWindow at ``now`` would change what watchers see."""
        to = self._this_cell(now) * self.cell
        if self.window > to + WINDOW_AHEAD:
            return True  # back to where the clock is
        self.quiet_until = min(self.quiet_until, Minute(to + WINDOW_AHEAD))
        if to <= self.quiet_until:
            return False
        if self.fresh:
            return True
        if self.availability is None:
            return False
        since, until = self.quiet_until // self.cell, to // self.cell
        openings = self.openings
        for offer in openings.offers.values():
            if offer.active and (
                openings.cut(offer, since + offer.notice, until + offer.notice)
                or openings.cut(offer, since + offer.horizon, until + offer.horizon)
            ):
                return True
        self.quiet_until = Minute(to)
        return False

    def _this_cell(self, now: Millis) -> int:
        """The first cell that begins at ``now`` or later, never before the window.

        Starts, notices and horizons are whole cells, so to compare with this cell is
        to compare with ``now`` itself, to the millisecond. A window far ahead was
        moved by a clock that was wrong, and does not count.
        """
        cell = -(-now // (self.cell * MINUTE_MS))
        window = self.window // self.cell
        return cell if (window - cell) * self.cell > WINDOW_AHEAD else max(cell, window)

    def _free_slot(
        self,
        visit_type: VisitTypeId,
        start: Minute,
        now: Millis,
        moving: Booking | None = None,
        over: Hold | None = None,
    ) -> tuple[VisitType, LocationId] | Refusal:
        """The rule and the place of a slot that is offered now and free.

        The times of a booking that is ``moving``, and of a hold that it is booked
        ``over``, do not stand in its way.
        """
        offer = self.openings.offers.get(visit_type)
        if offer is None:
            return NO_VISIT_TYPE
        at, aside = divmod(start, self.cell)
        ahead = at - self._this_cell(now)
        if aside or not offer.notice <= ahead < offer.horizon:
            return NOT_OFFERED
        location = self.openings.location(offer, at)
        if location is None:
            return NOT_OFFERED
        first = at - offer.before
        if self._is_taken(first, first + offer.span, now, moving, over):
            return UNAVAILABLE
        return offer.rule, location

    def slots_to_move(
        self, view: SlotsView, booking_id: BookingId, owner: PatientId | None
    ) -> SlotsView | Refusal:
        """Slots as they are to a booking that may move: its own time is free to it."""
        own = self._own_booking(booking_id, owner, RescheduleBooking)
        if isinstance(own, Refusal):
            return own
        offer = self.openings.offers[view.visit_type]
        states = list(view.states)
        for place, start in enumerate(view.starts):
            first = start // self.cell - offer.before
            last = first + offer.span
            if states[place] == BOOKED and not self._is_booked_by_others(
                first, last, own
            ):
                states[place] = HELD if self.held.hits(first, last) else FREE
        return replace(view, states="".join(states))

    def _slot_for(
        self,
        patient_id: PatientId,
        visit_type: VisitTypeId,
        start: Minute,
        now: Millis,
        moving: Booking | None = None,
    ) -> tuple[VisitType, LocationId, Hold | None] | Refusal:
        """A slot that is offered and free to this patient.

        If one hold of the patient's own is all that stands in its way, the slot is
        theirs over that hold, which is the third of the answer.
        """
        found = self._free_slot(visit_type, start, now, moving)
        if not isinstance(found, Refusal):
            return *found, None
        if found is not UNAVAILABLE:
            return found
        mine = self._holds_meeting(patient_id, visit_type, start, now)
        if len(mine) == 1:
            over = self._free_slot(visit_type, start, now, moving, mine[0])
            if not isinstance(over, Refusal):
                return *over, mine[0]
        return self._whose(patient_id, visit_type, start, now)

    def _holds_meeting(
        self, patient_id: PatientId, visit_type: VisitTypeId, start: Minute, now: Millis
    ) -> list[Hold]:
        """The patient's own live holds that a visit at ``start`` would meet."""
        if patient_id not in self.holds_of:
            return []
        busy_start, busy_end = self._busy(visit_type, start)
        return [
            hold
            for hold in self._holds_live(patient_id, now)
            if hold.busy_start < busy_end and busy_start < hold.busy_end
        ]

    def _whose(
        self, patient_id: PatientId, visit_type: VisitTypeId, start: Minute, now: Millis
    ) -> Refusal:
        """Why an offered slot is not free: the asker's own time is named."""
        holds = self._holds_meeting(patient_id, visit_type, start, now)
        if holds:
            return held_by_you(holds[0].hold_id)
        busy_start, busy_end = self._busy(visit_type, start)
        for booking_id in self.bookings_of.get(patient_id, ()):
            booking = self.bookings[booking_id]
            if (
                booking.status in BLOCKING
                and booking.busy_start < busy_end
                and busy_start < booking.busy_end
            ):
                return booked_by_you(booking_id)
        return UNAVAILABLE

    def _busy(self, visit_type: VisitTypeId, start: Minute) -> tuple[int, int]:
        """A visit's time with its buffers."""
        offer = self.openings.offers[visit_type]
        first = start - offer.before * self.cell
        return first, first + offer.span * self.cell

    def _is_taken(
        self,
        first: int,
        last: int,
        now: Millis,
        moving: Booking | None,
        over: Hold | None,
    ) -> bool:
        """Whether a live hold or a blocking booking has any of these cells."""
        if self.booked.hits(first, last) and (
            moving is None or self._is_booked_by_others(first, last, moving)
        ):
            return True
        return self._is_held(first, last, now) and (
            over is None or self._is_held_beside(first, last, now, over)
        )

    def _is_held_beside(self, first: int, last: int, now: Millis, but: Hold) -> bool:
        """Whether another live hold than this one has any of these cells."""
        cell = self.cell
        return any(
            hold.busy_start < last * cell and first * cell < hold.busy_end
            for hold in self.holds.values()
            if hold.expires > now and hold is not but
        )

    def _is_held(self, first: int, last: int, now: Millis) -> bool:
        """Whether a live hold has any of these cells."""
        if not self.held.hits(first, last):
            return False
        if self.soonest > now:
            return True
        cell = self.cell
        return any(
            hold.busy_start < last * cell and first * cell < hold.busy_end
            for hold in self.holds.values()
            if hold.expires > now
        )

    @property
    def limits(self) -> BookingLimits:
        """What one patient may take of this calendar."""
        rules = self.availability
        own = rules.booking_limits if rules is not None else None
        return own or self.policy.booking_limits

    def _too_many_visits(self, patient_id: PatientId, now: Millis) -> Refusal | None:
        """``booking_limit`` if the patient may not book another visit here."""
        mine = self.bookings_of.get(patient_id)
        limit = self.limits.upcoming
        if mine is None or not limit or len(mine) < limit:
            return None
        ahead = sum(
            booking.status is BookingStatus.BOOKED and booking.start * MINUTE_MS > now
            for booking in map(self.bookings.__getitem__, mine)
        )
        return booking_limit(limit) if ahead >= limit else None

    def _too_many_holds(
        self, patient_id: PatientId, visit_type: VisitTypeId, start: Minute, now: Millis
    ) -> Refusal | None:
        """``hold_limit`` if the patient may not hold this slot."""
        limit = self.policy.holds_per_patient
        mine = self.holds_of.get(patient_id)
        if (
            mine is not None
            and len(mine) >= limit
            and len(self._holds_live(patient_id, now)) >= limit
        ):
            return hold_limit(limit)
        renewals = self.limits.renewals
        if not renewals or patient_id not in self.renewals.entries:
            return None
        first, last = self._busy(visit_type, start)
        held = self.renewals.count(patient_id, now, Minute(first), Minute(last))
        return renewal_limit(held) if held > renewals else None

    def _holds_live(self, patient_id: PatientId, now: Millis) -> list[Hold]:
        mine = (self.holds[hold_id] for hold_id in self.holds_of.get(patient_id, ()))
        return [hold for hold in mine if hold.expires > now]

    def _own_hold(
        self, patient_id: PatientId, visit_type: VisitTypeId, start: Minute, now: Millis
    ) -> Hold | None:
        """The patient's own live hold of exactly this slot."""
        if patient_id not in self.holds_of:
            return None
        for hold in self._holds_live(patient_id, now):
            if hold.start == start and hold.visit_type == visit_type:
                return hold
        return None

    def _live_hold(
        self, hold_id: HoldId, owner: PatientId | None, now: Millis
    ) -> Hold | Refusal:
        hold = self.holds.get(hold_id)
        if hold is None or (owner is not None and hold.patient_id != owner):
            return self._no_hold(hold_id, owner)
        return hold if hold.expires > now else HOLD_EXPIRED

    def _changeable(
        self, booking_id: BookingId, owner: PatientId | None, kind: type, now: Millis
    ) -> Booking | Refusal:
        """The booking, if its patient or staff may still cancel or move it."""
        booking = self._own_booking(booking_id, owner, kind)
        if isinstance(booking, Refusal) or owner is None:
            return booking
        before = self.availability.change_notice if self.availability else 0
        if now > (booking.start - before) * MINUTE_MS:
            return too_late_for_patients(before)
        return booking

    def _day_of(self, booking: Booking) -> Minute:
        """When the booking's day began, by the clock of its place."""
        places = self.availability.locations if self.availability else ()
        names = [p.time_zone for p in places if p.location_id == booking.location_id]
        zone = (zone_named(names[0]) if names else None) or zone_of(self)
        return zone.midnight(zone.day_of(booking.start))

    def _late(self, hold: Hold, now: Millis) -> Refusal | None:
        """Why a live hold can be taken up no more."""
        if now > hold.start * MINUTE_MS:
            return BEGUN
        return stranded(hold.stranded) if hold.stranded else None

    def _no_hold(self, hold_id: HoldId, owner: PatientId | None) -> Refusal:
        booked = self._booked_with(hold_id, owner)
        if booked is not None:
            return hold_confirmed(booked)
        patient_id = self.expired.get(hold_id)
        if patient_id is None or (owner is not None and patient_id != owner):
            return NO_HOLD
        return HOLD_EXPIRED

    def _booked_with(
        self, hold_id: HoldId, owner: PatientId | None
    ) -> BookingId | None:
        """The booking that took the slot of a hold."""
        known = self.bookings if owner is None else self.bookings_of.get(owner, ())
        for booking_id in known:
            if self.bookings[booking_id].hold_id == hold_id:
                return booking_id
        return None

    def _own_booking(
        self, booking_id: BookingId, owner: PatientId | None, kind: type
    ) -> Booking | Refusal:
        """The booking, if it is the asker's and its status allows the command."""
        booking = self.bookings.get(booking_id)
        if booking is None or (owner is not None and booking.patient_id != owner):
            return NO_BOOKING
        if booking.status not in TRANSITIONS[kind]:
            return wrong_status(booking.status.value)
        return booking

    def _is_booked_by_others(self, first: int, last: int, own: Booking) -> bool:
        taken = self.booked.cut(first, last)
        low = max(own.busy_start // self.cell, first)
        high = min(own.busy_end // self.cell, last)
        if low < high:
            taken &= ~(ones(high - low) << low - first)
        return taken != 0
