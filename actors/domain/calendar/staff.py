"""Decisions about profile, rules, leaves, and the outcome of a visit.

Checking in, completing and marking no-shows follow the table in lifecycle.py, each in
its time (decision 0033).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from actors.domain.calendar import rulings
from actors.domain.calendar.lifecycle import UNDO_MS, UNDOABLE
from actors.domain.calendar.occupancy import Booking
from actors.domain.calendar.state import CalendarState
from actors.domain.calendar.stranding import Marks, marks
from actors.domain.calendar.validation import (
    TIME_OFF_MAX,
    availability_problem,
    profile_problem,
    time_off_problem,
)
from actors.domain.calendar.views import zone_of
from actors.domain.calendar.window import MINUTE_MS
from actors.domain.ids import (
    Millis,
    Minute,
    is_provider_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.refusals import (
    FINAL,
    NO_BOOKING,
    NO_TIME_OFF,
    NOT_CHECKED_IN,
    NOTHING_TO_UNDO,
    OF_A_VISIT,
    PROFILE_REPLACED,
    Refusal,
    invalid,
    too_early,
    version_behind,
)
from actors.domain.rules import Availability, Profile, TimeOff
from actors.domain.zones import zone_named


def _day_of(state: CalendarState, booking: Booking) -> Minute:
    """When the booking's day began, by the clock of its place."""
    places = state.availability.locations if state.availability else ()
    names = [p.time_zone for p in places if p.location_id == booking.location_id]
    zone = (zone_named(names[0]) if names else None) or zone_of(state)
    return zone.midnight(zone.day_of(booking.start))


def register(
    state: CalendarState, c: cm.RegisterProvider, now: Millis, version: int
) -> ev.Event | Refusal:
    """A calendar is created, or its provider's profile is replaced."""
    if not is_provider_id(state.provider_id):
        return invalid("provider_id must be prv_ and 1 to 64 of A-Z a-z 0-9 _ -")
    if c.based_on is not None and not _is_same(c.based_on, state.profile):
        return PROFILE_REPLACED
    if problem := profile_problem(c.profile) or _kind_problem(state, c.profile):
        return invalid(problem)
    return ev.ProviderRegistered(
        **ev.head(c, now, version),
        # A change of the profile is no reinstatement, and ends no suspension.
        profile=replace(c.profile, retired=state.retired, suspended=state.suspended),
    )


def _kind_problem(state: CalendarState, profile: Profile) -> str:
    """A room stays a room: its visits, and those of a person, are not the same."""
    if state.profile is None:
        return ""
    kinds = [
        one.resource.kind if one.resource is not None else None
        for one in (state.profile, profile)
    ]
    return "" if kinds[0] is kinds[1] else "this id is one of another kind"


def _is_same(read: Profile, kept: Profile | None) -> bool:
    """Whether a profile says what was read, retired or not."""
    if kept is None:
        return False
    return read == replace(kept, retired=read.retired, suspended=read.suspended)


def set_retired(
    state: CalendarState, c: cm.SetRetired, now: Millis, version: int
) -> ev.Event:
    """A provider is retired, or reinstated."""
    assert state.profile is not None, "only registered calendars decide"
    suspended = state.suspended if c.suspended is None else c.suspended
    return ev.ProviderRegistered(
        **ev.head(c, now, version),
        profile=replace(state.profile, retired=c.retired, suspended=suspended),
    )


def set_suspended(
    state: CalendarState, c: cm.SetSuspended, now: Millis, version: int
) -> ev.Event:
    """A provider is suspended, or is not any more."""
    assert state.profile is not None, "only registered calendars decide"
    return ev.ProviderRegistered(
        **ev.head(c, now, version),
        profile=replace(state.profile, suspended=c.suspended),
    )


def set_availability(
    state: CalendarState, c: cm.SetAvailability, now: Millis, version: int
) -> ev.Event | Refusal:
    """The opening rules are replaced, unless others were set since."""
    if 0 < c.known < state.rules_version:
        return version_behind(state.rules_version)
    if problem := availability_problem(c.availability, state.policy):
        return invalid(problem)
    if state.is_resource and c.availability.visit_types:
        return invalid("rooms and equipment have hours, but no visit types")
    return ev.AvailabilitySet(
        **ev.head(c, now, version),
        availability=c.availability,
        stranded=marks(state, c.availability, state.time_off.values(), now),
    )


