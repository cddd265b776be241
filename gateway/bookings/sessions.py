"""Group visits as a whole: a session is cancelled for all its patients."""

from __future__ import annotations

import asyncio
from typing import Final

from actors.domain.ids import (
    Minute,
    ProviderId,
    time_off_id,
)
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    ScheduleView,
    TimeOffView,
)
from actors.domain.messages.commands import AddTimeOff, CancelBooking
from actors.domain.messages.reads import ReadSchedule
from actors.domain.messages.refusals import NO_BOOKING
from actors.ports import Calendars
from gateway.access.rights import Access, Action
from gateway.access.tokens import Caller
from gateway.bookings.schemas import SessionBody, SessionRequest, booking_body
from gateway.calendars.commands import Commands
from gateway.wire.errors import Refused, accepted
from gateway.wire.fields import checked_text
from gateway.wire.formats import parse_minute

AT_ONCE: Final = 16
"""Seats that are cancelled at the same time."""
_LIVE: Final = frozenset({BookingStatus.BOOKED, BookingStatus.ARRIVED})


class SessionService:
    """The operations on sessions of group visits.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self, commands: Commands, calendars: Calendars, access: Access
    ) -> None:
        self._commands = commands
        self._calendars = calendars
        self._access = access

    async def cancel(
        self,
        caller: Caller | None,
        key: str | None,
        provider_id: ProviderId,
        request: SessionRequest,
    ) -> SessionBody:
        """Cancel all seats of a session, and close its time first.

        Each seat has a key made of the request's: what was interrupted goes on with the
        same key, and is done once.
        """
        caller = await self._access.to_provider(
            caller, Action.CANCEL_SESSION, provider_id
        )
        start = parse_minute(request.start, "start")
        reason = checked_text(request.reason, "reason")
        said = self._commands.private(reason)
        content = (provider_id, request.visit_type, start, said, request.close)
        self._commands.stamp(caller, key, "cancel_session", *content)  # a key reused?
        seats = await self._seats(provider_id, request.visit_type, start)
        if not seats:
            raise Refused(NO_BOOKING)
        leave = None
        if request.close and any(seat.status in _LIVE for seat in seats):
            leave = await self._close(caller, key, seats[0], reason)
            # One that was booked in between is there now, and none comes any more.
            seats = await self._seats(provider_id, request.visit_type, start)
        live = [seat for seat in seats if seat.status in _LIVE]
        for first in range(0, len(live), AT_ONCE):
            some = live[first : first + AT_ONCE]
            await asyncio.gather(
                *(self._cancel(caller, key, seat, reason) for seat in some)
            )
        seats = await self._seats(provider_id, request.visit_type, start)
        return SessionBody(leave, [booking_body(seat) for seat in seats])

    async def _seats(
        self, provider_id: ProviderId, visit_type: str, start: Minute
    ) -> list[BookingView]:
        """The visits of a session, whatever their status: by seat, then overbooked.

        None of a start at which no seat was booked: then it is no session.
        """
        read = ReadSchedule(provider_id, start, Minute(start + 1))
        found = accepted(await self._calendars.ask(read), ScheduleView)
        visits = [
            one
            for one in found.bookings
            if one.lane and (one.start, one.visit_type) == (start, visit_type)
        ]
        if not any(one.lane < 0 for one in visits):
            return []
        visits.sort(key=lambda one: (one.lane > 0, abs(one.lane), one.booked_at))
        return visits

    async def _close(
        self, caller: Caller, key: str | None, seat: BookingView, reason: str
    ) -> str:
        provider_id, commands = seat.provider_id, self._commands
        content = (provider_id, seat.start, seat.end, commands.private(reason))
        stamp = commands.stamp(caller, _part(key, "close"), "close_session", *content)
        answer = await commands.send(
            AddTimeOff(
                provider_id=provider_id,
                time_off_id=time_off_id(provider_id, commands.tokens()),
                start=seat.start,
                end=seat.end,
                reason=reason,
                **stamp,
            )
        )
        return accepted(answer, TimeOffView).time_off.time_off_id

    async def _cancel(
        self, caller: Caller, key: str | None, seat: BookingView, reason: str
    ) -> None:
        booked, said = seat.booking_id, self._commands.private(reason)
        stamp = self._commands.stamp(
            caller, _part(key, booked), "cancel_seat", booked, said
        )
        await self._commands.send(
            CancelBooking(
                provider_id=seat.provider_id,
                booking_id=booked,
                owner=None,
                reason=reason,
                **stamp,
            )
        )


def _part(key: str | None, part: str) -> str | None:
    """The key of one of the commands of a request."""
    return None if key is None else f"{key}\0{part}"
