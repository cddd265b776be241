"""The waiting list in the browser: asking for an earlier time."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web.conftest import Browsing
from tests.web.test_accounts import PASSWORD, address_of, join, log_in
from tests.web.test_waiting import Person

PROVIDER = "prv_6"
"""No other test books there: what they cancel is not reserved for this list."""


class Registered(Person):
    """A person with an account of their own, in a browser and by REST."""

    def __init__(self, browsing: Browsing, page: Page) -> None:
        address = address_of()
        join(page, browsing, address)
        log_in(page, browsing, address, PASSWORD)
        expect(page.get_by_role("heading", name="My visits")).to_be_visible()
        self.page = page
        entered = {"email": address, "password": PASSWORD, "delivery": "body"}
        super().__init__(page, browsing, "", signing=("auth/login", entered))


def test_a_patient_waits_for_an_earlier_time(browsing: Browsing) -> None:
    """Beside the visit, which stays booked; they are told who is before them, and find
    the entry among their visits."""
    person = Registered(browsing, browsing.page_of(browsing.person()))
    page, own = person.page, person.book(PROVIDER)
    page.goto(f"{browsing.address}/me/visits")
    visit = page.locator(f'[id="{own}"]')
    visit.get_by_role("button", name="Earlier, please").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Put me on the list").click()
    expect(dialog).to_contain_text("You are on the list")
    expect(dialog).to_contain_text("You are the first")
    dialog.get_by_role("button", name="Good").click()
    expect(page.locator("#waiting-list li.card")).to_have_count(1)
    expect(visit).to_contain_text("Booked")
