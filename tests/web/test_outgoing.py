"""What a demo's people are sent, as its page of messages shows it, up to the reminder.

A site of its own: a worker with a clock that is ahead reminds its people of visits.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.fixtures.server import ROOT, ServerProcess, clean_environment
from tests.web.conftest import PATIENCE_MS, Browsing
from tests.web.test_accounts import PASSWORD, address_of, join, log_in


@pytest.fixture(scope="module")
def site(
    built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    assert (built / "index.html").is_file()
    with ServerProcess(
        tmp_path_factory.mktemp("outgoing") / "data",
        SLOTCAST_RATE_LIMITS="false",
        SLOTCAST_SHARDS="1",
        SLOTCAST_REMINDERS="1440",
    ) as server:
        server.start()
        yield server


@contextmanager
def worker_at(site: ServerProcess, moment: datetime) -> Iterator[None]:
    """A second worker, whose clock says that it is this moment."""
    ahead = str(int((moment - datetime.now(UTC)).total_seconds()))
    log = site.data.with_name("later.output")
    with log.open("ab") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.notices.later_worker", ahead],
            cwd=ROOT,
            env=clean_environment(**site.settings),
            stdout=output,
            stderr=output,
        )
    try:
        yield
        assert worker.poll() is None, log.read_text()
    finally:
        worker.kill()
        worker.wait()


class Booker:
    """A person who books by REST, as a program of theirs would."""

    def __init__(self, page: Page, browsing: Browsing, address: str) -> None:
        self._ask, self._site = page.request, f"{browsing.address}/v1"
        body = {"email": address, "password": PASSWORD, "delivery": "body"}
        signed = self._ask.post(f"{self._site}/auth/login", data=body).json()
        self._head = {"Authorization": f"Bearer {signed['access_token']}"}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask.post(self._site + path, data=body, headers=self._head)
        assert answer.ok, answer.text()
        return dict(answer.json())

    def book_two(self) -> list[dict[str, Any]]:
        """Two visits of one day with one doctor, the earlier one first."""
        path = f"{self._site}/providers?sort=soonest&limit=1"
        (provider, *_) = self._ask.get(path).json()["items"]
        kind = provider["visit_types"][0]["visit_type"]
        today = datetime.now(UTC).date()
        days = [(today + timedelta(days=one)).isoformat() for one in (3, 20)]
        where = f"{self._site}/providers/{provider['provider_id']}/slots"
        query = f"visit_type={kind}&from={days[0]}&to={days[1]}"
        slots = self._ask.get(f"{where}?{query}").json()["slots"]
        free = [one for one in slots if one["state"] == "free"]
        first, second = next(
            (one, other)
            for one in free
            for other in free
            if one["end"] <= other["start"] and one["start"][:10] == other["start"][:10]
        )
        return [
            self.post(
                "/bookings",
                {
                    "provider_id": provider["provider_id"],
                    "visit_type": kind,
                    "start": slot["start"],
                },
            )
            for slot in (first, second)
        ]


def calendar_of(page: Page, article: Locator) -> Any:
    """The event in the file that a message offers, read by a calendar program."""
    with page.expect_download() as offered:
        article.get_by_role("link", name="Calendar file").click()
    assert offered.value.suggested_filename == "visit.ics"
    text = Path(offered.value.path()).read_text()
    found = icalendar.Calendar.from_ical(text)
    (event,) = found.walk("VEVENT")
    return str(found["METHOD"]), event


def start_of(visit: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(visit["start"])


def reminders_left(site: ServerProcess, moment: datetime) -> int:
    """Jobs of reminders that are due by then, and not done."""
    with closing(sqlite3.connect(site.data / "records.db")) as records:
        records.execute("PRAGMA busy_timeout = 60000")
        query = "SELECT count(*) FROM job WHERE kind = ? AND due_at <= ?"
        due = int(moment.timestamp() * 1000)
        found = records.execute(query, ("notices.remind", due)).fetchone()
    return int(found[0])


def test_a_booker_is_confirmed_and_reminded_and_of_what_is_cancelled_is_not(
    browsing: Browsing, site: ServerProcess
) -> None:
    """The confirmation lies among the messages with a file that a calendar program
    reads; so does the cancellation. A day before, the reminder of the visit that is
    kept comes, and none of the one that was cancelled."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    booker = Booker(page, browsing, address)
    cancelled, kept = booker.book_two()
    page.goto(f"{browsing.address}/demo/messages")
    mine = page.locator("article", has_text=address)
    confirmed = mine.filter(has=page.get_by_role("link", name="Calendar file"))
    expect(confirmed).to_have_count(2)
    events = [calendar_of(page, one) for one in confirmed.all()]
    assert {method for method, _ in events} == {"REQUEST"}
    uids = {str(event["UID"]).partition("@")[0] for _, event in events}
    assert uids == {cancelled["booking_id"], kept["booking_id"]}
    starts = {event.decoded("DTSTART") for _, event in events}
    assert starts == {start_of(cancelled), start_of(kept)}
    booker.post(f"/bookings/{cancelled['booking_id']}/cancel", {})
    expect(confirmed).to_have_count(3)
    method, event = calendar_of(page, confirmed.first)
    assert (method, str(event["STATUS"])) == ("CANCEL", "CANCELLED")
    assert str(event["UID"]).startswith(cancelled["booking_id"])

    reminder = mine.filter(has=page.get_by_role("heading", name="Reminder"))
    expect(reminder).to_have_count(0)
    moment = start_of(kept) - timedelta(hours=23)
    with worker_at(site, moment):
        expect(reminder).to_have_count(1, timeout=2 * PATIENCE_MS)
        while reminders_left(site, moment):
            page.wait_for_timeout(50)
    expect(reminder).to_have_count(1)
