"""Accounts in the browser: from registering to being forgotten by the device."""

from __future__ import annotations

import re
from itertools import count
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.fixtures.cluster import wait_until
from tests.fixtures.patients import PATIENCE_S
from tests.web.conftest import Browsing, Opened

PASSWORD = "violet kettle runs"
_NUMBERS = count(1)
NEW_PASSWORD = "seven quiet harbours"


def address_of() -> str:
    """An address that no other test has."""
    return f"mira-{next(_NUMBERS)}@example.org"


def mailed(page: Page, browsing: Browsing, address: str, path: str) -> str:
    """The link of this kind in the newest message to an address."""
    page.goto(f"{browsing.address}/demo/messages")
    mails = page.locator("article", has_text=address)
    link = mails.locator(f'a[href*="/#/{path}"]').first
    link.wait_for()
    return link.get_attribute("href") or ""


def here(link: str, browsing: Browsing) -> str:
    """The link with the name by which this test calls the server."""
    return browsing.address + "/" + link.partition("/#/")[2].join(("#/", ""))


def join(page: Page, browsing: Browsing, address: str) -> None:
    """Make an account and confirm its address."""
    page.goto(f"{browsing.address}/join")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("I accept the terms").check()
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(here(mailed(page, browsing, address, "verify-email"), browsing))
    expect(page.get_by_role("heading", name="is confirmed")).to_be_visible()


def log_in(page: Page, browsing: Browsing, address: str, password: str) -> None:
    """Sign in on the sign-in page."""
    page.goto(f"{browsing.address}/login")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_person_registers_signs_in_and_chooses_a_new_password(
    browsing: Browsing,
) -> None:
    """By the links of the mails, whose secrets do not stay in the address."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    expect(page).not_to_have_url(re.compile("token"))
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.goto(f"{browsing.address}/forgot-password")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(here(mailed(page, browsing, address, "reset-password"), browsing))
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save the password").click()
    expect(page.get_by_role("heading", name="is changed")).to_be_visible()
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    log_in(page, browsing, address, NEW_PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()


def test_a_form_tells_what_is_wrong_and_leads_there(opened: Opened) -> None:
    """The summary has the focus, and its link goes to the field."""
    page = opened("/join")
    page.get_by_label("E-mail address").fill(address_of())
    page.get_by_label("Password").fill("password")
    page.get_by_label("I accept the terms").check()
    page.get_by_role("button", name="Make an account").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name=re.compile("among the first")).click()
    expect(page.get_by_label("Password")).to_be_focused()


def test_another_device_is_signed_out_from_the_list(browsing: Browsing) -> None:
    """It shows so without being asked, and what it showed is gone."""
    one, two = (browsing.page_of(browsing.person()) for _ in range(2))
    address = address_of()
    join(one, browsing, address)
    for page in (one, two):
        log_in(page, browsing, address, PASSWORD)
        expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    one.goto(f"{browsing.address}/me/settings")
    one.locator(".session").get_by_role("button", name="Sign out").first.click()
    expect(one.locator(".session")).to_have_count(1)
    expect(two.get_by_role("heading", name="Please sign in")).to_be_visible()


def test_tabs_are_one_session(browsing: Browsing) -> None:
    """A second tab is signed in by itself; leaving in one leaves in both."""
    context = browsing.person()
    first = browsing.page_of(context)
    first.goto(f"{browsing.address}/login")
    first.get_by_role("button", name="A patient").click()
    expect(first.get_by_role("heading", name="My visits")).to_be_visible()
    second = browsing.page_of(context)
    second.goto(f"{browsing.address}/me/visits")
    expect(second.get_by_role("heading", name="My visits")).to_be_visible()
    first.get_by_role("button", name="Account").click()
    first.get_by_role("button", name="Sign out").click()
    expect(second.get_by_role("heading", name="Please sign in")).to_be_visible()


DATABASES = "async () => (await indexedDB.databases()).map(one => one.name)"
STORED = """async () => ({
  databases: (await indexedDB.databases()).map(one => one.name),
  session: Object.keys(sessionStorage),
  local: Object.keys(localStorage).sort(),
  caches: (await Promise.all((await caches.keys()).map(async name =>
    (await (await caches.open(name)).keys()).map(one => new URL(one.url).pathname)
  ))).flat().filter(path => path.startsWith('/v1')),
})"""


def test_another_person_on_the_same_device_sees_nothing_of_the_first(
    browsing: Browsing,
) -> None:
    """After signing out nothing of the person is left in the browser."""
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    page.goto(f"{browsing.address}/login")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("This is my own device").check()
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    wait_until(lambda: page.evaluate(DATABASES) == ["slotcast"], PATIENCE_S)
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    wait_until(lambda: page.evaluate(DATABASES) == [], PATIENCE_S)
    left = page.evaluate(STORED)
    assert left == {
        "databases": [],
        "session": [one for one in left["session"] if one.startswith("tsr-")],
        "local": ["slotcast.locale"],
        "caches": [],
    }
    page.go_back()
    expect(page.get_by_role("heading", name="Please sign in")).to_be_visible()


def test_idle_staff_are_asked_and_then_signed_out(browsing: Browsing) -> None:
    """A minute before; an answer keeps the session."""
    page = browsing.page_of(browsing.person())
    page.clock.install()
    page.goto(f"{browsing.address}/login")
    page.get_by_role("button", name="A doctor").click()
    expect(page.get_by_role("link", name="My day")).to_be_visible()
    expect(page.get_by_role("button", name="Account")).to_be_visible()
    page.clock.fast_forward("14:30")
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Are you still there?")
    question.get_by_role("button", name="Go on working").click()
    expect(question).to_have_count(0)
    page.clock.fast_forward("14:30")
    expect(question).to_be_visible()
    page.clock.fast_forward("01:00")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="My day")).to_have_count(0)


def test_signing_in_leads_to_no_other_site(browsing: Browsing) -> None:
    """However the address is written that the sign-in page should go on to."""
    for other in ("//evil.example", "/\\\\evil.example", "https://evil.example/"):
        page = browsing.page_of(browsing.person())
        page.goto(f"{browsing.address}/login?then={quote(other, safe='')}")
        page.get_by_role("button", name="A patient").click()
        expect(page.get_by_role("heading", name="My visits")).to_be_visible()


def test_an_address_without_a_page_says_so(opened: Opened) -> None:
    """In the app's own words, with a way on."""
    page = opened("/nowhere")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
