"""A freed slot goes to who waits for it, while worker and shards are killed.

The whole server with real processes; a rival tries to book the slot all the time.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from loadtests.workload.providers import WEEK, hours, opening_rules
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ROOT, ServerProcess, clean_environment

pytestmark = pytest.mark.acceptance
LEASE_S = 61
"""A worker's clock is so much later than that of the one before it, whose claims have
then ended."""
DOCTOR, KIND = "prv_waited", "consult"
HAMMER_S = 0.02


class WaitedSite:
    """A server without workers of its own, a doctor, and people."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.ahead_s = 0
        first = datetime.now(UTC) + timedelta(days=3)
        self._day = first.replace(hour=0, minute=0, second=0, microsecond=0)

    def open(self) -> None:
        self.server.start()
        admin = self.server.token("admin", "adm_1")
        path = f"/v1/providers/{DOCTOR}"
        clinic = {"clinic_id": "cln_waited", "name": "Practice", "time_zone": "UTC"}
        name = {"name": "Dr. Ada", "specialty": "Cardiology", "clinic": clinic}
        rules = opening_rules(KIND, 30, dict.fromkeys(WEEK, hours("08:00", "18:00")))
        self.ask(admin, "PUT", path, name)
        self.ask(admin, "PUT", f"{path}/availability", rules)

    def at(self, hour: int) -> str:
        start = self._day + timedelta(hours=hour)
        return start.isoformat().replace("+00:00", "Z")

    def token(self, patient: str) -> str:
        return self.server.token("patient", patient)

    # --- requests ---

    def send(self, token: str, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        url = self.server.url + path
        return httpx.request(method, url, json=body, headers=headers, timeout=60)

    def ask(self, token: str, method: str, path: str, body: Any = None) -> Any:
        """The answer; asked again while a killed shard is not back."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self.send(token, method, path, body)
            if answer.status_code < 300:
                return answer.json() if answer.content else None
            assert answer.status_code == 503, f"{path}: {answer.text}"
            assert time.monotonic() < deadline, answer.text

    def book(self, patient: str, start: str) -> str:
        body = {"provider_id": DOCTOR, "visit_type": KIND, "start": start}
        made = self.ask(self.token(patient), "POST", "/v1/bookings", body)
        return str(made["booking_id"])

    def wait(self, patient: str, **more: Any) -> None:
        body = {"scope": "provider", "subject": DOCTOR} | more
        self.ask(self.token(patient), "POST", "/v1/waiting", body)

    def offers(self, patient: str) -> list[dict[str, Any]]:
        found = self.ask(self.token(patient), "GET", "/v1/waiting/offers")
        items: list[dict[str, Any]] = found["items"]
        return items

    def answer(self, patient: str, how: str) -> Any:
        (offer,) = self.offers(patient)
        path = f"/v1/waiting/offers/{offer['hold_id']}/{how}"
        return self.ask(self.token(patient), "POST", path)

    def offered(self, patient: str) -> dict[str, Any]:
        """The patient's offer, once there is one."""
        self.until(lambda: bool(self.offers(patient)), f"an offer to {patient}")
        (offer,) = self.offers(patient)
        return offer

    # --- what dies ---

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """A worker that is killed at the end of the block."""
        module = "tests.acceptance.notices.later_worker"
        process = self.start(module, str(self.ahead_s))
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            self.ahead_s += LEASE_S

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.server.data.parent / "worker.output").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=clean_environment(**self.server.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill_shards(self) -> None:
        """kill -9 of every process that has calendars; the server starts others."""
        found = []
        for one in psutil.Process(self.server.pid).children(recursive=True):
            with suppress(psutil.Error):
                if one.name().startswith("ray::Shard"):
                    found.append(one)
        assert found, "no shard is alive"
        for one in found:
            with suppress(psutil.Error):
                one.kill()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, what
            time.sleep(0.05)

    def rows(self, query: str) -> list[Any]:
        path = f"file:{self.server.data / 'records.db'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=60)) as records:
            return records.execute(query).fetchall()

    def calendars_know(self) -> None:
        """Let a worker tell the calendars what is waited for; then it is killed."""
        due = "SELECT 1 FROM job WHERE kind = 'waiting.refresh' AND done_at IS NULL"
        with self.worker():
            self.until(lambda: not self.rows(due), "calendars to be told")


class Rival:
    """One who does not wait: tries to book the slot, and looks whether it is free."""

    def __init__(self, site: WaitedSite, start: str) -> None:
        self._site, self._start = site, start
        self._token = site.token("pat_rival")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.refused = 0
        self.wrong: list[str] = []

    def __enter__(self) -> Rival:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        body = {"provider_id": DOCTOR, "visit_type": KIND, "start": self._start}
        day = self._start[:10]
        look = f"/v1/providers/{DOCTOR}/slots?visit_type={KIND}&from={day}&to={day}"
        while not self._stop.wait(HAMMER_S):
            try:
                answer = self._site.send(self._token, "POST", "/v1/bookings", body)
                seen = self._site.send(self._token, "GET", look)
            except httpx.HTTPError as error:
                self.wrong.append(repr(error))
                return
            if answer.status_code == 409:
                self.refused += 1
                if answer.json()["code"] != "slot_unavailable":
                    self.wrong.append(answer.text)
            elif answer.status_code != 503:
                self.wrong.append(answer.text)
            if seen.status_code == 200:
                states = {s["start"]: s["state"] for s in seen.json()["slots"]}
                if states.get(self._start) == "free":
                    self.wrong.append("it was free")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WaitedSite]:
    settings = {
        "SLOTCAST_SEED": "none",
        "SLOTCAST_WORKERS": "0",
        "SLOTCAST_RATE_LIMITS": "false",
    }
    with ServerProcess(tmp_path / "data", None, **settings) as server:
        made = WaitedSite(server)
        made.open()
        yield made


