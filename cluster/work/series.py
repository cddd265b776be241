"""Jobs that book visits of series as the horizon reaches them.

They also finish what a request began and could not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.domain.ids import LocationId, Millis
from actors.domain.messages.answers import BookingStatus, BookingView
from actors.errors import Unavailable
from actors.ports import Clock
from care.jobs.jobs import Job, JobError
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler, JobQueue
from care.notices.kinds import NoticeKind
from care.notices.ports import Reminding, Teller
from care.notices.visits import MINUTE_MS
from care.series.ids import SeriesId
from care.series.placing import SeriesPlacing
from care.series.ports import (
    PLACE,
    TELL,
    Series,
    SeriesStore,
    SeriesVisitState,
)
from care.series.preview import Ask

FIND_DUE: Final = "series.due"
"""Adds the jobs of series with visits that are due."""
SERIES_PERIODIC: Final = (Periodic(FIND_DUE, 60_000),)
DUE_AT_ONCE: Final = 500
GO_ON_MS: Final = 15 * 60_000
"""How long a job tries: the next one of the same series goes on."""
_AWAY: Final = "a store or a calendar does not answer"


def series_handlers(
    store: SeriesStore,
    ask: Ask,
    queue: JobQueue,
    clock: Clock,
    telling: Teller,
) -> Mapping[str, Handler]:
    """Handlers of jobs of series; ``ask``: visits with the rooms that they take."""
    placing = SeriesPlacing(store, ask, clock)

    async def find_due(_job: Job) -> None:
        now = clock.now()
        if found := await store.due(now=now, limit=DUE_AT_ONCE):
            await queue.add(found, now=now)

    async def place(job: Job) -> None:
        try:
            await placing.go_on(SeriesId(job.payload["series_id"]))
        except Unavailable:
            until = Millis(job.created_at + GO_ON_MS)
            raise JobError(_AWAY, until=until) from None

    async def tell(job: Job) -> None:
        payload = job.payload
        try:
            series = await store.find(SeriesId(payload["series_id"]))
            view = None if series is None else _failed(series, payload)
            if view is not None:
                due = Reminding(view, 0, NoticeKind.UNPLACED)
                await telling.remind([due], now=clock.now())
        except Unavailable:
            until = Millis(payload["start"] * MINUTE_MS)
            raise JobError(_AWAY, until=until) from None

    return {FIND_DUE: find_due, PLACE: place, TELL: tell}


def _failed(series: Series, payload: Mapping[str, Any]) -> BookingView | None:
    """The visit as it was to be; None if it was planned again or given up since."""
    for one in series.visits:
        if (one.number, one.start) == (payload["number"], payload["start"]):
            if one.state is not SeriesVisitState.FAILED:
                return None
            return BookingView(
                provider_id=series.provider_id,
                epoch=0,
                version=0,
                booking_id=series.booking_of(one.number),
                status=BookingStatus.CANCELLED,
                patient_id=series.patient_id,
                visit_type=series.visit_type,
                start=one.start,
                end=one.start,
                location_id=LocationId(""),
                booked_at=series.created_at,
                confidential=series.confidential,
            )
    return None
