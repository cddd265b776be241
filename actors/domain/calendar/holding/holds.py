"""Decisions about holds: place, extend, release."""

from __future__ import annotations

from actors.domain.calendar import rulings, seats
from actors.domain.calendar.holding import groups, waiting
from actors.domain.calendar.occupancy import Booking
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    Millis,
    Minute,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import NEEDS_MEMBERS
from actors.domain.messages.refusals import (
    OFFER_FIXED,
    UNAVAILABLE,
    Refusal,
    extension_limit,
    invalid,
)
from actors.domain.rules import VisitType


def are_due(state: CalendarState, now: Millis) -> bool:
    """Whether a hold's deadline has come."""
    return state.occupancy.soonest <= now


def place(
    state: CalendarState, c: cm.PlaceHold, now: Millis, version: int
) -> ev.Event | Refusal:
    """A slot is reserved for a patient until the policy's deadline."""
    if c.hold_id in state.occupancy.holds or c.hold_id in state.expired:
        return invalid("this hold_id is already in use")
    if c.group is not None and (refusal := groups.hold_problem(state, c, c.group)):
        return refusal
    moving: Booking | Refusal | None = None
    if c.moving is not None:
        moving = _moved_by(state, c, c.moving)
    if isinstance(moving, Refusal):
        return moving
    found = rulings.free_slot(state, c.visit_type, c.start, now, moving)
    if isinstance(found, Refusal):
        return _why(state, c, found, now)
    rule, location_id, lane = found
    end = Minute(c.start + rule.minutes)
    busy_start, busy_end = c.start - rule.buffer_before, end + rule.buffer_after
    seated = lane and seats.is_seated(state, c.patient_id, c.visit_type, c.start, now)
    shared = moving and seats.could_be_joined(moving, lane, busy_start, busy_end)
    if seated or shared:
        return _why(state, c, UNAVAILABLE, now)
    if problem := _hold_problem(state, c, rule, now):
        return problem
    return ev.HoldPlaced(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
        hold_id=c.hold_id,
        patient_id=c.patient_id,
        visit_type=c.visit_type,
        start=c.start,
        end=end,
        busy_start=Minute(busy_start),
        busy_end=Minute(busy_end),
        expires=Millis(now + state.policy.hold_ms),
        location_id=location_id,
        moving=c.moving,
        group=c.group,
        lane=lane,
    )


def _why(state: CalendarState, c: cm.PlaceHold, found: Refusal, now: Millis) -> Refusal:
    """Why a slot cannot be held; what is the patient's own is named."""
    if found is not UNAVAILABLE:
        return found
    return rulings.whose(state, c.patient_id, c.visit_type, c.start, now, proxy=c.proxy)


def _moved_by(
    state: CalendarState, c: cm.PlaceHold, moving: BookingId
) -> Booking | Refusal:
    if not c.patient_id:
        return groups.moved_here(state, moving)
    return rulings.own_booking(
        state, moving, c.patient_id, cm.RescheduleBooking, proxy=c.proxy
    )


def _hold_problem(
    state: CalendarState, c: cm.PlaceHold, rule: VisitType, now: Millis
) -> Refusal | None:
    """What it lacks, or the limit that it would exceed; a move needs no other visit."""
    if rule.needs and c.group is None:
        return NEEDS_MEMBERS
    if c.by_staff or not c.patient_id:
        return None  # of a member of a group its primary counts
    found = rulings.too_many_holds(state, c.patient_id, c.visit_type, c.start, now)
    if found is None and c.moving is None:
        found = rulings.too_many_visits(state, c.patient_id, now, proxy=c.proxy)
    return found


def extend(
    state: CalendarState, c: cm.ExtendHold, now: Millis, version: int
) -> ev.Event | Refusal:
    """A hold lasts longer, as often and as long as the policy allows."""
    hold = rulings.live_hold(state, c.hold_id, c.owner, now, proxy=c.proxy)
    if isinstance(hold, Refusal):
        return hold
    policy = state.policy
    if hold.reserved:
        return OFFER_FIXED
    if not state.extensions_left(hold):
        minutes = policy.hold_total_ms // 60_000
        return extension_limit(policy.hold_extensions, minutes)
    until = min(now + policy.hold_ms, hold.placed + policy.hold_total_ms)
    return ev.HoldExtended(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
        hold_id=c.hold_id,
        expires=Millis(max(hold.expires, until)),
    )


def release(
    state: CalendarState, c: cm.ReleaseHold, now: Millis, version: int
) -> ev.Event | Refusal:
    """A hold is given back before its deadline."""
    known = state.occupancy.holds.get(c.hold_id)
    if known is not None and known.reserved:
        return waiting.release(state, c, known, now, version)
    if known is not None and c.group is not None:
        return groups.release(state, c, known, now, version)
    hold = rulings.live_hold(state, c.hold_id, c.owner, now, proxy=c.proxy)
    if isinstance(hold, Refusal):
        return hold
    return ev.HoldReleased(
        provider_id=state.provider_id,
        at=now,
        version=version,
        key=c.key,
        fingerprint=c.fingerprint,
        by=c.by,
        hold_id=c.hold_id,
        patient_id=hold.patient_id,
    )
