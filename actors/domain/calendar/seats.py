"""The seats of group visits and the lanes of overbooked ones: which are free.

Functions of the state and ``now`` without side effects. A held seat counts until its
hold's deadline, whether or not its HoldExpired was journaled yet.
"""

from __future__ import annotations

from msgspec.structs import replace

from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.sessions import FIRST_SEAT, GroupSession
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    VisitTypeId,
)
from actors.domain.messages.answers import BOOKED, FREE, HELD, seats_letter
from actors.domain.messages.refusals import (
    LANES_TAKEN,
    NO_OVERBOOKING,
    UNAVAILABLE,
    Refusal,
)
from actors.domain.rules import VisitType
from actors.domain.time.grid import bits
from actors.domain.time.openings import Offer

Seat = tuple[VisitType, LocationId, int]
"""The rule with the session's own times, its place, and the lane."""


def in_session(
    state: CalendarState, offer: Offer, start: Minute, now: Millis
) -> Seat | Refusal | None:
    """The free seat of the session that starts then; None if there is no session.

    A session keeps the times at which it was opened, although the rules have changed.
    """
    session = session_at(state, start, offer.rule.visit_type)
    if session is None:
        return None
    taken = taken_seats(state, session, now)
    if not taken:
        return None  # all were held, and are over
    lane = free_seat(taken, offer.capacity)
    if lane is None:
        return UNAVAILABLE
    return as_opened(session, offer.rule), session.location_id, lane


def session_at(
    state: CalendarState, start: Minute, visit_type: VisitTypeId
) -> GroupSession | None:
    """The session of this type that starts then."""
    return state.occupancy.sessions.at.get((start, visit_type))


def as_opened(session: GroupSession, rule: VisitType) -> VisitType:
    """A rule with the times of a session of its type."""
    return replace(
        rule,
        minutes=session.end - session.start,
        buffer_before=session.start - session.busy_start,
        buffer_after=session.busy_end - session.end,
    )


def taken_seats(state: CalendarState, session: GroupSession, now: Millis) -> set[int]:
    """The lanes of a session's seats that are booked or live holds'."""
    holds = state.occupancy.holds
    held = {lane for lane, name in session.held.items() if is_live(holds[name], now)}
    return held | session.booked.keys()


def is_live(hold: Hold, now: Millis) -> bool:
    """Whether a hold's deadline has not come."""
    return hold.expires > now


def free_seat(taken: set[int], capacity: int) -> int | None:
    """The lane of the first free seat; None if all are taken."""
    if len(taken) >= capacity:
        return None
    lane = FIRST_SEAT
    while lane in taken:
        lane -= 1
    return lane


def is_seated(
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
    now: Millis,
) -> bool:
    """Whether the patient has a seat of the session that starts then.

    A member of a group names no patient: its primary has asked.
    """
    session = session_at(state, start, visit_type)
    if session is None or not patient_id:
        return False
    holds = state.occupancy.holds
    return booked_seat(state, patient_id, visit_type, start) is not None or any(
        holds[name].patient_id == patient_id
        and (holds[name].offered or holds[name].expires) > now
        for name in session.held.values()
    )


def booked_seat(
    state: CalendarState,
    patient_id: PatientId,
    visit_type: VisitTypeId,
    start: Minute,
) -> BookingId | None:
    """The patient's visit in the session that starts then."""
    session = session_at(state, start, visit_type)
    if session is None or not patient_id:
        return None
    bookings = state.occupancy.bookings
    mine = (
        name
        for name in session.booked.values()
        if bookings[name].patient_id == patient_id
    )
    return next(mine, None)


def is_sole(state: CalendarState, booking: Booking) -> bool:
    """Whether a booking's cells are free without it: no other has a seat there.

    An overbooked visit takes no cells that others see.
    """
    if booking.lane >= 0:
        return not booking.lane
    session = session_at(state, booking.start, booking.visit_type)
    return session is not None and len(session.booked) == 1


def could_be_joined(moving: Booking, lane: int, busy_start: int, busy_end: int) -> bool:
    """Whether others could take a seat in time that a hold and the visit to move share.

    Of a group visit on either side: until the move, its session is open to all. A visit
    that moves at once has no such time.
    """
    if moving.lane > 0 or not (moving.lane or lane):
        return False
    return moving.busy_start < busy_end and busy_start < moving.busy_end


def overbooked(state: CalendarState, offer: Offer, start: Minute) -> Seat | Refusal:
    """The first free lane for one more visit over a time that is taken."""
    at = start // state.cell
    first, last = at - offer.before, at - offer.before + offer.span
    lanes = lanes_of(state)
    if lanes <= 1:
        return NO_OVERBOOKING
    location = state.openings.location(offer, at)
    assert location is not None, "only what is offered is taken"
    for lane in range(1, lanes):
        if not state.occupancy.sessions.is_lane_taken(lane, first, last):
            return offer.rule, location, lane
    return LANES_TAKEN


def lanes_of(state: CalendarState) -> int:
    """How many visits staff may book at one time."""
    rules = state.availability
    own = rules.lanes if rules is not None else None
    return state.policy.lanes if own is None else own


# --- what readers see ----------------------------------------------------------------


def letter_of(session: GroupSession, capacity: int) -> str:
    """The state of a session: free with its seats left, held, or booked."""
    left = capacity - session.taken()
    if left > 0:
        return seats_letter(left)
    return HELD if session.held else BOOKED


def open_starts(state: CalendarState, offer: Offer, first: int, among: int) -> int:
    """Of the starts ``among``, bit 0 for cell ``first``, sessions with a seat left."""
    found = 0
    for place in bits(among):
        session = _session_at(state, offer, first + place)
        if session is not None and session.taken() < offer.capacity:
            found |= 1 << place
    return found


def with_seats(state: CalendarState, offer: Offer, cell: int, letter: str) -> str:
    """The letter of a group visit's start, with the seats that are left."""
    if letter == FREE:
        return seats_letter(offer.capacity)
    session = _session_at(state, offer, cell)
    return letter if session is None else letter_of(session, offer.capacity)


def _session_at(state: CalendarState, offer: Offer, cell: int) -> GroupSession | None:
    return session_at(state, Minute(cell * state.cell), offer.rule.visit_type)
