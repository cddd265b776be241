"""The waiting list of a calendar: slots that become free are kept for it, and offered.

A slot that a visit, a leave or the rules give up is reserved by an event just before
the one that frees it: there is no version at which it is free to others. The list's
worker offers it to one patient after another, who books it as a hold of their own.
Released, or when its time is over, it is free to all.

Which slots: those that are free afterwards and were not before, of the visit types that
are waited for; a visit's own slot before others that its time allows. Of a visit that
takes rooms or equipment its provider's time alone: these are held when an offer is
taken. Of a group visit each seat of a start that becomes free; an overbooked visit
frees no time of its own.

One file because it is one slot's way: what is reserved, offered and given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from actors.domain.calendar import rulings, seats
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.sessions import GroupSession
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.validation import waiting_problem
from actors.domain.calendar.window import MINUTE_MS, this_cell
from actors.domain.ids import (
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    VisitTypeId,
    hold_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.refusals import (
    HOLD_EXPIRED,
    NOT_OFFERED,
    OFFERED,
    OUT_OF_TURN,
    UNAVAILABLE,
    Refusal,
    invalid,
)
from actors.domain.rules import Availability, VisitType, Waiting
from actors.domain.time.grid import any_of, bits, ones
from actors.domain.time.openings import Offer, Openings

NO_PATIENT = PatientId("")


def set_waiting(
    state: CalendarState, c: cm.SetWaiting, now: Millis, version: int
) -> ev.Event | Refusal:
    """What the waiting list waits for is replaced."""
    if c.waiting is not None and (problem := waiting_problem(c.waiting)):
        return invalid(problem)
    return ev.WaitingSet(**ev.head(c, now, version), waiting=c.waiting)


def reserve(
    state: CalendarState, c: cm.ReserveSlot, now: Millis, version: int
) -> ev.Event | Refusal:
    """A free slot that is waited for, and for which there is a room again."""
    waiting = state.waiting
    if waiting is None or c.visit_type not in waiting.visit_types:
        return NOT_OFFERED
    if not waiting.first <= c.start < waiting.until:
        return NOT_OFFERED
    found = rulings.free_slot(state, c.visit_type, c.start, now)
    if isinstance(found, Refusal):
        return found
    too_near = c.start * MINUTE_MS < now + state.policy.reserve_cutoff_ms
    if too_near or _reserved(state, now) >= waiting.most:
        return UNAVAILABLE
    rule, location_id, lane = found
    kind = state.openings.offers[c.visit_type]
    first = c.start // state.cell - kind.before
    slot = _Slot(rule, c.start, first, first + kind.span, location_id, lane)
    return _reserve(state, None, slot, now, version)


def offer(
    state: CalendarState, c: cm.OfferHold, now: Millis, version: int
) -> ev.Event | Refusal:
    """A reserved slot is offered to a patient, unless it is offered already."""
    hold = state.occupancy.holds.get(c.hold_id)
    if hold is None or not hold.reserved:
        return rulings.no_hold(state, c.hold_id, None, proxy=False)
    if hold.expires <= now:
        return HOLD_EXPIRED
    if hold.offered > now:
        return OFFERED
    if c.turn != hold.offers:
        return OUT_OF_TURN
    if late := rulings.late(state, hold, now):
        return late
    if not c.patient_id:
        return invalid("patient_id must name the patient")
    begins = hold.start * MINUTE_MS
    if not now < c.until <= min(begins, now + state.policy.offer_ms_max):
        return invalid("until must lie ahead, and not after the visit's start")
    lasts = max(hold.expires, c.until + state.policy.reserve_ms)
    return ev.HoldOffered(
        **ev.head(c, now, version),
        hold_id=c.hold_id,
        patient_id=c.patient_id,
        offered=c.until,
        expires=Millis(max(min(lasts, begins), c.until)),
    )


def release(
    state: CalendarState, c: cm.ReleaseHold, hold: Hold, now: Millis, version: int
) -> ev.Event | Refusal:
    """The patient declines an offer, or the list gives a slot up that it has."""
    if c.owner is not None:
        mine = rulings.live_hold(state, hold.hold_id, c.owner, now, proxy=c.proxy)
        if isinstance(mine, Refusal):
            return mine
        return ev.HoldReturned(
            **ev.head(c, now, version),
            hold_id=hold.hold_id,
            patient_id=c.owner,
            declined=True,
        )
    if hold.offered > now:
        return OFFERED
    if hold.expires <= now:
        return HOLD_EXPIRED
    return ev.HoldReleased(**ev.head(c, now, version), hold_id=hold.hold_id)


class _Slot(NamedTuple):
    """A slot to reserve; ``first`` and ``last`` are its cells with its buffers."""

    rule: VisitType
    start: Minute
    first: int
    last: int
    location_id: LocationId
    lane: int = 0


class _Freed(NamedTuple):
    """What an event frees, and what it takes: spans in cells."""

    before: Openings
    after: Openings
    booking: Booking | None = None
    """The visit that gives its time up, or moves."""
    over: HoldId | None = None
    """The hold that ends with it: its slot is taken, or was another one."""
    taken: tuple[int, int] = (0, 0)
    seat: tuple[Minute, VisitTypeId, int] | None = None
    """Start, type and lane that a visit moves to."""


def with_reserves(
    state: CalendarState, event: ev.Event, now: Millis
) -> tuple[ev.Event, ...]:
    """The event, and before it the reserves of what it frees; due holds are over."""
    waiting = state.waiting
    assert waiting is not None, "only with a waiting list"
    freed = _freed_by(state, event)
    if freed is None:
        return (event,)
    version = event.version
    slots = _to_reserve(state, waiting, freed, now)
    if not slots:
        return (event,)
    reserves = [
        _reserve(state, freed.booking, slot, now, version + place)
        for place, slot in enumerate(slots)
    ]
    return (*reserves, replace(event, version=version + len(slots)))


def _reserve(
    state: CalendarState,
    booking: Booking | None,
    slot: _Slot,
    now: Millis,
    version: int,
) -> ev.SlotReserved:
    cell, start = state.cell, slot.start
    end = start + slot.rule.minutes
    expires = min(now + state.policy.reserve_ms, start * MINUTE_MS)
    return ev.SlotReserved(
        provider_id=state.provider_id,
        at=now,
        version=version,
        # The version is the calendar's own, and no gateway makes such tokens.
        hold_id=hold_id(state.provider_id, f"w{version}"),
        visit_type=slot.rule.visit_type,
        start=start,
        end=Minute(end),
        busy_start=Minute(slot.first * cell),
        busy_end=Minute(slot.last * cell),
        expires=Millis(expires),
        location_id=slot.location_id,
        booking_id=booking.booking_id if booking is not None else None,
        lane=slot.lane,
    )


def _freed_by(state: CalendarState, event: ev.Event) -> _Freed | None:
    """What an event frees; None if nothing that the list waits for."""
    here = state.openings
    if isinstance(event, ev.BookingCancelled):
        booking = state.occupancy.bookings[event.booking_id]
        return None if booking.lane > 0 else _Freed(here, here, booking)
    if isinstance(event, ev.BookingRescheduled):
        span = event.busy_start // state.cell, event.busy_end // state.cell
        booking = state.occupancy.bookings[event.booking_id]
        if booking.lane > 0 and event.hold_id is None:
            return None
        seat = event.start, event.visit_type, event.lane
        return _Freed(here, here, booking, event.hold_id, span, seat)
    if state.retired or state.suspended:
        return None  # rules and leaves open nothing
    if isinstance(event, ev.TimeOffRemoved):
        left = dict(state.time_off)
        left.pop(event.time_off_id, None)
        rules = state.availability or Availability()
        return _Freed(here, Openings(rules, left.values(), state.cell))
    if isinstance(event, ev.AvailabilitySet):
        rules, off = event.availability, state.time_off.values()
        return _Freed(here, Openings(rules, off, state.cell))
    return None


def _to_reserve(
    state: CalendarState, waiting: Waiting, freed: _Freed, now: Millis
) -> list[_Slot]:
    """The slots to reserve, no more than the list waits for."""
    room = waiting.most - _reserved(state, now, freed.over)
    found: list[_Slot] = []
    if room <= 0:
        return found
    for slot in _candidates(state, waiting, freed, now):
        if all(_is_beside(slot, one) for one in found):
            found.append(slot)
            if len(found) >= room:
                break
    return found


def _reserved(state: CalendarState, now: Millis, but: HoldId | None = None) -> int:
    """How many slots the list has."""
    return sum(
        hold.reserved and hold.expires > now and hold.hold_id != but
        for hold in state.occupancy.holds.values()
    )


def _is_beside(slot: _Slot, other: _Slot) -> bool:
    """Whether two slots can both be reserved: apart, or two seats of one session."""
    if slot.last <= other.first or other.last <= slot.first:
        return True
    same = (slot.start, slot.rule.visit_type) == (other.start, other.rule.visit_type)
    return same and slot.lane != other.lane


def _candidates(
    state: CalendarState, waiting: Waiting, freed: _Freed, now: Millis
) -> Iterator[_Slot]:
    """Waited-for slots that become free, a visit's own first, else by start."""
    booking = freed.booking
    own = booking.visit_type if booking is not None else None
    kinds = sorted(waiting.visit_types, key=lambda kind: kind != own)
    for kind in kinds:
        found = freed.after.offers.get(kind)
        if found is None or not found.active:
            continue
        slots = list(_becoming_free(state, waiting, freed, found, now))
        if booking is not None and kind == own:
            mine = booking.start
            slots.sort(key=lambda slot: slot.start != mine)
        yield from slots


