"""A doctor's and a clinic's work: moving visits, hours, leave, the waiting room."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Browsing, Opened, Withheld
from tests.web.test_accounts import PASSWORD, address_of, join, log_in

if TYPE_CHECKING:
    from collections.abc import Callable


def _desk(page: Page, place: str) -> str:
    """Go to a place of the doctor's desk; the provider's id."""
    page.get_by_role("link", name=place).first.click()
    page.wait_for_url(re.compile("/desk/"))
    return page.url.rpartition("/")[2].partition("?")[0]


def _week_with_visits(page: Page) -> Locator:
    """Turn to the first later week with a visit: today's begin or are over."""
    page.get_by_role("button", name="Week", exact=True).click()
    block = page.locator('.block[data-status="booked"]').first
    for _ in range(4):
        page.locator(".weekgrid").wait_for()
        week = page.locator("h1").inner_text()
        page.get_by_role("button", name="Week after").click()
        expect(page.locator("h1")).not_to_have_text(week)
        page.locator(".weekgrid").wait_for()
        if block.count():
            break
    block.wait_for()
    return page.locator(f'.block[data-booking="{block.get_attribute("data-booking")}"]')


def _spoken(page: Page) -> Callable[[str], None]:
    def said(words: str) -> None:
        region = page.locator('p[role="status"][aria-live="polite"]')
        expect(region).to_contain_text(words)

    return said


def test_a_visit_is_moved_with_the_keyboard(opened: Opened) -> None:
    """Alt and arrows say where it would go; Escape leaves it, Enter moves it."""
    page = opened("/", "doctor")
    _desk(page, "My day")
    block, said = _week_with_visits(page), _spoken(page)
    before = block.get_attribute("data-start") or ""
    block.focus()
    block.press("Alt+ArrowDown")
    said("Enter moves it")
    expect(page.locator(".ghost")).to_be_visible()
    block.press("Escape")
    said("Not moved")
    expect(block).to_have_attribute("data-start", before)
    block.press("Alt+ArrowDown")
    said("Enter moves it")
    block.press("Enter")
    expect(block).not_to_have_attribute("data-start", before)
    expect(block).to_have_attribute("data-fresh", "true")
    said("Moved to")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(block).to_have_attribute("data-start", before)


def test_a_visit_is_moved_by_dragging(opened: Opened) -> None:
    """It goes to the free start that is nearest to where it was let go."""
    page = opened("/", "doctor")
    _desk(page, "My day")
    block = _week_with_visits(page)
    before = block.get_attribute("data-start") or ""
    block.scroll_into_view_if_needed()
    block.press("Alt+ArrowDown")
    ghost = page.locator(".ghost")
    ghost.wait_for()
    aim, box = ghost.bounding_box(), block.bounding_box()
    assert aim is not None
    assert box is not None
    block.press("Escape")
    page.mouse.move(box["x"] + 10, box["y"] + 6)
    page.mouse.down()
    page.mouse.move(box["x"] + 10, box["y"] + 14)
    page.locator(".target").first.wait_for(state="attached")
    page.mouse.move(aim["x"] + 10, aim["y"] + 6)
    page.mouse.up()
    expect(block).not_to_have_attribute("data-start", before)


def test_a_visit_is_moved_by_dialog_and_back(opened: Opened) -> None:
    """The way without dragging; an outcome before its time is refused in words."""
    page = opened("/", "doctor")
    _desk(page, "My day")
    block = _week_with_visits(page)
    before = block.get_attribute("data-start") or ""
    block.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Move the visit")).to_be_focused()
    dialog.locator(".slot").last.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(block).not_to_have_attribute("data-start", before)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(block).to_have_attribute("data-start", before)
    page.goto(f"{page.url.partition('?')[0]}?date={before[:10]}")
    row = page.locator(f'li.visit:has(time[datetime="{before}"])')
    row.get_by_role("button", name="Here").click()
    expect(page.locator(".toast")).to_contain_text("has not come yet")
    expect(row).to_have_attribute("data-status", "booked")


def _new_patient(dialog: Locator, given: str, family: str) -> None:
    """Fill in a patient whom the clinic does not know yet."""
    dialog.get_by_label("Family name").fill(family)
    dialog.get_by_label("Born on").fill("1980-02-29")
    dialog.get_by_role("button", name="Find").click()
    dialog.get_by_label("Given name of a new one").fill(given)


