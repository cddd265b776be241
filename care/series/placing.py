"""The booking of a series' visits, for the request that begins it and for workers.

Records come first, then the command, then its outcome. Ids and keys of the commands
follow from the series, so each step may be repeated after a crash, by another process:
a calendar answers a repetition as it did the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from actors.domain.ids import Millis
from actors.domain.messages.answers import BookingView, ProviderView
from actors.domain.messages.commands import BookMany
from actors.domain.messages.reads import ReadBooking, ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from actors.ports import Clock
from care.series.ids import SeriesId
from care.series.ports import (
    TRYING_MS,
    Series,
    SeriesState,
    SeriesStore,
    SeriesVisit,
    SeriesVisitState,
    Settled,
)
from care.series.preview import Ask, due_at, kind_of

DEADLINE_MS: Final = 10_000
"""How long a calendar may take to a command."""
WHOLE_DEADLINE_MS: Final = 30_000
"""How long all of a series may take, whose visits are held with their rooms first."""
EACH_MS: Final = TRYING_MS - 2 * DEADLINE_MS
"""How long visits are begun one by one: what was claimed is the claimer's a minute."""
_PLACED: Final = Settled(SeriesVisitState.PLACED)


class SeriesPlacing:
    """Books visits of series. Methods may raise Unavailable: then repeat them."""

    def __init__(self, store: SeriesStore, ask: Ask, clock: Clock) -> None:
        self._store = store
        self._ask = ask
        self._clock = clock

    async def whole(self, series: Series) -> Refusal | None:
        """Book all visits that were begun, or none; the refusal if it is none."""
        visits = begun(series)
        if not visits:
            return None
        command = self._command(series, visits, series.key, WHOLE_DEADLINE_MS)
        reply = await self._ask(command)
        if isinstance(reply, Refusal) and not await self._has(series, visits[0], reply):
            await self._store.discard(series)
            return reply
        await self._settle(series, dict.fromkeys(_numbers(visits), _PLACED))
        return None

    async def begin_each(self, series: Series) -> None:
        """Book one by one what a request began; repeated, it is the same attempt."""
        first = series.created_at
        await self.each(series, [replace(one, tried_at=first) for one in begun(series)])

    async def each(
        self, series: Series, visits: Sequence[SeriesVisit], *, tells: bool = False
    ) -> None:
        """Book visits that are the caller's one by one, and record each outcome.

        One whose outcome is not known stays as it is, and so do those for which there
        was no time left. ``tried_at`` of each says which attempt it is: the same one
        goes on with the rooms that it holds already. ``tells``: the patient is told of
        those that failed; a request's answer says it.
        """
        outcomes: dict[int, Settled] = {}
        last = self._clock.now() + EACH_MS
        try:
            for visit in visits:
                if self._clock.now() > last:
                    break
                # A key of this attempt: an earlier refusal may not stand any more.
                key = f"{series.key}-{visit.number}-{visit.start}-{visit.tried_at}"
                reply = await self._ask(self._command(series, [visit], key))
                outcomes[visit.number] = _PLACED
                if isinstance(reply, Refusal) and not await self._has(
                    series, visit, reply
                ):
                    failed = Settled(SeriesVisitState.FAILED, reply.code.value)
                    outcomes[visit.number] = failed
        finally:
            if outcomes:
                await self._settle(series, outcomes, tells=tells)

    async def healed(self, series: Series) -> Series | None:
        """The series once outcomes of visits that were begun are recorded.

        None if it is gone, since nothing was booked. What was begun a moment ago may
        be booked yet, and is left as it is.
        """
        visits = begun(series)
        if not visits:
            return series
        if series.state is SeriesState.PLACING:
            return await self._healed_whole(series, visits)
        found = [one for one in visits if await self._is_booked(series, one)]
        if found:
            await self._settle(series, dict.fromkeys(_numbers(found), _PLACED))
        return await self._store.find(series.series_id)

    async def _healed_whole(
        self, series: Series, visits: Sequence[SeriesVisit]
    ) -> Series | None:
        """All of the visits are booked, or none: the first one tells."""
        now = self._clock.now()
        if await self._is_booked(series, visits[0]):
            await self._settle(series, dict.fromkeys(_numbers(visits), _PLACED))
        elif any(one.is_tried(now) for one in visits):
            return series
        elif await self._store.discard(series):
            return None
        return await self._store.find(series.series_id)

    async def go_on(self, series_id: SeriesId) -> None:
        """Book what is due of a series, after what was begun is recorded."""
        known = await self._store.find(series_id)
        series = None if known is None else await self.healed(known)
        if series is None or series.state is SeriesState.PLACING:
            return
        now = self._clock.now()
        due = [one for one in series.visits if _is_due(one, now)]
        if not due:
            return
        view = await self._ask(ReadProvider(series.provider_id))
        kind = None
        if isinstance(view, ProviderView):
            kind = kind_of(view, series.visit_type)
        if kind is not None:
            # The horizon may be nearer than it was.
            later = [
                replace(one, due_at=at)
                for one in due
                if (at := due_at(one.start, kind)) > now
            ]
            if later:
                await self._store.replan(series_id, later, now=now)
            moved = set(_numbers(later))
            due = [one for one in due if one.number not in moved]
        mine = set(await self._store.claim(series_id, _numbers(due), now=now))
        # One that died is gone on with: what it holds must not stand in the way.
        claimed = [
            replace(one, tried_at=one.tried_at or now)
            for one in due
            if one.number in mine
        ]
        await self.each(series, claimed, tells=True)

    async def _has(self, series: Series, visit: SeriesVisit, refusal: Refusal) -> bool:
        """Whether a calendar that refuses has the visit from an earlier attempt.

        Raises Unavailable for a refusal that does not stand.
        """
        if refusal.code is RefusalCode.DEADLINE_PASSED:
            raise Unavailable(refusal.detail)
        return await self._is_booked(series, visit)

    async def _is_booked(self, series: Series, visit: SeriesVisit) -> bool:
        name = series.booking_of(visit.number)
        reply = await self._ask(ReadBooking(series.provider_id, name))
        return isinstance(reply, BookingView)

    async def _settle(
        self, series: Series, outcomes: dict[int, Settled], *, tells: bool = False
    ) -> None:
        now = self._clock.now()
        await self._store.settle(series.series_id, outcomes, now=now, tells=tells)

    def _command(
        self,
        series: Series,
        visits: Sequence[SeriesVisit],
        key: str,
        deadline_ms: int = DEADLINE_MS,
    ) -> BookMany:
        has_reasons = any(one.reason for one in visits)
        return BookMany(
            provider_id=series.provider_id,
            key=key,
            fingerprint=series.fingerprint,
            deadline=Millis(self._clock.now() + deadline_ms),
            by=series.by,
            proxy=series.proxy,
            booking_ids=tuple(series.booking_of(one.number) for one in visits),
            patient_id=series.patient_id,
            visit_type=series.visit_type,
            starts=tuple(one.start for one in visits),
            reasons=tuple(one.reason for one in visits) if has_reasons else (),
            by_staff=series.by_staff,
            confidential=series.confidential,
        )


def begun(series: Series) -> list[SeriesVisit]:
    """Visits whose booking was begun, and whose outcome is not recorded."""
    return [
        one
        for one in series.visits
        if one.state is SeriesVisitState.WAITING and one.tried_at is not None
    ]


def _is_due(visit: SeriesVisit, now: Millis) -> bool:
    is_waiting = visit.state is SeriesVisitState.WAITING and visit.due_at <= now
    return is_waiting and not visit.is_tried(now)


def _numbers(visits: Sequence[SeriesVisit]) -> list[int]:
    return [one.number for one in visits]
