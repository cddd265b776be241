"""A person describes a complaint and taps a specialty; none is chosen for them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing, Opened
from tests.web.test_access import LOOKS, faults_of_looks

OPENS = {"latin": "Not sure which doctor", "arabic": "لا تعرف أي طبيب"}
KNEE = {"latin": "my knee hurts zanzibar", "arabic": "ركبتي تؤلمني zanzibar"}
TITLE = {"latin": "Orthopaedics", "arabic": "جراحة العظام"}
KEPT = "JSON.stringify([localStorage, sessionStorage, history.state, location.href])"


def describe(page: Page, text: str, look: str = "latin") -> None:
    """Open the field if it is closed, and ask."""
    opener = page.get_by_role("button", name=OPENS[look])
    if opener.get_attribute("aria-expanded") == "false":
        opener.click()
    field = page.locator("#trouble")
    expect(field).to_be_focused()
    field.fill(text)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("look", list(LOOKS))
def test_a_specialty_is_suggested_and_tapped(
    opened: Opened, site: ServerProcess, look: str
) -> None:
    """Chips in the page's language; the filter is set by a tap alone, and what was
    written is in no address, no store of the browser and no file of the server."""
    page = opened("/", **LOOKS[look])
    describe(page, KNEE[look], look)
    chip = page.locator(".kinds a", has_text=TITLE[look])
    expect(chip).to_be_visible()
    assert page.locator(".kinds a").count() <= 3
    assert "specialty" not in page.url
    assert faults_of_looks(page, look) == {}
    chip.click()
    page.wait_for_url(re.compile("specialty="))
    expect(page.locator("#trouble")).to_be_hidden()
    expect(chip).to_have_attribute("aria-current", "true")
    assert "zanzibar" not in page.evaluate(KEPT)
    assert _files_with(site.data, b"zanzibar") == []


@pytest.mark.parametrize("look", list(LOOKS))
def test_the_emergency_line_stands_first(opened: Opened, look: str) -> None:
    """Before any suggestion, with numbers to call, and spoken at once."""
    page = opened("/", **LOOKS[look])
    describe(page, {"latin": "chest pain", "arabic": "ألم في الصدر"}[look], look)
    shown = page.locator(".trouble [role=alert], .trouble .kinds")
    expect(shown.nth(1)).to_be_visible()
    assert shown.first.get_attribute("role") == "alert"
    expect(shown.first.locator('a[href="tel:112"]')).to_be_visible()
    assert faults_of_looks(page, look) == {}
    describe(page, KNEE[look], look)
    expect(page.locator(".kinds a", has_text=TITLE[look])).to_be_visible()
    expect(page.locator(".trouble [role=alert]")).to_have_count(0)


def test_a_guess_looks_like_one(browsing: Browsing) -> None:
    """Not sure: it says so, and the chips are smaller; nothing: it says that; refused:
    the reason."""
    page = browsing.open("/", service_workers="block")
    guess = {"specialty": "neurology", "title": "Neurology", "score": 0.2}
    answer = {"suggestions": [guess], "sure": False, "urgent": False}
    page.route("**/v1/symptoms", lambda route: route.fulfill(json=answer))
    describe(page, "qwertz")
    expect(page.get_by_text("We are not sure")).to_be_visible()
    unsure = page.locator(".kinds.unsure a").bounding_box()
    assert unsure is not None
    assert faults_of_looks(page, "latin") == {}
    answer["sure"] = True
    describe(page, "qwertz")
    expect(page.locator(".kinds.unsure")).to_have_count(0)
    sure = page.locator(".kinds a").bounding_box()
    assert sure is not None
    assert unsure["height"] < sure["height"]
    answer["suggestions"] = []
    describe(page, "qwertz")
    expect(page.get_by_text("We have no suggestion")).to_be_visible()
    page.unroute("**/v1/symptoms")
    problem = json.dumps({"code": "too_many_requests", "status": 429})
    page.route(
        "**/v1/symptoms",
        lambda route: route.fulfill(
            status=429, content_type="application/problem+json", body=problem
        ),
    )
    describe(page, "qwertz")
    expect(page.locator(".trouble [role=alert]")).to_contain_text("That was quick")


def _files_with(folder: Path, word: bytes) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the server makes and removes some
            if path.is_file() and word in path.read_bytes():
                found.append(str(path))
    return found
