"""Decisions about bookings: confirm a hold, book a slot, reschedule, cancel."""

from __future__ import annotations

from actors.domain.calendar import rulings, seats
from actors.domain.calendar.holding import groups
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.validation import (
    reason_problem,
)
from actors.domain.ids import (
    BookingId,
    LocationId,
    Millis,
    Minute,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import NEEDS_MEMBERS
from actors.domain.messages.refusals import (
    MOVES_WITH_MEMBERS,
    NO_BOOKING,
    OF_A_VISIT,
    UNAVAILABLE,
    Refusal,
    RefusalCode,
    invalid,
)
from actors.domain.rules import Group, VisitType

MOVED = Refusal(
    RefusalCode.WRONG_STATUS,
    "The booking was moved to another time meanwhile. Read it again.",
)
"""A visit is not where a command expects it."""


def confirm(
    state: CalendarState, c: cm.ConfirmHold, now: Millis, version: int
) -> ev.Event | Refusal:
    """A live hold becomes a booking of its slot."""
    if c.visit is not None:
        return groups.confirm(state, c, c.visit, now, version)
    hold = rulings.live_hold(state, c.hold_id, c.owner, now, proxy=c.proxy)
    if isinstance(hold, Refusal):
        return hold
    return _book_held(state, c, hold, now, version)


def _book_held(
    state: CalendarState,
    c: cm.ConfirmHold | cm.BookSlot,
    hold: Hold,
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    if problem := _booking_problem(state, c.booking_id, c.reason):
        return invalid(problem)
    if late := rulings.late(state, hold, now):
        return late
    if hold.lane:
        if taken := rulings.seat_taken(state, hold, None, proxy=c.proxy):
            return taken
    elif hold.moving is not None and state.occupancy.booked.hits(
        hold.busy_start // state.cell, hold.busy_end // state.cell
    ):
        return rulings.only_for_moving(state, hold.moving, proxy=c.proxy)
    if not c.by_staff and (
        full := rulings.too_many_visits(state, hold.patient_id, now, proxy=c.proxy)
    ):
        return full
    group = _group_of_offer(state, c, hold) if hold.reserved else hold.group
    if isinstance(group, Refusal):
        return group
    return ev.SlotBooked(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
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
        confidential=c.confidential,
        group=group,
        lane=hold.lane,
    )


def _group_of_offer(
    state: CalendarState,
    c: cm.ConfirmHold | cm.BookSlot | cm.RescheduleBooking,
    hold: Hold,
) -> Group | Refusal | None:
    """The rooms with which an offer is taken: held when it is, and not before."""
    offer = state.openings.offers.get(hold.visit_type)
    if c.group is None and (offer is None or not offer.rule.needs):
        return None
    return groups.joined(state, c.group)


def _booking_problem(state: CalendarState, booking_id: BookingId, reason: str) -> str:
    if booking_id in state.occupancy.bookings:
        return "this booking_id is already in use"
    return reason_problem(reason) if reason else ""


def book(
    state: CalendarState, c: cm.BookSlot, now: Millis, version: int
) -> ev.Event | Refusal:
    """A slot is booked at once; the patient's own hold of it is used up.

    A slot that others have is overbooked, if staff say so.
    """
    hold = rulings.own_hold(state, c.patient_id, c.visit_type, c.start, now)
    if hold is not None:
        return _book_held(state, c, hold, now, version)
    if problem := _booking_problem(state, c.booking_id, c.reason):
        return invalid(problem)
    found = rulings.slot_for(
        state, c.patient_id, c.visit_type, c.start, now, proxy=c.proxy
    )
    if isinstance(found, Refusal):
        found = _overbooked(state, c, found)
        if isinstance(found, Refusal):
            return found
    rule, location_id, lane, over = found
    group = None
    if rule.needs or c.group is not None:
        members = groups.joined(state, c.group)
        if isinstance(members, Refusal):
            return members
        group = members
    if not c.by_staff and (
        full := rulings.too_many_visits(state, c.patient_id, now, proxy=c.proxy)
    ):
        return full
    end = Minute(c.start + rule.minutes)
    return ev.SlotBooked(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
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
        confidential=c.confidential,
        group=group,
        lane=lane,
    )


def _overbooked(
    state: CalendarState, c: cm.BookSlot, refusal: Refusal
) -> tuple[VisitType, LocationId, int, Hold | None] | Refusal:
    """A lane of its own for a visit at a time that others have, if staff ask so."""
    if refusal is not UNAVAILABLE or not (c.overbook and c.by_staff):
        return refusal
    if not c.reason:
        return invalid("reason must say why the visit cannot wait")
    found = seats.overbooked(state, state.openings.offers[c.visit_type], c.start)
    return found if isinstance(found, Refusal) else (*found, None)


def reschedule(
    state: CalendarState, c: cm.RescheduleBooking, now: Millis, version: int
) -> ev.Event | Refusal:
    """A booking moves to another start, or to the slot of a hold."""
    booking = rulings.changeable(
        state, c.booking_id, c.owner, cm.RescheduleBooking, now, proxy=c.proxy
    )
    if isinstance(booking, Refusal):
        return booking
    if c.if_start is not None and booking.start != c.if_start:
        return MOVED
    if (c.start is None) == (c.hold_id is None):
        return invalid("give either start or hold_id")
    if c.hold_id is not None:
        hold = rulings.live_hold(
            state, c.hold_id, booking.patient_id, now, proxy=c.proxy
        )
        if isinstance(hold, Refusal):
            return hold
        return _move_to_hold(state, c, booking, hold, now, version)
    assert c.start is not None
    own = rulings.own_hold(state, booking.patient_id, booking.visit_type, c.start, now)
    if own is not None:
        return _move_to_hold(state, c, booking, own, now, version)
    return _move_to_start(state, c, booking, now, version)


def _move_to_hold(
    state: CalendarState,
    c: cm.RescheduleBooking,
    booking: Booking,
    hold: Hold,
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    if late := rulings.late(state, hold, now):
        return late
    group = _group_of_offer(state, c, hold) if hold.reserved else hold.group
    if isinstance(group, Refusal):
        return group
    if group is None and _has_members(booking) and not hold.reserved:
        return MOVES_WITH_MEMBERS
    first, last = hold.busy_start // state.cell, hold.busy_end // state.cell
    if hold.lane:
        mine = booking.booking_id
        if taken := rulings.seat_taken(state, hold, mine, proxy=c.proxy):
            return taken
    elif hold.moving is not None and rulings.is_booked_by_others(
        state, first, last, booking
    ):
        return rulings.only_for_moving(state, hold.moving, proxy=c.proxy)
    return ev.BookingRescheduled(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
        booking_id=c.booking_id,
        patient_id=booking.patient_id,
        visit_type=hold.visit_type,
        start=hold.start,
        end=hold.end,
        busy_start=hold.busy_start,
        busy_end=hold.busy_end,
        location_id=hold.location_id,
        hold_id=hold.hold_id,
        group=group,
        lane=hold.lane,
        left=booking.group if group is None else None,
    )


def _has_members(booking: Booking) -> bool:
    return booking.group is not None and bool(booking.group.members)


def _move_to_start(
    state: CalendarState,
    c: cm.RescheduleBooking,
    booking: Booking,
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    assert c.start is not None
    if _has_members(booking):
        return MOVES_WITH_MEMBERS
    found = rulings.slot_for(
        state,
        booking.patient_id,
        booking.visit_type,
        c.start,
        now,
        booking,
        proxy=c.proxy,
    )
    if isinstance(found, Refusal):
        return found
    rule, location_id, lane, over = found
    if rule.needs:
        return NEEDS_MEMBERS
    end = Minute(c.start + rule.minutes)
    return ev.BookingRescheduled(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
        booking_id=c.booking_id,
        patient_id=booking.patient_id,
        visit_type=booking.visit_type,
        start=c.start,
        end=end,
        busy_start=Minute(c.start - rule.buffer_before),
        busy_end=Minute(end + rule.buffer_after),
        location_id=location_id,
        hold_id=over.hold_id if over is not None else None,
        lane=lane,
    )


def cancel(
    state: CalendarState, c: cm.CancelBooking, now: Millis, version: int
) -> ev.Event | Refusal:
    """A booking is cancelled, by its patient (until the notice) or by staff."""
    if c.group is not None:
        return groups.cancel(state, c, c.group, now, version)
    booking = rulings.changeable(
        state, c.booking_id, c.owner, cm.CancelBooking, now, proxy=c.proxy
    )
    if isinstance(booking, Refusal):
        return booking
    if c.if_start is not None and booking.start != c.if_start:
        return MOVED
    if problem := reason_problem(c.reason):
        return invalid(problem)
    return ev.BookingCancelled(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
        booking_id=c.booking_id,
        patient_id=booking.patient_id,
        by_patient=c.owner is not None,
        reason=c.reason,
        group=booking.group,
    )


def set_confidential(
    state: CalendarState, c: cm.SetConfidential, now: Millis, version: int
) -> ev.Event | Refusal:
    """A booking is hidden from people who act for its patient, or shown again."""
    booking = state.occupancy.bookings.get(c.booking_id)
    if booking is None or c.proxy or c.owner not in (None, booking.patient_id):
        return NO_BOOKING
    if booking.visit is not None:
        return OF_A_VISIT
    return ev.ConfidentialSet(
        **ev.head(c, now, version),
        booking_id=c.booking_id,
        patient_id=booking.patient_id,
        confidential=c.confidential,
    )
