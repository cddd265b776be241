"""Accessibility: axe on the main screens, in light, dark, phone and Arabic."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.server import ROOT
from tests.web.conftest import DESKTOP, PHONE, Browsing, Opened

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


PAGES = {
    "/": ".next a",
    "/?q=bristol": ".result",
    "/p/prv_4?type=consult&view=week": ".slot",
    "/p/prv_4?type=consult&view=list": ".slot",
    "/login": "form",
    "/join": "form",
    "/me/visits": ".empty",
}


@pytest.mark.parametrize("look", list(LOOKS))
def test_public_pages_are_accessible(opened: Opened, look: str) -> None:
    """No violation of WCAG 2.2 AA that a machine can find."""
    page = opened("/", **LOOKS[look])
    for path, shown in PAGES.items():
        page.goto(urljoin(page.url, path))
        expect(page.locator(shown).first).to_be_visible()
        assert faults(page) == [], path


ROOMS = {
    "patient": [("/me/settings", ".session"), ("/me/notices", "fieldset")],
    "doctor": [
        ("/desk/day/{0}", "ol.day"),
        ("/desk/day/{0}?view=week", ".weekgrid"),
        ("/desk/waiting/{0}", ".waiting"),
        ("/desk/hours/{0}", ".dayhours"),
        ("/desk/leave/{0}", "form"),
    ],
    "clinic": [("/clinic", ".staffrow")],
    "operator": [
        ("/ops/health", ".numbers"),
        ("/ops/audit", "form"),
        ("/ops/roles", "details"),
        ("/ops/users", "form"),
    ],
}


@pytest.mark.parametrize("look", ["dark", "phone"])
@pytest.mark.parametrize("persona", list(ROOMS))
def test_rooms_are_accessible(browsing: Browsing, look: str, persona: str) -> None:
    """Each page that a role has, as that role sees it."""
    page = browsing.open("/", persona, **LOOKS[look])
    links = page.locator('.places a[href^="/desk/day/"]')
    own = links.first.get_attribute("href") if persona == "doctor" else ""
    for path, shown in ROOMS[persona]:
        page.goto(browsing.address + path.format((own or "").rpartition("/")[2]))
        expect(page.locator(shown).first).to_be_attached()
        assert faults(page) == [], path
        assert page.evaluate(TOO_WIDE) <= 0, path


TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"


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


def test_forced_colours_show_what_is_free(opened: Opened) -> None:
    """Where colours are the reader's own, a free time still has an edge."""
    page = opened("/p/prv_4?type=consult&view=week", forced_colors="active")
    free = page.locator('.slot[data-state="free"]').first
    expect(free).to_be_visible()
    edge = free.evaluate("one => getComputedStyle(one).borderTopColor")
    assert edge not in ("rgba(0, 0, 0, 0)", "transparent")


def test_nothing_moves_for_who_asked_for_that(opened: Opened) -> None:
    """With reduced motion the dialog appears without an animation."""
    page = opened("/p/prv_4?type=consult&view=list", "patient", reduced_motion="reduce")
    page.locator('.slot[data-state="free"]').first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("one => getComputedStyle(one).animationName") == "none"
    page.get_by_role("button", name="Give the time back").click()