def _becoming_free(
    state: CalendarState, waiting: Waiting, freed: _Freed, offer: Offer, now: Millis
) -> Iterator[_Slot]:
    """The slots of one visit type that are free afterwards and were not before."""
    reach = _reach(state, waiting, freed, offer, now)
    if reach[0] >= reach[1]:
        return
    before = freed.before.offers.get(offer.rule.visit_type)
    free = _free(state, freed.after, offer, reach, freed, now)
    if before is not None:
        free &= ~_free(state, freed.before, before, reach, None, now)
    for place in bits(free):
        start = reach[0] + place
        location = freed.after.location(offer, start)
        assert location is not None, "it is offered"
        minute = Minute(start * state.cell)
        if offer.capacity > 1:
            yield from _seats(state, freed, offer, minute, location, now)
            continue
        at = start - offer.before
        yield _Slot(offer.rule, minute, at, at + offer.span, location)


def _seats(
    state: CalendarState,
    freed: _Freed,
    offer: Offer,
    start: Minute,
    location: LocationId,
    now: Millis,
) -> Iterator[_Slot]:
    """The free seats of a group visit that becomes free."""
    session, taken = _session(state, freed, offer, start, now)
    rule, cell = offer.rule, state.cell
    if session is not None and taken:
        rule, location = seats.as_opened(session, rule), session.location_id
    first = (start - rule.buffer_before) // cell
    last = (start + rule.minutes + rule.buffer_after) // cell
    while (lane := seats.free_seat(taken, offer.capacity)) is not None:
        yield _Slot(rule, start, first, last, location, lane)
        taken = taken | {lane}


