"""Finds the times that stand in for visits that a leave affects.

The same type of visit: with the same provider on another day, with colleagues of the
clinic, then with others of the specialty, the nearest first; of each the free start
that is nearest to the visit. Nothing is reserved: calendars decide when one is chosen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from actors.domain.ids import BookingId, Minute, ProviderId, VisitTypeId
from actors.domain.messages.answers import SlotsView, is_free, seats_of
from actors.domain.messages.reads import ReadSlots
from actors.ports import Clock
from care.leave.ports import Ask
from care.leave.visits import EQUIVALENTS, MINUTE_MS, Equivalent, LeaveVisit
from gateway.directory.roster.hearing import Hearing
from gateway.directory.roster.roster import Roster

LEAD_MINUTES: Final = 4 * 60
"""No start is proposed that is nearer than this: it has to be read first."""
BEFORE_MINUTES: Final = 7 * 24 * 60
AFTER_MINUTES: Final = 50 * 24 * 60
"""How far from the visit starts are looked for."""
COLLEAGUES_MAX: Final = 8
OTHERS_MAX: Final = 6
"""Calendars of the clinic, and of others, that are asked for one visit."""
NEAR_KM: Final = 50.0
"""Others are no farther from the clinic than this."""
ROWS_AT_ONCE: Final = 20
"""Visits whose times are looked for at a time."""
_DAY: Final = 24 * 60


class Candidate(Struct, frozen=True):
    """A provider who may stand in. ``distance_km`` is 0 in the same clinic."""

    provider_id: ProviderId
    is_colleague: bool
    distance_km: float


class EquivalentFinder:
    """Finds times; what it asked is remembered for one ``find`` alone."""

    def __init__(self, ask: Ask, hearing: Hearing | None, clock: Clock) -> None:
        """``ask``: slots for which there are rooms, of visits that take some."""
        self._ask = ask
        self._hearing = hearing
        self._clock = clock

    async def find(
        self, rows: Iterable[LeaveVisit], kept_free: Iterable[Equivalent] = ()
    ) -> Mapping[BookingId, Sequence[Equivalent]]:
        """Times for each of these visits; no time for more than it has seats for.

        What was proposed before and is still free stays. ``kept_free``: times that are
        proposed to others. Raises Unavailable.
        """
        asked = _Asked(self._ask, self._now())
        waiting, found = list(rows), {}
        proposed = [time for row in waiting for time in row.proposed]
        taken = _Taken((*kept_free, *proposed))
        for first in range(0, len(waiting), ROWS_AT_ONCE):
            part = waiting[first : first + ROWS_AT_ONCE]
            offers = await asyncio.gather(*(self._offers(asked, one) for one in part))
            for row, offered in zip(part, offers, strict=True):
                chosen = _chosen(row, offered, taken, asked.seats)
                # What stayed from before is counted already.
                taken.add(one for one in chosen if one not in row.proposed)
                found[row.booking_id] = chosen
        return found

    async def _offers(self, asked: _Asked, row: LeaveVisit) -> list[_Offer]:
        candidates = self._candidates(row.provider_id, row.visit_type)
        free = await asyncio.gather(*(asked.free(one, row) for one in candidates))
        return [
            _Offer(candidate, starts)
            for candidate, starts in zip(candidates, free, strict=True)
            if starts
        ]

    def _candidates(
        self, provider_id: ProviderId, visit_type: VisitTypeId
    ) -> Sequence[Candidate]:
        own = Candidate(provider_id, is_colleague=True, distance_km=0.0)
        roster = None if self._hearing is None else self._hearing.live.roster
        if roster is None:
            return [own]  # not filled yet: other days of the same provider
        return [own, *candidates_of(roster, provider_id, visit_type)]

    def _now(self) -> Minute:
        return Minute(self._clock.now() // MINUTE_MS)


def candidates_of(
    roster: Roster, provider_id: ProviderId, visit_type: VisitTypeId
) -> Sequence[Candidate]:
    """Who else has this specialty and type of visit: the clinic's, then the nearest."""
    row = roster.row_of.get(provider_id)
    if row is None:
        return []
    fits = roster.alive & (roster.specialty == roster.specialty[row])
    fits &= roster.services.offering(visit_type)[: len(fits)]
    fits[row] = False
    clinic = roster.places.clinics[int(roster.clinic[row])]
    numbers = [
        number
        for number, one in enumerate(roster.places.clinics)
        if one.clinic_id == clinic.clinic_id
    ]
    is_near = fits & np.isin(roster.clinic, numbers)
    colleagues = sorted(
        np.flatnonzero(is_near).tolist(),
        key=lambda one: (roster.services.bound_of(one, visit_type), roster.ids[one]),
    )
    found = [
        Candidate(roster.ids[one], is_colleague=True, distance_km=0.0)
        for one in colleagues[:COLLEAGUES_MAX]
    ]
    if clinic.latitude is None or clinic.longitude is None:
        return found
    # A patient of this clinic is a new one to others.
    others = np.flatnonzero(fits & ~is_near & roster.accepts_new)
    away = roster.places.distances_km((clinic.latitude, clinic.longitude))
    apart = away[roster.clinic[others]]
    order = np.argsort(apart, kind="stable")  # unknown places come last
    for place in order[:OTHERS_MAX].tolist():
        if apart[place] <= NEAR_KM:
            name = roster.ids[int(others[place])]
            found.append(Candidate(name, is_colleague=False, distance_km=apart[place]))
    return found


