"""Pictures of the main screens for the documents: ``make screens``.

Taken from a server of its own with the demo region, so that they show what a first
visitor sees. Look at each before it is committed.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, sync_playwright

from tests.fixtures.server import ROOT, ServerProcess
from tests.web.conftest import DESKTOP, FLAGS, PHONE, sign_in

SCREENS = ROOT / "docs" / "screens"
PROVIDER = "/p/prv_4?type=consult"
VISITS_SHOWN = 4
"""A day with fewer visits shows too little."""


def opened(browser: Browser, url: str, persona: str = "", **options: object) -> Page:
    """A page of a person of its own, at twice the pixels."""
    context = browser.new_context(
        timezone_id="Europe/London",
        locale=str(options.pop("locale", "en-GB")),
        device_scale_factor=2,
        reduced_motion="reduce",
        **options,  # type: ignore[arg-type]
    )
    page = context.new_page()
    if persona:
        page.goto(urljoin(url, "/login"))
        sign_in(page, persona)
    page.goto(url)
    return page


def take(browser: Browser, base: str) -> None:
    """Every screen, into docs/screens."""
    SCREENS.mkdir(exist_ok=True)
    _public(browser, base)
    _patient(browser, base)
    _desk(browser, base)
    for name, persona, path, shown in (
        ("clinic", "clinic", "/clinic", ".staffrow"),
        ("clinic-edit", "clinic", "/clinic/edit", ".savebar"),
        ("feeds", "patient", "/me/feeds", "form"),
        ("health", "operator", "/ops/health", ".plot polyline"),
        ("settings", "patient", "/me/settings", ".session"),
    ):
        page = opened(browser, base + path, persona, viewport=DESKTOP)
        page.locator(shown).first.wait_for(state="attached")
        if name == "health":
            page.get_by_text("now 0").nth(1).wait_for()
        _keep(page, name)


def _public(browser: Browser, base: str) -> None:
    for name, look in (
        ("home", {"viewport": DESKTOP}),
        ("home-dark", {"viewport": DESKTOP, "color_scheme": "dark"}),
        ("home-phone", {"viewport": PHONE}),
        ("home-arabic", {"viewport": DESKTOP, "locale": "ar"}),
    ):
        page = opened(browser, base, **look)
        page.locator(".next a").first.wait_for()
        page.locator(".said", has_text=re.compile("[0-9]")).wait_for()
        _keep(page, name)
    for name, look in (
        ("times", {"viewport": DESKTOP}),
        ("times-dark", {"viewport": DESKTOP, "color_scheme": "dark"}),
    ):
        page = opened(browser, f"{base}{PROVIDER}&view=week", **look)
        page.locator('.slot[data-state="free"]').first.wait_for()
        _keep(page, name)
    page = opened(browser, base + "/?q=general", viewport=PHONE)
    page.locator(".next a").first.wait_for()
    _keep(page, "results-phone")
    page = opened(browser, f"{base}{PROVIDER}", viewport=PHONE)
    page.locator('.slot[data-state="free"]').first.wait_for()
    _keep(page, "times-phone")
    page = opened(browser, base, viewport=DESKTOP)
    page.get_by_role("combobox").wait_for()
    page.locator("#q").press_sequentially("bri")
    page.get_by_role("option").first.wait_for()
    _keep(page, "suggestions")
    page = opened(browser, base + "/login", viewport=PHONE)
    page.locator(".demo-people").wait_for()
    _keep(page, "login-phone")


def _patient(browser: Browser, base: str) -> None:
    phone = opened(browser, f"{base}{PROVIDER}&view=list", "patient", viewport=PHONE)
    phone.locator('.slot[data-state="free"]').first.click()
    phone.get_by_role("dialog").wait_for()
    _keep(phone, "hold-phone")
    phone.get_by_role("button", name="Book", exact=True).click()
    phone.locator(".confirmed").wait_for()
    _keep(phone, "visits-phone")


def _desk(browser: Browser, base: str) -> None:
    page = opened(browser, base, "doctor", viewport=DESKTOP)
    page.get_by_role("link", name="My day").click()
    for _ in range(7):
        page.locator("ol.day").wait_for(state="attached")
        if page.locator("li.visit").count() > VISITS_SHOWN:
            break
        page.get_by_role("button", name="Day after").click()
        page.wait_for_load_state()
    _keep(page, "day")
    page.get_by_role("button", name="Week", exact=True).click()
    page.locator(".block").first.wait_for()
    _keep(page, "week")
    for name, link, shown in (
        ("hours", "Hours", ".dayhours"),
        ("leave", "Leave", "form"),
    ):
        page.get_by_role("link", name=link).first.click()
        page.locator(shown).first.wait_for()
        _keep(page, name)
    page.goto(page.url.replace("/leave/", "/entry/"))
    page.locator(".service").first.wait_for()
    _keep(page, "entry")


def _keep(page: Page, name: str) -> None:
    account = page.locator("button.account strong")
    if page.locator(".account").count():
        account.filter(has_text=re.compile(r"\w")).wait_for(state="attached")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.screenshot(path=SCREENS / f"{name}.png")


def main() -> int:
    """Start a server, take the pictures, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with ServerProcess(data, SLOTCAST_SHARDS="1") as server, sync_playwright() as p:
            server.start()
            browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            take(browser, server.url.replace("127.0.0.1", "localhost"))
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