def _session(
    state: CalendarState, freed: _Freed | None, offer: Offer, start: Minute, now: Millis
) -> tuple[GroupSession | None, set[int]]:
    """The session at a start, and its taken seats, now or once ``freed`` happened."""
    kind = offer.rule.visit_type
    session = seats.session_at(state, start, kind)
    moved: set[int] = set()
    if freed is not None and freed.seat is not None:
        *session_moved_to, lane = freed.seat
        if lane < 0 and session_moved_to == [start, kind]:
            moved = {lane}
    if session is None:
        return None, moved
    held = {
        lane
        for lane, name in session.held.items()
        if state.occupancy.holds[name].expires > now
        and (freed is None or name != freed.over)
    }
    gone = freed.booking.booking_id if freed is not None and freed.booking else None
    booked = {lane for lane, name in session.booked.items() if name != gone}
    return session, held | booked | moved


def _free(
    state: CalendarState,
    openings: Openings,
    offer: Offer,
    reach: tuple[int, int],
    freed: _Freed | None,
    now: Millis,
) -> int:
    """The free starts in ``reach``, bit 0 for its first cell; ``freed``: after it."""
    low, high = reach
    first = low - offer.before
    span = first, high - offer.before + offer.span
    taken = _booked(state, span, freed) | _held(state, span, freed, now)
    offered = openings.cut(offer, low, high)
    free = offered & ~any_of(taken, offer.span)
    if offer.capacity > 1:
        for place in bits(offered & ~free):
            start = Minute((low + place) * state.cell)
            _, seated = _session(state, freed, offer, start, now)
            if 0 < len(seated) < offer.capacity:
                free |= 1 << place
    return free


