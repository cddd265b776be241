"""The job that removes what is kept no longer, and tells of overdue requests."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from actors.domain.ids import Millis
from actors.ports import Clock
from care.jobs.jobs import Job
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler, JobSource
from care.privacy.requests import Retention
from cluster.site.settings import Settings
from persistence.privacy.retaining import AT_ONCE, SqlRetention, before
from persistence.sql.records import Records

RETAIN: Final = "privacy.retention"
EVERY_MS: Final = 6 * 3_600_000
RETAINING: Final = (Periodic(RETAIN, EVERY_MS),)

log = logging.getLogger(__name__)


def retention_of(settings: Settings) -> Retention:
    """What the settings say."""
    return Retention(
        messages=settings.keep_messages_days,
        sessions=settings.keep_sessions_days,
        attempts=settings.keep_attempts_days,
        outbox=settings.keep_outbox_days,
        documents=settings.keep_documents_days,
    )


def retention_handlers(
    records: Records, outbox: JobSource, retention: Retention, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of jobs of retention."""
    store = SqlRetention(records, retention)

    async def retain(_job: Job) -> None:
        now = clock.now()
        removed = await store.apply(now=now)
        removed["outbox"] = await _forget(outbox, before(now, retention.outbox))
        log.info("retention", extra={"removed": removed})
        if overdue := await store.overdue(now=now):
            log.error("ALARM: %d privacy requests are overdue", overdue)

    return {RETAIN: retain}


async def _forget(outbox: JobSource, done_before: Millis) -> int:
    """Forget the events that people were told of before; how many."""
    removed = 0
    while found := await outbox.forget(done_before=done_before, limit=AT_ONCE):
        removed += found
    return removed
