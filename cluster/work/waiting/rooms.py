"""A room that becomes free can make times free that are waited for.

The calendars of doctors do not change with a room, so they cannot reserve by
themselves. What is waited for, and is free with the room and not without it, is
reserved here as soon as the outbox tells of it. Until then it is free to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.answers import (
    FREE,
    BookingView,
    ProviderView,
    Reply,
    SlotsView,
)
from actors.domain.messages.commands import ReserveSlot
from actors.domain.messages.reads import ReadBooking, ReadProvider, ReadSlots
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import VisitType
from actors.domain.spans import span_rule
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job
from care.waiting.entries import FreedSlot
from care.waiting.ports import WaitedCalendars, WaitingList
from care.waiting.ranking import MINUTE_MS, why_not
from cluster.work.waiting.timing import COMMAND_MS
from cluster.work.whole import WorkerVisits

AHEAD_MINUTES: Final = 8 * 7 * 24 * 60
"""How far ahead is looked after a room got other hours."""
PROVIDERS_MAX: Final = 200
"""Calendars of one clinic that a room may make slots free for."""
REFUSED_MAX: Final = 8
"""Slots of a visit type that were taken meanwhile, before it is given up."""
_CELL: Final = 1
"""The smallest cell: spans are read, and not placed."""


class FreedRooms:
    """Reserves what freed rooms make free; one per worker."""

    def __init__(
        self,
        waiting: WaitingList,
        known: WaitedCalendars,
        calendars: Calendars,
        visits: WorkerVisits,
        clock: Clock,
    ) -> None:
        self._waiting = waiting
        self._known = known
        self._calendars = calendars
        self._visits = visits
        self._clock = clock

    async def freed(self, job: Job) -> None:
        """A room was given back, or has other hours. Raises Unavailable."""
        if not await self._known.any_waits():
            return
        room = ProviderId(job.payload["provider_id"])
        view = await self._calendars.ask(ReadProvider(room))
        if not isinstance(view, ProviderView) or view.profile.resource is None:
            return
        freed = await self._span(room, job.payload.get("booking_id"))
        if freed is None:
            return
        clinic_id: ClinicId = view.profile.clinic.clinic_id
        for one in await self._known.reserving_in(clinic_id, limit=PROVIDERS_MAX):
            await self._reserve(one, room, freed)

    async def _span(
        self, room: ProviderId, visit: BookingId | None
    ) -> tuple[Minute, Minute] | None:
        """When the room is free again, from and until; None: that is over."""
        now = Minute(self._clock.now() // MINUTE_MS)
        if visit is None:
            return now, Minute(now + AHEAD_MINUTES)
        view = await self._calendars.ask(ReadBooking(room, visit))
        if not isinstance(view, BookingView) or view.end <= now:
            return None
        span = span_rule(view.visit_type, _CELL)
        before, after = (span.buffer_before, span.buffer_after) if span else (0, 0)
        return Minute(view.start - before), Minute(view.end + after)

    async def _reserve(
        self, provider_id: ProviderId, room: ProviderId, freed: tuple[Minute, Minute]
    ) -> None:
        """Reserve a provider's slots that are waited for, and free by this room."""
        view = await self._calendars.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView) or view.waiting is None:
            return
        profile = view.profile
        entries = await self._waiting.covering(
            provider_id, profile.clinic.clinic_id, profile.specialty
        )
        kept: list[tuple[int, int]] = []
        for rule in view.availability.visit_types:
            if rule.needs and rule.visit_type in view.waiting.visit_types:
                found = await self._starts(provider_id, rule, room, freed)
                now = self._clock.now()
                starts = [
                    start
                    for start in found
                    if not all(
                        why_not(e, _slot(view, rule, start), now) for e in entries
                    )
                ]
                await self._keep_all(view, rule, starts, kept)

    async def _keep_all(
        self,
        view: ProviderView,
        rule: VisitType,
        starts: Sequence[Minute],
        kept: list[tuple[int, int]],
    ) -> None:
        """Reserve what meets nothing that is ``kept``, to which it is added."""
        most = 0 if view.waiting is None else view.waiting.most
        refused = 0
        for start in starts:
            # Refused is what was taken meanwhile, or all if the list has enough.
            if len(kept) >= most or refused >= REFUSED_MAX:
                return
            busy = _busy(rule, start)
            if any(busy[0] < one[1] and one[0] < busy[1] for one in kept):
                continue
            reply = await self._keep(view.provider_id, rule.visit_type, start)
            if isinstance(reply, Refusal):
                refused += 1
            else:
                kept.append(busy)

    async def _starts(
        self,
        provider_id: ProviderId,
        rule: VisitType,
        room: ProviderId,
        freed: tuple[Minute, Minute],
    ) -> list[Minute]:
        first = Minute(freed[0] - rule.minutes - rule.buffer_after)
        last = Minute(freed[1] + rule.buffer_before)
        read = ReadSlots(provider_id, rule.visit_type, first, last)
        slots = await self._calendars.ask(read)
        if not isinstance(slots, SlotsView) or slots.members is None:
            return []
        found = _free(await self._visits.slots.narrowed(slots))
        without = frozenset({room})
        before = _free(await self._visits.slots.narrowed(slots, without=without))
        return sorted(start for start in found - before if start > first)

    async def _keep(
        self, provider_id: ProviderId, visit_type: VisitTypeId, start: Minute
    ) -> Reply:
        return await self._calendars.ask(
            ReserveSlot(
                provider_id=provider_id,
                visit_type=visit_type,
                start=start,
                deadline=Millis(self._clock.now() + COMMAND_MS),
            )
        )


def _busy(rule: VisitType, start: Minute) -> tuple[int, int]:
    """A visit's time with its buffers."""
    return start - rule.buffer_before, start + rule.minutes + rule.buffer_after


def _slot(view: ProviderView, rule: VisitType, start: Minute) -> FreedSlot:
    clinic, places = view.profile.clinic, view.availability.locations
    return FreedSlot(
        hold_id=HoldId(""),
        provider_id=view.provider_id,
        clinic_id=clinic.clinic_id,
        specialty=view.profile.specialty,
        visit_type=rule.visit_type,
        start=start,
        end=Minute(start + rule.minutes),
        location_id=LocationId(""),
        time_zone=places[0].time_zone if places else clinic.time_zone,
    )


def _free(view: SlotsView) -> set[Minute]:
    pairs = zip(view.starts, view.states, strict=True)
    return {Minute(start) for start, state in pairs if state == FREE}
