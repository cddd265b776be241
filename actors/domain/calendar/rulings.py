"""Checks shared by decisions: is a slot offered, is it free, and who owns it.

Functions of the state and ``now`` without side effects; each returns its result or the
refusal. A hold whose deadline has passed is ignored, whether or not its HoldExpired was
journaled yet. One file because each is used by several decisions.
"""

from __future__ import annotations

from actors.domain.calendar import seats, window
from actors.domain.calendar.lifecycle import BLOCKING, TRANSITIONS
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.sessions import FIRST_SEAT
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.window import MINUTE_MS
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.refusals import (
    BEGUN,
    HOLD_EXPIRED,
    NO_BOOKING,
    NO_HOLD,
    NO_PROVIDER,
    NO_VISIT_TYPE,
    NOT_OFFERED,
    OF_A_VISIT,
    UNAVAILABLE,
    Refusal,
    booked_by_you,
    booking_limit,
    held_by_you,
    hold_confirmed,
    hold_is_for_moving,
    hold_limit,
    renewal_limit,
    stranded,
    too_late_for_patients,
    wrong_status,
)
from actors.domain.rules import BookingLimits, VisitType
from actors.domain.time.grid import ones
from actors.domain.time.openings import Offer


def free_slot(
    state: CalendarState,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
    moving: Booking | None = None,
    over: Hold | None = None,
) -> seats.Seat | Refusal:
    """The rule, the place and the lane of a slot that is offered now and free.

    The times of a booking that is ``moving``, and of the hold ``over`` which it is
    booked, count as free. Of a booking in a lane: see ``is_booked_by_others``.
    """
    openings = state.openings
    offer = openings.offers.get(visit_type)
    if offer is None:
        found = _member_offer(state, visit_type)
        if isinstance(found, Refusal):
            return found
        offer = found
    at, aside = divmod(start, state.cell)
    ahead = at - window.this_cell(state, now)
    if aside or not offer.notice <= ahead < offer.horizon:
        return NOT_OFFERED
    location = openings.location(offer, at)
    if location is None:
        return NOT_OFFERED
    lane = 0
    if offer.capacity > 1:
        seat = seats.in_session(state, offer, start, now)
        if seat is not None:
            return seat
        lane = FIRST_SEAT
    first = at - offer.before
    if _is_taken(state, first, first + offer.span, now, moving, over):
        return UNAVAILABLE
    return offer.rule, location, lane


def _member_offer(state: CalendarState, visit_type: VisitTypeId) -> Offer | Refusal:
    """How a resource is offered to a visit; of a person: there is no such visit type.

    To all who ask for anything else, a resource does not exist.
    """
    if not state.is_resource:
        return NO_VISIT_TYPE
    return state.openings.of_member(visit_type) or NO_PROVIDER


def slot_for(  # noqa: PLR0913 - what a slot is asked by
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
    moving: Booking | None = None,
    *,
    proxy: bool = False,
) -> tuple[VisitType, LocationId, int, Hold | None] | Refusal:
    """A slot that is offered and free to this patient.

    If the only conflict is one hold of the patient's own, the slot can be booked over
    that hold, which is the last element of the result. One patient has one seat of a
    group visit.
    """
    found = free_slot(state, visit_type, start, now, moving)
    if not isinstance(found, Refusal):
        if found[2] and seats.is_seated(state, patient_id, visit_type, start, now):
            return whose(state, patient_id, visit_type, start, now, proxy=proxy)
        return *found, None
    if found is not UNAVAILABLE:
        return found
    mine = _holds_meeting(state, patient_id, visit_type, start, now)
    # An offer is for its slot: what another one leaves of it would be free to all.
    if len(mine) == 1 and not mine[0].reserved:
        over = free_slot(state, visit_type, start, now, moving, mine[0])
        if not isinstance(over, Refusal):
            return *over, mine[0]
    return whose(state, patient_id, visit_type, start, now, proxy=proxy)


def _holds_meeting(
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
) -> list[Hold]:
    """The patient's own live holds that a visit at ``start`` would meet."""
    if patient_id not in state.occupancy.holds_of or not patient_id:
        return []
    busy_start, busy_end = _busy(state, visit_type, start)
    return [
        hold
        for hold in _holds_live(state, patient_id, now)
        if hold.busy_start < busy_end and busy_start < hold.busy_end
    ]


