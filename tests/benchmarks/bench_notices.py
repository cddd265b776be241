"""Notices from the outbox into a sink: how many a second, and what one costs.

Run ``python -m tests.benchmarks.bench_notices --json``. Measures, never asserts. Each
is a confirmation with its page and its file for calendars, told, sealed, claimed and
recorded on SQLite in files; the calendar is not asked. ``workers`` processes share the
work; wall time means something on a quiet machine alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.domain.ids import PatientId, ShardId
from care.notices.messages import Channel, OutgoingMessage
from care.patients.profiles import PatientProfile
from cluster.work.delivering import Deliverer, message_handlers
from cluster.work.telling import GATHER_S, TOLD_AT_ONCE, told_handlers
from cluster.work.worker import Lane, Worker
from persistence.jobs.queue import SqlJobQueue, outbox_of
from persistence.keys.ring import KeyRing
from persistence.notices.composing import SiteVoice
from persistence.notices.links import NoticeLinks
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.notices.telling import SqlTeller
from persistence.patients.recipients import erased_of, recipients_of
from persistence.patients.store import SqlPatients
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS
from persistence.shared.memory import LocalWakeups
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS
from tests.fixtures.story import Story, StoryJournal

PATIENTS = 500
PROVIDERS = 50
NEXT = make.at(9, day=9)


class Sink:
    """Counts messages."""

    def __init__(self) -> None:
        self.got = 0

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        self.got += bool(outgoing.message.html)
        return ""


async def fill(folder: Path, notices: int) -> None:
    """The read model and the records of a site with so many new bookings."""
    await migrate(f"sqlite:///{folder}/read.db", READ_MODEL)
    await migrate(f"sqlite:///{folder}/records.db", RECORDS)
    clock = SteppedClock(make.NOW)
    records = Records(f"sqlite:///{folder}/records.db")
    patients = SqlPatients(records, KeyRing(records, KEKS, clock))
    people = {
        PatientId(f"pat_{number}"): PatientProfile(
            given_name="Mira",
            family_name="Berg",
            email=f"p{number}@example.org",
            language=("en", "de", "ar")[number % 3],
        )
        for number in range(PATIENTS)
    }
    await patients.introduce(people, [], now=make.NOW)
    await records.close()
    journal, shard = StoryJournal(), ShardId("s0000")
    for number in range(PROVIDERS):
        story = Story(number)
        journal.tell(shard, story.registered(at=make.NOW), story.offers())
        for one in range(notices // PROVIDERS):
            event = story.booked(one, NEXT + 60 * one, patient=one % PATIENTS)
            journal.tell(shard, replace(event, at=make.NOW))
    engine = open_engine(f"sqlite:///{folder}/read.db", "projector")
    projector = Projector(journal, SqlProjectionStore(engine), clock)
    while await projector.step():
        pass
    await engine.dispose()


def work(place: str, index: int) -> tuple[int, float, float]:
    """One worker's messages, seconds, and seconds of processor time."""
    return asyncio.run(_work(Path(place), index))


async def _work(folder: Path, index: int) -> tuple[int, float, float]:
    clock = SteppedClock(make.NOW)
    records = Records(f"sqlite:///{folder}/records.db")
    readers = open_engine(f"sqlite:///{folder}/read.db", "reader")
    writer = open_engine(f"sqlite:///{folder}/read.db", "writer")
    ring = KeyRing(records, KEKS, clock)
    voice = SiteVoice(NoticeLinks("https://clinic.test"), "visits@clinic.test")
    teller = SqlTeller(records, readers, ring, recipients_of, erased_of, voice)
    sink = Sink()
    deliverer = Deliverer(
        SqlOutgoingMessages(records, ring), {Channel.MAIL: sink}, clock
    )
    outbox, queue = outbox_of(writer), SqlJobQueue(records.engine)
    jobs: Mapping[str, Any] = message_handlers(deliverer)
    lanes = [
        Lane(outbox, told_handlers(teller, clock), "outbox", TOLD_AT_ONCE, GATHER_S),
        Lane(queue, jobs, "jobs"),
    ]
    worker = Worker(f"w{index}", lanes, clock, LocalWakeups())
    stop = asyncio.Event()
    began, spent = time.perf_counter(), time.process_time()
    task = asyncio.ensure_future(worker.run(stop))
    while True:
        await asyncio.sleep(0.05)
        told, sent = await outbox.counts(make.NOW), await queue.counts(make.NOW)
        reminders_only = not await queue.due(jobs, now=clock.now())
        if not told.waiting and reminders_only and sent.done:
            break
    took, spent = time.perf_counter() - began, time.process_time() - spent
    stop.set()
    await task
    await records.close()
    await readers.dispose()
    await writer.dispose()
    return sink.got, took, spent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--notices", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(fill(Path(place), options.notices))
        spawn = get_context("spawn")
        with ProcessPoolExecutor(options.workers, mp_context=spawn) as pool:
            found = list(
                pool.map(work, [place] * options.workers, range(options.workers))
            )
    sent = sum(one for one, _, _ in found)
    took = max(seconds for _, seconds, _ in found)
    spent = sum(seconds for _, _, seconds in found)
    figures = {
        "notices": sent,
        "workers": options.workers,
        "notices_per_s": round(sent / took),
        "processor_us_per_notice": round(spent / max(1, sent) * 1e6),
    }
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
