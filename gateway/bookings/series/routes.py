"""``/v1/series``: a course of treatment is placed in one go.

Rights are those on bookings: who may book for a patient may place a series for them,
and who may cancel or move a visit may do so with several.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from actors.domain.ids import ProviderId, VisitTypeId
from gateway.access.rights import Action, Of
from gateway.bookings.series.changing import VisitResult
from gateway.bookings.series.reading import ShownSeries, ShownVisit
from gateway.bookings.series.schemas import (
    SeriesAnswer,
    SeriesBody,
    SeriesCancelBody,
    SeriesChangeAnswer,
    SeriesListAnswer,
    SeriesMoveBody,
    SeriesPreviewAnswer,
    SeriesPreviewBody,
    SeriesResultAnswer,
    SeriesRuleBody,
    SeriesScope,
    SeriesVisitAnswer,
    preview_answer,
    starts_text,
)
from gateway.bookings.series.service import SeriesService, WantedSeries
from gateway.http.features import CallerDep, FeatureRouter
from gateway.http.idempotency import KeyHeader
from gateway.wire.errors import Forbidden
from gateway.wire.fields import checked_text
from gateway.wire.formats import millis_text, minute_text, parse_minute

router = FeatureRouter(prefix="/v1/series", tags=["series"])
of_provider_router = FeatureRouter(
    prefix="/v1/providers/{provider_id}/series", tags=["series"]
)

_BOOK_REFUSALS = (
    "slot_unavailable",
    "slot_not_offered",
    "booking_limit",
    "overlap",
    "provider_not_found",
    "patient_not_found",
    "data_restricted",
    "visit_type_not_found",
)


async def series_of(request: Request) -> SeriesService:
    """The gateway's series."""
    service: SeriesService = request.app.state.series
    return service


SeriesDep = Annotated[SeriesService, Depends(series_of)]
SeriesParam = Annotated[str, Path(description="Which series.", max_length=128)]
ProviderParam = Annotated[str, Path(description="Which provider.", max_length=100)]


@router.post(
    "/preview",
    right=Action.BOOK,
    of=Of.FOUND,
    idempotent=False,
    audited=False,
    refusals=["provider_not_found", "visit_type_not_found"],
)
async def preview_series(
    body: SeriesPreviewBody, caller: CallerDep, series: SeriesDep
) -> SeriesPreviewAnswer:
    """What is free of a rule's dates; nothing is kept or held."""
    zone, dates = await series.preview(
        caller,
        ProviderId(body.provider_id),
        VisitTypeId(body.visit_type),
        body.rule.rule(),
    )
    return preview_answer(zone, dates)


@router.post(
    "", right=Action.BOOK, of=Of.FOUND, status_code=201, refusals=[*_BOOK_REFUSALS]
)
async def place_series(
    body: SeriesBody, caller: CallerDep, series: SeriesDep, key: KeyHeader = None
) -> SeriesAnswer:
    """Place a series: all visits that the horizon reaches, or none, or each by itself.

    Later ones wait, and are booked as the horizon reaches them.
    """
    starts = body.starts
    wanted = WantedSeries(
        provider_id=ProviderId(body.provider_id),
        visit_type=VisitTypeId(body.visit_type),
        rule=None if body.rule is None else body.rule.rule(),
        starts=None
        if starts is None
        else [parse_minute(one, f"starts.{place}") for place, one in enumerate(starts)],
        all_or_nothing=body.all_or_nothing,
        patient_id=body.patient_id,
        reason=checked_text(body.reason, "reason"),
        confidential=body.confidential,
        allow_overlap=body.allow_overlap,
    )
    return _answer(await series.place(caller, key, wanted))


@router.get("", right=Action.LIST_BOOKINGS)
async def list_series(caller: CallerDep, series: SeriesDep) -> SeriesListAnswer:
    """The series of the caller, or of the patient whom they act for."""
    if caller.patient_id is None:
        raise Forbidden("Staff see series at the provider and at each visit.")
    return _list_answer(await series.own(caller))


@router.get(
    "/{series_id}",
    right=Action.READ_BOOKING,
    of=Of.FOUND,
    refusals=["booking_not_found"],
)
async def read_series(
    series_id: SeriesParam, caller: CallerDep, series: SeriesDep
) -> SeriesAnswer:
    """One series, and what became of each of its visits."""
    return _answer(await series.show(caller, series_id))


@router.post(
    "/{series_id}/cancel",
    right=Action.CANCEL_BOOKING,
    of=Of.FOUND,
    refusals=["booking_not_found"],
)
async def cancel_series(
    series_id: SeriesParam,
    body: SeriesCancelBody,
    caller: CallerDep,
    series: SeriesDep,
    key: KeyHeader = None,
) -> SeriesChangeAnswer:
    """Cancel one visit, or it and all after it; says of each what became of it."""
    results, shown = await series.changes.cancel(
        caller,
        key,
        series_id,
        body.number,
        following=body.scope is SeriesScope.FOLLOWING,
        reason=checked_text(body.reason, "reason"),
    )
    return _change_answer(results, shown)


@router.post(
    "/{series_id}/move",
    right=Action.RESCHEDULE_BOOKING,
    of=Of.FOUND,
    refusals=["booking_not_found", "visit_type_not_found"],
)
async def move_series(
    series_id: SeriesParam,
    body: SeriesMoveBody,
    caller: CallerDep,
    series: SeriesDep,
    key: KeyHeader = None,
) -> SeriesChangeAnswer:
    """Move one visit, or it and all after it; says of each what became of it."""
    results, shown = await series.changes.move(
        caller,
        key,
        series_id,
        body.number,
        parse_minute(body.start, "start"),
        following=body.scope is SeriesScope.FOLLOWING,
        allow_overlap=body.allow_overlap,
    )
    return _change_answer(results, shown)


@of_provider_router.get("", right=Action.READ_SCHEDULE, refusals=["provider_not_found"])
async def unplaced_series(
    provider_id: ProviderParam, caller: CallerDep, series: SeriesDep
) -> SeriesListAnswer:
    """A provider's series with visits that could not be booked, with alternatives."""
    return _list_answer(await series.unplaced(caller, ProviderId(provider_id)))


def _list_answer(found: list[ShownSeries]) -> SeriesListAnswer:
    return SeriesListAnswer(items=[_answer(one) for one in found])


def _change_answer(
    results: list[VisitResult], shown: ShownSeries
) -> SeriesChangeAnswer:
    return SeriesChangeAnswer(
        results=[
            SeriesResultAnswer(
                number=one.number,
                done=one.refusal is None,
                code="" if one.refusal is None else one.refusal.code.value,
                detail="" if one.refusal is None else one.refusal.detail,
            )
            for one in results
        ],
        series=_answer(shown),
    )


def _answer(shown: ShownSeries) -> SeriesAnswer:
    one = shown.series
    return SeriesAnswer(
        series_id=one.series_id,
        provider_id=one.provider_id,
        patient_id=one.patient_id,
        visit_type=one.visit_type,
        time_zone=shown.time_zone,
        created_at=millis_text(one.created_at),
        rule=None if one.rule is None else SeriesRuleBody.of(one.rule),
        visits=[_visit_answer(visit) for visit in shown.visits],
    )


def _visit_answer(shown: ShownVisit) -> SeriesVisitAnswer:
    visit, view = shown.visit, shown.view
    return SeriesVisitAnswer(
        number=visit.number,
        start=minute_text(visit.start if view is None else view.start),
        state=visit.state,
        booking_id=None if view is None else view.booking_id,
        status=None if view is None else view.status,
        code=visit.code,
        alternatives=starts_text(shown.alternatives),
    )