def whose(
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
    *,
    proxy: bool,
) -> Refusal:
    """Why an offered slot is not free; names the requester's own hold or booking."""
    if not patient_id:
        return UNAVAILABLE  # a member of a group is not told whose it is
    holds = _holds_meeting(state, patient_id, visit_type, start, now)
    if holds:
        return held_by_you(holds[0].hold_id)
    busy_start, busy_end = _busy(state, visit_type, start)
    for booking_id in state.occupancy.bookings_of.get(patient_id, ()):
        booking = state.occupancy.bookings[booking_id]
        if (
            booking.status in BLOCKING
            and not is_hidden(booking, proxy=proxy)
            and booking.busy_start < busy_end
            and busy_start < booking.busy_end
        ):
            return booked_by_you(booking_id)
    return UNAVAILABLE


def is_hidden(booking: Booking, *, proxy: bool) -> bool:
    """Whether a booking does not exist for one who asks, as a proxy or not."""
    return proxy and booking.confidential


def only_for_moving(state: CalendarState, moving: BookingId, *, proxy: bool) -> Refusal:
    """Why a hold that is to move a visit cannot be used for another."""
    booking = state.occupancy.bookings.get(moving)
    if booking is not None and is_hidden(booking, proxy=proxy):
        return UNAVAILABLE
    return hold_is_for_moving(moving)


def _busy(
    state: CalendarState, visit_type: VisitTypeId, start: Minute
) -> tuple[int, int]:
    """A visit's time with its buffers."""
    openings = state.openings
    offer = openings.offers.get(visit_type) or openings.of_member(visit_type)
    assert offer is not None, "it is offered"
    first = start - offer.before * state.cell
    return first, first + offer.span * state.cell


def _is_taken(
    state: CalendarState,
    first: int,
    last: int,
    now: Millis,
    moving: Booking | None,
    over: Hold | None,
) -> bool:
    """Whether a live hold or a blocking booking has any of these cells."""
    occupancy = state.occupancy
    if occupancy.booked.hits(first, last) and (
        moving is None or is_booked_by_others(state, first, last, moving)
    ):
        return True
    if not occupancy.held.hits(first, last):
        return False
    return _is_held(state, first, last, now) and (
        over is None or _is_held_beside(state, first, last, now, over)
    )


def _is_held_beside(
    state: CalendarState, first: int, last: int, now: Millis, but: Hold
) -> bool:
    """Whether another live hold than this one has any of these cells."""
    cell = state.cell
    return any(
        hold.busy_start < last * cell and first * cell < hold.busy_end
        for hold in state.occupancy.holds.values()
        if hold.expires > now and hold is not but
    )


def _is_held(state: CalendarState, first: int, last: int, now: Millis) -> bool:
    """Whether a live hold has any of these cells, of which a hold has some."""
    if state.occupancy.soonest > now:
        return True
    cell = state.cell
    return any(
        hold.busy_start < last * cell and first * cell < hold.busy_end
        for hold in state.occupancy.holds.values()
        if hold.expires > now
    )


def limits_of(state: CalendarState) -> BookingLimits:
    """The limits of one patient on this calendar."""
    rules = state.availability
    own = rules.booking_limits if rules is not None else None
    return own or state.policy.booking_limits


def too_many_visits(
    state: CalendarState, patient_id: PatientId, now: Millis, *, proxy: bool
) -> Refusal | None:
    """``booking_limit`` if the patient may not book another visit here."""
    mine = state.occupancy.bookings_of.get(patient_id)
    if mine is None:
        return None
    limit = limits_of(state).upcoming
    if not limit or len(mine) < limit:
        return None
    ahead = sum(
        booking.status is BookingStatus.BOOKED
        and booking.start * MINUTE_MS > now
        and not is_hidden(booking, proxy=proxy)
        for booking in map(state.occupancy.bookings.__getitem__, mine)
    )
    return booking_limit(limit) if ahead >= limit else None


def too_many_holds(
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
) -> Refusal | None:
    """``hold_limit`` if the patient may not hold this slot."""
    occupancy = state.occupancy
    mine = occupancy.holds_of.get(patient_id)
    if mine is not None:
        limit = state.policy.holds_per_patient
        if len(mine) >= limit and _placed_live(state, patient_id, now) >= limit:
            return hold_limit(limit)
    if patient_id not in occupancy.renewals.entries:
        return None
    renewals = limits_of(state).renewals
    if not renewals:
        return None
    first, last = _busy(state, visit_type, start)
    held = occupancy.renewals.count(patient_id, now, Minute(first), Minute(last))
    return renewal_limit(held) if held > renewals else None


def _holds_live(state: CalendarState, patient_id: PatientId, now: Millis) -> list[Hold]:
    mine = (
        state.occupancy.holds[hold_id]
        for hold_id in state.occupancy.holds_of.get(patient_id, ())
    )
    return [hold for hold in mine if (hold.offered or hold.expires) > now]


