"""The jobs of documents: judging one that is whole, and sweeping what was left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from actors.domain.ids import Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.blobs.ports import Blobs
from care.jobs.jobs import Job, JobError, NewJob
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler, JobQueue
from care.patients.documents.judging import judge
from care.patients.documents.ports import JudgePorts
from care.patients.documents.sweeping import sweep, waiting
from care.patients.documents.values import JUDGE
from cluster.site.settings import Settings
from persistence.files.documents.clamd import ClamdScanner
from persistence.files.documents.reading import ChildFileReader
from persistence.files.pictures.reencoding import ChildPictures
from persistence.keys.ring import KeyRing
from persistence.patients.documents.store import SqlDocuments
from persistence.sql.records import Records

SWEEP_DOCUMENTS: Final = "documents.sweep"
DOCUMENT_PERIODIC: Final = (Periodic(SWEEP_DOCUMENTS, 3_600_000),)
AT_ONCE: Final = 2
"""Documents that a worker judges at a time: each is in memory whole."""
TURN_S: Final = 10.0
"""How long a job waits for its turn: the time that it has in all is for the judging."""
TURN_AGAIN_MS: Final = 5_000
"""When a job that had no turn comes back: that others came first is no failure of its
own, after which it would wait longer each time."""
PATIENCE_MS: Final = 2 * 24 * 3_600_000
"""How long a document's first job is tried while the scanner or a store is away. The
job of a sweep is tried once: the next sweep adds another."""

log = logging.getLogger(__name__)


def judge_ports(
    settings: Settings, records: Records, ring: KeyRing, blobs: Blobs, clock: Clock
) -> JudgePorts:
    """What judging needs at this site."""
    return JudgePorts(
        SqlDocuments(records, ring, clock),
        blobs,
        ChildFileReader(ChildPictures(tries_again=True)),
        ClamdScanner(settings.clamd) if settings.clamd else None,
    )


def document_handlers(
    ports: JudgePorts, queue: JobQueue, clock: Clock
) -> Mapping[str, Handler]:
    """Handlers of the jobs of documents."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def judge_one(job: Job) -> None:
        document_id, _, swept = job.key.partition("@")
        until = Millis(job.created_at + PATIENCE_MS)
        try:
            async with asyncio.timeout(TURN_S):
                await turn.acquire()
        except TimeoutError:
            raise JobError(
                "other documents are judged first", after_ms=TURN_AGAIN_MS, until=until
            ) from None
        try:
            judged = await judge(ports, document_id)
        except Unavailable as error:
            if not swept:
                raise JobError(str(error), until=until) from None
            log.warning("a document waits on: %s", error)
            return
        finally:
            turn.release()
        log.info("document judged", extra={"judged": judged.value})

    async def sweep_all(job: Job) -> None:
        now = clock.now()
        # First: to walk through a large store may take longer than a job has.
        again = [
            NewJob(JUDGE, f"{one}@{job.key}", Millis(now))
            for one in await waiting(ports.rows, now)
        ]
        if again:
            await queue.add(again, now=now)
            log.warning("documents wait to be judged", extra={"waiting": len(again)})
        swept = await sweep(ports.blobs, ports.rows, now)
        log.info(
            "documents swept",
            extra={
                "abandoned": swept.abandoned,
                "unused": swept.unused,
                "unfinished": swept.unfinished,
            },
        )

    return {JUDGE: judge_one, SWEEP_DOCUMENTS: sweep_all}
