"""Visits with the rooms that they take, as a worker books them.

The coordinator is the gateways' own. It is loaded with the first question: most workers
of most sites have none.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from actors.domain.messages.answers import MembersWanted, ProviderView
from actors.domain.messages.reads import ReadProvider
from actors.domain.spans import span_type
from actors.ports import Clock
from care.readmodel import Directory
from care.resources.settling import Settling

if TYPE_CHECKING:
    from actors.domain.ids import Minute, ProviderId, VisitTypeId
    from actors.domain.messages.answers import Reply
    from actors.ports import Calendars, Request
    from gateway.access.rights import ProviderFacts
    from gateway.calendars.members.booking import GroupBookings
    from gateway.calendars.members.slots import MemberSlots
    from gateway.calendars.members.whole import WholeVisits

COMMAND_S: Final = 10.0


def _token() -> str:
    return secrets.token_hex(9)


class WorkerVisits:
    """Asks calendars, and the rooms of visits that take some; one per worker."""

    def __init__(
        self, calendars: Calendars, directory: Directory, clock: Clock
    ) -> None:
        self._calendars = calendars
        self._directory = directory
        self._clock = clock
        self._whole: WholeVisits | None = None
        self._groups: GroupBookings | None = None
        self._slots: MemberSlots | None = None

    async def ask(self, request: Request) -> Reply:
        """See WholeVisits.ask."""
        if self._whole is None:
            from gateway.calendars.commands import Commands
            from gateway.calendars.members.booking import GroupBookings
            from gateway.calendars.members.whole import WholeVisits

            commands = Commands(
                self._calendars, self._clock, _token, timeout_s=COMMAND_S
            )
            settling = Settling(self._calendars, self._clock.now)
            self._groups = GroupBookings(commands, self.slots, settling)
            self._whole = WholeVisits(commands, self.slots, self._groups)
        return await self._whole.ask(request)

    async def close(self) -> None:
        """Wait for a moment for what is being settled; the outbox has the rest."""
        if self._groups is not None:
            await self._groups.close()

    async def has_room(
        self, view: ProviderView, visit_type: VisitTypeId, start: Minute
    ) -> bool:
        """Whether all that a visit takes besides its provider is free now.

        Raises Unavailable.
        """
        for rule in view.availability.visit_types:
            if rule.visit_type == visit_type and rule.needs:
                wanted = MembersWanted(span_type(rule), rule.needs)
                chosen = await self.slots.choose(view.provider_id, wanted, start)
                return chosen is not None
        return True

    @property
    def slots(self) -> MemberSlots:
        """What knows for which times there are rooms."""
        if self._slots is None:
            from gateway.calendars.members.candidates import Candidates
            from gateway.calendars.members.slots import MemberSlots

            candidates = Candidates(self._directory, self._facts)
            self._slots = MemberSlots(self._calendars, candidates)
        return self._slots

    async def _facts(self, provider_id: ProviderId) -> ProviderFacts | None:
        from gateway.access.rights import ProviderFacts

        view = await self._calendars.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView):
            return None
        clinic = view.profile.clinic
        return ProviderFacts(clinic.clinic_id, clinic.time_zone, {})
