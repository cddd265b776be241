"""Reviews in the browser: written, moderated, answered, read without signing in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import faults
from tests.web.test_waiting import Doctor, Person

WORDS = "Came on time and listened."
THANKS = "Thank you, see you again."


@pytest.fixture(scope="module")
def site(training_site: ServerProcess) -> ServerProcess:
    """Outcomes are taken before the visits' time."""
    return training_site


def _write(page: Page, browsing: Browsing, visit: str) -> None:
    """On a phone, from the list of visits; stars are asked for before it is sent."""
    page.goto(f"{browsing.address}/me/visits")
    row = page.locator(f'[id="{visit}"]')
    row.get_by_role("button", name="How was it?").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What others should know").fill(WORDS)
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose one to five stars")
    assert faults(page) == []
    dialog.get_by_role("radio", name="4").check()
    dialog.get_by_role("button", name="Send").click()
    expect(row.get_by_text("published once it has been looked at")).to_be_visible()
    expect(row.get_by_role("img", name="4 of 5 stars")).to_be_visible()


def _publish(page: Page) -> None:
    """By the platform's operator, on the page of what is to be looked at."""
    card = page.locator("article", has_text=WORDS)
    expect(card).to_be_visible()
    assert faults(page) == []
    card.get_by_role("button", name="Publish").click()
    expect(card).to_have_count(0)


def _answer(page: Page) -> None:
    """By the doctor, on the page that patients read."""
    mine = page.locator(".reviews-list li", has_text=WORDS)
    mine.get_by_role("button", name="Answer").click()
    mine.get_by_label("The clinic's answer").fill(THANKS)
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator(".reply")).to_contain_text(THANKS)


def _hide(page: Page) -> None:
    """By the operator, with a reason."""
    page.get_by_role("button", name="Published").click()
    card = page.locator("article", has_text=WORDS)
    card.get_by_role("button", name="Hide …").click()
    page.get_by_label("Why").fill("It is a test.")
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(card).to_have_count(0)


def test_a_review_goes_from_the_patient_to_the_doctors_page(
    browsing: Browsing,
) -> None:
    """Not shown before a moderator has seen it; the answer stands under it; hidden, it
    is gone from the page, and its author reads why."""
    phone = browsing.open("/", "patient", viewport=PHONE)
    desk = browsing.open("/", "doctor")
    doctor, patient = Doctor(desk, browsing), Person(phone, browsing, "patient")
    doctor.open_all_day()
    visit, public = patient.book(doctor.subject), f"/p/{doctor.subject}"
    doctor.post(f"bookings/{visit}/complete", {"without_check_in": True})
    _write(phone, browsing, visit)
    visitor = browsing.open(public)
    expect(visitor.get_by_role("heading", name="About")).to_be_visible()
    expect(visitor.get_by_text(WORDS)).to_have_count(0)
    platform = browsing.open("/ops/reviews", "operator")
    _publish(platform)
    desk.goto(browsing.address + public)
    _answer(desk)
    visitor.reload()
    shown = visitor.locator(".reviews-list li", has_text=WORDS)
    expect(shown).to_contain_text(THANKS)
    expect(shown.get_by_role("button")).to_have_count(0)
    assert faults(visitor) == []
    _hide(platform)
    phone.reload()
    row = phone.locator(f'[id="{visit}"]')
    expect(row).to_contain_text("It is a test.")
    row.get_by_role("button", name="Take it back").click()
    expect(row.get_by_role("button", name="How was it?")).to_be_visible()
