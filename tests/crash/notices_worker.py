"""A worker that tells of visits and hands mails to a server, until it is killed.

    python -m tests.crash.notices_worker FOLDER PORT SECONDS

FOLDER holds read.db and records.db; its clock stands SECONDS after the story's now.
"""

from __future__ import annotations

import asyncio
import sys

from care.notices.messages import Channel
from cluster.work.delivering import Deliverer, message_handlers
from cluster.work.telling import told_handlers
from cluster.work.worker import Lane, Worker
from persistence.jobs.queue import SqlJobQueue, outbox_of
from persistence.keys.ring import KeyRing
from persistence.notices.composing import SiteVoice
from persistence.notices.links import NoticeLinks
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.notices.smtp import SmtpCourier
from persistence.notices.telling import SqlTeller
from persistence.patients.recipients import erased_of, recipients_of
from persistence.shared.memory import LocalWakeups
from persistence.sql.engine import open_engine
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import KEKS


async def work(folder: str, port: int, seconds: int) -> None:
    clock = SteppedClock(make.NOW)
    clock.step(seconds)
    records = Records(f"sqlite:///{folder}/records.db")
    readers = open_engine(f"sqlite:///{folder}/read.db", "reader")
    writer = open_engine(f"sqlite:///{folder}/read.db", "writer")
    ring = KeyRing(records, KEKS, clock)
    voice = SiteVoice(NoticeLinks("https://clinic.test"), "visits@clinic.test")
    teller = SqlTeller(records, readers, ring, recipients_of, erased_of, voice)
    courier = SmtpCourier(f"smtp://127.0.0.1:{port}", "visits@clinic.test")
    messages = SqlOutgoingMessages(records, ring)
    deliverer = Deliverer(messages, {Channel.MAIL: courier}, clock)
    queue = SqlJobQueue(records.engine)
    lanes = [
        Lane(outbox_of(writer), told_handlers(teller, clock), "outbox"),
        Lane(queue, message_handlers(deliverer), "jobs"),
    ]
    await Worker("w", lanes, clock, LocalWakeups()).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
