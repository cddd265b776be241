"""Pictures of the main screens for the documents: ``make screens``.

Taken from a server of its own with the demo region, so that they show what a first
visitor sees. Look at each before it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.fixtures.server import ROOT, ServerProcess
from tests.web.conftest import DESKTOP, FLAGS, PHONE, sign_in

SCREENS = ROOT / "docs" / "screens"
PROVIDER = "/p/prv_4?type=consult"


def opened(browser: Browser, url: str, persona: str = "", **options: object) -> Page:
    """A page of a person of its own, at twice the pixels."""
    context = browser.new_context(
        timezone_id="Europe/London",
        locale="en-GB",
        device_scale_factor=2,
        reduced_motion="reduce",
        **options,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(url)
    if persona:
        sign_in(page, persona)
    return page


def take(browser: Browser, base: str) -> None:
    """Every screen, into docs/screens."""
    SCREENS.mkdir(exist_ok=True)
    home = opened(browser, base, viewport=DESKTOP)
    home.locator(".result .chip").first.wait_for()
    home.screenshot(path=SCREENS / "search.png")
    week = opened(browser, f"{base}{PROVIDER}&view=week", viewport=DESKTOP)
    week.locator('.slot[data-state="free"]').first.wait_for()
    week.screenshot(path=SCREENS / "times.png")
    dark = opened(
        browser, f"{base}{PROVIDER}&view=week", viewport=DESKTOP, color_scheme="dark"
    )
    dark.locator('.slot[data-state="free"]').first.wait_for()
    dark.screenshot(path=SCREENS / "times-dark.png")
    phone = opened(browser, f"{base}{PROVIDER}&view=list", "patient", viewport=PHONE)
    phone.locator('.slot[data-state="free"]').first.click()
    phone.get_by_role("dialog").wait_for()
    phone.screenshot(path=SCREENS / "hold-phone.png")
    phone.get_by_role("button", name="Book", exact=True).click()
    phone.get_by_role("heading", name="My visits").wait_for()
    phone.locator("article").first.wait_for()
    phone.screenshot(path=SCREENS / "visits-phone.png")
    day = opened(browser, base, "doctor", viewport=DESKTOP)
    day.get_by_role("link", name="My day").click()
    day.locator("ol.day").wait_for(state="attached")
    for _ in range(7):
        if day.locator("li.visit").count() > 0:
            break
        day.get_by_role("button", name="Day after").click()
        day.wait_for_load_state()
    day.screenshot(path=SCREENS / "day.png")


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
