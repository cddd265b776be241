"""Accessibility: axe on the main screens, in light, dark, phone and Arabic."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.server import ROOT
from tests.web.conftest import DESKTOP, PHONE, Opened

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "arabic": {"viewport": PHONE, "locale": "ar"},
}


def faults(page: Page) -> list[str]:
    """What axe finds, one line each."""
    # The page's policy lets no script in; the test's own channel goes around it.
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)[
        "violations"
    ]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]


@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize(
    "path", ["/", "/p/prv_4?type=consult&view=week", "/p/prv_4?type=consult&view=list"]
)
def test_pages_are_accessible(opened: Opened, look: str, path: str) -> None:
    """No violation of WCAG 2.2 AA that a machine can find."""
    page = opened(path, **LOOKS[look])
    expect(page.locator(".slot, .result").first).to_be_visible()
    assert faults(page) == []


def test_the_dialog_is_accessible(opened: Opened) -> None:
    """The countdown, the form and its buttons, on a phone."""
    still = {"viewport": PHONE, "reduced_motion": "reduce"}
    page = opened("/p/prv_4?type=consult&view=list", "patient", **still)
    page.locator('.slot[data-state="free"]').first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Give the time back").click()


def test_arabic_runs_from_right_to_left(opened: Opened) -> None:
    """The page turns round, and nothing runs over its edge."""
    page = opened("/p/prv_4?type=consult", viewport=PHONE, locale="ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