def _placed_live(state: CalendarState, patient_id: PatientId, now: Millis) -> int:
    """How many live holds the patient has placed; offers were made to them."""
    return sum(not hold.reserved for hold in _holds_live(state, patient_id, now))


def own_hold(
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
) -> Hold | None:
    """The patient's own live hold of exactly this slot."""
    if patient_id not in state.occupancy.holds_of or not patient_id:
        return None
    for hold in _holds_live(state, patient_id, now):
        if hold.start == start and hold.visit_type == visit_type:
            return hold
    return None


def live_hold(
    state: CalendarState,
    hold_id: HoldId,
    owner: PatientId | None,
    now: Millis,
    *,
    proxy: bool = False,
) -> Hold | Refusal:
    """The hold, if it is the owner's and its deadline has not come."""
    hold = state.occupancy.holds.get(hold_id)
    if hold is None or (owner is not None and hold.patient_id != owner):
        return no_hold(state, hold_id, owner, proxy=proxy)
    if not hold.patient_id:
        return NO_HOLD  # the waiting list has offered it to no patient
    return hold if (hold.offered or hold.expires) > now else HOLD_EXPIRED


def changeable(
    state: CalendarState,
    booking_id: BookingId,
    owner: PatientId | None,
    kind: type,
    now: Millis,
    *,
    proxy: bool,
) -> Booking | Refusal:
    """The booking, if its patient or staff may still cancel or move it."""
    booking = own_booking(state, booking_id, owner, kind, proxy=proxy)
    if isinstance(booking, Refusal) or owner is None:
        return booking
    before = state.availability.change_notice if state.availability else 0
    if now > (booking.start - before) * MINUTE_MS:
        return too_late_for_patients(before)
    return booking


def late(state: CalendarState, hold: Hold, now: Millis) -> Refusal | None:
    """Why a live hold cannot be booked any more."""
    if now > hold.start * MINUTE_MS:
        return BEGUN
    if state.suspended:
        return NOT_OFFERED
    return stranded(hold.stranded) if hold.stranded else None


def seat_taken(
    state: CalendarState, hold: Hold, but: BookingId | None, *, proxy: bool
) -> Refusal | None:
    """Why a held seat cannot be booked: its patient has another one of its session."""
    mine = seats.booked_seat(state, hold.patient_id, hold.visit_type, hold.start)
    if mine is None or mine == but:
        return None
    if is_hidden(state.occupancy.bookings[mine], proxy=proxy):
        return UNAVAILABLE
    return booked_by_you(mine)


def no_hold(
    state: CalendarState, hold_id: HoldId, owner: PatientId | None, *, proxy: bool
) -> Refusal:
    """Why there is no such hold: booked, expired, or unknown to the owner."""
    booked = _booked_with(state, hold_id, owner, proxy=proxy)
    if booked is not None:
        return hold_confirmed(booked)
    patient_id = state.expired.get(hold_id)
    if patient_id is None or (owner is not None and patient_id != owner):
        return NO_HOLD
    return HOLD_EXPIRED


def _booked_with(
    state: CalendarState, hold_id: HoldId, owner: PatientId | None, *, proxy: bool
) -> BookingId | None:
    """The booking that took the slot of a hold."""
    known = (
        state.occupancy.bookings
        if owner is None
        else state.occupancy.bookings_of.get(owner, ())
    )
    for booking_id in known:
        booking = state.occupancy.bookings[booking_id]
        if booking.hold_id == hold_id:
            return None if is_hidden(booking, proxy=proxy) else booking_id
    return None


def own_booking(
    state: CalendarState,
    booking_id: BookingId,
    owner: PatientId | None,
    kind: type,
    *,
    proxy: bool,
) -> Booking | Refusal:
    """The booking, if it is the asker's and its status allows the command."""
    booking = state.occupancy.bookings.get(booking_id)
    if booking is None or (owner is not None and booking.patient_id != owner):
        return NO_BOOKING
    if is_hidden(booking, proxy=proxy):
        return NO_BOOKING
    if booking.visit is not None:
        return OF_A_VISIT
    if booking.status not in TRANSITIONS[kind]:
        return wrong_status(booking.status.value)
    return booking


def is_booked_by_others(
    state: CalendarState, first: int, last: int, own: Booking
) -> bool:
    """Whether another booking than ``own`` has any of these cells.

    A booking in a lane shares its time, and gives none up unless it is the only one
    of its session.
    """
    taken = state.occupancy.booked.cut(first, last)
    if own.lane and not seats.is_sole(state, own):
        return taken != 0
    low = max(own.busy_start // state.cell, first)
    high = min(own.busy_end // state.cell, last)
    if low < high:
        taken &= ~(ones(high - low) << low - first)
    return taken != 0
