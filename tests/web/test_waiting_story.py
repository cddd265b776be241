"""The waiting list in the browser: a time given up goes to the patient who waits."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.fixtures.cluster import wait_until
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing
from tests.web.test_access import LOOKS, faults_of_looks
from tests.web.test_waiting import Person
from tests.web.test_waiting_list import Registered

PROVIDER = "prv_4"
WORKER_S = 4 * PATIENCE_S
"""The worker, which yields to all else, may come late on a busy machine."""
AHEAD = timedelta(hours=26)
"""Visits that are nearer than two hours are not reserved for the list."""

HAMMER = """([token, slot]) => {
  window.codes = [];
  (async () => {
    while (window.codes !== undefined) {
      const answer = await fetch("/v1/holds", {
        method: "POST",
        headers: {
          "Authorization": `Bearer ${token}`,
          "Content-Type": "application/json",
        },
        body: JSON.stringify(slot),
      });
      window.codes?.push(answer.ok ? "held" : (await answer.json()).code);
    }
  })();
}"""
"""Ask for a slot again and again, each time once the last answer is there."""

TAKE = """() => {
  const all = [window.codes, window.states];
  window.codes = undefined;
  return all;
}"""
"""All that was noted; then no more is asked."""

WATCH = """slot => {
  window.states = [slot.dataset.state];
  new MutationObserver(() => {
    window.states.push(slot.dataset.state);
    slot.click();
  }).observe(slot, {attributes: true, attributeFilter: ["data-state"]});
}"""
"""Note each state of a slot, and click it whenever it has changed."""


def starts_of(person: Person) -> list[str]:
    """Free starts of the provider that are far enough ahead."""
    slots = person.get(f"providers/{PROVIDER}/slots?visit_type=consult")["slots"]
    first = f"{datetime.now(UTC) + AHEAD:%Y-%m-%dT%H:%M:%SZ}"
    return [
        one["start"] for one in slots if one["state"] == "free" and one["start"] > first
    ]


def book(person: Person, start: str) -> str:
    """Book a visit; the booking's id."""
    wanted = {"provider_id": PROVIDER, "visit_type": "consult", "start": start}
    return str(person.post("bookings", wanted)["booking_id"])


def until_told(site: ServerProcess) -> None:
    """Wait until the calendars know what is waited for."""

    def is_told() -> bool:
        open_jobs = "kind = 'waiting.refresh' AND done_at IS NULL"
        query = f"SELECT count(*) FROM job WHERE {open_jobs}"
        with closing(sqlite3.connect(site.data / "records.db", timeout=60)) as records:
            return bool(records.execute(query).fetchone()[0] == 0)

    wait_until(is_told, WORKER_S)


def week_of(browsing: Browsing, start: str) -> str:
    """The page of the provider's week in which a start is."""
    day = date.fromisoformat(start[:10])
    monday = day - timedelta(days=day.weekday())
    search = f"type=consult&view=week&week={monday}"
    return f"{browsing.address}/p/{PROVIDER}?{search}"


def cancel(page: Page, booking: str) -> None:
    """Cancel a visit among one's own."""
    visit = page.locator(f'[id="{booking}"]')
    visit.get_by_role("button", name="Cancel visit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel visit").click()
    expect(dialog).to_have_count(0)


def wait_earlier(page: Page, booking: str) -> Locator:
    """Ask for an earlier time than a visit's; the dialog that says where one stands."""
    visit = page.locator(f'[id="{booking}"]')
    visit.get_by_role("button", name="Earlier, please").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Put me on the list").click()
    expect(dialog).to_contain_text("You are on the list")
    return dialog


class Rival(Registered):
    """A third person, who asks for a slot all the time and clicks each change of it."""

    def begin(self, browsing: Browsing, start: str) -> None:
        """Open the week, and ask until ``end``."""
        self.page.goto(week_of(browsing, start))
        self.slot = self.page.locator(f'.slot[data-start="{start}"]')
        expect(self.slot).to_have_attribute("data-state", "booked")
        self.slot.evaluate(WATCH)
        wanted = {"provider_id": PROVIDER, "visit_type": "consult", "start": start}
        self.page.evaluate(HAMMER, [self.token, wanted])
        self.ask_again()

    def ask_again(self) -> None:
        """Wait until two more answers came: the second was asked for after this."""
        before = self._asked()
        wait_until(lambda: self._asked() > before + 1, PATIENCE_S)

    def _asked(self) -> int:
        return int(self.page.evaluate("window.codes.length"))

    def end(self) -> tuple[set[str], set[str]]:
        """All answers, and all states that the slot showed."""
        codes, states = self.page.evaluate(TAKE)
        return set(codes), set(states)


