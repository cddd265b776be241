"""Accessibility: axe on every route, in light, dark, phone and Arabic.

Dialogs and steps on the way are in test_access_steps.py.
"""

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
    "latin": {"viewport": DESKTOP, "reduced_motion": "reduce"},
    "arabic": {"viewport": PHONE, "locale": "ar", "reduced_motion": "reduce"},
}
"""How pages are opened; the first is also looked at in the dark and as on a phone."""
TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"


def faults(page: Page) -> list[str]:
    """What axe finds, one line each, and whether the page is wider than its window."""
    # The page's policy lets no script in; the test's own channel goes around it.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)[
        "violations"
    ]
    wide = page.evaluate(TOO_WIDE)
    return [
        *(f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found),
        *([f"wider than the window by {wide} px"] if wide > 0 else []),
    ]


def faults_of_looks(page: Page, look: str) -> dict[str, list[str]]:
    """The faults of what a page shows, by look; empty if there is none."""
    found = {look: faults(page)}
    if look == "latin":
        page.emulate_media(color_scheme="dark")
        found["dark"] = faults(page)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        found["phone"] = faults(page)
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return {name: lines for name, lines in found.items() if lines}


PAGES = {
    "/": ".next a",
    "/?q=bristol": ".result",
    "/p/prv_4?type=consult&view=week": ".slot",
    "/p/prv_4?type=consult&view=list": ".slot",
    "/login": "form",
    "/join": "form",
    "/forgot-password": "form",
    "/reset-password": "form",
    "/verify-email": "h1",
    "/unsubscribe": ".notice",
    "/choose": ".card h1",
    "/me/visits": ".empty",
    "/me/offer": ".empty",
    "/demo/messages": "h1",
    "/nowhere": "h1",
}
"""What each page shows to a person who is not signed in, when it is there."""


@pytest.mark.parametrize("look", list(LOOKS))
def test_public_pages_are_accessible(opened: Opened, look: str) -> None:
    """No violation of WCAG 2.2 AA that a machine can find."""
    page = opened("/", **LOOKS[look])
    for path, shown in PAGES.items():
        page.goto(urljoin(page.url, path))
        expect(page.locator(shown).first).to_be_visible()
        assert faults_of_looks(page, look) == {}, path


ROOMS = {
    "patient": {
        "/me/settings": ".session",
        "/sessions": ".session",
        "/security": ".session",
        "/me/notices": "fieldset",
        "/me/visits/bkg_4.none": ".card h1",
        "/me/feeds": "form",
        "/me/offer": ".empty",
        "/me/applications": "h1",
        "/invitation": ".card h1",
    },
    "doctor": {
        "/desk/day/{0}": "ol.day",
        "/desk/day/{0}?view=week": ".weekgrid",
        "/desk/waiting/{0}": ".waiting",
        "/desk/list/{0}": ".empty",
        "/desk/hours/{0}": ".dayhours",
        "/desk/leave/{0}": "form",
        "/desk/entry/{0}": ".service",
        "/me/feeds": "form",
    },
    "clinic": {
        "/clinic": ".staffrow",
        "/clinic/edit": ".savebar",
        "/clinic/rooms": "main h1",
        "/desk/room/prv_none/day": ".notice",
        "/clinics/cln_1/glass": "h1",
        "/clinic/reports": ".headline",
    },
    "operator": {
        "/clinic/edit": ".savebar",
        "/ops/specialties": ".clinicrow",
        "/ops/specialties?specialty=dermatology": ".savebar",
        "/ops/health": ".numbers",
        "/ops/audit": "form",
        "/ops/roles": "details",
        "/ops/users": "form",
        "/ops/notices": "h1",
        "/ops/reviews": ".segments",
    },
}
"""The pages of a role, and what each shows when it is there."""


@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize("persona", list(ROOMS))
def test_rooms_are_accessible(browsing: Browsing, look: str, persona: str) -> None:
    """Each page that a role has, as that role sees it."""
    page = browsing.open("/", persona, **LOOKS[look])
    links = page.locator('.places a[href^="/desk/day/"]')
    own = links.first.get_attribute("href") if persona == "doctor" else ""
    for path, shown in ROOMS[persona].items():
        page.goto(browsing.address + path.format((own or "").rpartition("/")[2]))
        expect(page.locator(shown).first).to_be_attached()
        assert faults_of_looks(page, look) == {}, path


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
    assert page.evaluate(TOO_WIDE) <= 0


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
