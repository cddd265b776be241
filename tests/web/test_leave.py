"""Leave in the browser: from its preview to the last patient resolved."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import faults
from tests.web.test_accounts import (
    PASSWORD,
    address_of,
    here,
    join,
    log_in,
    mailed,
)


class Program:
    """REST, as programs of these people would use it."""

    def __init__(self, page: Page, site: str) -> None:
        self._ask, self._site = page.request, f"{site}/v1"

    def signed(self, path: str, **body: str) -> dict[str, str]:
        answer = self._ask.post(
            f"{self._site}/auth/{path}", data={"delivery": "body", **body}
        )
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def get(self, path: str, head: dict[str, str] | None = None) -> Any:
        answer = self._ask.get(f"{self._site}/{path}", headers=head or {})
        assert answer.ok, answer.text()
        return answer.json()

    def post(self, path: str, body: Any, head: dict[str, str]) -> Any:
        answer = self._ask.post(f"{self._site}/{path}", data=body, headers=head)
        assert answer.ok, answer.text()
        return answer.json()


def a_day_without_visits(program: Program, provider: str) -> tuple[str, list[str]]:
    """A day on which nothing is booked, and its free starts."""
    doctor = program.signed("demo", persona="doctor")
    today = datetime.now(UTC).date()
    first, last = (today + timedelta(days=one) for one in (7, 27))
    kind = program.get(f"providers/{provider}")["visit_types"][0]["visit_type"]
    span = f"from={first}&to={last}"
    path = f"providers/{provider}/schedule?{span}"
    busy = {one["start"][:10] for one in program.get(path, doctor)["bookings"]}
    path = f"providers/{provider}/slots?visit_type={kind}&{span}"
    days: dict[str, list[str]] = {}
    for slot in program.get(path)["slots"]:
        if slot["state"] == "free" and slot["start"][:10] not in busy:
            days.setdefault(slot["start"][:10], []).append(slot["start"])
    return next((day, one) for day, one in days.items() if len(one) >= 4)


Booked = tuple[Page, str, str]
"""A person's page, address and booking."""


def test_leave_ends_with_every_patient_resolved(browsing: Browsing) -> None:
    """The doctor sees whom it affects, and takes it. One patient chooses by the link
    of the mail, on a phone and without signing in; another one in the app; for the
    third the doctor chooses. Then the queue is closed."""
    doctor = browsing.open("/", "doctor")
    doctor.get_by_role("link", name="My day").first.click()
    doctor.wait_for_url("**/desk/day/**")
    provider = doctor.url.rpartition("/")[2].partition("?")[0]
    day, people = book_three(browsing, doctor, provider)
    queue = take_leave(browsing, doctor, provider, day)
    choose_by_link(browsing, *people[0][:2])
    choose_in_the_app(browsing, *people[1])
    expect(queue).to_have_text("2 of 3 visits are resolved")
    left = doctor.locator('.leaverow:not([data-state="resolved"])')
    expect(left).to_have_count(1)
    expect(left.locator(".chip")).to_have_text(re.compile("Message"))
    left.get_by_role("button", name="Choose for the patient").first.click()
    expect(queue).to_have_text("All 3 visits are resolved")
    expect(doctor.locator('.leaverow[data-state="resolved"]')).to_have_count(3)
    assert faults(doctor) == []
    doctor.get_by_role("link", name="All leave").click()
    taken = doctor.get_by_role("region", name="Leave that is taken")
    expect(taken.get_by_text("All 3 visits are resolved")).to_be_visible()
    assert faults(doctor) == []


def book_three(
    browsing: Browsing, doctor: Page, provider: str
) -> tuple[str, list[Booked]]:
    """Visits of three people on one day, which has no other."""
    program = Program(doctor, browsing.address)
    day, starts = a_day_without_visits(program, provider)
    kind = program.get(f"providers/{provider}")["visit_types"][0]["visit_type"]
    people = []
    for start in starts[:3]:
        page, address = browsing.page_of(browsing.person()), address_of()
        join(page, browsing, address)
        head = program.signed("login", email=address, password=PASSWORD)
        wanted = {"provider_id": provider, "visit_type": kind, "start": start}
        booked = program.post("bookings", wanted, head)
        people.append((page, address, booked["booking_id"]))
    return day, people


def take_leave(browsing: Browsing, doctor: Page, provider: str, day: str) -> Locator:
    """Take it after a look at what it affects; where its progress stands."""
    doctor.goto(f"{browsing.address}/desk/leave/{provider}")
    doctor.get_by_label("First day").fill(day)
    doctor.get_by_role("button", name="See what it affects").click()
    expect(doctor.get_by_text("3 visits are affected")).to_be_visible()
    assert faults(doctor) == []
    doctor.get_by_role("button", name="Take the leave").click()
    queue = doctor.get_by_role("status").filter(has_text="visits are resolved")
    expect(queue).to_have_text("0 of 3 visits are resolved")
    expect(doctor.get_by_text("Choose for the patient").first).to_be_visible()
    assert faults(doctor) == []
    return queue


def choose_by_link(browsing: Browsing, page: Page, address: str) -> None:
    """On a phone, without signing in; the link shows afterwards what was chosen."""
    link = mailed(page, browsing, address, "choose")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(here(link, browsing))
    expect(page.get_by_role("heading", name="cannot take place")).to_be_visible()
    expect(page).not_to_have_url(re.compile("token"))
    choices = page.get_by_role("button", name="Take this time")
    expect(choices).to_have_count(3)
    assert faults(page) == []
    choices.first.click()
    expect(page.get_by_role("heading", name="was moved")).to_be_focused()
    expect(page.get_by_text("A message with the new time")).to_be_visible()
    assert faults(page) == []
    page.goto(here(link, browsing))
    expect(page.get_by_role("heading", name="was moved")).to_be_visible()


def choose_in_the_app(
    browsing: Browsing, page: Page, address: str, booking: str
) -> None:
    """From the visit's place among one's own."""
    log_in(page, browsing, address, PASSWORD)
    row = page.locator(f'[id="{booking}"]')
    row.get_by_role("link", name="Choose another time").click()
    page.wait_for_url(f"**/me/visits/{booking}")
    choices = page.get_by_role("button", name="Take this time")
    expect(choices).to_have_count(3)
    choices.nth(1).click()
    expect(page.get_by_role("heading", name="was moved")).to_be_focused()