def test_a_visit_is_booked_for_a_patient(opened: Opened) -> None:
    """Who is new to the clinic; it appears on the day at once, with their name.

    "Book" is pressed while the server still adds the patient: the click is not lost.
    """
    page = opened("/", "doctor", service_workers="block")
    provider = _desk(page, "My day")
    public = opened(f"/p/{provider}?view=week")
    free = public.locator('.slot[data-state="free"]').first
    free.wait_for()
    date = (free.get_attribute("data-start") or "")[:10]
    page.goto(f"{page.url.partition('?')[0]}?date={date}")
    page.get_by_role("button", name="Book for a patient").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Book", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose a patient")
    _new_patient(dialog, "Anton", "Berg")
    dialog.get_by_role("button", name="Add the patient").click()
    expect(dialog.get_by_text("Anton Berg")).to_be_visible()
    expect(dialog.get_by_role("alert")).to_have_count(0)
    dialog.get_by_role("button", name="Another patient").click()
    _new_patient(dialog, "Mira", "Nagy")
    with Withheld(page, "**/v1/clinics/*/patients"):
        dialog.get_by_role("button", name="Add the patient").click()
        expect(dialog.get_by_role("button", name="One moment …")).to_be_visible()
        dialog.locator(".slot").first.click()
        dialog.get_by_role("button", name="Book", exact=True).click()
        expect(dialog.locator('button[type="submit"]')).to_have_text("One moment …")
    expect(dialog).to_have_count(0)
    row = page.locator("li.visit", has_text="Mira Nagy").first
    expect(row).to_contain_text("New")


def test_leave_shows_what_it_strands_before_it_is_taken(opened: Opened) -> None:
    """Looking changes nothing; taking it strands the same visits; it is given back."""
    page = opened("/", "doctor")
    provider = _desk(page, "My day")
    block = _week_with_visits(page)
    date = (block.get_attribute("data-start") or "")[:10]
    page.goto(page.url.partition("/desk/")[0] + f"/desk/leave/{provider}")
    page.get_by_label("First day").fill(date)
    page.get_by_label("Last day").fill(date)
    page.get_by_role("button", name="See what it affects").click()
    effect = page.locator("section[aria-live]")
    stranded = effect.get_by_role("listitem").first
    expect(stranded).to_be_visible()
    expect(stranded).not_to_contain_text("pat_")
    taken = page.get_by_role("region", name="Leave that is taken")
    taken.locator("li, .empty").first.wait_for()  # else none is there yet
    before = taken.get_by_role("button", name="Give the time back").count()
    effect.get_by_role("button", name="Take the leave").click()
    page.wait_for_url(re.compile("queue="))  # its visits, one by one
    page.goto(page.url.partition("?")[0])
    back = page.get_by_role("button", name="Give the time back")
    expect(back).to_have_count(before + 1)
    back.last.click()
    expect(back).to_have_count(before)


def test_hours_are_changed_and_never_over_anothers_change(browsing: Browsing) -> None:
    """What they affect is seen first; the second of two editors is told."""
    one = browsing.open("/", "doctor")
    provider = _desk(one, "Hours")
    two = browsing.open("/", "doctor")
    two.goto(f"{browsing.address}/desk/hours/{provider}")
    for page in (one, two):
        page.get_by_label("Pause after").first.wait_for()
    one.get_by_label("Name", exact=True).last.fill("A first name")
    one.get_by_role("button", name="See what it affects").click()
    one.get_by_role("button", name="Save the hours").click()
    _spoken(one)("The hours are saved")
    two.get_by_label("Name", exact=True).last.fill("A second name")
    two.get_by_role("button", name="See what it affects").click()
    expect(two.get_by_role("alert")).to_contain_text("changed meanwhile")
    two.get_by_role("button", name="Load again").click()
    expect(two.get_by_label("Name", exact=True).last).to_have_value("A first name")


def test_an_operator_sees_the_health_of_the_cluster(opened: Opened) -> None:
    """In a sentence, in numbers, and by shard; a patient sees none of it."""
    page = opened("/ops/health", "operator")
    expect(page.get_by_role("heading", name="All is well.")).to_be_visible()
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(1)
    expect(page.locator(".plot polyline").first).to_be_attached()
    page.goto(page.url.replace("health", "roles"))
    expect(page.locator("details").first).to_be_visible()


def test_an_operator_disables_an_account_and_lets_it_in_again(
    browsing: Browsing,
) -> None:
    """Found by its address; disabled it cannot sign in; roles are given and taken."""
    person, address = browsing.page_of(browsing.person()), address_of()
    join(person, browsing, address)
    page = browsing.open("/ops/users", "operator")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("button", name=f"Disable {address}").click()
    expect(page.get_by_role("button", name=f"Enable {address}")).to_be_visible()
    log_in(person, browsing, address, PASSWORD)
    expect(person.get_by_role("alert")).to_contain_text("disabled")
    page.get_by_role("button", name=f"Enable {address}").click()
    expect(page.get_by_role("button", name=f"Disable {address}")).to_be_visible()
    log_in(person, browsing, address, PASSWORD)
    expect(person.get_by_role("heading", name="My visits")).to_be_visible()
    page.get_by_role("button", name=f"Sign out everywhere: {address}").click()
    said = page.get_by_text("The account is signed out everywhere.")
    expect(said).to_be_attached()
    steps = f"Remove second steps: {address}"
    page.get_by_role("button", name=steps).click()
    told = page.get_by_text("A second operator can do it at once")
    expect(told).to_be_visible()
    page.get_by_role("button", name="Make an auditor").click()
    page.get_by_role("button", name="Take back: auditor").click()
    expect(page.get_by_role("button", name="Make an auditor")).to_be_visible()
    page.get_by_label("E-mail address").fill("none@example.org")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("There is no account with this address.")).to_be_visible()
