"""The effect of each event on the state of a calendar.

Rule 1: ``apply`` never refuses, and reads neither clock nor rules nor tzdata.
Rule 2: two holds never share a cell, nor do two blocking bookings, buffers included;
        ``apply`` relies on it when it gives cells back. Lanes: sessions.py.

One file because it is one table: an event, and its effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.domain.calendar.at_rest import Departure, unpack
from actors.domain.calendar.holding.grouped import is_member
from actors.domain.calendar.holding.renewals import LatelyHeld
from actors.domain.calendar.lifecycle import LIVE
from actors.domain.calendar.occupancy import NEVER, Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import HoldId, Millis, Minute, PatientId
from actors.domain.messages import events as ev
from actors.domain.messages.answers import Answer, BookingStatus, Done
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Availability, Group, Profile, TimeOff
from actors.domain.time.grid import PAGE_MINUTES

EXPIRED_MAX = 512
"""How many expired holds are remembered, so that their owners are answered
``hold_expired`` and not ``hold_not_found``: the last quarter of an hour of a busy
calendar."""

NO_PATIENT = PatientId("")
"""Whose a slot is that only the waiting list has."""

KEPT_DAYS = 400
"""Bookings that ended longer ago are forgotten (the read model keeps them)."""

USUAL_PAUSE_DAYS = 35
"""A window that advances by more in one go may follow a wrong clock."""

ADVANCES_MAX = 8
"""Bound on remembered advances of the window: a batch has one."""


def apply(state: CalendarState, event: ev.Event, epoch: int) -> None:
    """Apply an event to a calendar's state. Cannot fail.

    ``epoch`` is the ownership under which it was journaled; answers repeat it.
    """
    state.epoch = epoch
    applier = _APPLIERS.get(type(event))
    if applier is None:
        _UNCOUNTED[type(event)](state, event)
        return
    assert event.version == state.version + 1, "an event is missing"
    state.version = event.version
    outcome = applier(state, event)
    if event.key:
        answer = _answer_of(state, outcome, event.at)
        state.answers.put(event.key, (event.fingerprint, event.at, answer))


def _answer_of(
    state: CalendarState,
    outcome: Hold | Booking | TimeOff | Availability | None,
    at: Millis,
) -> Answer:
    if outcome is None:
        return Done(state.provider_id, state.epoch, state.version)
    if type(outcome) is Booking:
        return state.booking_view(outcome)
    if type(outcome) is Hold:
        return state.hold_view(outcome)
    if type(outcome) is TimeOff:
        return state.time_off_view(outcome)
    return state.rules_view(at)


def _on_refused(state: CalendarState, event: ev.RefusalRecorded) -> None:
    refusal = Refusal(RefusalCode(event.code), event.detail, event.about)
    state.answers.put(event.key, (event.fingerprint, event.at, refusal))
    if event.group_id is not None:
        state.groups.over(event.group_id, event.at)


def _on_clock(state: CalendarState, _event: ev.ClockTrusted) -> None:
    state.quiet_until = state.window


def _on_moved_out(state: CalendarState, event: ev.CalendarMovedOut) -> None:
    assert event.version == state.version, "an event is missing"
    state.left = Departure(event.to_shard, event.seq, state.epoch)


def _on_moved_in(state: CalendarState, event: ev.CalendarMovedIn) -> None:
    """Replace the whole state: after a return the state kept here is older."""
    assert event.version >= state.version, "a calendar never goes back"
    state.replace_with(unpack(event.state)[0])


def _on_registered(state: CalendarState, event: ev.ProviderRegistered) -> None:
    clinic = event.profile.clinic
    if state.profile is not None:
        was = state.profile.clinic
        # Another zone shows other days; another clinic has other readers.
        if (was.time_zone, was.clinic_id) != (clinic.time_zone, clinic.clinic_id):
            state.clinic_moved = event.version
        if _closing(state.profile) != _closing(event.profile):
            state.clinic_moved = event.version
            state.rules_changed()
    state.profile = event.profile
    state.registered = True


def _closing(profile: Profile) -> tuple[bool, bool]:
    return profile.retired, profile.suspended


def _on_availability(state: CalendarState, event: ev.AvailabilitySet) -> Availability:
    state.availability = event.availability
    state.rules_version = event.version
    state.fresh = True
    state.rules_changed()
    state.mark_stranded(event.stranded)
    return event.availability


def _on_time_off(state: CalendarState, event: ev.TimeOffAdded) -> TimeOff:
    state.time_off[event.time_off.time_off_id] = event.time_off
    state.rules_changed()
    state.mark_stranded(event.stranded)
    return event.time_off


def _on_time_on(state: CalendarState, event: ev.TimeOffRemoved) -> None:
    state.time_off.pop(event.time_off_id, None)
    state.rules_changed()
    state.mark_stranded(event.stranded)


def _on_held(state: CalendarState, event: ev.HoldPlaced) -> Hold:
    occupancy = state.occupancy
    hold = Hold(
        event.hold_id,
        event.patient_id,
        event.visit_type,
        event.start,
        event.end,
        event.busy_start,
        event.busy_end,
        event.expires,
        event.location_id,
        placed=event.at,
        moving=event.moving,
        lane=event.lane,
    )
    if event.group is not None:
        hold.group = event.group
        if is_member(event.group, state.provider_id):
            _stick(hold)
            occupancy.add_hold(hold)
            occupancy.mark(event.version, hold.busy_start, hold.busy_end)
            return hold
    occupancy.add_hold(hold)
    held = LatelyHeld(event.at, hold.busy_start, hold.busy_end)
    occupancy.renewals.note(hold.patient_id, held)
    occupancy.mark(event.version, hold.busy_start, hold.busy_end)
    return hold


def _stick(hold: Hold) -> None:
    """A member's hold blocks without end; at its deadline it becomes doubtful."""
    hold.offered, hold.expires = hold.expires, NEVER