def add_time_off(
    state: CalendarState, c: cm.AddTimeOff, now: Millis, version: int
) -> ev.Event | Refusal:
    """A leave is added; affected visits are marked."""
    problem = time_off_problem(c.start, c.end, c.reason)
    if c.time_off_id in state.time_off:
        problem = "this time_off_id is already in use"
    elif len(state.time_off) >= TIME_OFF_MAX:
        problem = f"at most {TIME_OFF_MAX} times off; remove some"
    if problem:
        return invalid(problem)
    leave = TimeOff(c.time_off_id, c.start, c.end, c.reason)
    leaves = (*state.time_off.values(), leave)
    return ev.TimeOffAdded(
        **ev.head(c, now, version),
        time_off=leave,
        stranded=_marks_of_leave(state, leave, leaves, now),
    )


def _marks_of_leave(
    state: CalendarState, leave: TimeOff, leaves: Iterable[TimeOff], now: Millis
) -> Marks:
    rules = state.availability or Availability()
    return marks(state, rules, leaves, now, (leave.start, leave.end))


def remove_time_off(
    state: CalendarState, c: cm.RemoveTimeOff, now: Millis, version: int
) -> ev.Event | Refusal:
    """A leave is removed; visits it affected are unmarked."""
    leave = state.time_off.get(c.time_off_id)
    if leave is None:
        return NO_TIME_OFF
    others = [off for off in state.time_off.values() if off is not leave]
    return ev.TimeOffRemoved(
        **ev.head(c, now, version),
        time_off_id=c.time_off_id,
        stranded=_marks_of_leave(state, leave, others, now),
    )


def _too_early(
    state: CalendarState,
    c: cm.CheckIn | cm.CompleteVisit | cm.MarkNoShow,
    booking: Booking,
    now: Millis,
) -> Refusal | None:
    """Whether it is too early for this outcome."""
    if state.policy.early_outcomes or now >= booking.start * MINUTE_MS:
        return None
    if isinstance(c, cm.MarkNoShow):
        return too_early(booking.start)
    opens = _day_of(state, booking)
    return too_early(opens) if now < opens * MINUTE_MS else None


def undo(
    state: CalendarState, c: cm.UndoOutcome, now: Millis, version: int
) -> ev.Event | Refusal:
    """The last recorded outcome of a visit is undone."""
    booking = state.occupancy.bookings.get(c.booking_id)
    if booking is None:
        return NO_BOOKING
    if booking.status not in UNDOABLE or not booking.past:
        return NOTHING_TO_UNDO
    status, at = booking.past[-1]
    if now - at > UNDO_MS:
        return FINAL
    return ev.OutcomeUndone(
        **ev.head(c, now, version),
        booking_id=c.booking_id,
        patient_id=booking.patient_id,
        status=status,
    )


def check_in(
    state: CalendarState, c: cm.CheckIn, now: Millis, version: int
) -> ev.Event | Refusal:
    """The patient of a visit has arrived."""
    return _mark_visit(state, c, ev.PatientArrived, now, version)


def complete(
    state: CalendarState, c: cm.CompleteVisit, now: Millis, version: int
) -> ev.Event | Refusal:
    """A visit is completed."""
    booking = state.occupancy.bookings.get(c.booking_id)
    if booking is not None and booking.status is BookingStatus.BOOKED:
        # An accidental request must not complete a visit whose patient never came.
        if not c.without_check_in:
            return NOT_CHECKED_IN
        return _marked(state, c, ev.VisitCompleted, booking, now, version)
    return _mark_visit(state, c, ev.VisitCompleted, now, version)


def mark_no_show(
    state: CalendarState, c: cm.MarkNoShow, now: Millis, version: int
) -> ev.Event | Refusal:
    """A patient did not come."""
    return _mark_visit(state, c, ev.NoShowMarked, now, version)


def _mark_visit(
    state: CalendarState,
    c: cm.CheckIn | cm.CompleteVisit | cm.MarkNoShow,
    event: type[ev.PatientArrived | ev.VisitCompleted | ev.NoShowMarked],
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    booking = rulings.own_booking(state, c.booking_id, None, type(c), proxy=c.proxy)
    if isinstance(booking, Refusal):
        return booking
    return _marked(state, c, event, booking, now, version)


def _marked(
    state: CalendarState,
    c: cm.CheckIn | cm.CompleteVisit | cm.MarkNoShow,
    event: type[ev.PatientArrived | ev.VisitCompleted | ev.NoShowMarked],
    booking: Booking,
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    if booking.visit is not None:
        return OF_A_VISIT
    if early := _too_early(state, c, booking, now):
        return early
    return event(
        **ev.head(c, now, version),
        booking_id=c.booking_id,
        patient_id=booking.patient_id,
    )
