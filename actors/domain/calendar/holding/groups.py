"""Decisions about groups: several calendars booked as one (decision 0100).

The group's primary holds last and decides for all: by booking its own hold, or against
the group by a tombstone in its journal. A member holds until it is told the outcome.
Coordinators and resolvers tell it, once the primary has answered. All of it may be
repeated, late or by several at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors.domain.calendar.holding.grouped import Decided, is_member
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    GroupId,
    HoldId,
    Millis,
    PatientId,
    ProviderId,
    booking_id,
    hold_id,
    is_group_id,
    provider_of,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import (
    NEEDS_MEMBERS,
    BookingStatus,
    Doubt,
    GroupState,
    GroupsView,
    GroupView,
    Owed,
)
from actors.domain.messages.refusals import (
    GROUP_OVER,
    NO_BOOKING,
    NO_HOLD,
    Refusal,
    hold_confirmed,
    hold_is_for_moving,
    invalid,
    wrong_status,
)
from actors.domain.rules import Group

MEMBERS_MAX = 8
"""Members of a group besides its primary."""
_NO_ID = "a group's id has 1 to 32 of A-Z a-z 0-9 _ -"


def hold_problem(state: CalendarState, c: cm.PlaceHold, group: Group) -> Refusal | None:
    """Why a group's hold is refused before its slot is looked at."""
    if problem := _malformed(state, c, group):
        return invalid(problem)
    if is_member(group, state.provider_id):
        mine = booking_id(state.provider_id, group.group_id)
        used = mine in state.occupancy.bookings
        return hold_confirmed(mine) if used else None
    decided = state.groups.outcomes.get(group.group_id)
    if decided is None:
        return None
    if decided.booking_id is not None:
        return hold_confirmed(decided.booking_id)
    return GROUP_OVER


def _malformed(state: CalendarState, c: cm.PlaceHold, group: Group) -> str:
    here = state.provider_id
    if not is_group_id(group.group_id):
        return _NO_ID
    if c.hold_id != hold_id(here, group.group_id):
        return "a group's hold has the group's id as token"
    if is_member(group, here):
        return "" if not c.patient_id else "a member is not told the patient"
    if not c.patient_id:
        return "a group's primary is told the patient"
    return _members_problem(state, group)


def _members_problem(state: CalendarState, group: Group) -> str:
    here, members = state.provider_id, group.members
    if not 0 < len(members) <= MEMBERS_MAX:
        return f"a group's primary is told its 1 to {MEMBERS_MAX} members"
    if here in members or len(set(members)) != len(members):
        return "a group's members are others than its primary, and each is named once"
    return ""


def joined(state: CalendarState, group: Group | None) -> Group | Refusal:
    """The group with which a time is booked that its primary has kept without it.

    That is an offer of the waiting list, or an overbooked visit. The members are held
    by now; it is refused once the group is decided.
    """
    if group is None:
        return NEEDS_MEMBERS
    if not is_group_id(group.group_id):
        return invalid(_NO_ID)
    if group.primary != state.provider_id:
        return invalid("a group is booked at its primary")
    if problem := _members_problem(state, group):
        return invalid(problem)
    if _own_hold(state, group.group_id) is not None:
        return invalid("this group has a hold here, which is confirmed")
    decided = decision_of(state, group.group_id)
    if decided is None:
        return group
    if decided.booking_id is not None:
        return hold_confirmed(decided.booking_id)
    return GROUP_OVER


def moved_here(state: CalendarState, moving: BookingId) -> Booking | Refusal:
    """A member's booking that a hold of the visit's next group is to replace."""
    booking = state.occupancy.bookings.get(moving)
    if booking is None or booking.visit is None:
        return NO_BOOKING
    if booking.status is not BookingStatus.BOOKED:
        return wrong_status(booking.status.value)
    return booking


