"""Second steps of signing in: an authenticator app, recovery codes, passkeys."""

from __future__ import annotations

from time import time

import pyotp
from playwright.sync_api import Page, expect

from tests.web.conftest import Browsing, with_passkeys
from tests.web.test_accounts import PASSWORD, address_of, join, log_in


def _signed_in(browsing: Browsing) -> tuple[Page, str]:
    page, address = browsing.page_of(browsing.person()), address_of()
    join(page, browsing, address)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/settings")
    return page, address


def sign_out(page: Page) -> None:
    """Leave, on this device."""
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out", exact=True).last.click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def add_app(page: Page) -> tuple[pyotp.TOTP, int]:
    """Add an authenticator app in the settings; the app, and when its code was used."""
    page.get_by_role("button", name="Add an authenticator app").click()
    key = page.locator("code[data-key]").get_attribute("data-key") or ""
    app, now = pyotp.TOTP(key), int(time())
    page.get_by_label("Code of your authenticator app").fill(app.at(now))
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()
    return app, now


def test_an_app_is_added_and_asked_for_at_the_next_sign_in(browsing: Browsing) -> None:
    """With its code, and without it with a recovery code, once."""
    page, address = _signed_in(browsing)
    page.get_by_role("button", name="Add an authenticator app").click()
    key = page.locator("code[data-key]").get_attribute("data-key") or ""
    app, now = pyotp.TOTP(key), time()
    page.get_by_label("Code of your authenticator app").fill(app.at(int(now)))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    code = page.locator(".codes code").first.inner_text()
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()
    sign_out(page)
    log_in(page, browsing, address, PASSWORD)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_label("Code of your authenticator app").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Code of your authenticator app").fill(app.at(int(now) + 30))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    sign_out(page)
    log_in(page, browsing, address, PASSWORD)
    page.get_by_role("button", name="Use a recovery code").click()
    page.get_by_label("One of your recovery codes").fill(code)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()


def test_a_passkey_signs_in_without_a_name(browsing: Browsing) -> None:
    """Made in the settings, used on the sign-in page; it is the person's account."""
    page, address = _signed_in(browsing)
    with_passkeys(page)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("I have kept them").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".session", has_text="Passkey")).to_have_count(1)
    sign_out(page)
    page.goto(f"{browsing.address}/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    page.goto(f"{browsing.address}/me/settings")
    expect(page.get_by_text(address)).to_be_visible()
