"""Jobs that settle visits which take rooms: from the outbox of the read model.

A gateway does the same beside its answer. What it leaves behind, because it ended or a
calendar did not answer, is done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.domain.ids import BookingId, Millis, ProviderId
from actors.errors import Unavailable
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError
from care.jobs.ports import Handler
from care.resources.settling import Settling

OWED, DOUBTFUL = "group.owed", "group.doubtful"
TRIED_MS: Final = 30 * 24 * 3_600_000
"""How long it is tried: a room stays blocked until its visit's calendar answers."""
AGAIN_MS: Final = 2_000
"""Pause after a calendar did not answer."""


def settling_handlers(calendars: Calendars, clock: Clock) -> Mapping[str, Handler]:
    """Handlers of the outbox, for debts and doubts of groups of calendars."""
    settling = Settling(calendars, clock.now)

    async def owed(job: Job) -> None:
        primary = ProviderId(job.payload["provider_id"])
        try:
            await settling.pay(primary, BookingId(job.payload["booking_id"]))
        except Unavailable:
            raise _later(job, AGAIN_MS) from None

    async def doubtful(job: Job) -> None:
        try:
            again_at = await settling.resolve_all(
                ProviderId(job.payload["provider_id"])
            )
        except Unavailable:
            raise _later(job, AGAIN_MS) from None
        if again_at:  # the patient still decides
            raise _later(job, max(AGAIN_MS, again_at - clock.now()))

    return {OWED: owed, DOUBTFUL: doubtful}


def _later(job: Job, after_ms: int) -> JobError:
    until = Millis(job.created_at + TRIED_MS)
    reason = "a visit with rooms is not settled yet"
    return JobError(reason, after_ms=after_ms, until=until)
