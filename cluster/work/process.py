"""The life of a worker process: migrate the records, work, stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from email.utils import parseaddr

from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ports import SteadyClock
from care.sharing import JOBS, OUTBOX
from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.terminal.alongside import alongside
from cluster.wiring.background import migrated
from cluster.wiring.blobs import open_blobs
from cluster.wiring.shared import wakeups_of
from cluster.work.busy import BUSY_PERIODIC, busy_handlers, import_of
from cluster.work.delivering import Deliverer, couriers_of, message_handlers
from cluster.work.documents import (
    DOCUMENT_PERIODIC,
    document_handlers,
    judge_ports,
)
from cluster.work.grants import guardian_handlers_of
from cluster.work.handlers import PERIODIC, job_handlers
from cluster.work.leave import (
    LEAVE_PERIODIC,
    LeaveNeeds,
    asking,
    leave_handlers,
    leave_outbox_handlers,
)
from cluster.work.photos import SWEEPING, sweeping_handlers_of
from cluster.work.retaining import RETAINING, retention_handlers, retention_of
from cluster.work.series import SERIES_PERIODIC, series_handlers
from cluster.work.settling import settling_handlers
from cluster.work.telling import (
    GATHER_S,
    TOLD_AT_ONCE,
    reminding_handlers,
    told_handlers,
)
from cluster.work.visits import SiteVisits
from cluster.work.waiting.handlers import WaitingNeeds, waiting_handlers
from cluster.work.waiting.reserving import WAITING_PERIODIC
from cluster.work.whole import WorkerVisits
from cluster.work.worker import Lane, Worker
from persistence.directory.busy.store import SqlBusyCalendars
from persistence.directory.leave.store import SqlLeaveQueue
from persistence.idempotency.store import SqlAnswerStore
from persistence.jobs.queue import SqlJobQueue, outbox_of
from persistence.keys.ring import KeyRing
from persistence.notices.composing import SiteVoice
from persistence.notices.links import NoticeLinks
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.notices.push.network import connections
from persistence.notices.push.subscriptions import SqlPushSubscriptions
from persistence.notices.telling import SqlTeller
from persistence.patients.recipients import erased_of, is_signed_in, recipients_of
from persistence.patients.series.store import SqlSeries
from persistence.patients.waiting import SqlWaitingList
from persistence.patients.waiting_calendars import SqlWaitedCalendars
from persistence.privacy.persons import SqlPersonKeys
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.records.models import RECORDS
from persistence.redis.link import RedisAway
from persistence.shared.memory import LocalWakeups
from persistence.shared.presence import TELL_S, WorkerLine, WorkerPresence
from persistence.sql.engine import open_engine
from persistence.sql.records import Records

log = logging.getLogger(__name__)


async def work(site: Site, index: int = 0) -> None:
    """Run jobs until SIGTERM; ``index`` tells the workers of one node apart."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work_until(site, stop, index)


