"""Accessibility of what a person goes through: axe on dialogs and steps, in each look.

The texts differ by language, so the steps are found by their place.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing, local, with_passkeys
from tests.web.test_access import LOOKS, faults_of_looks
from tests.web.test_accounts import PASSWORD, address_of, join, log_in
from tests.web.test_factors import add_app, sign_out


@pytest.mark.parametrize("look", list(LOOKS))
def test_a_visit_is_booked_moved_and_cancelled(browsing: Browsing, look: str) -> None:
    """The confirmation, the way to another time, both dialogs."""
    start = "/p/prv_4?type=consult&view=list"
    page = browsing.open(start, "patient", **LOOKS[look])
    dialog = page.locator("dialog")
    _take_a_time(page)
    dialog.locator(".button.primary").click()
    expect(page.locator(".confirmed")).to_be_visible()
    booking = page.url.partition("#")[2]
    visit = page.locator(f'[id="{booking}"]')
    assert faults_of_looks(page, look) == {}, "booked"
    visit.locator(".button.danger").click()
    expect(dialog).to_be_visible()
    assert faults_of_looks(page, look) == {}, "cancelling"
    page.keyboard.press("Escape")
    visit.locator(".button").first.click()
    page.wait_for_url("**moving=**")
    expect(page.locator('.slot[data-state="free"]').first).to_be_visible()
    assert faults_of_looks(page, look) == {}, "choosing another time"
    _take_a_time(page)
    assert faults_of_looks(page, look) == {}, "moving"
    dialog.locator(".button.primary").click()
    expect(page.locator(".confirmed")).to_be_visible()
    visit.locator(".button.danger").click()
    dialog.locator(".button.danger").click()
    expect(dialog).to_have_count(0)
    expect(visit.locator(".button.danger")).to_have_count(0)
    assert faults_of_looks(page, look) == {}, "cancelled"


def _take_a_time(page: Page) -> None:
    page.locator('.slot[data-state="free"]').last.click()
    expect(page.locator("dialog")).to_be_visible()


@pytest.mark.parametrize("look", list(LOOKS))
def test_dialogs_of_the_desk(browsing: Browsing, look: str) -> None:
    """Booking for a patient, moving a visit."""
    page = browsing.open("/", "doctor", **LOOKS[look])
    page.locator('.places a[href^="/desk/day/"]').click()
    dialog = page.locator("dialog")
    expect(page.locator("ol.day")).to_be_attached()
    page.locator(".desk .button.primary").first.click()
    expect(dialog).to_be_visible()
    assert faults_of_looks(page, look) == {}, "booking for a patient"
    page.keyboard.press("Escape")
    page.locator(".segments button").last.click()
    block = page.locator('.block[data-status="booked"]').first
    page.locator(".weekgrid").wait_for()
    week = page.locator("h1").inner_text()
    page.locator(".turn").last.click()
    expect(page.locator("h1")).not_to_have_text(week)
    block.press("Enter")
    expect(dialog).to_be_visible()
    assert faults_of_looks(page, look) == {}, "moving a visit"


class Person(NamedTuple):
    """An account with an authenticator app and a passkey."""

    address: str
    codes: list[str]


@pytest.fixture(scope="module")
def person(site: ServerProcess, chromium: Browser) -> Person:
    """Made once; every look signs in with it by a recovery code."""
    browsing = Browsing(chromium, local(site))
    page, address = browsing.page_of(browsing.person()), address_of()
    with_passkeys(page)
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    page.locator('button[popovertarget="account-menu"]').wait_for()
    page.goto(f"{browsing.address}/me/settings")
    add_app(page)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".session", has_text="Passkey")).to_have_count(1)
    page.get_by_role("button", name="New recovery codes").click()
    expect(page.locator(".codes code")).to_have_count(10)
    codes = page.locator(".codes code").all_inner_texts()
    sign_out(page)
    browsing.close()
    assert browsing.faults == []
    return Person(address, codes)


@pytest.mark.parametrize("look", list(LOOKS))
def test_second_steps(browsing: Browsing, person: Person, look: str) -> None:
    """Signing in with one; a new app's key; new recovery codes; all of one's data."""
    page = browsing.open("/login", **LOOKS[look])
    _sign_in_by_a_recovery_code(page, person, look)
    page.goto(f"{browsing.address}/me/settings")
    factors = page.locator('section[aria-labelledby="factors"]')
    expect(factors.locator(".session")).to_have_count(2)
    assert faults_of_looks(page, look) == {}, "two factors"
    factors.locator(".row > .button").first.click()
    expect(factors.locator(".qr")).to_be_visible()
    assert faults_of_looks(page, look) == {}, "the key of an app"
    page.reload()
    expect(factors.locator(".session")).to_have_count(2)  # else there is no such button
    factors.locator(".row > .button").last.click()
    expect(factors.locator(".codes code")).to_have_count(10)
    person.codes[:] = factors.locator(".codes code").all_inner_texts()
    assert faults_of_looks(page, look) == {}, "recovery codes"
    _all_data(page, look)


def _sign_in_by_a_recovery_code(page: Page, person: Person, look: str) -> None:
    page.locator('input[name="email"]').fill(person.address)
    page.locator('input[name="password"]').fill(PASSWORD)
    page.locator('form button[type="submit"]').click()
    code = page.locator('input[name="code"]')
    expect(code).to_have_attribute("inputmode", "numeric")
    assert faults_of_looks(page, look) == {}, "the second step"
    page.locator(".signing .button.small").first.click()
    expect(code).to_have_attribute("inputmode", "text")
    assert faults_of_looks(page, look) == {}, "a recovery code"
    code.fill("wrong")
    page.locator('form button[type="submit"]').click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert faults_of_looks(page, look) == {}, "a wrong code"
    code.fill(person.codes.pop())
    page.locator('form button[type="submit"]').click()
    page.locator('button[popovertarget="account-menu"]').wait_for()


def _all_data(page: Page, look: str) -> None:
    """The page that a person takes along to read."""
    with page.expect_download() as begun:
        page.locator('section[aria-labelledby="export"] .button').first.click()
    taken = page.context.new_page()
    taken.set_content(begun.value.path().read_text("utf-8"))
    assert faults_of_looks(taken, look) == {}, "all data"
    taken.close()
