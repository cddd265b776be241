"""Visits that take a room, while gateways and shards are killed: all of it, or none.

The whole server with real processes, its worker included; a hold lasts five seconds.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from loadtests.workload.providers import WEEK, hours, opening_rules
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ROOT, ServerProcess, clean_environment

pytestmark = pytest.mark.acceptance
DOCTOR, KIND, CLINIC = "prv_scans", "scan", "cln_scans"


class ScanSite:
    """A server with a doctor whose visits take the clinic's only room."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        first = datetime.now(UTC) + timedelta(days=3)
        self._day = first.replace(hour=0, minute=0, second=0, microsecond=0)
        self.room = ""

    def open(self) -> None:
        admin = self.server.token("admin", "adm_1")
        clinic = {"clinic_id": CLINIC, "name": "Practice", "time_zone": "UTC"}
        name = {"name": "Dr. Ada", "specialty": "Radiology", "clinic": clinic}
        self.ask(admin, "PUT", f"/v1/providers/{DOCTOR}", name)
        rules = opening_rules(KIND, 30, dict.fromkeys(WEEK, hours("08:00", "18:00")))
        rules["visit_types"][0]["needs"] = [{"kind": "room"}]
        self.ask(admin, "PUT", f"/v1/providers/{DOCTOR}/availability", rules)
        made = self.ask(
            admin,
            "POST",
            f"/v1/clinics/{CLINIC}/resources",
            {"kind": "room", "name": "Room 1"},
        )
        self.room = made["resource_id"]
        rules["visit_types"] = []
        self.ask(admin, "PUT", f"/v1/providers/{self.room}/availability", rules)

    def at(self, hour: int) -> str:
        start = self._day + timedelta(hours=hour)
        return start.isoformat().replace("+00:00", "Z")

    def send(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """The answer; a request repeated has the key of the first."""
        headers = {"Authorization": f"Bearer {who}"}
        if method == "POST":
            said = f"{path}{body}".encode()
            headers["Idempotency-Key"] = blake2b(said, digest_size=16).hexdigest()
        url = self.server.url + path
        return httpx.request(method, url, json=body, headers=headers, timeout=60)

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """The answer; asked again, with its key, while a killed shard is not back."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self.send(who, method, path, body)
            if answer.status_code < 300:
                return answer.json() if answer.content else None
            is_new = answer.status_code == 404 and method == "POST"
            assert answer.status_code == 503 or is_new, f"{path}: {answer.text}"
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.05)

    def wish(self, hour: int) -> dict[str, str]:
        return {"provider_id": DOCTOR, "visit_type": KIND, "start": self.at(hour)}

    def is_booked(self, hour: int) -> bool:
        """Ask for it, once more with the same key if it was asked for before."""
        who = self.server.token("patient", "pat_a")
        answer = self.send(who, "POST", "/v1/bookings", self.wish(hour))
        assert answer.status_code in {201, 503}, answer.text
        return bool(answer.status_code == HTTPStatus.CREATED)

    def visits(self, calendar: str) -> set[str]:
        """The starts of a calendar's visits."""
        day = self.at(0)[:10]
        path = f"/v1/providers/{calendar}/schedule?from={day}&to={day}"
        admin = self.server.token("admin", "adm_1")
        found = self.ask(admin, "GET", path)["bookings"]
        return {one["start"] for one in found if one["status"] == "booked"}

    def is_free(self, hour: int) -> bool:
        day = self.at(0)[:10]
        path = f"/v1/providers/{DOCTOR}/slots?visit_type={KIND}&from={day}&to={day}"
        found = self.ask(self.server.token("patient", "pat_a"), "GET", path)["slots"]
        states: dict[str, str] = {s["start"]: s["state"] for s in found}
        return states.get(self.at(hour)) == "free"

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    def kill_shards(self) -> None:
        """kill -9 of every process that has calendars; the server starts others."""
        for one in psutil.Process(self.server.pid).children(recursive=True):
            with suppress(psutil.Error):
                if one.name().startswith("ray::Shard"):
                    one.kill()

    def book_and_die(self, hour: int, step: str) -> None:
        """Book by another gateway of the site, which is killed at a step of it."""
        who = self.server.token("patient", "pat_a")
        request = {
            "method": "POST",
            "url": "/v1/bookings",
            "json": self.wish(hour),
            "headers": {
                "Authorization": f"Bearer {who}",
                "Idempotency-Key": f"dying-{step}",
            },
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.acceptance.dying_gateway", step],
            cwd=ROOT,
            env=clean_environment(**self.server.settings),
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ScanSite]:
    settings = {
        "SLOTCAST_SEED": "none",
        "SLOTCAST_HOLD_SECONDS": "5",
        "SLOTCAST_RATE_LIMITS": "false",
        "SLOTCAST_SHARDS": "2",
    }
    with ServerProcess(tmp_path / "data", None, **settings) as server:
        server.start()
        made = ScanSite(server)
        made.open()
        yield made


def test_a_visit_has_its_room_or_there_is_none_whatever_is_killed(
    site: ScanSite,
) -> None:
    """kill -9 of a gateway between the room and the provider: the room is free again
    by itself. Between the booking and the room: the room is the visit's by itself. Of
    all shards: the same request, repeated, is one visit with a room."""
    site.until(lambda: site.is_free(9), "the room")
    site.book_and_die(9, "held")
    site.until(lambda: site.is_free(9), "the room to be free again")
    assert site.visits(DOCTOR) == site.visits(site.room) == set()
    site.book_and_die(10, "booked")
    assert site.visits(DOCTOR) == {site.at(10)}
    site.until(lambda: site.visits(site.room) == {site.at(10)}, "the room's part")
    for hour in (11, 12):
        site.kill_shards()
        site.until(partial(site.is_booked, hour), "a booking")
    booked = {site.at(hour) for hour in (10, 11, 12)}
    assert site.visits(DOCTOR) == booked
    site.until(lambda: site.visits(site.room) == booked, "the rooms' parts")
    assert site.server.json("verify")["problems"] == []
