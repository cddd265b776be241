"""What is free of a series' dates, and what else is near: read, and nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis, Minute, ProviderId, VisitTypeId
from actors.domain.messages.answers import ProviderView, Reply, SlotsView, is_free
from actors.domain.messages.reads import ReadSlots
from actors.domain.rules import VisitType
from actors.domain.zones import Zone, date_text, zone_or_utc
from actors.ports import Request
from care.series.rules import PlannedDate

ALTERNATIVES: Final = 2
"""Free starts that are shown for a date that is not free."""
DAYS_AFTER: Final = 3
"""Alternatives are looked for on the day itself, and on this number of days after."""
_CELL_MAX: Final = 15
"""Minutes by which the horizon may be later than its start, whatever the cell."""

Ask = Callable[[Request], Awaitable[Reply]]


class DateState(StrEnum):
    """What a series' date is."""

    FREE = "free"
    TAKEN = "taken"
    CLOSED = "closed"
    """Not offered then: out of hours, too near, or the clock skips the time."""
    BEYOND = "beyond_horizon"
    """Later than the visit type can be booked; it is booked as soon as it can be."""


class AssessedDate(Struct, frozen=True):
    """A date, its state, and free starts near it unless it is free or beyond."""

    planned: PlannedDate
    state: DateState
    alternatives: tuple[Minute, ...] = ()


def zone_of(view: ProviderView) -> Zone:
    """The zone of a provider's dates: of the first place, else of the clinic."""
    places = view.availability.locations
    name = places[0].time_zone if places else view.profile.clinic.time_zone
    return zone_or_utc(name)


def kind_of(view: ProviderView, visit_type: VisitTypeId) -> VisitType | None:
    """An active visit type of a provider; None if there is no such one."""
    for kind in view.availability.visit_types:
        if kind.visit_type == visit_type and kind.active:
            return kind
    return None


def due_at(start: Minute, kind: VisitType) -> Millis:
    """The first instant at which the horizon surely has reached a start."""
    return Millis((start - kind.horizon + _CELL_MAX) * 60_000)


async def assessed(
    ask: Ask,
    view: ProviderView,
    kind: VisitType,
    planned: Sequence[PlannedDate],
    now: Millis,
) -> list[AssessedDate]:
    """The state of each date, by its calendar."""
    zone = zone_of(view)
    wanted = {one.start for one in planned}

    async def assess(one: PlannedDate) -> AssessedDate:
        if due_at(one.start, kind) > now:
            return AssessedDate(one, DateState.BEYOND)
        slots = await _near(ask, view.provider_id, kind, one.start, zone)
        state = _state(slots, one)
        if state is DateState.FREE:
            return AssessedDate(one, state)
        others = wanted - {one.start} if one.exists else wanted
        return AssessedDate(one, state, _alternatives(slots, one, others, zone))

    return list(await asyncio.gather(*map(assess, planned)))


async def _near(
    ask: Ask, provider_id: ProviderId, kind: VisitType, start: Minute, zone: Zone
) -> SlotsView | None:
    day = zone.day_of(start)
    first, last = date_text(day), date_text(day + DAYS_AFTER)
    reply = await ask(ReadSlots(provider_id, kind.visit_type, first, last))
    return reply if isinstance(reply, SlotsView) else None


def _state(slots: SlotsView | None, one: PlannedDate) -> DateState:
    if slots is None or not one.exists or one.start not in slots.starts:
        return DateState.CLOSED
    letter = slots.states[slots.starts.index(one.start)]
    return DateState.FREE if is_free(letter) else DateState.TAKEN


def _alternatives(
    slots: SlotsView | None, one: PlannedDate, others: Collection[Minute], zone: Zone
) -> tuple[Minute, ...]:
    """The nearest free starts of that day, then of the days after, by start.

    None that meets another date of the series.
    """
    if slots is None:
        return ()
    day, minutes = zone.day_of(one.start), slots.minutes
    free = [
        Minute(start)
        for start, letter in zip(slots.starts, slots.states, strict=True)
        if is_free(letter) and all(abs(start - other) >= minutes for other in others)
    ]
    free.sort(key=lambda s: (zone.day_of(s) != day, abs(s - one.start)))
    return tuple(sorted(free[:ALTERNATIVES]))