def test_the_first_of_the_list_gets_the_slot_whatever_is_killed(
    site: WaitedSite,
) -> None:
    """Never free in between: kill -9 of all shards after the reserve and after the
    offer was written down, and of workers there and after answers. Each who declines is
    followed by the next; the last moves their visit there, and what that leaves is
    offered in turn. Journal, memory and SQL agree."""
    slot, later = site.at(9), site.at(16)
    visit = site.book("pat_c", later)
    given_up = site.book("pat_x", slot)
    for patient, more in (
        ("pat_a", {}),
        ("pat_b", {}),
        ("pat_c", {"booking_id": visit}),
    ):
        site.wait(patient, **more)
    site.calendars_know()
    with Rival(site, slot) as rival:
        site.until(lambda: rival.refused > 0, "the rival")
        path = f"/v1/bookings/{given_up}/cancel"
        site.ask(site.token("pat_x"), "POST", path)
        die_before_the_offer(site)
        decline_one_after_another(site, slot)
        with site.worker():
            assert site.offered("pat_c")["booking_id"] == visit
            before = rival.refused
            moved = site.answer("pat_c", "accept")
            assert (moved["booking_id"], moved["start"]) == (visit, slot)
            assert site.offered("pat_a")["start"] == later
        site.until(lambda: rival.refused > before, "the rival")
    assert rival.wrong == []
    answered = site.rows(
        "SELECT patient_id, place, status FROM slot_offer"
        " WHERE status != 'offered' ORDER BY place"
    )
    assert answered == [
        ("pat_a", 1, "declined"),
        ("pat_b", 2, "declined"),
        ("pat_c", 3, "accepted"),
    ]
    found = site.server.json("verify")
    assert found["problems"] == []


def die_before_the_offer(site: WaitedSite) -> None:
    """All shards, then the worker once the offer is written down, then all shards."""
    site.kill_shards()
    dying = site.start("tests.acceptance.dying_worker")
    assert dying.wait(2 * PATIENCE_S) == -signal.SIGKILL
    site.ahead_s += LEASE_S
    asked = site.rows("SELECT patient_id, turn, status FROM slot_offer")
    assert asked == [("pat_a", 0, "asked")]
    assert site.offers("pat_a") == [], "the calendar was not asked yet"
    site.kill_shards()


def decline_one_after_another(site: WaitedSite, slot: str) -> None:
    """The first two; a worker is killed after each offer, and shards in between."""
    with site.worker():
        first = site.offered("pat_a")
        assert (first["start"], site.offers("pat_b")) == (slot, [])
    site.answer("pat_a", "decline")
    site.kill_shards()
    with site.worker():
        assert site.offered("pat_b")["hold_id"] == first["hold_id"]
    site.answer("pat_b", "decline")
