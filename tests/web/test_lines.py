"""Bad lines and dead servers: nothing stale is free, nothing is booked twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.fixtures.cluster import wait_until
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing
from tests.web.line import Line
from tests.web.test_accounts import PASSWORD, address_of, join, log_in
from tests.web.test_booking import free_slot, state, the_same, visits_ahead

PROVIDER = "/p/prv_4?type=consult&view=week"


@pytest.fixture
def line(site: ServerProcess) -> Iterator[Line]:
    """A line to the shared server."""
    with Line(site.port) as laid:
        yield laid


@pytest.fixture
def far(line: Line, chromium: Browser) -> Iterator[Browsing]:
    """Browsers that reach the server through the line."""
    found = Browsing(chromium, line.url)
    yield found
    found.close()
    assert found.faults == []


KEPT = """() => new Promise(done => {
  const request = indexedDB.open('slotcast', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('kept');
  request.onsuccess = () => {
    const all = request.result.transaction('kept').objectStore('kept').count();
    all.onsuccess = () => { request.result.close(); done(all.result > 0); };
  };
})"""


def test_a_half_open_line_is_found_and_comes_back(far: Browsing, line: Line) -> None:
    """Its silence is noticed; no time can be chosen; then all is as it was."""
    page = far.page_of(far.person())
    page.clock.install()
    page.goto(far.address + PROVIDER)
    slot = free_slot(page)
    line.freeze()
    page.clock.fast_forward("00:26")
    expect(slot).to_have_attribute("data-state", "unknown")
    expect(page.get_by_text("Live is interrupted").first).to_be_visible()
    line.thaw()
    page.clock.fast_forward("00:30")
    expect(slot).to_have_attribute("data-state", "free")


def test_a_cut_line_comes_back_by_itself(far: Browsing, line: Line) -> None:
    """What others did meanwhile is shown."""
    page = far.open(PROVIDER)
    slot = free_slot(page)
    line.cut()
    expect(slot).to_have_attribute("data-state", "unknown")
    line.lay()
    expect(slot).to_have_attribute("data-state", "free")


def test_two_browsers_want_one_time_and_exactly_one_gets_it(
    browsing: Browsing, far: Browsing, line: Line
) -> None:
    """The other reads kind words and takes one of the nearest times instead.

    It still saw the time as free when it asked: its line was slow.
    """
    late, address = far.page_of(far.person()), address_of()
    join(late, far, address)
    log_in(late, far, address, PASSWORD)
    expect(late.get_by_role("heading", name="My visits")).to_be_visible()
    late.goto(far.address + PROVIDER)
    first = browsing.open(PROVIDER, "patient")
    slot = free_slot(first)
    wanted = the_same(late, slot)
    state(wanted, "free")
    line.freeze()
    slot.click()
    expect(first.get_by_role("dialog")).to_contain_text("Kept for you")
    state(wanted, "free")
    wanted.click()
    line.thaw()
    words = late.get_by_role("alert")
    expect(words).to_contain_text("Someone was a moment faster. Nothing is lost.")
    expect(words).to_contain_text("These are nearest:")
    expect(late.get_by_role("dialog")).to_have_count(0)
    expect(first.get_by_role("dialog")).to_contain_text("Kept for you")
    nearest = words.get_by_role("button")
    expect(nearest).to_have_count(3)
    nearest.first.click()
    for page in (first, late):
        expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
        page.get_by_role("button", name="Book", exact=True).click()
        expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    expect(visits_ahead(late)).to_have_count(1)


def test_a_slow_line_books_once(far: Browsing, line: Line) -> None:
    """Impatient clicks on a line that hangs are one booking."""
    page = far.open("/me/visits", "patient")
    before = visits_ahead(page).count()
    page.goto(far.address + PROVIDER)
    free_slot(page).click()
    expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
    line.freeze()
    page.get_by_role("button", name="Book", exact=True).dblclick()
    waiting = page.get_by_role("button", name="One moment …")
    expect(waiting).to_be_disabled()
    line.thaw()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    expect(visits_ahead(page)).to_have_count(before + 1)


def test_ones_visits_are_there_without_a_line(far: Browsing, line: Line) -> None:
    """On one's own device: reloaded offline, with 'as of', and nothing to press."""
    page = far.open("/me/settings", "patient")
    page.get_by_label("This is my own device").check()
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    page.goto(far.address + "/me/visits")
    page.locator("article").first.wait_for()
    # A promise is no answer to wait_for_function: it is true before it is settled.
    wait_until(lambda: bool(page.evaluate(KEPT)), PATIENCE_S)
    line.cut()
    page.reload()
    expect(page.get_by_text("This is what we knew")).to_be_visible()
    expect(page.locator("article").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel visit")).to_have_count(0)


def test_a_device_that_is_not_ones_own_keeps_no_visits(
    far: Browsing, line: Line
) -> None:
    """Without the line, a reload shows the way in and no visit."""
    page = far.open("/me/visits", "patient")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    page.locator("article, .empty").first.wait_for()
    page.reload()
    page.locator("article, .empty").first.wait_for()
    line.cut()
    page.reload()
    expect(page.get_by_role("heading", name="Please sign in")).to_be_visible()
    assert page.locator("article").count() == 0


def test_a_server_killed_in_the_middle_of_a_booking(
    built: Path, tmp_path: Path, chromium: Browser
) -> None:
    """The page waits, asks again with the same key, and the visit is booked once."""
    assert built.is_dir()
    data = tmp_path / "data"
    with ServerProcess(
        data, SLOTCAST_RATE_LIMITS="false", SLOTCAST_SHARDS="1"
    ) as server:
        server.start()
        people = Browsing(chromium, server.url.replace("127.0.0.1", "localhost"))
        page = people.open("/me/visits", "patient")
        before = visits_ahead(page).count()
        page.goto(people.address + PROVIDER)
        free_slot(page).click()
        expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
        server.kill()
        page.get_by_role("button", name="Book", exact=True).click()
        expect(page.get_by_role("button", name="One moment …")).to_be_visible()
        server.start()
        heading = page.get_by_role("heading", name="My visits")
        expect(heading).to_be_visible()
        expect(visits_ahead(page)).to_have_count(before + 1)
        people.close()