def _reach(
    state: CalendarState, waiting: Waiting, freed: _Freed, offer: Offer, now: Millis
) -> tuple[int, int]:
    """The cells in which a start may be reserved: offered, waited for, not too near."""
    cell = state.cell
    at = this_cell(state, now)
    near = -(-(now + state.policy.reserve_cutoff_ms) // (cell * MINUTE_MS))
    low = max(at + offer.notice, near, -(-waiting.first // cell))
    high = min(at + offer.horizon, -(-waiting.until // cell))
    if freed.booking is not None:
        a, b = freed.booking.busy_start // cell, freed.booking.busy_end // cell
        if freed.over is not None:
            hold = state.occupancy.holds[freed.over]
            held = hold.busy_start // cell, hold.busy_end // cell
            # A visit may move over its patient's hold of another slot: what the visit
            # leaves of that hold is free too.
            if held != freed.taken:
                a, b = min(a, held[0]), max(b, held[1])
        low = max(low, a - offer.span + offer.before + 1)
        high = min(high, b + offer.before)
    return low, high


def _booked(state: CalendarState, span: tuple[int, int], freed: _Freed | None) -> int:
    """The booked cells of a span, now or once ``freed`` has happened."""
    cells = state.occupancy.booked.cut(*span)
    if freed is not None and freed.booking is not None:
        booking, cell = freed.booking, state.cell
        if seats.is_sole(state, booking):
            own = booking.busy_start // cell, booking.busy_end // cell
            cells &= ~_within(span, own)
        cells |= _within(span, freed.taken)
    return cells


def _held(
    state: CalendarState, span: tuple[int, int], freed: _Freed | None, now: Millis
) -> int:
    """The cells of a span that live holds have, now or once ``freed`` has happened."""
    cell, over = state.cell, freed.over if freed is not None else None
    cells = state.occupancy.held.cut(*span)
    live = state.occupancy.holds.values()
    for hold in live:
        if hold.expires <= now or hold.hold_id == over:
            own = hold.busy_start // cell, hold.busy_end // cell
            cells &= ~_within(span, own)
    for hold in live if state.occupancy.sessions.at else ():
        # A seat that is over leaves its session to the others.
        if hold.lane and hold.expires > now and hold.hold_id != over:
            own = hold.busy_start // cell, hold.busy_end // cell
            cells |= _within(span, own)
    return cells


def _within(span: tuple[int, int], part: tuple[int, int]) -> int:
    """The cells of ``part`` that lie in ``span``, bit 0 for the first of ``span``."""
    low, high = max(part[0], span[0]), min(part[1], span[1])
    return ones(high - low) << low - span[0] if low < high else 0