async def work_until(
    site: Site, stop: asyncio.Event, index: int = 0, clock: SteadyClock | None = None
) -> None:
    """Run jobs until told to stop; ``clock`` is the system's unless one is given."""
    if not await migrated(site.records_url, RECORDS, stop):
        return
    clock = clock or SystemClock()
    records = Records(site.records_url)
    outbox = open_engine(site.database_url, "writer")
    read_model = open_engine(site.database_url, "reader")
    queue = SqlJobQueue(records.engine)
    ring = KeyRing(records, site.key_encryption_keys(), clock)
    telling, visits = telling_of(site, records, read_model, ring), SiteVisits(site)
    pool = connections(is_open=site.settings.push_anywhere)
    deliverer = Deliverer(
        SqlOutgoingMessages(records, ring),
        couriers_of(
            site, SqlPushSubscriptions(records, ring, is_signed_in), pool, clock
        ),
        clock,
        visits,
    )
    answers = SqlAnswerStore(records.engine, ring)
    imports, blobs = (
        import_of(site, SqlBusyCalendars(records, ring), visits, clock),
        open_blobs(site),
    )
    directory = SqlDirectory(read_model)
    whole = WorkerVisits(visits, directory, clock)
    leave = LeaveNeeds(
        SqlLeaveQueue(records, erased_of),
        visits.ask,
        asking(
            visits,
            lambda: SqlPersonKeys(records, ring),
            lambda calendars: WorkerVisits(calendars, directory, clock).ask,
        ),
        telling,
        clock,
    )
    told, waiting = waiting_handlers(
        WaitingNeeds(
            waiting=SqlWaitingList(records, ring),
            known=SqlWaitedCalendars(records, read_model),
            calendars=visits,
            visits=whole,
            telling=telling,
            queue=queue,
            clock=clock,
        ),
        told_handlers(telling, clock),
    )
    handlers = {
        **leave_handlers(leave),
        **waiting,
        **job_handlers(records, queue, answers, clock),
        **message_handlers(deliverer),
        **reminding_handlers(telling, visits, clock),
        **retention_handlers(
            records, outbox_of(outbox), retention_of(site.settings), clock
        ),
        **guardian_handlers_of(site, records, clock),
        **sweeping_handlers_of(site, records, clock),
        **document_handlers(
            judge_ports(site.settings, records, ring, blobs, clock), queue, clock
        ),
        **busy_handlers(imports, queue),
        **series_handlers(SqlSeries(records), whole.ask, queue, clock, telling),
    }
    lanes = [
        Lane(queue, handlers, JOBS),
        Lane(
            outbox_of(outbox),
            {
                **leave_outbox_handlers(leave, told),
                **settling_handlers(visits, clock),
            },
            OUTBOX,
            TOLD_AT_ONCE,
            GATHER_S,
        ),
    ]
    log.info("worker begins")
    try:
        async with wakeups_of(site) as shared:
            worker = Worker(worker_name(), lanes, clock, shared or LocalWakeups())
            async with (
                alongside(_be_present(site, index, worker)),
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(
                    worker.keep_periodic(
                        queue,
                        (
                            *(*PERIODIC, *RETAINING, *SWEEPING),
                            *(*BUSY_PERIODIC, *WAITING_PERIODIC),
                            *(*SERIES_PERIODIC, *LEAVE_PERIODIC),
                            *DOCUMENT_PERIODIC,
                        ),
                        stop,
                    )
                )
                tasks.create_task(worker.run(stop))
    finally:
        for close in (
            *(whole.close, visits.close, pool.aclose, imports.close),
            *(blobs.close, records.close),
            *(outbox.dispose, read_model.dispose),
        ):
            await close()
        log.info("worker ends")


def telling_of(
    site: Site, records: Records, read_model: AsyncEngine, ring: KeyRing
) -> SqlTeller:
    """What tells people of this site's visits."""
    settings = site.settings
    voice = SiteVoice(
        NoticeLinks(settings.site_url),
        parseaddr(settings.mail_from)[1],
        settings.reminders,
    )
    return SqlTeller(records, read_model, ring, recipients_of, erased_of, voice)


async def _be_present(site: Site, index: int, worker: Worker) -> None:
    """Show this worker in `slotcast cluster status`, until cancelled."""
    settings = site.settings
    if not settings.shared_redis:
        return
    presence = WorkerPresence(settings.shared_redis, settings.site)
    node = settings.node_name or socket.gethostname()
    clock = SystemClock()
    try:
        while True:
            line = WorkerLine(
                *(node, index, os.getpid()),
                done=worker.attempts("done"),
                failed=worker.attempts("failed"),
                at=clock.now(),
            )
            with suppress(RedisAway):
                await presence.tell(line)
            await asyncio.sleep(TELL_S)
    finally:
        with suppress(RedisAway):
            await presence.leave(node, index)
        await presence.close()


def worker_name() -> str:
    """Names this process in claims: host and pid."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"