COUNTDOWN = re.compile(r"^(\d+:)?\d?\d:\d\d$")
"""Half an hour, in the night some hours."""


def test_a_freed_time_is_offered_to_who_waits_although_others_click_it(
    browsing: Browsing, site: ServerProcess
) -> None:
    """One cancels; the other has the offer with a countdown, wherever they are, and
    their visit moves there. A third asks for the slot before, in that moment and after:
    it is never free, not even on their screen."""
    one = browsing.open("/me/visits", "patient")
    giver = Person(one, browsing, "patient")
    other = Registered(browsing, browsing.page_of(browsing.person()))
    rival = Rival(browsing, browsing.page_of(browsing.person()))
    freed, *_, late = starts_of(giver)
    given, own, page = book(giver, freed), book(other, late), other.page
    page.goto(f"{browsing.address}/me/visits")
    dialog = wait_earlier(page, own)
    expect(dialog).to_contain_text("You are the first")
    dialog.get_by_role("button", name="Good").click()
    expect(page.locator("#waiting-list li.card")).to_have_count(1)
    until_told(site)
    rival.begin(browsing, freed)

    page.goto(browsing.address)
    expect(page.locator(".next a").first).to_be_visible()
    cancel(one, given)
    banner = page.get_by_role("complementary", name="An offer for you")
    expect(banner).to_contain_text("Your visit can be earlier", timeout=WORKER_S * 1000)
    expect(banner.get_by_role("timer")).to_have_text(COUNTDOWN)
    expect(rival.slot).to_have_attribute("data-state", "held")
    rival.ask_again()
    banner.get_by_role("link", name="See it").click()
    _take(page, own, rival.slot.inner_text())
    expect(rival.slot).to_have_attribute("data-state", "booked")
    assert rival.end() == ({"slot_unavailable"}, {"booked", "held"})
    expect(rival.page.get_by_role("dialog")).to_have_count(0)
    cancel(page, own)


def _take(page: Page, own: str, at: str) -> None:
    """The offer beside the old visit, which moves there; then nothing is waited for."""
    offer = page.locator(".offer")
    expect(offer.get_by_role("timer")).to_have_text(COUNTDOWN)
    expect(offer.locator(".side")).to_have_count(2)
    assert faults_of_looks(page, "latin") == {}, "the offer"
    offer.get_by_role("button", name="Move my visit").click()
    expect(page.locator(".confirmed")).to_be_visible()
    expect(page.locator(f'[id="{own}"]')).to_contain_text(at)
    expect(page.locator("#waiting-list")).to_contain_text("You wait for nothing")


@pytest.mark.parametrize("look", list(LOOKS))
def test_the_list_is_accessible(browsing: Browsing, look: str) -> None:
    """Asking, one's entries, the desk's list, a removal by the keyboard alone."""
    patient = browsing.open("/", "patient", **LOOKS[look])
    doctor = browsing.open("/", "doctor", **LOOKS[look])
    desk = doctor.locator('.places a[href^="/desk/list/"]').get_attribute("href") or ""
    provider = desk.rpartition("/")[2]
    patient.goto(f"{browsing.address}/p/{provider}?view=list")
    patient.locator(".ask button").click()
    dialog = patient.locator("dialog")
    dialog.locator('input[name="part"][value="own"]').check()
    assert faults_of_looks(patient, look) == {}, "asking"
    dialog.locator('input[name="part"][value="any"]').check()
    dialog.locator('button[type="submit"]').click()
    expect(dialog.locator("form")).to_have_count(0)
    assert faults_of_looks(patient, look) == {}, "on the list"
    patient.goto(f"{browsing.address}/me/visits")
    entry = patient.locator("#waiting-list li.card")
    expect(entry).to_have_count(1)
    assert faults_of_looks(patient, look) == {}, "one's entries"
    doctor.goto(browsing.address + desk)
    row = doctor.locator("li.queue")
    expect(row).to_have_count(1)
    assert faults_of_looks(doctor, look) == {}, "the desk's list"
    row.locator(".button.danger").press("Enter")
    expect(doctor.locator("dialog")).to_be_visible()
    assert faults_of_looks(doctor, look) == {}, "taking off"
    doctor.locator("dialog textarea").fill("booked by telephone")
    doctor.locator('dialog button[type="submit"]').press("Enter")
    expect(row).to_have_count(0)
    expect(doctor.locator("h1")).to_be_focused()
