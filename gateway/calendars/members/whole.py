"""Questions to calendars, and commands, that mean visits with the rooms they take.

A command is sent to the provider's calendar as any. Where that says that the visit
takes more, all of it is held and booked together. So series and leave ask here as they
would ask a calendar, and need not know which visits take rooms.
"""

from __future__ import annotations

from actors.domain.messages.answers import BookingView, Reply, SlotsView
from actors.domain.messages.commands import BookMany, CommandBase
from actors.domain.messages.refusals import Refusal
from actors.ports import Request
from gateway.calendars.commands import Commands
from gateway.calendars.members.booking import WITH_MEMBERS, GroupBookings
from gateway.calendars.members.slots import MemberSlots


class WholeVisits:
    """One per process."""

    def __init__(
        self, commands: Commands, slots: MemberSlots, groups: GroupBookings
    ) -> None:
        self._commands = commands
        self._slots = slots
        self._groups = groups

    async def ask(self, request: Request) -> Reply:
        """As ``Calendars.ask``: slots for which there are rooms, visits with theirs.

        Raises:
            Unavailable: something does not answer; commands may be repeated with
                their keys.
        """
        if not isinstance(request, CommandBase):
            reply = await self._commands.ask(request)
            if isinstance(reply, SlotsView) and reply.members is not None:
                return await self._slots.narrowed(reply)
            return reply
        reply = await self._commands.send(request)  # type: ignore[arg-type]
        if type(reply) is Refusal and reply in WITH_MEMBERS:
            reply = await self._groups.instead(request, reply)
        if isinstance(reply, BookingView) and reply.group is not None:
            if isinstance(request, BookMany):
                self._groups.settle_many(reply.provider_id, request.booking_ids)
            else:
                self._groups.settle(reply)
        return reply
