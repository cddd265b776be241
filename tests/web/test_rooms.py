"""Rooms and equipment in the browser: made by the clinic, had by a patient's visit."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Browsing
from tests.web.test_access import faults_of_looks
from tests.web.test_waiting import Person
from tests.web.test_waiting_list import Registered

ROOM, DEVICE = "Room 2", "Ultrasound 1"
NAME = "Nora Quist"


def _add(page: Page, kind: str, name: str, tags: str) -> str:
    """Add a room or a device with the hours that are proposed; its id."""
    page.get_by_role("button", name="Add a room or a device").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add, then set the hours").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Write a name")
    dialog.get_by_label(kind).check()
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Fit for").fill(tags)
    dialog.get_by_role("button", name="Add, then set the hours").click()
    expect(page.get_by_role("heading", name=f"Hours of {name}")).to_be_visible()
    page.get_by_role("button", name="See what it affects").click()
    page.get_by_role("button", name="Save the hours").click()
    expect(page.get_by_text("No visit takes it before it has hours")).to_have_count(0)
    room = page.url.split("/")[-2]
    page.get_by_role("link", name="Rooms and equipment").click()
    expect(page.locator(f'[data-resource="{room}"]')).to_contain_text(name)
    return room


def _offer(page: Page) -> str:
    """Add a visit that needs both to the opened hours of a doctor; its id."""
    page.get_by_role("button", name="Add a visit").click()
    kind = page.locator("fieldset.kind").last
    kind.get_by_label("Name").fill("Scan")
    for _ in range(2):
        kind.get_by_role("button", name="Scan: add a room or a device").click()
    kind.get_by_label("Fit for").first.select_option("ultrasound")
    needs = kind.locator(".needs")
    # The word is isolated from the direction of the sentence around it.
    expect(needs).to_contain_text(re.compile("Takes 1 room for .ultrasound., 1 device"))
    kind.get_by_label("How many").first.fill("2")
    expect(needs).to_contain_text("The clinic has only 1")
    kind.get_by_label("How many").first.fill("1")
    assert faults_of_looks(page, "latin") == {}
    kind.get_by_label("Patients together").fill("5")
    page.get_by_role("button", name="See what it affects").click()
    expect(page.get_by_role("alert")).to_contain_text("patients who come together")
    kind.get_by_label("Patients together").fill("1")
    page.get_by_role("button", name="See what it affects").click()
    page.get_by_role("button", name="Save the hours").click()
    expect(page.get_by_role("button", name="See what it affects")).to_be_visible()
    return str(needs.get_attribute("data-needs"))


def _named(browsing: Browsing) -> Registered:
    """A patient of a name, who has nothing booked."""
    person = Registered(browsing, browsing.page_of(browsing.person()))
    there = f"{browsing.address}/v1/me/profile"
    head = {"Authorization": f"Bearer {person.token}"}
    name: dict[str, Any] = {"given_name": "Nora", "family_name": "Quist"}
    known = person.page.request.get(there, headers=head).json()
    name |= {"version": known["version"]}
    assert person.page.request.patch(there, headers=head, data=name).ok
    return person


def _two_hours_apart(starts: list[str]) -> tuple[str, str, str]:
    """Two starts of one day, as far apart as no buffer reaches, and their Monday."""
    for one in starts:
        at = datetime.fromisoformat(one)
        for other in starts:
            later = datetime.fromisoformat(other)
            if later.date() == at.date() and later - at >= timedelta(hours=2):
                monday = at.date() - timedelta(days=at.weekday())
                return one, other, monday.isoformat()
    raise AssertionError(starts)


def _take(page: Page, start: str) -> None:
    """Take a free start on a page of times, and confirm it."""
    page.locator(f'.slot[data-start="{start}"][data-state="free"]').click()
    page.locator("dialog .button.primary").click()
    expect(page.locator(".confirmed")).to_be_visible()


def _has_both(place: Locator) -> None:
    expect(place).to_contain_text(f"Where: {ROOM}")
    expect(place).to_contain_text(f"With: {DEVICE}")


class Story:
    """A visit with a room and a device, as its patient and the clinic see it."""

    def __init__(self, browsing: Browsing) -> None:
        self.page = browsing.open("/clinic", "clinic", reduced_motion="reduce")
        self._site = browsing
        self._clinic = Person(self.page, browsing, "clinic_admin")
        self.room = self.there = self.first = self.other = ""

    def _go(self, path: str) -> None:
        self.page.goto(self._site.address + path)

    def equip(self) -> None:
        """The clinic makes the room and the device, and a visit that needs both."""
        self.page.get_by_role("link", name="Open", exact=True).click()
        self.room = _add(self.page, "room", ROOM, "ultrasound, children")
        _add(self.page, "device", DEVICE, "")
        assert faults_of_looks(self.page, "latin") == {}
        clinic = self._clinic
        calendars = clinic.get(f"clinics/{clinic.subject}/calendars?limit=200")
        provider = sorted(one["provider_id"] for one in calendars["items"])[-1]
        self._go(f"/desk/hours/{provider}")
        kind = _offer(self.page)
        found = clinic.get(f"providers/{provider}/slots?visit_type={kind}")["slots"]
        starts = [one["start"] for one in found if one["state"] == "free"]
        self.first, self.other, monday = _two_hours_apart(starts)
        self.there = f"/p/{provider}?type={kind}&view=week&week={monday}"
        self._go(f"/desk/room/{self.room}/day?date={self.first[:10]}")
        expect(self.page.get_by_text("No visit has it on this day")).to_be_visible()

    def at(self, start: str) -> Locator:
        """What the room's day shows at a start."""
        return self.page.locator(f'li.visit:has(time[datetime="{start}"])')

    def book(self) -> tuple[Page, Locator]:
        """A patient books it, and reads where it is; their page and the visit."""
        own = _named(self._site).page
        own.goto(self._site.address + self.there)
        _take(own, self.first)
        _has_both(own.locator(".confirmed"))
        visit = own.locator("article", has=own.get_by_role("button", name="Move"))
        _has_both(visit)
        assert faults_of_looks(own, "latin") == {}
        return own, visit

    def look_at_the_doctors_day(self) -> None:
        """From the room's day to the doctor's, which names the rooms, and back."""
        self.at(self.first).get_by_role("link").click()
        seen = self.page.locator("li.visit", has_text=NAME)
        expect(seen).to_contain_text(DEVICE)
        assert faults_of_looks(self.page, "latin") == {}
        seen.get_by_role("link", name=ROOM).click()
        expect(self.page.get_by_role("heading", name=ROOM)).to_be_visible()
        expect(self.at(self.first)).to_contain_text(NAME)

    def move(self, own: Page, visit: Locator) -> None:
        """The patient moves it, with both."""
        visit.get_by_role("button", name="Move").click()
        own.wait_for_url(re.compile("moving="))
        (moving,) = parse_qs(urlsplit(own.url).query)["moving"]
        own.goto(f"{self._site.address}{self.there}&moving={moving}")
        _take(own, self.other)

    def retire(self) -> None:
        """The clinic retires the room, and is told that no visit has it."""
        self.page.get_by_role("link", name="Rooms and equipment").click()
        self.page.get_by_role("button", name=f"Retire {ROOM} …").click()
        dialog = self.page.get_by_role("dialog")
        expect(dialog).to_contain_text("In the next two months no visit has it")
        assert faults_of_looks(self.page, "latin") == {}
        dialog.get_by_role("button", name="Retire", exact=True).click()
        row = self.page.locator(f'[data-resource="{self.room}"]')
        expect(row).to_contain_text("retired")


def test_a_visit_has_the_room_and_the_device_that_its_kind_needs(
    browsing: Browsing,
) -> None:
    """The patient reads them, moves and cancels the visit; the room's day follows."""
    story = Story(browsing)
    story.equip()
    own, visit = story.book()
    before, after = story.at(story.first), story.at(story.other)
    expect(before).to_contain_text(NAME)
    expect(before).to_contain_text("Scan")
    assert faults_of_looks(story.page, "latin") == {}
    story.look_at_the_doctors_day()
    story.move(own, visit)
    expect(before).to_contain_text("Moved away")
    expect(after).to_contain_text(NAME)
    _has_both(visit)
    visit.get_by_role("button", name="Cancel visit").click()
    own.get_by_role("dialog").get_by_role("button", name="Cancel visit").click()
    expect(after).to_contain_text("Cancelled just now")
    expect(own.get_by_text("Where:")).to_have_count(0)
    story.retire()
