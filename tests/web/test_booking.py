"""A visit is booked in one browser while others watch: everything changes at once."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import PHONE, Browsing, Opened, Withheld, sign_in

if TYPE_CHECKING:
    from tests.fixtures.server import ServerProcess

PROVIDER = "/p/prv_4?type=consult"


def free_slot(page: Page) -> Locator:
    """The first time that can be taken."""
    found = page.locator('.slot[data-state="free"]').first
    found.wait_for()
    return page.locator(f'.slot[data-start="{found.get_attribute("data-start")}"]')


def the_same(page: Page, slot: Locator) -> Locator:
    """The slot of another page."""
    return page.locator(f'.slot[data-start="{slot.get_attribute("data-start")}"]')


def visits_ahead(page: Page) -> Locator:
    """Visits that can be moved, once they are there."""
    page.get_by_role("heading", name="My visits").wait_for()
    page.locator("article, .empty").first.wait_for()
    return page.locator("article", has=page.get_by_role("button", name="Move"))


def state(slot: Locator, expected: str) -> None:
    """Wait until a slot shows a state."""
    expect(slot).to_have_attribute("data-state", expected)


def test_a_visit_is_booked_on_a_phone_while_others_watch(opened: Opened) -> None:
    """Held, then booked: seen elsewhere, on the doctor's day, and in one's visits."""
    watcher = opened(f"{PROVIDER}&view=week")
    patient = opened(f"{PROVIDER}&view=week", "patient", viewport=PHONE)
    slot = free_slot(patient)
    seen = the_same(watcher, slot)
    state(seen, "free")
    slot.click()
    expect(patient.get_by_role("dialog")).to_contain_text("Kept for you")
    state(seen, "held")
    patient.get_by_label("Reason for the visit").fill("Knee pain")
    patient.get_by_role("button", name="Book", exact=True).click()
    expect(patient.get_by_role("heading", name="My visits")).to_be_visible()
    expect(patient.get_by_text("Callum Ferrier").first).to_be_visible()
    state(seen, "booked")


def test_a_doctor_sees_a_booking_and_a_cancellation_at_once(opened: Opened) -> None:
    """The day changes by itself and says what is new."""
    patient = opened("/", "patient")
    doctor = opened("/", "doctor")
    doctor.get_by_role("link", name="My day").click()
    doctor.wait_for_url(re.compile("/desk/day/"))
    provider = doctor.url.rpartition("/day/")[2].partition("?")[0]
    patient.goto(patient.url.rstrip("/") + f"/p/{provider}?view=week")
    slot = free_slot(patient)
    start = slot.get_attribute("data-start") or ""
    doctor.goto(doctor.url.partition("?")[0] + f"?date={start[:10]}")
    expect(doctor.locator("ol.day")).to_be_attached()
    slot.click()
    patient.get_by_role("button", name="Book", exact=True).click()
    row = doctor.locator(f'li.visit:has(time[datetime="{start}"])')
    expect(row).to_have_attribute("data-status", "booked")
    expect(row).to_contain_text("New")
    visit = patient.locator("article", has=patient.get_by_role("button", name="Move"))
    visit.first.wait_for()
    booking = patient.url.partition("#")[2]
    patient.locator(f'[id="{booking}"]').get_by_role(
        "button", name="Cancel visit"
    ).click()
    patient.get_by_role("dialog").get_by_role("button", name="Cancel visit").click()
    expect(row).to_have_attribute("data-status", "cancelled")


def test_a_double_click_books_once(browsing: Browsing) -> None:
    """Two clicks are one intention: one hold, one visit, no error."""
    patient = browsing.open("/me/visits", "patient")
    before = visits_ahead(patient).count()
    patient.goto(f"{browsing.address}{PROVIDER}&view=week")
    slot = free_slot(patient)
    slot.dblclick()
    patient.get_by_role("button", name="Book", exact=True).dblclick()
    expect(patient.get_by_role("heading", name="My visits")).to_be_visible()
    expect(visits_ahead(patient)).to_have_count(before + 1)
    expect(patient.locator(".notice.bad")).to_have_count(0)


def test_a_reload_keeps_the_hold(opened: Opened) -> None:
    """The time stays kept, and the countdown goes on."""
    patient = opened(f"{PROVIDER}&view=week", "patient")
    free_slot(patient).click()
    expect(patient.get_by_role("dialog")).to_contain_text("Kept for you")
    patient.reload()
    expect(patient.get_by_role("dialog")).to_contain_text("Kept for you")
    patient.get_by_role("button", name="Give the time back").click()
    expect(patient.get_by_role("dialog")).to_have_count(0)


def test_a_hold_is_not_shown_to_another_person(browsing: Browsing) -> None:
    """Left elsewhere while the tab slept, it has nothing of the first person."""
    page = browsing.open(f"{PROVIDER}&view=week", "patient")
    free_slot(page).click()
    page.get_by_label("Reason for the visit").fill("Knee pain")
    kept = "sessionStorage.getItem('slotcast.hold')"
    page.wait_for_function(f"({kept} ?? '').includes('Knee pain')")
    page.context.clear_cookies()
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    expect(page.locator(".slot").first).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function(f"{kept} === null")


def test_a_click_before_it_is_known_who_is_here_takes_the_time(opened: Opened) -> None:
    """Times are shown at once; a quick click does not send a signed-in person away."""
    patient = opened("/me/visits", "patient", service_workers="block")
    visits_ahead(patient)
    with Withheld(patient, "**/v1/auth/refresh"):
        patient.evaluate(f"location.href = '{PROVIDER}&view=week'")
        free_slot(patient).click()
        expect(patient.get_by_role("link", name="Sign in")).to_be_visible()
    expect(patient.get_by_role("dialog")).to_contain_text("Kept for you")
    patient.get_by_role("button", name="Give the time back").click()
    expect(patient.get_by_role("dialog")).to_have_count(0)


FAST_OR_SLOW = """hours => {
  const Right = Date, wrong = hours * 3_600_000;
  globalThis.Date = class extends Right {
    constructor(...given) {
      if (given.length > 0) super(...given); else super(Right.now() + wrong);
    }
    static now() { return Right.now() + wrong; }
  };
}"""


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wrong_clock_loses_no_hold(browsing: Browsing, hours: int) -> None:
    """The server's time decides, at once and after a reload; the countdown is right."""
    patient = browsing.page_of(browsing.person())
    patient.add_init_script(f"({FAST_OR_SLOW})({hours})")
    patient.goto(f"{browsing.address}/login")
    sign_in(patient, "patient")
    patient.goto(f"{browsing.address}{PROVIDER}&view=week")
    free_slot(patient).click()
    dialog = patient.get_by_role("dialog")
    for again in (True, False):
        expect(dialog).to_contain_text("Kept for you")
        expect(dialog.get_by_role("timer")).to_have_text(re.compile(r"^[0-2]:\d\d$"))
        if again:
            patient.reload()
    patient.get_by_role("button", name="Give the time back").click()
    expect(dialog).to_have_count(0)


