"""Which function runs which kind of job: each feature adds its kinds here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from actors.domain.ids import Millis
from actors.ports import Clock
from care.idempotency.ports import AnswerStore
from care.jobs.jobs import Job
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler, JobQueue
from cluster.work.grants import END_GUARDIANSHIPS
from persistence.sql.records import Records

TIDY: Final = "jobs.tidy"
"""Forgets finished jobs and expired idempotency keys, and folds SQLite's log back into
the records' file."""
HOUR_MS: Final = 3_600_000
KEEP_DONE_MS: Final = 7 * 24 * HOUR_MS
"""How long a finished job is kept: its key keeps the same job from being added."""
FORGET_AT_ONCE: Final = 1_000
"""Rows deleted in one transaction."""

PERIODIC: Final[Sequence[Periodic]] = (
    Periodic(TIDY, HOUR_MS),
    Periodic(END_GUARDIANSHIPS, HOUR_MS),
)


def job_handlers(
    records: Records, queue: JobQueue, answers: AnswerStore, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of the jobs table."""

    async def tidy(_job: Job) -> None:
        before = Millis(clock.now() - KEEP_DONE_MS)
        while await queue.forget(done_before=before, limit=FORGET_AT_ONCE):
            pass
        while await answers.forget(now=clock.now(), limit=FORGET_AT_ONCE):
            pass
        await records.checkpoint()

    return {TIDY: tidy}
