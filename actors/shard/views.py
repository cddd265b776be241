"""What a calendar shows: to a read, after a command, and to watchers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.domain.calendar import views
from actors.domain.calendar.delta import change_of, holds_of
from actors.domain.calendar.holding import groups
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import (
    Answer,
    Done,
    NextFreeView,
    NextStarts,
    Reply,
    SlotsView,
    Unchanged,
)
from actors.domain.messages.changes import CalendarChange
from actors.domain.messages.commands import AbortGroup, Command, ResolveGroup
from actors.domain.messages.events import (
    AvailabilitySet,
    BookingCancelled,
    BookingRescheduled,
    ConfidentialSet,
    Event,
    HoldExtended,
    HoldOffered,
    HoldPlaced,
    NoShowMarked,
    OutcomeUndone,
    PatientArrived,
    SlotBooked,
    TimeOffAdded,
    VisitCompleted,
)
from actors.domain.messages.reads import (
    ReadBooking,
    ReadEffect,
    ReadFits,
    ReadGroups,
    ReadHold,
    ReadProvider,
    ReadSchedule,
    ReadSlots,
    ReadWeek,
)

_OF_BOOKINGS = (
    SlotBooked,
    ConfidentialSet,
    BookingCancelled,
    BookingRescheduled,
    PatientArrived,
    VisitCompleted,
    NoShowMarked,
    OutcomeUndone,
)
OneRead = (
    ReadSlots
    | ReadWeek
    | ReadFits
    | ReadSchedule
    | ReadHold
    | ReadBooking
    | ReadGroups
    | ReadProvider
    | ReadEffect
)
"""Questions about one calendar."""


def view_of(  # noqa: C901, PLR0911, PLR0912 - a case for each
    state: CalendarState, read: OneRead
) -> Reply:
    """The calendar's answer to a question about it alone."""
    match read:
        case ReadSlots():
            return _slots(state, read)
        case ReadWeek():
            return views.week(state, read.visit_type, read.week)
        case ReadFits():
            return views.fits(state, read)
        case ReadSchedule():
            return views.schedule(state, read.first, read.last)
        case ReadHold():
            return views.hold(state, read.hold_id, read.owner, proxy=read.proxy)
        case ReadBooking():
            return views.booking(state, read.booking_id)
        case ReadGroups(group_id=group_id):
            return groups.of(state, group_id)
        case ReadProvider():
            return views.provider(state)
        case ReadEffect():
            return views.effect(state, read)


def _slots(state: CalendarState, read: ReadSlots) -> Reply:
    if read.known == (state.epoch, state.version) and read.moving is None:
        return Unchanged(state.provider_id, state.epoch, state.version)
    found = views.slots(state, read.visit_type, read.first, read.last, read.location_id)
    if read.moving is None or not isinstance(found, SlotsView):
        return found
    return views.slots_to_move(state, found, read.moving, read.owner, proxy=read.proxy)


def view_after(state: CalendarState, command: Command, event: Event | None) -> Answer:
    """What a command without a key is answered with, just after its last event."""
    if isinstance(command, ResolveGroup):
        return groups.view(state, command.group_id, command.member)
    if isinstance(command, AbortGroup):
        return groups.view(state, command.group_id)
    if isinstance(event, HoldPlaced | HoldExtended | HoldOffered):
        return views.hold(state, event.hold_id)
    if isinstance(event, _OF_BOOKINGS):
        return views.booking(state, event.booking_id)
    if isinstance(event, TimeOffAdded):
        return state.time_off_view(event.time_off)
    if isinstance(event, AvailabilitySet):
        return state.rules_view(event.at)
    return Done(state.provider_id, state.epoch, state.version)


def change_after(
    state: CalendarState,
    events: Sequence[Event],
    seq: int,
    *,
    with_slots: bool,
    starts: NextStarts | None = None,
) -> CalendarChange:
    """One calendar's part of a batch, durable at ``seq``, as watchers receive it."""
    slots, bookings, reread = change_of(state, events, with_slots=with_slots)
    holds, ended = holds_of(state, events)
    left, known = state.left, state.groups
    doubts, owed = groups.changed(state, events) if known.are_open else ([], [])
    return CalendarChange(
        state.provider_id,
        state.version,
        seq,
        slots,
        bookings,
        reread or left is not None,
        ShardId("") if left is None else left.to_shard,
        holds,
        ended,
        starts,
        doubts,
        owed,
    )


def next_free_of(states: Iterable[CalendarState], count: int = 0) -> NextFreeView:
    """The soonest free start of each calendar, and of which visit type it is.

    ``count``: the number of next starts of each visit type.
    """
    next_starts: dict[ProviderId, NextStarts] = {}
    positions: dict[ProviderId, tuple[int, int]] = {}
    starts: dict[ProviderId, Minute | None] = {}
    kinds: dict[ProviderId, VisitTypeId] = {}
    for state in states:
        free = views.next_free(state)
        kind = min(free, key=free.__getitem__, default=None)
        starts[state.provider_id] = None if kind is None else free[kind]
        if kind is not None:
            kinds[state.provider_id] = kind
        if count:
            next_starts[state.provider_id] = views.next_starts(state, count)
            positions[state.provider_id] = state.epoch, state.version
    return NextFreeView(starts, kinds, next_starts, positions)