def test_a_time_is_taken_and_booked_with_the_keyboard_alone(browsing: Browsing) -> None:
    """One tab stop, arrow keys among the times, Enter takes one; focus comes back.

    From the top of the page to the booked visit no key but Tab, arrows, Enter, Escape
    and letters is pressed, and nothing is clicked.
    """
    patient = browsing.open("/me/visits", "patient")
    before = visits_ahead(patient).count()
    patient.goto(f"{browsing.address}{PROVIDER}&view=week")
    slot = free_slot(patient)
    _tab_to(patient, slot)
    patient.keyboard.press("Enter")
    dialog = patient.get_by_role("dialog")
    heading = dialog.get_by_role("heading", level=2)
    expect(heading).to_be_focused()
    patient.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(slot).to_be_focused()
    patient.keyboard.press("ArrowDown")
    expect(slot).not_to_be_focused()
    expect(patient.locator('.slot[tabindex="0"]')).to_have_count(1)
    patient.keyboard.press("ArrowUp")
    expect(slot).to_be_focused()
    state(slot, "free")
    patient.keyboard.press("Enter")
    expect(heading).to_be_focused()
    _tab_to(patient, dialog.get_by_label("Reason for the visit"))
    patient.keyboard.type("Knee pain")
    _tab_to(patient, dialog.get_by_role("button", name="Book", exact=True))
    patient.keyboard.press("Enter")
    expect(patient.get_by_role("heading", name="My visits")).to_be_visible()
    expect(visits_ahead(patient)).to_have_count(before + 1)


def _tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus; far fewer stops than a page has times."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("Tab does not lead there")


def test_while_the_line_is_dead_no_time_can_be_chosen(
    opened: Opened, site: ServerProcess
) -> None:
    """A frozen server is noticed; times turn unknown, and come back by themselves."""
    page = opened(f"{PROVIDER}&view=week")
    slot = free_slot(page)
    os.kill(site.pid, signal.SIGSTOP)
    try:
        page.evaluate("dispatchEvent(new Event('offline'))")
        state(slot, "unknown")
        expect(page.get_by_text("Live is interrupted").first).to_be_visible()
    finally:
        os.kill(site.pid, signal.SIGCONT)
    expect(slot).to_have_attribute("data-state", "free")


def test_what_others_take_is_told_to_those_who_listen(opened: Opened) -> None:
    """One sentence for the change, and the focus stays where it was."""
    listener = opened(f"{PROVIDER}&view=week")
    patient = opened(f"{PROVIDER}&view=week", "patient")
    slot = free_slot(patient)
    seen = the_same(listener, slot)
    state(seen, "free")
    other = listener.locator('.slot[data-state="free"]').last
    other.focus()
    slot.click()
    spoken = listener.locator('p[role="status"][aria-live="polite"]')
    expect(spoken).to_have_text(re.compile("[12] times? taken"))
    expect(other).to_be_focused()
    patient.get_by_role("button", name="Give the time back").click()
    expect(spoken).to_have_text(re.compile("free again"))
