"""Actions that need a fresh proof: asked for in a dialog, after which they go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing, with_passkeys
from tests.web.test_access import faults
from tests.web.test_accounts import PASSWORD, address_of, join, log_in
from tests.web.test_factors import add_app

TEN_MINUTES_MS = 10 * 60_000


def _change_sessions(site: ServerProcess, change: str) -> None:
    """What time, or another way of signing in, would have made of all sessions."""
    with closing(sqlite3.connect(site.data / "records.db", timeout=60)) as database:
        database.execute(f"UPDATE session SET {change}")
        database.commit()


def let_time_pass(site: ServerProcess, page: Page) -> None:
    """All proofs are ten minutes older, and this page's token says so."""
    _change_sessions(site, f"authenticated_at = authenticated_at - {TEN_MINUTES_MS}")
    page.reload()


def _question(page: Page) -> Locator:
    """The dialog that asks, which has the focus."""
    dialog = page.get_by_role("dialog")
    heading = dialog.get_by_role("heading", name="Is it you?")
    expect(heading).to_be_focused()
    expect(dialog.get_by_role("button", name="Go on")).to_be_visible()
    return dialog


def _person(browsing: Browsing) -> tuple[Page, str]:
    """A new person with an account, in their settings."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/settings")
    return page, address


def change_address(page: Page, address: str) -> None:
    """Ask for a link to another address, in the settings."""
    page.get_by_role("button", name="Change the address").click()
    page.get_by_label("New e-mail address").fill(address)
    page.get_by_role("button", name="Send the link").click()


def test_a_password_or_a_passkey_is_asked_for_and_the_action_goes_on(
    browsing: Browsing, site: ServerProcess
) -> None:
    """Closed, nothing is done and what was typed stays; proved, it is done at once."""
    page, _ = _person(browsing)
    with_passkeys(page)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".session", has_text="Passkey")).to_have_count(1)
    let_time_pass(site, page)
    one, two = address_of(), address_of()
    change_address(page, one)
    dialog = _question(page)
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_label("New e-mail address")).to_have_value(one)
    page.get_by_role("button", name="Send the link").click()
    dialog = _question(page)
    dialog.get_by_label("Your password").fill("wrong and wrong")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("alert")).to_contain_text("wrong")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("We sent a link to")).to_contain_text(one)
    let_time_pass(site, page)
    change_address(page, two)
    dialog = _question(page)
    dialog.get_by_role("button", name="Use your second step").click()
    dialog.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("We sent a link to")).to_contain_text(two)


def test_an_operator_proves_it_with_an_app_and_the_account_is_disabled(
    browsing: Browsing, site: ServerProcess
) -> None:
    """On the users page: the search that was typed is still there."""
    person, address = _person(browsing)
    _make_operator(browsing, address)
    app, now = add_app(person)
    person.get_by_role("button", name="Account").click()
    person.get_by_role("button", name="Act as: operator").click()
    person.get_by_role("link", name="Users").click()
    expect(person.get_by_role("heading", name="Users")).to_be_visible()
    let_time_pass(site, person)
    other, known = browsing.page_of(browsing.person()), address_of()
    join(other, browsing, known)
    _find(person, known)
    person.get_by_role("button", name=f"Disable {known}").click()
    dialog = _question(person)
    dialog.get_by_role("button", name="Use your second step").click()
    dialog.get_by_label("Code of your authenticator app").fill(app.at(now + 30))
    dialog.get_by_role("button", name="Go on").click()
    enable = person.get_by_role("button", name=f"Enable {known}")
    expect(enable).to_be_visible()
    expect(person.get_by_label("E-mail address")).to_have_value(known)


def _find(page: Page, address: str) -> None:
    page.get_by_label("E-mail address").fill(address)
    page.get_by_role("button", name="Find").click()


def test_a_page_that_needs_the_second_step_asks_for_it_and_then_loads(
    built: Path, tmp_path: Path, chromium: Browser
) -> None:
    """At a site where staff sign in with one: refused reads ask, and are read again.

    Declined, the page says what is missing and asks no more by itself, until the person
    wants it. An account without a second step reads where to add one.
    """
    assert built.is_dir()
    with ServerProcess(
        tmp_path / "data",
        SLOTCAST_RATE_LIMITS="false",
        SLOTCAST_SHARDS="1",
        SLOTCAST_STAFF_FACTOR="optional",
    ) as server:
        server.start()
        people = Browsing(chromium, server.url.replace("127.0.0.1", "localhost"))
        other, address = _person(people)
        _make_operator(people, address)
        page = people.page_of(people.person())
        log_in(page, people, address, PASSWORD)
        page.get_by_role("button", name="Account").click()
        page.get_by_role("button", name="Act as: operator").click()
        page.get_by_role("link", name="Users").click()
        words = page.get_by_role("alert")
        expect(words).to_contain_text("Add one in your settings")
        expect(page.get_by_role("dialog")).to_have_count(0)
        app, now = add_app(other)
        words.get_by_role("button", name="Try again").click()
        _question(page)
        page.keyboard.press("Escape")
        expect(words).to_contain_text("needs your second step")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("link", name="Health").click()
        dialog = _question(page)
        dialog.get_by_label("Code of your authenticator app").fill(app.at(now + 30))
        dialog.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading", name="Background jobs")).to_be_visible()
        page.get_by_role("link", name="Users").click()
        expect(page.get_by_role("heading", name=address)).to_be_visible()
        people.close()
        assert people.faults == []


def test_a_role_that_needs_the_second_step_asks_for_it(browsing: Browsing) -> None:
    """Who got the role after they signed in proves it, and then acts in the role."""
    other, address = _person(browsing)
    page = browsing.page_of(browsing.person())
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    _make_operator(browsing, address)
    app, now = add_app(other)
    page.reload()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Act as: operator").click()
    dialog = _question(page)
    dialog.get_by_label("Code of your authenticator app").fill(app.at(now + 30))
    dialog.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="Users").click()
    expect(page.get_by_role("heading", name="Users")).to_be_visible()


def _make_operator(people: Browsing, address: str) -> None:
    demo = people.open("/ops/users", "operator")
    _find(demo, address)
    demo.get_by_role("button", name="Make an operator").click()
    expect(demo.get_by_role("button", name="Take back: operator")).to_be_visible()