def _on_extended(state: CalendarState, event: ev.HoldExtended) -> Hold:
    hold = state.occupancy.holds[event.hold_id]
    hold.expires = event.expires
    hold.extended = True
    hold.extensions += 1
    state.occupancy.wait_for(hold)
    state.occupancy.wait()
    return hold


def _on_waiting(state: CalendarState, event: ev.WaitingSet) -> None:
    state.waiting = event.waiting


def _on_reserved(state: CalendarState, event: ev.SlotReserved) -> Hold:
    hold = Hold(
        event.hold_id,
        NO_PATIENT,
        event.visit_type,
        event.start,
        event.end,
        event.busy_start,
        event.busy_end,
        event.expires,
        event.location_id,
        placed=event.at,
        reserved=True,
        freed_by=event.booking_id,
        lane=event.lane,
    )
    state.occupancy.add_hold(hold)
    state.occupancy.mark(event.version, hold.busy_start, hold.busy_end)
    return hold


def _on_offered(state: CalendarState, event: ev.HoldOffered) -> Hold:
    hold = state.occupancy.holds[event.hold_id]
    hold.expires, hold.offered = event.expires, event.offered
    hold.offers += 1
    _give(state, hold, event.patient_id)
    return hold


def _on_returned(state: CalendarState, event: ev.HoldReturned) -> None:
    hold = state.occupancy.holds[event.hold_id]
    hold.offered = Millis(0)
    _give(state, hold, NO_PATIENT)
    if not event.declined:
        _remember_expired(state, event.hold_id, event.patient_id)


def _give(state: CalendarState, hold: Hold, patient_id: PatientId) -> None:
    occupancy = state.occupancy
    occupancy.give_to(patient_id, hold)
    occupancy.wait_for(hold)
    occupancy.wait()


def _on_released(state: CalendarState, event: ev.HoldReleased) -> None:
    hold = state.occupancy.end_hold(event.hold_id, event.version)
    if hold.group is not None:
        _end_of_group(state, hold, hold.group, event.at)


def _end_of_group(
    state: CalendarState,
    hold: Hold,
    group: Group,
    at: Millis,
    used: Group | None = None,
) -> None:
    """A group's hold is over; at its primary that decides, unless it is ``used``."""
    if is_member(group, state.provider_id):
        state.groups.doubtful.pop(hold.hold_id, None)
    elif used != group:
        state.groups.over(group.group_id, at)


