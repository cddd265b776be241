"""The waiting room: a whole visit, its mistakes, and a second screen that follows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Locator, Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import faults

MORNING = 9
"""The clinic's hour while a test runs: the rest of its day is ahead."""


@pytest.fixture(scope="module")
def site(training_site: ServerProcess) -> ServerProcess:
    """Outcomes are taken before the visits' time."""
    return training_site


class Person:
    """One of the demo's people by REST, as a program of theirs would use it.

    ``subject`` is whom or what they act for: a patient, a calendar, a clinic.
    """

    def __init__(
        self,
        page: Page,
        browsing: Browsing,
        persona: str,
        signing: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """``signing``: where and with what another person than a demo's signs in."""
        self._ask, self._site = page.request, f"{browsing.address}/v1"
        demo = {"persona": persona, "delivery": "body"}
        path, wanted = signing or ("auth/demo", demo)
        signed = _read(self._ask.post(f"{self._site}/{path}", data=dict(wanted)))
        self.token = str(signed["access_token"])
        self._head = {"Authorization": f"Bearer {self.token}"}
        self.subject = str(signed["context"]["subject"])

    def get(self, path: str) -> dict[str, Any]:
        """What is at a path."""
        return _read(self._ask.get(f"{self._site}/{path}", headers=self._head))

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a body."""
        there = f"{self._site}/{path}"
        return _read(self._ask.post(there, data=dict(body), headers=self._head))

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to what a thing is replaced by."""
        there = f"{self._site}/{path}"
        return _read(self._ask.put(there, data=dict(body), headers=self._head))

    def book(self, provider: str, **patient: str) -> str:
        """Book the next free start of a provider; the booking's id."""
        kind = self.get(f"providers/{provider}")["visit_types"][0]["visit_type"]
        slots = self.get(f"providers/{provider}/slots?visit_type={kind}")["slots"]
        start = next(one["start"] for one in slots if one["state"] == "free")
        wanted = {"provider_id": provider, "visit_type": kind, "start": start}
        return str(self.post("bookings", wanted | patient)["booking_id"])


class Doctor(Person):
    """The demo's doctor, with patients of the clinic."""

    def __init__(self, page: Page, browsing: Browsing) -> None:
        super().__init__(page, browsing, "doctor")

    def open_all_day(self) -> None:
        """The clinic's clock says morning, and it is open from midnight to midnight."""
        where = f"providers/{self.subject}/availability"
        rules = self.get(where)
        hours = (MORNING - datetime.now(UTC).hour + 11) % 24 - 11
        day = [{"opens": "00:00", "closes": "24:00"}]
        days = ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")
        (place, *_) = rules["locations"]
        place["time_zone"] = f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
        place |= {"weekly": {f"{one}day": day for one in days}, "exceptions": {}}
        types = [
            one | {"locations": [], "notice_minutes": 0} for one in rules["visit_types"]
        ]
        self.put(where, {"locations": [place], "visit_types": types})

    def book_for(self, given: str, family: str) -> str:
        """Book the next free start for a new patient; the booking's id."""
        clinic = self.get(f"providers/{self.subject}")["clinic"]["clinic_id"]
        name = {"given_name": given, "family_name": family, "number": ""}
        wanted = name | {"birth_date": "1980-02-29", "even_if_known": True}
        patient = self.post(f"clinics/{clinic}/patients", wanted)
        return self.book(self.subject, patient_id=patient["patient_id"])


def _read(answer: APIResponse) -> dict[str, Any]:
    assert answer.ok, answer.text()
    return dict(answer.json())


class Screens:
    """The waiting room, and beside it the doctor's day."""

    def __init__(self, room: Page, day: Page) -> None:
        self.room, self._day = room, day

    def group(self, name: str) -> Locator:
        """A group of the waiting room."""
        return self.room.locator(f'section[aria-labelledby="{name}"]')

    def seen(self, name: str, booking: str, group: str, status: str) -> Locator:
        """A patient is in a group here, and of a status there."""
        row = self._day.locator("li.visit", has_text=name)
        expect(row).to_have_attribute("data-status", status)
        shown = self.group(group).locator(f'[data-booking="{booking}"]')
        expect(shown).to_be_visible()
        return shown


def test_a_visit_goes_through_the_waiting_room_and_back(browsing: Browsing) -> None:
    """Here, done, did not come, each undone; the doctor's day follows at once.

    Every step takes the keyboard along to where the patient went.
    """
    room, day = browsing.open("/", "doctor"), browsing.open("/", "doctor")
    doctor, screens = Doctor(room, browsing), Screens(room, day)
    doctor.open_all_day()
    anna = ("Anna Keller", doctor.book_for("Anna", "Keller"))
    boris = ("Boris Lind", doctor.book_for("Boris", "Lind"))
    room.goto(f"{browsing.address}/desk/waiting/{doctor.subject}")
    day.goto(f"{browsing.address}/desk/day/{doctor.subject}")
    screens.seen(*boris, "due", "booked")
    for who, button, source, group, status in (
        (anna, "Here", "due", "here", "arrived"),
        (anna, "Done", "here", "over", "fulfilled"),
        (boris, "Did not come", "due", "over", "noshow"),
        (boris, "Undo", "over", "due", "booked"),
        (boris, "Did not come", "due", "over", "noshow"),
        (boris, "Here after all", "over", "here", "arrived"),
        (anna, "Undo", "over", "here", "arrived"),
        (anna, "Undo", "here", "due", "booked"),
    ):
        pressed = screens.group(source).get_by_role("button", name=f"{button} {who[0]}")
        pressed.press("Enter")
        expect(screens.seen(*who, group, status)).to_be_focused()
    assert faults(room) == []


def test_a_mistake_is_undone_from_the_foot_of_the_page(browsing: Browsing) -> None:
    """What was just done is told there, with its undo, on the doctor's day as well."""
    room = browsing.open("/", "doctor")
    doctor, screens = Doctor(room, browsing), Screens(room, room)
    doctor.open_all_day()
    name, booking = "Frida Moll", doctor.book_for("Frida", "Moll")
    room.goto(f"{browsing.address}/desk/waiting/{doctor.subject}")
    due = screens.group("due")
    due.get_by_role("button", name=f"Did not come {name}").click()
    toast = room.locator(".toast")
    expect(toast).to_contain_text("Did not come.")
    toast.get_by_role("button", name="Undo").click()
    expect(due.locator(f'[data-booking="{booking}"]')).to_be_visible()
    expect(toast).to_contain_text("Undone.")
    room.goto(f"{browsing.address}/desk/day/{doctor.subject}")
    row = room.locator("li.visit", has_text=name)
    row.get_by_role("button", name="Here").click()
    expect(row).to_have_attribute("data-status", "arrived")
    toast.get_by_role("button", name="Undo").click()
    expect(row).to_have_attribute("data-status", "booked")


@pytest.mark.parametrize("look", ["dark", "arabic"])
def test_the_waiting_room_is_accessible(browsing: Browsing, look: str) -> None:
    """With a patient in each group, on a phone too, and from right to left."""
    looks: dict[str, dict[str, Any]] = {
        "dark": {"color_scheme": "dark"},
        "arabic": {"viewport": PHONE, "locale": "ar"},
    }
    page = browsing.open("/", "doctor", color_scheme="light")
    doctor = Doctor(page, browsing)
    doctor.open_all_day()
    for name in ("Carl", "Dora", "Emil"):
        doctor.book_for(name, look.title())
    page.goto(f"{browsing.address}/desk/waiting/{doctor.subject}")
    for name, what in (("Carl", "Here"), ("Dora", "Did not come")):
        button = page.get_by_role("button", name=f"{what} {name} {look.title()}")
        button.click()
        expect(button).to_have_count(0)
    page.close()
    person = browsing.person(**looks[look])
    page = browsing.page_of(person)
    page.goto(browsing.address + "/login")
    page.locator(".demo-people button").nth(1).click()
    page.locator('button[popovertarget="account-menu"]').wait_for()
    page.goto(f"{browsing.address}/desk/waiting/{doctor.subject}")
    expect(page.locator('section[aria-labelledby="over"]')).to_be_visible()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
