"""What a calendar shows to a question, or after a command without a key."""

from __future__ import annotations

from actors.domain.answers import Answer, Done, Reply
from actors.domain.calendar import Calendar
from actors.domain.events import (
    BookingCancelled,
    BookingRescheduled,
    Event,
    HoldExtended,
    HoldPlaced,
    NoShowMarked,
    PatientArrived,
    SlotBooked,
    TimeOffAdded,
    VisitCompleted,
)
from actors.domain.reads import (
    ReadBooking,
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
)
OneRead = ReadSlots | ReadWeek | ReadSchedule | ReadHold | ReadBooking | ReadProvider
"""Questions about one calendar."""


def view_of(calendar: Calendar, read: OneRead) -> Reply:
    """The calendar's answer to a question about it alone."""
    match read:
        case ReadSlots():
            return calendar.slots(read.visit_type, read.first, read.last)
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


def view_after(calendar: Calendar, event: Event | None) -> Answer:
    """What a command without a key is answered with, just after its last event."""
    if isinstance(event, HoldPlaced | HoldExtended):
        return calendar.hold(event.hold_id)
    if isinstance(event, _OF_BOOKINGS):
        return calendar.booking(event.booking_id)
    if isinstance(event, TimeOffAdded):
        return calendar.time_off_view(event.time_off)
    return Done(calendar.provider_id, calendar.epoch, calendar.version)