def _on_doubted(state: CalendarState, event: ev.HoldDoubted) -> None:
    occupancy = state.occupancy
    hold = occupancy.holds[event.hold_id]
    hold.offered = Millis(0)
    occupancy.wait_for(hold)
    occupancy.wait()
    state.groups.doubtful[event.hold_id] = event.group


def _on_aborted(state: CalendarState, event: ev.GroupAborted) -> None:
    state.groups.over(event.group_id, event.at)


def _on_settled(state: CalendarState, event: ev.GroupSettled) -> None:
    state.groups.settled(event.booking_id, event.settled)


def _on_expired(state: CalendarState, event: ev.HoldExpired) -> None:
    hold = state.occupancy.end_hold(event.hold_id, event.version)
    if hold.group is not None:
        _end_of_group(state, hold, hold.group, event.at)
    _remember_expired(state, hold.hold_id, hold.patient_id)


def _remember_expired(
    state: CalendarState, hold_id: HoldId, patient_id: PatientId
) -> None:
    expired = state.expired
    expired[hold_id] = patient_id
    if len(expired) > EXPIRED_MAX:
        for oldest in list(expired)[: EXPIRED_MAX // 4]:
            del expired[oldest]


def _on_booked(state: CalendarState, event: ev.SlotBooked) -> Booking:
    occupancy = state.occupancy
    stranded = ""
    if event.hold_id is not None:
        hold = occupancy.end_hold(event.hold_id, event.version)
        if hold.group is not None:
            _end_of_group(state, hold, hold.group, event.at, event.group)
            stranded = hold.stranded  # a member's part is booked even so
    booking = Booking(
        event.booking_id,
        event.patient_id,
        event.visit_type,
        event.start,
        event.end,
        event.busy_start,
        event.busy_end,
        event.location_id,
        event.at,
        event.reason,
        hold_id=event.hold_id,
        confidential=event.confidential,
        lane=event.lane,
    )
    if event.group is not None:
        booking.group, booking.visit = event.group, event.visit
        booking.stranded = stranded
        _book_group(state, event, event.group)
    occupancy.add_booking(booking)
    occupancy.renewals.booked(booking.patient_id, booking.busy_start, booking.busy_end)
    occupancy.mark(event.version, booking.busy_start, booking.busy_end)
    return booking


def _book_group(
    state: CalendarState, event: ev.SlotBooked | ev.BookingRescheduled, group: Group
) -> None:
    """A primary's booking decides for its group; a member's pays what was owed."""
    if not is_member(group, state.provider_id):
        state.groups.booked(group, event.booking_id, event.at, event.version, event.by)


def _on_cancelled(state: CalendarState, event: ev.BookingCancelled) -> Booking:
    occupancy = state.occupancy
    booking = occupancy.bookings[event.booking_id]
    occupancy.free(booking)
    booking.status = BookingStatus.CANCELLED
    booking.cancel_reason = event.reason
    booking.past = ()
    booking.stranded = ""
    if booking.group is not None:
        group, name = booking.group, event.booking_id
        state.groups.given_up(group, name, event.version, event.by)
    occupancy.mark(event.version, booking.busy_start, booking.busy_end)
    return booking


def _on_moved(state: CalendarState, event: ev.BookingRescheduled) -> Booking:
    occupancy = state.occupancy
    booking = occupancy.bookings[event.booking_id]
    if event.hold_id is not None:
        hold = occupancy.end_hold(event.hold_id, event.version)
        if state.waiting is not None:
            occupancy.hold_again(hold)
        booking.hold_id = event.hold_id
        if hold.group is not None:
            _end_of_group(state, hold, hold.group, event.at, event.group)
    if booking.group is not None:
        group, name = booking.group, event.booking_id
        state.groups.given_up(group, name, event.version, event.by)
        booking.group = None
    if event.group is not None:
        _book_group(state, event, event.group)
        booking.group = event.group
    occupancy.remove_booking(booking)
    occupancy.mark(event.version, booking.busy_start, booking.busy_end)
    booking.stranded = ""
    booking.visit_type = event.visit_type
    booking.start = event.start
    booking.end = event.end
    booking.busy_start = event.busy_start
    booking.busy_end = event.busy_end
    booking.location_id = event.location_id
    booking.lane = event.lane
    occupancy.add_booking(booking)
    occupancy.mark(event.version, booking.busy_start, booking.busy_end)
    occupancy.renewals.booked(booking.patient_id, booking.busy_start, booking.busy_end)
    return booking


def _on_confidential(state: CalendarState, event: ev.ConfidentialSet) -> Booking:
    booking = state.occupancy.bookings[event.booking_id]
    booking.confidential = event.confidential
    return booking


def _on_arrived(state: CalendarState, event: ev.PatientArrived) -> Booking:
    return _set_status(state, event, BookingStatus.ARRIVED)


def _on_fulfilled(state: CalendarState, event: ev.VisitCompleted) -> Booking:
    return _set_status(state, event, BookingStatus.FULFILLED)


def _on_noshow(state: CalendarState, event: ev.NoShowMarked) -> Booking:
    return _set_status(state, event, BookingStatus.NOSHOW)


def _set_status(
    state: CalendarState, event: ev.Outcome, status: BookingStatus
) -> Booking:
    booking = state.occupancy.bookings[event.booking_id]
    booking.past = (*booking.past, (booking.status, event.at))
    booking.status = status
    if status not in LIVE:
        booking.stranded = ""
    return booking


def _on_undone(state: CalendarState, event: ev.OutcomeUndone) -> Booking:
    booking = state.occupancy.bookings[event.booking_id]
    booking.past = booking.past[:-1]
    booking.status = event.status
    return booking


def _on_window(state: CalendarState, event: ev.WindowAdvanced) -> None:
    state.advances[event.version] = state.window
    if len(state.advances) > ADVANCES_MAX:
        del state.advances[next(iter(state.advances))]
    state.window = state.quiet_until = event.until
    state.fresh = False
    # A window that was advanced by a wrong clock must not cause bookings to be
    # dropped.
    ahead = event.until - state.passed
    if state.passed and ahead > USUAL_PAUSE_DAYS * 24 * 60:
        state.passed = Minute(state.passed + 24 * 60)
    else:
        state.passed = event.until
    _forget(state, Minute(state.passed - KEPT_DAYS * 24 * 60))


def _forget(state: CalendarState, before: Minute) -> None:
    """Drop whole weeks of bookings, and leaves, that ended before."""
    old = [
        page
        for page in state.occupancy.starting
        if (page + 1) * PAGE_MINUTES + 24 * 60 <= before
    ]
    for page in old:
        for booking_id in list(state.occupancy.starting[page]):
            state.occupancy.remove_booking(state.occupancy.bookings[booking_id])
    ended = [off.time_off_id for off in state.time_off.values() if off.end <= before]
    for time_off_id in ended:
        del state.time_off[time_off_id]


_APPLIERS: dict[type, Callable[[CalendarState, Any], Any]] = {
    ev.ProviderRegistered: _on_registered,
    ev.AvailabilitySet: _on_availability,
    ev.TimeOffAdded: _on_time_off,
    ev.TimeOffRemoved: _on_time_on,
    ev.HoldPlaced: _on_held,
    ev.HoldExtended: _on_extended,
    ev.HoldReleased: _on_released,
    ev.HoldExpired: _on_expired,
    ev.WaitingSet: _on_waiting,
    ev.SlotReserved: _on_reserved,
    ev.HoldOffered: _on_offered,
    ev.HoldReturned: _on_returned,
    ev.HoldDoubted: _on_doubted,
    ev.GroupAborted: _on_aborted,
    ev.GroupSettled: _on_settled,
    ev.SlotBooked: _on_booked,
    ev.BookingCancelled: _on_cancelled,
    ev.BookingRescheduled: _on_moved,
    ev.ConfidentialSet: _on_confidential,
    ev.PatientArrived: _on_arrived,
    ev.VisitCompleted: _on_fulfilled,
    ev.NoShowMarked: _on_noshow,
    ev.OutcomeUndone: _on_undone,
    ev.WindowAdvanced: _on_window,
}

_UNCOUNTED: dict[type, Callable[[CalendarState, Any], None]] = {
    ev.RefusalRecorded: _on_refused,
    ev.ClockTrusted: _on_clock,
    ev.CalendarMovedOut: _on_moved_out,
    ev.CalendarMovedIn: _on_moved_in,
}
"""Events that change nothing visible and do not raise the version."""
