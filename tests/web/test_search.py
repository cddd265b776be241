"""The search: suggestions while a person types, and results that move as times go."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.fixtures.server import ServerProcess, http_get, http_post
from tests.web.conftest import Browsing, Opened

SHIFT = (
    "window.shift = 0; new PerformanceObserver(list => { for (const one of "
    "list.getEntries()) window.shift += one.value; })"
    ".observe({type: 'layout-shift', buffered: false});"
)


def _typed(page: Page, text: str) -> None:
    """Type into the box, once its suggestions are loaded."""
    expect(page.get_by_role("combobox", name="Name, specialty")).to_be_visible()
    page.locator("#q").press_sequentially(text)


def test_suggestions_are_chosen_by_keyboard(opened: Opened) -> None:
    """Arrows and Enter lead to a doctor, Escape closes, Enter alone searches."""
    page = opened("/")
    _typed(page, "ferrier")
    option = page.get_by_role("option", name=re.compile("Ferrier"))
    expect(option).to_be_visible()
    expect(page.locator("[role=status]", has_text="1 suggestion")).to_be_attached()
    page.keyboard.press("Escape")
    expect(option).to_be_hidden()
    expect(page.locator("#q")).to_have_value("ferrier")
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    active = page.locator("#q").get_attribute("aria-activedescendant")
    assert active == option.get_attribute("id")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("Ferrier"))).to_be_visible()
    page.goto(page.url.partition("/p/")[0])
    _typed(page, "general")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"\?q=general$"))


def test_suggestions_move_nothing(opened: Opened) -> None:
    """They lie over the page; leaving the box chooses nothing."""
    page = opened("/")
    page.locator(".said", has_text=re.compile("[0-9]")).wait_for()
    expect(page.get_by_role("combobox", name="Name, specialty")).to_be_visible()
    page.evaluate(SHIFT)
    _typed(page, "gen")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(page.locator("#q")).to_have_value("gen")
    assert page.evaluate("window.shift") < 0.01
    assert "q=" not in page.url


def test_typing_goes_on_while_suggestions_load(browsing: Browsing) -> None:
    """The field that is replaced hands over its text, its focus and the caret."""
    page = browsing.page_of(browsing.person(service_workers="block"))
    held: list[Route] = []
    page.route("**/assets/combo-*.js", lambda route: held.append(route))
    page.goto(browsing.address)
    box = page.locator("#q")
    with page.expect_request("**/assets/combo-*.js"):
        box.click()
    box.press_sequentially("genral")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert held
    held[0].continue_()
    expect(page.get_by_role("combobox", name="Name, specialty")).to_be_focused()
    page.keyboard.type("e")
    expect(box).to_have_value("general")
    expect(page.get_by_role("option").first).to_be_visible()


def test_a_misspelt_word_finds_and_the_list_is_narrowed_and_ordered(
    opened: Opened,
) -> None:
    """It says what was understood; a filter and an order are in the address."""
    page = opened("/?q=genral+practise")
    results = page.locator(".result:not(.bones)")
    expect(results.first).to_be_visible()
    expect(page.get_by_text("Shown are results for")).to_contain_text("general")
    narrow = page.get_by_role("group", name="Narrow the search")
    doctors = narrow.get_by_text(re.compile(r"[0-9]+ doctors?"))
    before = int((doctors.text_content() or "").split()[0])
    narrow.get_by_role("combobox", name="Order").select_option("By name")
    page.wait_for_url(re.compile("sort=name"))
    names = page.locator(".result:not(.bones) h3")
    expect(names.first).to_be_visible()
    language = narrow.get_by_role("combobox", name="All languages")
    if language.count():
        values = language.locator("option").all_text_contents()
        language.select_option(index=len(values) - 1)
        page.wait_for_url(re.compile("language="))
        expect(results.first).to_be_visible()
        expect(doctors).to_have_count(1)
        assert int((doctors.text_content() or "").split()[0]) <= before
    narrow.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("heading", name="Free soonest")).to_be_visible()


class Elsewhere:
    """Other people, who book and cancel over REST."""

    def __init__(self, site: ServerProcess) -> None:
        self._site = site
        self._booked: list[tuple[str, dict[str, str]]] = []

    def list(self) -> list[dict[str, Any]]:
        """The first doctors, soonest first."""
        answer = http_get(f"{self._site.url}/v1/providers?sort=soonest&limit=12")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return found

    def book_until_another_is_first(self) -> str:
        """Book the first doctor's soonest times; the name of who is first then."""
        first = self.list()[0]["provider_id"]
        while (now := self.list()[0])["provider_id"] == first:
            patient = f"pat_{len(self._booked) + 1}"
            token = self._site.token("patient", patient)
            header = {"Authorization": f"Bearer {token}"}
            wanted = {
                "provider_id": first,
                "visit_type": now["next_free_visit_type"],
                "start": now["next_free"],
            }
            url = f"{self._site.url}/v1/bookings"
            answer = http_post(url, json=wanted, headers=header)
            assert answer.status_code == 201, answer.text
            self._booked.append((answer.json()["booking_id"], header))
        return str(now["name"])

    def cancel_all(self) -> None:
        """Give the times back."""
        for booking, header in self._booked:
            url = f"{self._site.url}/v1/bookings/{booking}/cancel"
            answer = http_post(url, json={}, headers=header)
            assert answer.status_code == 200, answer.text
        self._booked.clear()


def _links(page: Page) -> list[str]:
    found: list[str] = page.locator(".results h3 a").evaluate_all(
        "all => all.map(one => new URL(one.href).pathname)"
    )
    return found


def test_a_booking_made_elsewhere_moves_the_doctor(
    opened: Opened, site: ServerProcess
) -> None:
    """And its cancellation brings them back; the focus stays, and more can be shown."""
    elsewhere = Elsewhere(site)
    page = opened("/?sort=soonest")
    cards = page.locator(".results > .result:not(.bones)")
    expect(cards).to_have_count(12)
    before = elsewhere.list()
    expect(cards.first).to_contain_text(before[0]["name"])
    read = cards.nth(4).locator("h3 a")
    read.focus()
    focused = read.get_attribute("href")
    after = elsewhere.book_until_another_is_first()
    try:
        expect(cards.first).to_contain_text(after)
        kept = page.evaluate("document.activeElement.getAttribute('href')")
        assert str(kept).partition("?")[0] == str(focused).partition("?")[0]
        said = page.locator("p[role=status]", has_text="Free soonest")
        expect(said).to_contain_text(after)
        page.get_by_role("button", name="Show more").click()
        expect(cards.nth(12)).to_be_visible()
    finally:
        elsewhere.cancel_all()
    expect(cards.first).to_contain_text(before[0]["name"])
    page.wait_for_function(
        "first => document.querySelector('.results h3 a').pathname === first",
        arg=f"/p/{before[0]['provider_id']}",
    )
    shown = _links(page)
    assert len(shown) > 12
    assert len(set(shown)) == len(shown)
