"""Changes of several visits of a series, each with a result of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from actors.domain.ids import Minute
from actors.domain.messages.answers import BookingStatus
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import VisitType
from actors.domain.zones import Zone
from actors.errors import Unavailable
from actors.ports import Clock
from care.series.placing import SeriesPlacing, begun
from care.series.ports import (
    Series,
    SeriesMove,
    SeriesStore,
    SeriesVisit,
    SeriesVisitState,
)
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
from gateway.wire.formats import MINUTE_MAX, minute_text

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
        request, results = CancelRequest(reason=reason), []
        for one in meant:
            if one.view is not None:
                n = one.visit.number
                asked = self._bookings.cancel(
                    caller, _own_key(key, n), one.view.booking_id, request
                )
                results.append(await _result(n, asked))
        # Last: of a visit that is given up nothing can be asked again.
        dropped = await self._store.drop(
            series.series_id, _open_numbers(meant), now=self._now()
        )
        results += [_dropped(one, dropped) for one in _open_numbers(meant)]
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
        base = _start_of(meant[0])
        planned = _planned(meant, (base, start), zone_of(view))
        named = self._reader.key_of_move(caller, key, series, number, start, following)
        # Kept first: repeated, the request finds visits that have moved already.
        move = await self._store.begin_move(
            series.series_id, SeriesMove(named, start > base, planned)
        )
        meant = [one for one in meant if one.visit.number in move.starts]
        results = await self._replanned(series, meant, move.starts, kind)
        # Visits must not stand in the way of one another.
        for one in sorted(meant, key=_start_of, reverse=move.back):
            n, target = one.visit.number, move.starts[one.visit.number]
            if one.view is None:
                continue
            if target is None:
                results.append(VisitResult(number=n, refusal=_NO_SUCH_TIME))
                continue
            if target == one.view.start and n != number:
                results.append(VisitResult(number=n))  # it has moved already
                continue
            text = minute_text(target)
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
        targets: Mapping[int, Minute | None],
        kind: VisitType,
    ) -> list[VisitResult]:
        """Other starts for visits that are not booked."""
        now = self._now()
        numbers = _open_numbers(meant)
        visits = [
            SeriesVisit(
                number=n,
                start=target,
                due_at=max(due_at(target, kind), now),
            )
            for n in numbers
            if (target := targets[n]) is not None
        ]
        done = await self._store.replan(series.series_id, visits, now=now)
        skipped = {n for n in numbers if targets[n] is None}
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


def _planned(
    meant: Sequence[ShownVisit], moved: tuple[Minute, Minute], zone: Zone
) -> dict[int, Minute | None]:
    """Where visits go if the first of them moves so; None: the clock skips that.

    Raises InvalidRequest: one would leave the years that there are.
    """
    dates = {
        one.visit.number: moved_start(_start_of(one), moved, zone) for one in meant
    }
    dates[meant[0].visit.number] = PlannedDate(moved[1])
    if not all(0 <= at.start < MINUTE_MAX for at in dates.values()):
        message = "moves a visit out of the years 1970 to 2199"
        raise InvalidRequest("", FieldError("start", message))
    return {n: at.start if at.exists else None for n, at in dates.items()}


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