class _Offer(Struct, frozen=True):
    """The free times of a candidate, the nearest to the visit first."""

    candidate: Candidate
    times: Sequence[Equivalent]


class _Asked:
    """Calendars as they answered during one ``find``."""

    def __init__(self, ask: Ask, now: Minute) -> None:
        self._ask = ask
        self._earliest = Minute(now + LEAD_MINUTES)
        self._days: dict[
            tuple[ProviderId, VisitTypeId, int], asyncio.Task[list[Equivalent]]
        ] = {}
        self.seats: dict[Equivalent, int] = {}
        """Free seats of the sessions of group visits; other times are for one."""

    async def free(self, candidate: Candidate, row: LeaveVisit) -> list[Equivalent]:
        """The free times of a provider around a visit, the nearest first."""
        name = candidate.provider_id, row.visit_type, row.start // _DAY
        task = self._days.get(name)
        if task is None:
            task = self._days[name] = asyncio.ensure_future(self._read(*name))
        times = await task
        return sorted(times, key=lambda one: (abs(one.start - row.start), one.start))

    async def _read(
        self, provider_id: ProviderId, visit_type: VisitTypeId, day: int
    ) -> list[Equivalent]:
        first = Minute(max(self._earliest, day * _DAY - BEFORE_MINUTES))
        last = Minute(day * _DAY + AFTER_MINUTES)
        if last <= first:
            return []
        view = await self._ask(ReadSlots(provider_id, visit_type, first, last))
        if not isinstance(view, SlotsView):
            return []
        found = []
        for start, state in zip(view.starts, view.states, strict=True):
            if start < self._earliest or not is_free(state):
                continue
            end = Minute(start + view.minutes)
            found.append(Equivalent(provider_id, visit_type, Minute(start), end))
            if left := seats_of(state):
                self.seats[found[-1]] = left
        return found


class _Taken:
    """Times that are proposed already, and to how many."""

    def __init__(self, times: Iterable[Equivalent]) -> None:
        self._at: dict[tuple[ProviderId, Minute], Counter[Equivalent]] = {}
        self.add(times)

    def add(self, times: Iterable[Equivalent]) -> None:
        """They are proposed once more."""
        for one in times:
            at = self._at.setdefault((one.provider_id, one.start), Counter())
            at[one] += 1

    def has_room(self, time: Equivalent, seats: int) -> bool:
        """Whether it may be proposed: to one, or as a group visit to as many as sit."""
        at = self._at.get((time.provider_id, time.start))
        return at is None or (at.keys() == {time} and at[time] < seats)


def _chosen(
    row: LeaveVisit,
    offers: Sequence[_Offer],
    taken: _Taken,
    seats: Mapping[Equivalent, int],
) -> tuple[Equivalent, ...]:
    """Three times: those that were proposed and are free, then the best others."""
    free = {time for one in offers for time in one.times}
    chosen = [one for one in row.proposed if one in free][:EQUIVALENTS]
    left = [
        _Offer(
            one.candidate,
            [time for time in one.times if taken.has_room(time, seats.get(time, 1))],
        )
        for one in offers
    ]
    ranked = sorted((one for one in left if one.times), key=_rank)
    for time in _by_turns(row, ranked):
        if len(chosen) == EQUIVALENTS:
            break
        # The same day of a provider twice is no choice.
        if not any(_is_alike(time, other) for other in chosen):
            chosen.append(time)
    return tuple(chosen)


def _by_turns(row: LeaveVisit, ranked: Sequence[_Offer]) -> Iterable[Equivalent]:
    """The best of each provider, the visit's own among the first three.

    Then others of each.
    """
    first = [one.times[0] for one in ranked]
    own = [one for one in first if one.provider_id == row.provider_id]
    if own and own[0] not in first[:EQUIVALENTS]:
        first = [*first[: EQUIVALENTS - 1], own[0], *first[EQUIVALENTS - 1 :]]
    yield from first
    for one in ranked:
        yield from one.times[1:]


def _is_alike(one: Equivalent, other: Equivalent) -> bool:
    is_same = one.provider_id == other.provider_id
    return is_same and abs(one.start - other.start) < _DAY // 2


def _rank(offer: _Offer) -> tuple[bool, float, int, str]:
    who, best = offer.candidate, offer.times[0]
    return (
        not who.is_colleague,
        round(who.distance_km, 1),
        best.start,
        who.provider_id,
    )
