"""Makes the rows of a leave from what its calendar says, and settles rows by it.

The calendar is asked, not the read model: it has no visit that was moved a moment ago.
Whatever is done here again has no further effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from actors.domain.ids import Millis, Minute, ProviderId, TimeOffId
from actors.domain.messages.answers import BookingView, ProviderView, ScheduleView
from actors.domain.messages.reads import ReadBooking, ReadProvider, ReadSchedule
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from care.leave.ports import Ask, LeaveQueue
from care.leave.visits import (
    VISITS_MAX,
    LeaveVisit,
    RowState,
    TakenLeave,
    is_affected,
    new_row,
    settled_by_calendar,
)

_SPAN: Final = 366 * 24 * 60
"""Minutes of a schedule that are asked for at a time: fewer than a calendar shows."""
ASKED_AT_ONCE: Final = 50
"""Visits that calendars are asked about at a time."""
GONE: Final = frozenset({RefusalCode.BOOKING_NOT_FOUND, RefusalCode.PROVIDER_NOT_FOUND})
"""The calendar has no such visit; other refusals say nothing of it."""


async def leave_of(
    ask: Ask, provider_id: ProviderId, time_off_id: TimeOffId, now: Millis
) -> TakenLeave | None:
    """A leave as its calendar has it; None if it has none of this id."""
    view = await ask(ReadProvider(provider_id))
    if not isinstance(view, ProviderView):
        return None
    for one in view.time_off:
        if one.time_off_id == time_off_id:
            return TakenLeave(time_off_id, provider_id, one.start, one.end, now)
    return None


async def open_leave(
    queue: LeaveQueue, ask: Ask, leave: TakenLeave, now: Millis
) -> Sequence[LeaveVisit]:
    """Add the rows of a leave that its calendar has; those that are there by now.

    A leave that affects no visit has none, and nothing is kept of it.
    """
    visits = [
        new_row(leave, view, now)
        for view in await _schedule(ask, leave)
        if is_affected(leave, view, now)
    ][:VISITS_MAX]
    if not visits:
        return ()
    await queue.open(leave, visits, now=now)
    # Given back meanwhile: the news of it may have come before there were rows.
    if await leave_of(ask, leave.provider_id, leave.time_off_id, now) is None:
        await queue.withdraw(leave.time_off_id, now=now)
    return visits


async def _schedule(ask: Ask, leave: TakenLeave) -> list[BookingView]:
    found: dict[str, BookingView] = {}
    for first in range(leave.start, leave.end, _SPAN):
        last = Minute(min(first + _SPAN, leave.end))
        reply = await ask(ReadSchedule(leave.provider_id, Minute(first), last))
        if isinstance(reply, ScheduleView):
            found |= {one.booking_id: one for one in reply.bookings}
    return sorted(found.values(), key=lambda one: (one.start, one.booking_id))


async def visit_of(ask: Ask, row: LeaveVisit) -> BookingView | None:
    """The visit as its calendar has it; None if it has it no more.

    Raises:
        Unavailable: the calendar does not say.
    """
    reply = await ask(ReadBooking(row.provider_id, row.booking_id))
    if isinstance(reply, BookingView):
        return reply
    if isinstance(reply, Refusal) and reply.code in GONE:
        return None
    raise Unavailable("a calendar did not say whether it has a visit")


async def settle_open(
    queue: LeaveQueue, ask: Ask, rows: Sequence[LeaveVisit], now: Millis
) -> None:
    """Resolve those open rows that, by their calendars, need nothing any more."""
    by_booking = {one.booking_id: one for one in rows if one.state is RowState.OPEN}
    is_open, still_open = list(by_booking.values()), []
    for first in range(0, len(is_open), ASKED_AT_ONCE):
        part = is_open[first : first + ASKED_AT_ONCE]
        views = await asyncio.gather(*(visit_of(ask, row) for row in part))
        for row, view in zip(part, views, strict=True):
            how = settled_by_calendar(row, view, now)
            if how is None:
                still_open.append(row)
            else:
                await queue.resolve(row.booking_id, how, now=now)
    if still_open:
        await queue.seen(still_open, now=now)
