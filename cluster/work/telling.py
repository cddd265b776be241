"""Jobs that tell people of visits: from the outbox, and reminders."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeVar

from actors.domain.ids import BookingId, Millis, Minute, ProviderId
from actors.errors import Unavailable
from actors.ports import Clock
from care.jobs.jobs import Job, JobError
from care.jobs.ports import Handler
from care.notices.kinds import NoticeKind
from care.notices.ports import REMIND, OutboxEvent, Reminding, Teller, Visits
from care.notices.visits import (
    MINUTE_MS,
    OUTBOX_KINDS,
    SILENT_KINDS,
    STALE_MS,
    VEILING_KINDS,
    still_holds,
)
from cluster.work.gathering import Gathered

Result = TypeVar("Result")
TOLD_AT_ONCE: Final = 512
"""Events of a kind that are told of in one transaction at most."""
GATHER_S: Final = 0.25
"""Pause between two rounds while events come: a round has some fifteen statements,
whether it tells of one visit or of five hundred, and bookings need the same cores."""
_AWAY: Final = "a store that notices need does not answer"


def told_handlers(telling: Teller, clock: Clock) -> Mapping[str, Handler]:
    """Handlers of the outbox."""

    async def tell_all(events: Sequence[OutboxEvent]) -> list[None]:
        await telling.tell(events, now=clock.now())
        return [None] * len(events)

    gathered = Gathered(tell_all)

    async def tell(job: Job) -> None:
        event = OutboxEvent(job.kind, job.payload, job.created_at)
        await _or_later(gathered(event), Millis(job.created_at + STALE_MS))

    async def tell_none(_job: Job) -> None:
        return

    async def veil_all(bookings: Sequence[BookingId]) -> list[None]:
        await telling.veil(bookings)
        return [None] * len(bookings)

    veiled = Gathered(veil_all)

    async def veil(job: Job) -> None:
        booking_id = BookingId(job.payload["booking_id"])
        await _or_later(veiled(booking_id), Millis(job.created_at + STALE_MS))

    silent: dict[str, Handler] = dict.fromkeys(SILENT_KINDS, tell_none)
    veiling: dict[str, Handler] = dict.fromkeys(VEILING_KINDS, veil)
    return {**dict.fromkeys(OUTBOX_KINDS, tell), **veiling, **silent}


def reminding_handlers(
    telling: Teller, visits: Visits, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of reminders: the calendar is asked before each."""

    async def remind_all(due: Sequence[Reminding]) -> list[None]:
        await telling.remind(due, now=clock.now())
        return [None] * len(due)

    gathered = Gathered(remind_all)

    async def remind(job: Job) -> None:
        payload = job.payload
        start = Minute(payload["start"])
        begins = Millis(start * MINUTE_MS)
        if clock.now() >= begins:
            return
        wanted = ProviderId(payload["provider_id"]), BookingId(payload["booking_id"])
        view = await _or_later(visits.find(*wanted), begins)
        if view is None or not still_holds(NoticeKind.REMINDER, start, view):
            return
        await _or_later(gathered(Reminding(view, int(payload["step"]))), begins)

    return {REMIND: remind}


async def _or_later(work: Awaitable[Result], until: Millis) -> Result:
    try:
        return await work
    except Unavailable:
        raise JobError(_AWAY, until=until) from None
