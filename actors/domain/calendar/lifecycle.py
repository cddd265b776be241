"""The life of a booking, as data.

docs/calendar.md shows this table, and a test keeps the page true.
"""

from __future__ import annotations

from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.commands import (
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
    CompleteVisit: {ARRIVED: FULFILLED},
    MarkNoShow: {BOOKED: NOSHOW},
}
"""Command, status before, status after. What is missing is ``wrong_status``.

A visit that is ``booked`` is completed only by ``without_check_in`` (staff.py).

When each is possible is in staff.py: staff check in and complete from the local day of
the visit on, and mark a no-show from its start on.
"""

UNDOABLE = frozenset({ARRIVED, FULFILLED, NOSHOW})
"""Statuses that staff can undo, one after another, each for ``UNDO_MS``."""

UNDO_MS = 24 * 3_600_000
"""How long a status can be undone."""

BLOCKING = frozenset({BOOKED, ARRIVED, FULFILLED, NOSHOW})
"""Statuses in which a booking's time is taken."""

LIVE = frozenset({BOOKED, ARRIVED})
"""Statuses of visits that a leave affects."""
