"""Which job of the waiting list runs what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError
from care.jobs.ports import Handler, JobQueue
from care.notices.ports import OfferTeller
from care.waiting.ports import (
    COMPARE,
    REFRESH,
    SETTLE,
    SWEEP,
    VACATE,
    WaitedCalendars,
    WaitingList,
)
from cluster.work.waiting.offering import Offering
from cluster.work.waiting.opening import Opening
from cluster.work.waiting.reserving import Reserving
from cluster.work.waiting.rooms import FreedRooms
from cluster.work.waiting.timing import DAY_MS
from cluster.work.waiting.vacating import TRIED_DAYS, Vacating
from cluster.work.whole import WorkerVisits

_AWAY: Final = "a store or a calendar does not answer"

Handlers = Mapping[str, Handler]


class WaitingNeeds(Struct, frozen=True):
    """What the jobs of the waiting list work with."""

    waiting: WaitingList
    known: WaitedCalendars
    calendars: Calendars
    visits: WorkerVisits
    telling: OfferTeller
    queue: JobQueue
    clock: Clock


def waiting_handlers(needs: WaitingNeeds, told: Handlers) -> tuple[Handlers, Handlers]:
    """Handlers of the outbox, ``told`` among them, and of the jobs table."""
    waiting, known, calendars = needs.waiting, needs.known, needs.calendars
    clock, telling = needs.clock, needs.telling
    visits = needs.visits
    offering = Offering(waiting, known, calendars, visits, telling, clock)
    opening = Opening(waiting, known, calendars, visits, telling, clock)
    rooms = FreedRooms(waiting, known, calendars, visits, clock)
    reserving = Reserving(waiting, known, calendars, needs.queue, clock)
    vacating = Vacating(waiting, calendars, clock)
    outbox = {
        "slot.freed": offering.freed,
        "offer.over": offering.over,
        "room.freed": rooms.freed,
        **opening.beside(told),
    }

    async def sweep(job: Job) -> None:
        await offering.close_overdue()
        await reserving.end_entries(job)

    jobs = {
        REFRESH: reserving.refresh,
        COMPARE: reserving.compare,
        SWEEP: sweep,
        SETTLE: offering.settle,
    }
    owed = {VACATE: vacating.vacate}
    return {**told, **_later(outbox)}, {**_later(jobs), **_later(owed, TRIED_DAYS)}


def _later(handlers: Handlers, days: int = 1) -> Handlers:
    """The same, tried again for a while when something does not answer."""

    def patient(handler: Handler) -> Handler:
        async def attempt(job: Job) -> None:
            try:
                await handler(job)
            except Unavailable:
                until = Millis(job.created_at + days * DAY_MS)
                raise JobError(_AWAY, until=until) from None

        return attempt

    return {kind: patient(handler) for kind, handler in handlers.items()}
