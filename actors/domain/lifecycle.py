"""The life of a booking, as data.

docs/calendar.md shows this table, and a test keeps the page true.
"""

from __future__ import annotations

from actors.domain.answers import BookingStatus
from actors.domain.commands import (
    CancelBooking,
    CheckIn,
    CompleteVisit,
    MarkNoShow,
    RescheduleBooking,
)

BOOKED = BookingStatus.BOOKED
ARRIVED = BookingStatus.ARRIVED
FULFILLED = BookingStatus.FULFILLED
CANCELLED = BookingStatus.CANCELLED
NOSHOW = BookingStatus.NOSHOW

TRANSITIONS: dict[type, dict[BookingStatus, BookingStatus]] = {
    CancelBooking: {BOOKED: CANCELLED, ARRIVED: CANCELLED},
    RescheduleBooking: {BOOKED: BOOKED},
    CheckIn: {BOOKED: ARRIVED, NOSHOW: ARRIVED},
    CompleteVisit: {BOOKED: FULFILLED, ARRIVED: FULFILLED},
    MarkNoShow: {BOOKED: NOSHOW},
}
"""Command, status before, status after. What is missing is ``wrong_status``.

There is no rule of time: staff judge when somebody has arrived or stayed away.
"""

BLOCKING = frozenset({BOOKED, ARRIVED, FULFILLED, NOSHOW})
"""Statuses in which a booking's time is taken."""

LIVE = frozenset({BOOKED, ARRIVED})
"""Statuses of visits that a leave would hit."""