def decision_of(state: CalendarState, group_id: GroupId) -> Decided | None:
    """What this calendar has decided as a group's primary, if anything yet."""
    decided = state.groups.outcomes.get(group_id)
    if decided is not None:
        return decided
    # An outcome is forgotten after some days, its booking after a year.
    for booking in state.occupancy.bookings.values():
        group = booking.group
        if group is not None and booking.visit is None and group.group_id == group_id:
            name = booking.booking_id
            return Decided(booking.booked_at, name, group.members)
    return None


def refused_group(state: CalendarState, command: cm.Command) -> GroupId | None:
    """The group that a refusal of this command decides against, if any."""
    if not isinstance(command, cm.PlaceHold) or command.group is None:
        return None
    group_id = command.group.group_id
    if is_member(command.group, state.provider_id) or not is_group_id(group_id):
        return None
    is_open = _own_hold(state, group_id) is None
    return group_id if is_open and group_id not in state.groups.outcomes else None


def _own_hold(state: CalendarState, group_id: GroupId) -> Hold | None:
    return state.occupancy.holds.get(hold_id(state.provider_id, group_id))


def abort(
    state: CalendarState, c: cm.AbortGroup, now: Millis, version: int
) -> ev.Event | Refusal | None:
    """The primary decides against a group that it has not booked."""
    return _decide_against(state, c, now, version, spare=False)


def resolve(
    state: CalendarState, c: cm.ResolveGroup, now: Millis, version: int
) -> ev.Event | Refusal | None:
    """The primary decides against a group that it neither holds nor has booked."""
    return _decide_against(state, c, now, version, spare=True)


def _decide_against(
    state: CalendarState,
    c: cm.AbortGroup | cm.ResolveGroup,
    now: Millis,
    version: int,
    *,
    spare: bool,
) -> ev.Event | Refusal | None:
    """``spare``: a live hold stays. None: it is decided already, or held."""
    if not is_group_id(c.group_id):
        return invalid(_NO_ID)
    hold = _own_hold(state, c.group_id)
    if hold is not None and is_member(hold.group, state.provider_id):
        return invalid("ask the group's primary, not a member")
    if hold is not None and (spare or hold.expires <= now):
        return None  # a hold that is due ends by itself, which decides as well
    if hold is not None:
        return ev.HoldReleased(
            provider_id=state.provider_id,
            at=now,
            version=version,
            by=c.by,
            hold_id=hold.hold_id,
            patient_id=hold.patient_id,
        )
    if decision_of(state, c.group_id) is not None:
        return None
    return ev.GroupAborted(
        provider_id=state.provider_id,
        at=now,
        version=version,
        by=c.by,
        group_id=c.group_id,
    )


def settle(
    state: CalendarState, c: cm.SettleGroup, now: Millis, version: int
) -> ev.Event | Refusal | None:
    """What a booking owed up to a version was paid."""
    debts = state.groups.owed.get(c.booking_id, ())
    if not debts or debts[0].version > c.settled:
        return None
    return ev.GroupSettled(
        **ev.head(c, now, version), booking_id=c.booking_id, settled=c.settled
    )


