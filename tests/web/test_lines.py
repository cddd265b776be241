"""Bad lines and dead servers: nothing stale is free, nothing is booked twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.fixtures.cluster import wait_until
from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing
from tests.web.line import Line

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


def _free(page: Page) -> Locator:
    found = page.locator('.slot[data-state="free"]').first
    found.wait_for()
    return page.locator(f'.slot[data-start="{found.get_attribute("data-start")}"]')


def _ahead(page: Page) -> Locator:
    """Visits that can be moved, once they are there."""
    page.get_by_role("heading", name="My visits").wait_for()
    page.locator("article, .empty").first.wait_for()
    return page.locator("article", has=page.get_by_role("button", name="Move"))


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
    slot = _free(page)
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
    slot = _free(page)
    line.cut()
    expect(slot).to_have_attribute("data-state", "unknown")
    line.lay()
    expect(slot).to_have_attribute("data-state", "free")


def test_a_slow_line_books_once(far: Browsing, line: Line) -> None:
    """Impatient clicks on a line that hangs are one booking."""
    page = far.open("/me/visits", "patient")
    before = _ahead(page).count()
    page.goto(far.address + PROVIDER)
    _free(page).click()
    expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
    line.freeze()
    page.get_by_role("button", name="Book", exact=True).dblclick()
    waiting = page.get_by_role("button", name="One moment …")
    expect(waiting).to_be_disabled()
    line.thaw()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()
    expect(_ahead(page)).to_have_count(before + 1)


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
    expect(page.get_by_text("This is what we knew")).to_be_visible(timeout=20_000)
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
        before = _ahead(page).count()
        page.goto(people.address + PROVIDER)
        _free(page).click()
        expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
        server.kill()
        page.get_by_role("button", name="Book", exact=True).click()
        expect(page.get_by_role("button", name="One moment …")).to_be_visible()
        server.start()
        heading = page.get_by_role("heading", name="My visits")
        expect(heading).to_be_visible()
        expect(_ahead(page)).to_have_count(before + 1)
        people.close()
