"""What a calendar shows: to a question, after a command, to those who watch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of, holds_of
from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import Answer, Done, NextFreeView, Reply, SlotsView
from actors.domain.messages.changes import CalendarChange
from actors.domain.messages.events import (
    AvailabilitySet,
    BookingCancelled,
    BookingRescheduled,
    Event,
    HoldExtended,
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
    ReadHold,
    ReadProvider,
    ReadSchedule,
    ReadSlots,
    ReadWeek,
)

_OF_BOOKINGS = (
    SlotBooked,
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
    | ReadSchedule
    | ReadHold
    | ReadBooking
    | ReadProvider
    | ReadEffect
)
"""Questions about one calendar."""


def view_of(calendar: Calendar, read: OneRead) -> Reply:
    """The calendar's answer to a question about it alone."""
    match read:
        case ReadSlots():
            return _slots(calendar, read)
        case ReadWeek():
            return calendar.week(read.visit_type, read.week)
        case ReadSchedule():
            return calendar.schedule(read.first, read.last)
        case ReadHold():
            return calendar.hold(read.hold_id, read.owner)
        case ReadBooking():
            return calendar.booking(read.booking_id)
        case ReadProvider():
            return calendar.provider()
        case ReadEffect():
            return calendar.effect(read)


def _slots(calendar: Calendar, read: ReadSlots) -> Reply:
    found = calendar.slots(read.visit_type, read.first, read.last, read.location_id)
    if read.moving is None or not isinstance(found, SlotsView):
        return found
    return calendar.slots_to_move(found, read.moving, read.owner)


def view_after(calendar: Calendar, event: Event | None) -> Answer:
    """What a command without a key is answered with, just after its last event."""
    if isinstance(event, HoldPlaced | HoldExtended):
        return calendar.hold(event.hold_id)
    if isinstance(event, _OF_BOOKINGS):
        return calendar.booking(event.booking_id)
    if isinstance(event, TimeOffAdded):
        return calendar.time_off_view(event.time_off)
    if isinstance(event, AvailabilitySet):
        return calendar.rules_view(event.at)
    return Done(calendar.provider_id, calendar.epoch, calendar.version)


def change_after(
    calendar: Calendar, events: Sequence[Event], seq: int
) -> CalendarChange:
    """What watchers are told of one calendar's part of a batch, durable at ``seq``."""
    slots, bookings, reread = change_of(calendar, events)
    holds, ended = holds_of(calendar, events)
    left = calendar.left
    return CalendarChange(
        calendar.provider_id,
        calendar.version,
        seq,
        slots,
        bookings,
        reread or left is not None,
        ShardId("") if left is None else left.to_shard,
        holds,
        ended,
    )


def next_free_of(calendars: Iterable[Calendar]) -> NextFreeView:
    """The soonest free start of each calendar, and of which visit type it is."""
    starts: dict[ProviderId, Minute | None] = {}
    kinds: dict[ProviderId, VisitTypeId] = {}
    for calendar in calendars:
        starts[calendar.provider_id] = calendar.next_free()
        kind = calendar.next_free_visit_type()
        if kind is not None:
            kinds[calendar.provider_id] = kind
    return NextFreeView(starts, kinds)
