"""Jobs that book visits of series as the horizon reaches them.

They also finish what a request began and could not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler, JobQueue
from care.series.ids import SeriesId
from care.series.placing import SeriesPlacing
from care.series.ports import PLACE, SeriesStore

FIND_DUE: Final = "series.due"
"""Adds the jobs of series with visits that are due."""
SERIES_PERIODIC: Final = (Periodic(FIND_DUE, 60_000),)
DUE_AT_ONCE: Final = 500
GO_ON_MS: Final = 15 * 60_000
"""How long a job tries: the next one of the same series goes on."""
_AWAY: Final = "a store or a calendar does not answer"


def series_handlers(
    store: SeriesStore, calendars: Calendars, queue: JobQueue, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of jobs of series."""
    placing = SeriesPlacing(store, calendars.ask, clock)

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

    return {FIND_DUE: find_due, PLACE: place}