def confirm(
    state: CalendarState,
    c: cm.ConfirmHold,
    visit: BookingId,
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    """A member's hold becomes its part of the visit, whatever its deadline and rules.

    The primary has booked: nothing may stand in the way any more.
    """
    hold = state.occupancy.holds.get(c.hold_id)
    if hold is None or hold.group is None:
        known = state.occupancy.bookings.get(c.booking_id)
        is_paid = known is not None and known.visit is not None
        return hold_confirmed(c.booking_id) if is_paid else NO_HOLD
    group = hold.group
    if not is_member(group, state.provider_id) or provider_of(visit) != group.primary:
        return invalid("visit must name a booking of the group's primary")
    if c.booking_id != booking_id(state.provider_id, group.group_id):
        return invalid("a member's booking has the group's id as token")
    first, last = hold.busy_start // state.cell, hold.busy_end // state.cell
    meets = not hold.lane and state.occupancy.booked.hits(first, last)
    if hold.moving is not None and meets:
        return hold_is_for_moving(hold.moving)  # what it replaces is cancelled first
    return ev.SlotBooked(
        **ev.head(c, now, version),
        booking_id=c.booking_id,
        patient_id=PatientId(""),
        visit_type=hold.visit_type,
        start=hold.start,
        end=hold.end,
        busy_start=hold.busy_start,
        busy_end=hold.busy_end,
        location_id=hold.location_id,
        hold_id=hold.hold_id,
        group=group,
        visit=visit,
        lane=hold.lane,
    )


def release(
    state: CalendarState, c: cm.ReleaseHold, hold: Hold, now: Millis, version: int
) -> ev.Event | Refusal:
    """A member's hold ends: its group is over."""
    group = hold.group
    if group is None or not is_member(group, state.provider_id):
        return NO_HOLD
    if group.group_id != c.group:
        return NO_HOLD
    return ev.HoldReleased(**ev.head(c, now, version), hold_id=hold.hold_id)


def cancel(
    state: CalendarState,
    c: cm.CancelBooking,
    group_id: GroupId,
    now: Millis,
    version: int,
) -> ev.Event | Refusal:
    """A member's part of a visit that was cancelled, or moved away."""
    booking = state.occupancy.bookings.get(c.booking_id)
    if booking is None or booking.group is None or booking.visit is None:
        return NO_BOOKING
    if booking.group.group_id != group_id:
        return NO_BOOKING
    if booking.status is BookingStatus.CANCELLED:
        return wrong_status(booking.status.value)
    return ev.BookingCancelled(
        **ev.head(c, now, version),
        booking_id=c.booking_id,
        by_patient=False,
        group=booking.group,
    )


def view(
    state: CalendarState, group_id: GroupId, member: ProviderId | None = None
) -> GroupView:
    """A group as this calendar, its primary, has decided; for a member, of its part."""
    place = state.provider_id, state.epoch, state.version, group_id
    hold = _own_hold(state, group_id)
    if hold is not None and hold.group is not None:
        members = hold.group.members
        pending = GroupState.PENDING
        return GroupView(*place, pending, expires=hold.expires, members=members)
    decided = decision_of(state, group_id)
    if decided is None:
        return GroupView(*place, GroupState.PENDING)
    name, members = decided.booking_id, decided.members
    if name is None or (member and member not in members):
        return GroupView(*place, GroupState.OVER)
    owed = state.groups.owed.get(name, ())
    return GroupView(*place, GroupState.BOOKED, name, owed=owed, members=members)


def of(state: CalendarState, group_id: GroupId | None) -> GroupsView | GroupView:
    """What is not settled; or how one group stands."""
    return unsettled(state) if group_id is None else view(state, group_id)


def unsettled(state: CalendarState) -> GroupsView:
    """The doubts of a calendar's holds, and the debts of its bookings."""
    known = state.groups
    return GroupsView(
        state.provider_id,
        state.epoch,
        state.version,
        tuple(Doubt(name, group) for name, group in known.doubtful.items()),
        tuple(Owed(name, debts) for name, debts in known.owed.items()),
    )


def changed(
    state: CalendarState, events: Iterable[ev.Event]
) -> tuple[list[Doubt], list[Owed]]:
    """What a batch left unsettled: doubts that arose, bookings with new debts."""
    doubts: dict[HoldId, Doubt] = {}
    owed: dict[BookingId, Owed] = {}
    for event in events:
        if isinstance(event, ev.HoldDoubted) and event.hold_id in state.groups.doubtful:
            doubts[event.hold_id] = Doubt(event.hold_id, event.group)
        elif isinstance(event, _OWING):
            debts = state.groups.owed.get(event.booking_id)
            if debts:
                owed[event.booking_id] = Owed(event.booking_id, debts)
    return list(doubts.values()), list(owed.values())


_OWING = (ev.SlotBooked, ev.BookingCancelled, ev.BookingRescheduled)
