"""Signing in by a real OpenID issuer, and linking it, in the browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing, Opened
from tests.web.test_accounts import PASSWORD, address_of, join, log_in
from tests.web.test_factors import add_app, sign_out
from tests.web.test_proof import change_address, let_time_pass


def _at_the_provider(page: Page, person: str) -> None:
    """Say who it is, on the provider's own pages, and agree."""
    page.get_by_placeholder(re.compile("login", re.IGNORECASE)).fill(person)
    page.get_by_placeholder(re.compile("password", re.IGNORECASE)).fill("any")
    page.get_by_role("button").first.click()
    page.get_by_role("button", name=re.compile("continue", re.IGNORECASE)).click()


def test_a_provider_signs_a_person_in_where_they_were(opened: Opened) -> None:
    """A new patient, back at the page that asked for a person; a reload keeps them."""
    page = opened("/login?then=/me/settings")
    page.get_by_role("button", name="Go on with Test").click()
    _at_the_provider(page, "wanda")
    heading = page.get_by_role("heading", name="Settings and devices")
    expect(heading).to_be_visible()
    expect(page.get_by_text("wanda@example.org").first).to_be_visible()
    page.reload()
    expect(heading).to_be_visible()


def test_a_second_step_follows_the_way_back_from_a_provider(browsing: Browsing) -> None:
    """Asked for where the browser comes back to; a wrong code is told; then it goes on.

    The page that was wanted is opened, and the device stays the person's own. What the
    flow is called leaves the address at once.
    """
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/settings")
    page.get_by_role("button", name="Link Test").click()
    _at_the_provider(page, address.partition("@")[0])
    section = page.locator('section[aria-labelledby="providers"]')
    expect(section.get_by_role("status")).to_contain_text("Test is linked")
    app, now = add_app(page)
    sign_out(page)
    page.goto(f"{browsing.address}/login?then=/me/settings")
    page.get_by_label("This is my own device").check()
    page.get_by_role("button", name="Go on with Test").click()
    page.wait_for_url(re.compile("/login"))
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    assert "#" not in page.url
    page.get_by_label("Code of your authenticator app").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Code of your authenticator app").fill(app.at(now + 30))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Settings and devices")).to_be_visible()
    expect(page.get_by_text(address).first).to_be_visible()
    expect(page.get_by_label("This is my own device")).to_be_checked()
    page.reload()
    expect(page.get_by_text(address).first).to_be_visible()


def test_a_provider_is_linked_and_unlinked(browsing: Browsing) -> None:
    """After a proof of identity; an address that is known is never signed in by it."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    person = address.partition("@")[0]
    page.goto(f"{browsing.address}/login")
    page.get_by_role("button", name="Go on with Test").click()
    _at_the_provider(page, person)
    expect(page.get_by_role("alert")).to_contain_text("link the other account")
    assert "#" not in page.url
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/settings")
    page.get_by_role("button", name="Link Test").click()
    section = page.locator('section[aria-labelledby="providers"]')
    expect(section.get_by_role("status")).to_contain_text("Test is linked")
    section.get_by_role("button", name="Unlink").click()
    expect(page.get_by_role("button", name="Link Test")).to_be_visible()


def test_an_account_without_a_password_proves_itself_at_its_provider(
    browsing: Browsing, site: ServerProcess
) -> None:
    """The dialog leads there, where the person signs in again although they are signed
    in; back at the page they are told, and what they wanted is done."""
    page = browsing.open("/login?then=/me/settings")
    page.get_by_role("button", name="Go on with Test").click()
    _at_the_provider(page, "wilma")
    heading = page.get_by_role("heading", name="Settings and devices")
    expect(heading).to_be_visible()
    let_time_pass(site, page)
    expect(heading).to_be_visible()
    wanted = address_of()
    change_address(page, wanted)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Go on with Test").click()
    page.get_by_placeholder(re.compile("login", re.IGNORECASE)).fill("wilma")
    page.get_by_placeholder(re.compile("password", re.IGNORECASE)).fill("any")
    page.get_by_role("button").first.click()
    section = page.locator('section[aria-labelledby="providers"]')
    expect(section.get_by_role("status")).to_contain_text("It is you")
    assert "#" not in page.url
    change_address(page, wanted)
    expect(page.get_by_text("We sent a link to")).to_contain_text(wanted)
