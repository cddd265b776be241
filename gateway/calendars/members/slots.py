"""Slots of visits that take rooms and equipment: free where all of them are.

The provider's slots come from their calendar. Each room and piece of equipment that
could be taken is asked about the free ones; a slot stays free if enough of them are. It
informs: what is shown free may be taken when it is held, and then another is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from actors.domain.ids import BookingId, Minute, ProviderId, VisitTypeId, provider_of
from actors.domain.messages.answers import (
    BOOKED,
    FREE,
    GONE,
    HELD,
    FitsView,
    MembersWanted,
    SlotsView,
)
from actors.domain.messages.reads import ReadFits
from actors.errors import Unavailable
from actors.ports import Calendars
from gateway.calendars.members.candidates import Candidates, Known
from gateway.calendars.members.choosing import (
    Pools,
    chosen,
    day_of,
    in_order,
    pools,
)

Letters = Mapping[ProviderId, str]
"""The states of some starts at each calendar, a letter for each start."""


class MemberSlots:
    """Narrows providers' slots to those for which there are rooms and equipment."""

    def __init__(self, calendars: Calendars, candidates: Candidates) -> None:
        self._calendars = calendars
        self._candidates = candidates

    async def beside(self, provider_id: ProviderId) -> frozenset[ProviderId]:
        """The calendars that slots of this provider may depend on besides their own.

        Raises Unavailable.
        """
        known = await self._candidates.beside(provider_id)
        return frozenset(one for one, _ in known)

    async def known(self, provider_id: ProviderId) -> Sequence[Known]:
        """The rooms and equipment of a provider's clinic, retired ones included.

        Raises Unavailable.
        """
        return await self._candidates.beside(provider_id, with_retired=True)

    async def narrowed(
        self,
        view: SlotsView,
        moving: Sequence[BookingId] = (),
        without: frozenset[ProviderId] = frozenset(),
    ) -> SlotsView:
        """The slots for which there are rooms and equipment, if they need some.

        ``moving``: bookings of members whose time counts as free; ``without``: rooms
        that are left out. Raises Unavailable.
        """
        wanted = view.members
        if wanted is None:
            return view
        known = await self._candidates.beside(view.provider_id)
        known = [(one, profile) for one, profile in known if one not in without]
        starts = [
            Minute(start)
            for start, state in zip(view.starts, view.states, strict=True)
            if state == FREE
        ]
        of_days: dict[int, Pools] = {
            day: pools(wanted.needs, known, view.provider_id, day)
            for day in {day_of(start) for start in starts}
        }
        asked = {one for of in of_days.values() for pool in of for one in pool}
        letters = await self.letters(asked, wanted.visit_type, starts, moving)
        states = {
            start: _state(of_days[day_of(start)], letters, place)
            for place, start in enumerate(starts)
        }
        return _with(view, states)

    async def letters(
        self,
        members: set[ProviderId],
        visit_type: VisitTypeId,
        starts: Sequence[Minute],
        moving: Sequence[BookingId] = (),
    ) -> Letters:
        """How these calendars stand at each start; taken where one does not answer."""
        if not starts:
            return {}
        own = {provider_of(booking): booking for booking in moving}
        asked = sorted(members)
        replies = await asyncio.gather(
            *(
                self._calendars.ask(
                    ReadFits(one, visit_type, tuple(starts), own.get(one))
                )
                for one in asked
            ),
            return_exceptions=True,
        )
        found: dict[ProviderId, str] = {}
        for one, reply in zip(asked, replies, strict=True):
            if isinstance(reply, FitsView) and len(reply.states) == len(starts):
                found[one] = reply.states
            elif isinstance(reply, BaseException) and not isinstance(
                reply, Unavailable
            ):
                raise reply
            else:
                found[one] = BOOKED * len(starts)
        return found

    async def choose(
        self,
        provider_id: ProviderId,
        wanted: MembersWanted,
        start: Minute,
        moving: Sequence[BookingId] = (),
        without: frozenset[ProviderId] = frozenset(),
        own: frozenset[ProviderId] = frozenset(),
    ) -> tuple[ProviderId, ...] | None:
        """Free members for a visit at ``start``, as held; None: there are not enough.

        ``without``: those that were tried and turned out to be taken; ``own``: those
        that are held for this very visit.
        """
        known = await self._candidates.beside(provider_id)
        known = [(one, profile) for one, profile in known if one not in without]
        of_places = pools(wanted.needs, known, provider_id, day_of(start))
        asked = {one for pool in of_places for one in pool}
        letters = await self.letters(asked, wanted.visit_type, [start], moving)
        free = {one for one, states in letters.items() if states == FREE}
        found = chosen(of_places, free | own)
        return None if found is None else in_order(found, known)


def _state(of_places: Pools, letters: Letters, place: int) -> str:
    """How a slot stands at which the provider is free; ``GONE``: not offered."""
    at = {one: states[place] for one, states in letters.items()}
    for state, enough in ((FREE, FREE), (HELD, FREE + HELD)):
        if chosen(of_places, {one for one, letter in at.items() if letter in enough}):
            return state
    open_ones = {one for one, letter in at.items() if letter != GONE}
    return BOOKED if chosen(of_places, open_ones) else GONE


def _with(view: SlotsView, states: Mapping[Minute, str]) -> SlotsView:
    kept = [
        (place, states.get(Minute(start), state))
        for place, (start, state) in enumerate(
            zip(view.starts, view.states, strict=True)
        )
    ]
    shown = [(place, state) for place, state in kept if state != GONE]
    return replace(
        view,
        starts=[view.starts[place] for place, _ in shown],
        states="".join(state for _, state in shown),
        where=[view.where[place] for place, _ in shown] if view.where else [],
        members=None,
    )
