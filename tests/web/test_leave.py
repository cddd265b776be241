"""Leave in the browser: from its preview to the last patient resolved."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

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
from tests.web.test_waiting import Doctor, Person

TIMES = 12
"""So many starts lie so far apart that three visits do not meet."""


def _a_day_without_visits(doctor: Doctor, kind: str) -> tuple[str, list[str]]:
    """A day beyond those that the demo fills, and its free starts."""
    today = datetime.now(UTC).date()
    first, last = (today + timedelta(days=one) for one in (32, 52))
    span, mine = f"from={first}&to={last}", f"providers/{doctor.subject}"
    visits = doctor.get(f"{mine}/schedule?{span}")["bookings"]
    busy = {one["start"][:10] for one in visits}
    days: dict[str, list[str]] = {}
    for slot in doctor.get(f"{mine}/slots?visit_type={kind}&{span}")["slots"]:
        if slot["state"] == "free" and slot["start"][:10] not in busy:
            days.setdefault(slot["start"][:10], []).append(slot["start"])
    return next((day, one) for day, one in days.items() if len(one) > TIMES)


class Affected:
    """A day of the doctor's with three visits: of two who joined, on pages of their
    own, and of a patient of the clinic who has no address."""

    def __init__(self, browsing: Browsing, doctor: Doctor) -> None:
        self.browsing, mine = browsing, f"providers/{doctor.subject}"
        found = doctor.get(mine)
        kind = found["visit_types"][0]["visit_type"]
        self.day, starts = _a_day_without_visits(doctor, kind)
        wanted = {"provider_id": doctor.subject, "visit_type": kind}
        self.addresses = [address_of(), address_of()]
        self.pages: list[Page] = []
        self.visits: list[str] = []
        for address, start in zip(
            self.addresses, starts[:: len(starts) - 1], strict=True
        ):
            page = browsing.page_of(browsing.person())
            join(page, browsing, address)
            signing = {"email": address, "password": PASSWORD, "delivery": "body"}
            person = Person(page, browsing, "", ("auth/login", signing))
            booked = person.post("bookings", wanted | {"start": start})
            self.pages.append(page)
            self.visits.append(str(booked["booking_id"]))
        clinic = found["clinic"]["clinic_id"]
        who = {"given_name": "Ola", "family_name": "Away", "birth_date": "1950-05-05"}
        third = doctor.post(f"clinics/{clinic}/patients", who)["patient_id"]
        middle = {"start": starts[len(starts) // 2], "patient_id": third}
        doctor.post("bookings", wanted | middle)

    def choose_by_link(self) -> None:
        """On a phone, without signing in; the link shows afterwards what was chosen."""
        page = self.pages[0]
        link = here(
            mailed(page, self.browsing, self.addresses[0], "choose"), self.browsing
        )
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.goto(link)
        expect(page.get_by_role("heading", name="cannot take place")).to_be_visible()
        expect(page).not_to_have_url(re.compile("token"))
        choices = page.get_by_role("button", name="Take this time")
        expect(choices).to_have_count(3)
        assert faults(page) == []
        choices.first.click()
        expect(page.get_by_role("heading", name="was moved")).to_be_focused()
        expect(page.get_by_text("A message with the new time")).to_be_visible()
        assert faults(page) == []
        page.goto(link)
        expect(page.get_by_role("heading", name="was moved")).to_be_visible()

    def choose_in_the_app(self) -> None:
        """From the visit's place among one's own."""
        page, visit = self.pages[1], self.visits[1]
        log_in(page, self.browsing, self.addresses[1], PASSWORD)
        row = page.locator(f'[id="{visit}"]')
        row.get_by_role("link", name="Choose another time").click()
        page.wait_for_url(f"**/me/visits/{visit}")
        choices = page.get_by_role("button", name="Take this time")
        expect(choices).to_have_count(3)
        choices.nth(1).click()
        expect(page.get_by_role("heading", name="was moved")).to_be_focused()


def _take_leave(page: Page, day: str) -> Locator:
    """Take it after a look at what it affects; where its progress stands."""
    page.get_by_label("First day").fill(day)
    page.get_by_role("button", name="See what it affects").click()
    expect(page.get_by_text("3 visits are affected")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Take the leave").click()
    progress = page.get_by_role("status").filter(has_text="visits are resolved")
    expect(progress).to_have_text("0 of 3 visits are resolved")
    expect(page.get_by_text("Choose for the patient").first).to_be_visible()
    assert faults(page) == []
    return progress


def test_leave_ends_with_every_patient_resolved(browsing: Browsing) -> None:
    """The doctor sees whom it affects, and takes it. One patient chooses by the link
    of the mail, on a phone and without signing in; another one in the app; for the
    third, who has no address, the doctor chooses. Then the queue is closed."""
    page = browsing.open("/", "doctor")
    doctor = Doctor(page, browsing)
    affected = Affected(browsing, doctor)
    page.goto(f"{browsing.address}/desk/leave/{doctor.subject}")
    progress = _take_leave(page, affected.day)
    affected.choose_by_link()
    affected.choose_in_the_app()
    expect(progress).to_have_text("2 of 3 visits are resolved")
    left = page.locator('.leaverow:not([data-state="resolved"])')
    expect(left).to_have_count(1)
    expect(left.locator(".chip")).to_have_text("No message: call the patient")
    left.get_by_role("button", name="Choose for the patient").first.click()
    expect(progress).to_have_text("All 3 visits are resolved")
    expect(page.locator('.leaverow[data-state="resolved"]')).to_have_count(3)
    assert faults(page) == []
    page.get_by_role("link", name="All leave").click()
    taken = page.get_by_role("region", name="Leave that is taken")
    expect(taken.get_by_text("All 3 visits are resolved")).to_be_visible()
    assert faults(page) == []
