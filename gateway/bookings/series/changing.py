"""Changes of several visits of a series, each with a result of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

from actors.domain.ids import Minute
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import VisitType
from actors.errors import Unavailable
from actors.ports import Clock
from care.series.placing import SeriesPlacing, begun
from care.series.ports import Series, SeriesStore, SeriesVisit, SeriesVisitState
from care.series.preview import due_at, zone_of
from care.series.rules import PlannedDate, moved_start
from gateway.access.rights import Action
from gateway.access.tokens import Caller
from gateway.bookings.schemas import CancelRequest, RescheduleRequest
from gateway.bookings.series.reading import (
    NO_BOOKING,
    SeriesReader,
    ShownSeries,
    ShownVisit,
    missing,
)
from gateway.bookings.service import BookingService
from gateway.wire.errors import FieldError, InvalidRequest, NotFound, Refused
from gateway.wire.formats import minute_text

_CHANGEABLE: Final = (BookingStatus.BOOKED, BookingStatus.ARRIVED)
_OPEN: Final = (SeriesVisitState.WAITING, SeriesVisitState.FAILED)


@dataclass(frozen=True, kw_only=True)
class VisitResult:
    """What became of one visit of a change; ``refusal``: why it is not done."""

    number: int
    refusal: Refusal | None = None


class SeriesChanges:
    """Methods may raise Refused, the errors of gateway/wire/errors.py, Unavailable."""

    def __init__(
        self,
        reader: SeriesReader,
        store: SeriesStore,
        placing: SeriesPlacing,
        bookings: BookingService,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._store = store
        self._placing = placing
        self._bookings = bookings
        self._now = clock.now

    async def cancel(
        self,
        caller: Caller,
        key: str | None,
        name: str,
        number: int,
        *,
        following: bool,
        reason: str,
    ) -> tuple[list[VisitResult], ShownSeries]:
        """Cancel a visit, or it and all after it."""
        caller, series = await self._reader.of(caller, Action.CANCEL_BOOKING, name)
        series, meant = await self._meant(caller, series, number, following=following)
        request = CancelRequest(reason=reason)
        dropped = await self._store.drop(
            series.series_id, _open_numbers(meant), now=self._now()
        )
        results = [_dropped(one, dropped) for one in _open_numbers(meant)]
        for one in meant:
            if one.view is not None:
                n = one.visit.number
                asked = self._bookings.cancel(
                    caller, _own_key(key, n), one.view.booking_id, request
                )
                results.append(await _result(n, asked))
        return _in_order(results), await self._reader.found(caller, series.series_id)

    async def move(  # noqa: PLR0913 - what is asked for
        self,
        caller: Caller,
        key: str | None,
        name: str,
        number: int,
        start: Minute,
        *,
        following: bool,
        allow_overlap: bool,
    ) -> tuple[list[VisitResult], ShownSeries]:
        """Move a visit to ``start``, and those after it along on the wall clock."""
        caller, series = await self._reader.of(caller, Action.RESCHEDULE_BOOKING, name)
        series, meant = await self._meant(caller, series, number, following=following)
        view, kind = await self._reader.offered(series.provider_id, series.visit_type)
        zone = zone_of(view)
        base = _start_of(meant[0])
        targets = {
            one.visit.number: moved_start(_start_of(one), (base, start), zone)
            for one in meant
        }
        targets[number] = PlannedDate(start)
        results = await self._replanned(series, meant, targets, kind)
        # Visits must not stand in the way of one another.
        back = targets[number].start > base
        for one in sorted(meant, key=_start_of, reverse=back):
            n = one.visit.number
            if one.view is None:
                continue
            if not targets[n].exists:
                results.append(VisitResult(number=n, refusal=_NO_SUCH_TIME))
                continue
            text = minute_text(targets[n].start)
            request = RescheduleRequest(start=text, allow_overlap=allow_overlap)
            asked = self._bookings.reschedule(
                caller, _own_key(key, n), one.view.booking_id, request
            )
            results.append(await _result(n, asked))
        await self._placing.go_on(series.series_id)
        found = await self._reader.found(caller, series.series_id)
        return _in_order(_as_placed(results, found)), found

    async def _meant(
        self, caller: Caller, series: Series, number: int, *, following: bool
    ) -> tuple[Series, list[ShownVisit]]:
        """The visits of a change, once it is known what calendars have of them.

        Of those after the first one that are over, or not the caller's to know of,
        nothing is said.
        """
        healed = await self._placing.healed(series)
        if healed is None:
            raise missing()
        if begun(healed):
            raise Unavailable("visits of this series are just being booked")
        shown = (await self._reader.shown(caller, healed)).visits
        if not 1 <= number <= len(shown):
            hint = f"must be 1 to {len(shown)}"
            raise InvalidRequest("", FieldError("number", hint))
        first, rest = shown[number - 1], shown[number:] if following else []
        if first.visit.state is SeriesVisitState.DROPPED:
            raise missing()
        later = [
            one
            for one in rest
            if one.visit.state in _OPEN
            or (one.view is not None and one.view.status in _CHANGEABLE)
        ]
        return healed, [first, *later]

    async def _replanned(
        self,
        series: Series,
        meant: Sequence[ShownVisit],
        targets: dict[int, PlannedDate],
        kind: VisitType,
    ) -> list[VisitResult]:
        """Other starts for visits that are not booked."""
        now = self._now()
        numbers = _open_numbers(meant)
        visits = [
            SeriesVisit(
                number=n,
                start=targets[n].start,
                due_at=max(due_at(targets[n].start, kind), now),
            )
            for n in numbers
            if targets[n].exists
        ]
        done = await self._store.replan(series.series_id, visits, now=now)
        skipped = {n for n in numbers if not targets[n].exists}
        return [
            VisitResult(number=n, refusal=_NO_SUCH_TIME)
            if n in skipped
            else _dropped(n, done)
            for n in numbers
        ]


_NO_SUCH_TIME: Final = Refusal(
    RefusalCode.SLOT_NOT_OFFERED,
    "The clock skips this time on that date. Move this visit by itself.",
)
_BEING_BOOKED: Final = Refusal(
    RefusalCode.WRONG_STATUS, "This visit is just being booked. Try again in a minute."
)


def _start_of(one: ShownVisit) -> Minute:
    return one.visit.start if one.view is None else one.view.start


def _open_numbers(meant: Sequence[ShownVisit]) -> list[int]:
    return [one.visit.number for one in meant if one.visit.state in _OPEN]


def _dropped(number: int, done: Sequence[int]) -> VisitResult:
    """What became of a visit that was not booked."""
    return VisitResult(number=number, refusal=None if number in done else _BEING_BOOKED)


def _own_key(key: str | None, number: int) -> str | None:
    return None if key is None else f"{key}-{number}"


def _as_placed(results: list[VisitResult], found: ShownSeries) -> list[VisitResult]:
    """The results, with those that were planned again and could not be booked."""
    failed = {
        one.visit.number: Refusal(RefusalCode(one.visit.code))
        for one in found.visits
        if one.visit.state is SeriesVisitState.FAILED
    }
    return [
        VisitResult(number=one.number, refusal=one.refusal or failed.get(one.number))
        for one in results
    ]


def _in_order(results: list[VisitResult]) -> list[VisitResult]:
    return sorted(results, key=lambda one: one.number)


async def _result(number: int, asked: Awaitable[object]) -> VisitResult:
    try:
        await asked
    except Refused as refused:
        return VisitResult(number=number, refusal=refused.refusal)
    except NotFound:
        return VisitResult(number=number, refusal=NO_BOOKING)
    return VisitResult(number=number)
