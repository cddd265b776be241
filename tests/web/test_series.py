"""A course of treatment is placed in one go, and given up from one of its visits on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, expect

from tests.web.conftest import PHONE, Browsing
from tests.web.test_access import faults

PROVIDER = "/p/prv_6?view=list"


def choose_other_times(dates: Locator) -> None:
    """For each date that cannot be had the first of its alternatives."""
    for place in range(dates.count()):
        row = dates.nth(place)
        if row.get_attribute("data-state") in ("taken", "closed"):
            row.get_by_role("button").first.click()


def test_a_series_is_placed_and_given_up_on_a_phone(browsing: Browsing) -> None:
    """The dates are shown before anything is booked; each visit then says which it is,
    and cancelling one asks whether those that follow are meant, too."""
    page = browsing.open(PROVIDER, "patient", viewport=PHONE)
    page.get_by_role("button", name="Repeat …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How many visits").fill("2")
    # Far from the times that other tests take for this patient.
    first = f"{datetime.now(UTC) + timedelta(days=14):%Y-%m-%d}"
    dialog.get_by_label("From", exact=True).fill(first)
    dialog.get_by_role("button", name="Show the dates").click()
    dates = dialog.locator(".series-dates > li")
    expect(dates).to_have_count(2)
    assert faults(page) == []
    choose_other_times(dates)
    dialog.get_by_role("button", name="Book all 2 visits").click()
    expect(dialog).to_contain_text("2 visits are in the calendar")
    page.goto(f"{browsing.address}/me/visits")
    visit = page.locator("article", has=page.get_by_role("button", name="Visit 1 of 2"))
    visit.get_by_role("button", name="Cancel visit").click()
    dialog.get_by_label("This visit and all that follow").check()
    assert faults(page) == []
    dialog.get_by_role("button", name="Cancel visits").click()
    expect(dialog.get_by_role("status")).to_contain_text("2 visits were changed")
    assert faults(page) == []
    dialog.get_by_role("button", name="Close").click()
    expect(visit.get_by_role("button", name="Cancel visit")).to_have_count(0)
