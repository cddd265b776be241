"""A whole site that tells people of visits, whose parts are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil

from loadtests.workload.providers import WEEK, hours, opening_rules
from tests.acceptance.notices.judging import CHANNELS, About, Known, Sent
from tests.acceptance.notices.receivers import Receiver, a_browser, mail_of
from tests.acceptance.test_people_story import Person
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ROOT, ServerProcess, clean_environment

PUBLIC = "https://clinic.test"
CLINIC = "cln_proof"
VISIT_TYPE = "heart-tracing"
REASON, WHY_CANCELLED = "gallstones", "feeling better"
FORBIDDEN = (
    *("cardiolog", "kardiolog", "أمراض القلب"),
    *(VISIT_TYPE, "electrocardiogram", REASON, WHY_CANCELLED),
)
"""Specialty, visit type and reasons, as no message may say them."""
RECORDS, READ_MODEL = "records.db", "readmodel/slotcast.sqlite3"
LANGUAGES = ("en", "de", "ar")
LEASE_S = 61
"""A worker's clock is so much later than that of the one before it, whose claims have
then ended."""
FIRST_H, APART_H = 30, 12
"""When the first group of visits begins, and how far apart groups are: so that no two
of their reminders are due at one time, and all is within ``STALE_MS``."""
SLOTS = 8
"""Visits of a doctor in a group: the last begins two hours after the first, at most."""
SOON_MS = 5 * 60_000
"""Jobs that are due sooner are being worked on; reminders of other days are not."""


class NoticesSite:
    """Server, projector, receivers, and a worker that lives now and then."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        server = ServerProcess(folder / "data", None)
        self.receivers = {
            kind: stack.enter_context(Receiver(kind, folder, server.url))
            for kind in CHANNELS
        }
        port = {kind: one.port for kind, one in self.receivers.items()}
        server.settings |= {
            "SLOTCAST_SEED": "none",
            "SLOTCAST_DEMO": "on",
            "SLOTCAST_PUBLIC_URL": PUBLIC,
            "SLOTCAST_RATE_LIMITS": "false",
            "SLOTCAST_WORKERS": "0",
            "SLOTCAST_MAIL": f"smtp://127.0.0.1:{port['mail']}",
            "SLOTCAST_MAIL_FROM": "Visits <visits@clinic.test>",
            "SLOTCAST_SMS": f"http://AC123:to%2Fken@127.0.0.1:{port['sms']}",
            "SLOTCAST_SMS_FROM": "+15005550006",
            "SLOTCAST_PUSH_ANYWHERE": "true",
        }
        self.server = stack.enter_context(server)
        self.first = a_quarter_after(datetime.now(UTC)) + timedelta(hours=FIRST_H)
        self.people: list[Person] = []
        self.patients: list[str] = []
        self.ahead_s = 0
        """How far ahead of the system's the worker's clock is."""
        self._worker: subprocess.Popen[bytes] | None = None
        stack.callback(self.kill_worker)
        self._client = stack.enter_context(httpx.Client(timeout=PATIENCE_S))

    # --- setting up ---

    def open(self, people: int, providers: int) -> None:
        """Start, with people who hear of everything and doctors open all day."""
        self.server.start()
        for number in range(people):
            self._add_person(number)
        admin = self.server.token("admin", "adm_1")
        clinic = {
            "clinic_id": CLINIC,
            "name": "Practice at the River",
            "time_zone": "UTC",
            "address": "1 Quay",
            "city": "Berlin",
        }
        all_day = dict.fromkeys(WEEK, hours("00:00", "24:00"))
        rules = opening_rules(VISIT_TYPE, 15, all_day)
        rules["visit_types"][0]["title"] = "Electrocardiogram"
        for number in range(providers):
            path = f"/v1/providers/{provider_of(number)}"
            name = {"name": f"Dr. Ada {number}", "specialty": "Cardiology"}
            self.ask("PUT", path, name | {"clinic": clinic}, token=admin)
            self.ask("PUT", f"{path}/availability", rules, token=admin)

    def _add_person(self, number: int) -> None:
        person = Person(self.server, f"p{number}@example.org")
        person.register()
        person.signed = person.password()
        named = {"given_name": "Mira", "phone": f"+4915112345{number:03}"}
        patient = person.ask("PATCH", "/v1/me/profile", named)["patient_id"]
        person.ask("PUT", "/v1/preferences", wanting(LANGUAGES[number % 3]))
        push = self.receivers["push"]
        browser = a_browser(f"http://127.0.0.1:{push.port}", number).subscription
        keys = {"p256dh": browser.p256dh, "auth": browser.auth}
        body = {"endpoint": browser.endpoint, "keys": keys}
        person.ask("POST", "/v1/push/subscribe", body)
        self.people.append(person)
        self.patients.append(patient)

    def start(self, group: int, slot: int) -> datetime:
        """A start of one of the groups of visits."""
        return self.first + timedelta(hours=APART_H * group, minutes=15 * slot)

    # --- what staff and people do ---

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = ""
    ) -> dict[str, Any]:
        """The answer of a request that succeeds; by the clinic's staff."""
        token = token or self.server.token("clinic_admin", CLINIC)
        answer = self._client.request(
            method,
            self.server.url + path,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code < 300, f"{path}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def send(self, method: str, path: str) -> httpx.Response:
        """The answer to a request without a token."""
        return self._client.request(method, self.server.url + path)

    # --- the worker ---

    def start_worker(self) -> None:
        """The command itself, or the same with a clock that is ahead."""
        words = ["-m", "tests.acceptance.notices.later_worker", str(self.ahead_s)]
        if not self.ahead_s:
            words = ["-m", "cluster", "work"]
        with (self.folder / "worker.output").open("ab") as output:
            self._worker = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=clean_environment(**self.server.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill_worker(self) -> None:
        """kill -9; what it had claimed is due for the next one."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            self._worker = None
        self.ahead_s += LEASE_S

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A worker that is killed at the end of the block."""
        self.start_worker()
        try:
            yield
        finally:
            self.kill_worker()

    def later(self, moment: datetime) -> None:
        """Move the clock of the next worker to then."""
        ahead = int((moment - datetime.now(UTC)).total_seconds())
        assert ahead >= self.ahead_s, "time does not go back"
        self.ahead_s = ahead

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not holds():
            worker = self._worker
            assert worker is None or worker.poll() is None, "the worker ended"
            assert time.monotonic() < deadline, f"{what}: {self.pending()}"
            time.sleep(0.05)

    def until_taken(self, more: int) -> None:
        """Wait until so many more messages were taken, or no more come."""
        goal = sum(self.count().values()) + more
        self.until(
            lambda: sum(self.count().values()) >= goal or self.is_idle(), "messages"
        )

    # --- the projector ---

    def projectors(self) -> list[psutil.Process]:
        """The server's living projectors."""
        found = []
        for one in psutil.Process(self.server.pid).children(recursive=True):
            with suppress(psutil.Error):
                if "project" in one.cmdline():
                    found.append(one)
        return found

    def kill_projector(self) -> None:
        """kill -9; the server starts another one."""
        for one in self.projectors():
            with suppress(psutil.Error):
                one.kill()

    @contextmanager
    def projector_stopped(self) -> Iterator[None]:
        """The read model stays behind the calendars while the block lasts."""
        self.until(lambda: bool(self.projectors()), "a projector")
        held = self.projectors()
        for one in held:
            os.kill(one.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for one in held:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGCONT)

    # --- what is going on, and what came ---

    def rows(self, database: str, query: str, *values: Any) -> list[Any]:
        """What a query of a database finds."""
        place = f"file:{self.server.data}/{database}?mode=ro"
        with closing(sqlite3.connect(place, uri=True, timeout=PATIENCE_S)) as opened:
            return opened.execute(query, values).fetchall()

    def pending(self) -> dict[str, int]:
        """Jobs by kind that a worker has to do by now, or soon."""
        soon = int(time.time() * 1000) + self.ahead_s * 1000 + SOON_MS
        count = "SELECT kind, count(*) FROM {} WHERE due_at <= ? GROUP BY kind"
        jobs = self.rows(RECORDS, count.format("job"), soon)
        return {
            **dict(self.rows(READ_MODEL, count.format("outbox"), soon)),
            **{kind: n for kind, n in jobs if kind.startswith("notices.")},
        }

    def is_idle(self) -> bool:
        """Whether there is nothing left to do for now."""
        return not self.pending()

    def count(self) -> dict[str, int]:
        """How many messages each receiver has taken."""
        return {kind: len(one.taken()) for kind, one in self.receivers.items()}

    def known(self) -> Known:
        """Of which notices the ids on messages are."""
        rows = self.rows(
            RECORDS,
            "SELECT m.message_id, n.notice_id, n.booking_id, n.kind, n.version "
            "FROM outgoing_message m JOIN notice n ON n.notice_id = m.notice_id",
        )
        found = {one[0]: About(*one[1:]) for one in rows}
        return found | {one.notice_id: one for one in found.values()}

    def sent(self) -> list[Sent]:
        """What receivers have of visits."""
        found = [_mail(one, at) for at, one in _numbered(self.receivers["mail"])]
        found = [one for one in found if one.message_id.startswith("ntc_")]
        for at, one in _numbered(self.receivers["sms"]):
            message = one["report_to"].rpartition("/")[2]
            found.append(Sent("sms", message, one["to"], at, one["text"]))
        for at, one in _numbered(self.receivers["push"]):
            text = f"{one['title']}\n{one['body']}"
            found.append(Sent("push", one["tag"], one["browser"], at, text))
        return found

    def raise_receivers(self, chance: Random) -> None:
        """Start those again that were killed, in any order."""
        down = [one for one in self.receivers.values() if not one.is_alive]
        for one in chance.sample(down, len(down)):
            one.start()


def _numbered(receiver: Receiver) -> Iterator[tuple[int, dict[str, Any]]]:
    return iter(enumerate(receiver.taken()))


def _mail(line: dict[str, Any], at: int) -> Sent:
    mail = mail_of(line)
    parts = [one for one in mail.walk() if not one.is_multipart()]
    texts = [
        str(one.get_content())
        for one in parts
        if one.get_content_maintype() == "text"
        and one.get_content_subtype() != "calendar"
    ]
    calendars = [
        str(one.get_content())
        for one in parts
        if one.get_content_type() == "text/calendar"
    ]
    stop = str(mail.get("List-Unsubscribe", ""))
    body = "\n".join([str(mail["Subject"]), stop, *texts])
    message = str(mail["Message-ID"]).strip("<>").partition("@")[0]
    return Sent("mail", message, line["to"][0], at, body, "".join(calendars))


def wanting(language: str) -> dict[str, Any]:
    """Choices of a person who hears of everything, at any hour."""
    kinds = ("booked", "rescheduled", "cancelled", "reminder", "stranded", "covered")
    return {
        "channels": {kind: dict.fromkeys(CHANNELS, True) for kind in kinds},
        "quiet": {"begins": "00:00", "ends": "00:00"},
        "language": language,
    }


def provider_of(number: int) -> str:
    """A doctor's id."""
    return f"prv_proof{number:02}"


def a_quarter_after(moment: datetime) -> datetime:
    """The first whole quarter of an hour after it."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole + timedelta(minutes=15 * (moment.minute // 15 + 1))


@contextmanager
def notices_site(folder: Path, people: int, providers: int) -> Iterator[NoticesSite]:
    """Started, and thrown away with the block."""
    with ExitStack() as stack:
        made = NoticesSite(folder, stack)
        made.open(people, providers)
        yield made
