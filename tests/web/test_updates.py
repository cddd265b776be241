"""A newer app is put in place while people book: no hold is lost, in no tab."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.fixtures.server import ServerProcess
from tests.web.conftest import Browsing, sign_in
from tests.web.test_booking import free_slot

PROVIDER = "/p/prv_4?type=consult&view=week"
TEXTS = (".html", ".js", ".css", ".json", ".webmanifest")
NEWER = "-newer"
"""At the end of the name of every hashed file of the second build."""
LOOK_FOR_NEWER = """() => navigator.serviceWorker.getRegistration()
  .then(one => one.update()).then(() => true)"""
CONTROLLED = """() => new Promise(done => {
  const { serviceWorker } = navigator;
  if (serviceWorker.controller !== null) done(true);
  serviceWorker.addEventListener('controllerchange', () => done(true));
})"""


def _newer(built: Path, folder: Path) -> Path:
    """The same app as another build: each hashed file has another name."""
    names = [one.name for one in (built / "assets").iterdir()]
    hashed = sorted(one for one in names if not one.endswith((".br", ".gz")))
    every = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, hashed)) + ")")
    for path in built.rglob("*"):
        target = folder / path.relative_to(built)
        if not path.is_file() or path.suffix in (".br", ".gz"):
            continue
        target = target.with_name(every.sub(_renamed, target.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix not in TEXTS:
            shutil.copyfile(path, target)
            continue
        text = every.sub(_renamed, path.read_text("utf-8"))
        if path.name == "sw.js":
            text, stamps = re.subn("slotcast-[0-9a-f]{12}", "slotcast-newer", text)
            assert stamps, "the worker's cache has a name of its build"
        target.write_text(text, "utf-8")
    return folder


def _renamed(found: re.Match[str]) -> str:
    stem, _, kind = found[0].rpartition(".")
    return f"{stem}{NEWER}.{kind}"


@pytest.fixture
def server(built: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of its own, with holds that outlast its restart on a busy machine."""
    assert built.is_dir()
    with ServerProcess(
        tmp_path / "data",
        SLOTCAST_RATE_LIMITS="false",
        SLOTCAST_SHARDS="1",
        SLOTCAST_HOLD_SECONDS="600",
    ) as process:
        process.start()
        yield process


@pytest.fixture
def people(server: ServerProcess, chromium: Browser) -> Iterator[Browsing]:
    """Browsers before this server; a fault in any page fails the test."""
    found = Browsing(chromium, server.url.replace("127.0.0.1", "localhost"))
    yield found
    found.close()
    assert found.faults == []


def _patient(people: Browsing, context: BrowserContext) -> Page:
    page = people.page_of(context)
    page.goto(people.address + "/login")
    sign_in(page, "patient")
    return page


def _take(page: Page, reason: str) -> None:
    """Keep the first free time, and begin to type."""
    free_slot(page).click()
    expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
    page.get_by_label("Reason for the visit").fill(reason)


def _book(page: Page, reason: str) -> None:
    """Book what is kept; what was typed before is still there."""
    expect(page.get_by_role("dialog")).to_contain_text("Kept for you")
    expect(page.get_by_label("Reason for the visit")).to_have_value(reason)
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="My visits")).to_be_visible()


def _without_worker(people: Browsing) -> tuple[Page, str]:
    """A page that keeps a time, at another place of the app; and where the time is."""
    page = _patient(people, people.person(service_workers="block"))
    page.goto(people.address + "/?q=ferrier")
    page.locator(".result a").first.click()
    _take(page, "Neck pain")
    provider = page.url
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    return page, provider


def _update(page: Page) -> None:
    """Press the button: the newer app is loaded."""
    page.get_by_role("button", name="Update").click()
    _is_newer(page)


def _is_newer(page: Page) -> None:
    """The page is one of the newer app."""
    expect(page.locator(f'script[src$="{NEWER}.js"]').first).to_be_attached()


def test_an_update_loses_no_hold_in_any_tab(
    server: ServerProcess, people: Browsing, built: Path, tmp_path: Path
) -> None:
    """The tab that updates keeps its hold, and so does one that goes on as it is.

    A tab without a worker finds files of its build gone: it loads the newer app by
    itself, with its hold and what was typed.
    """
    context = people.person()
    old = _patient(people, context)
    assert old.evaluate(CONTROLLED)
    turning = people.page_of(context)
    for page, reason in ((old, "Knee pain"), (turning, "Back pain")):
        page.goto(people.address + PROVIDER)
        _take(page, reason)
    turning.goto(people.address + "/")
    alone, provider = _without_worker(people)
    server.stop()
    server.settings["SLOTCAST_WEB"] = str(_newer(built, tmp_path / "newer"))
    server.start()
    old.evaluate("window.isOld = true")
    # Files that the browser keeps by itself, for as long as it likes.
    context.new_cdp_session(old).send("Network.clearBrowserCache")

    assert turning.evaluate(LOOK_FOR_NEWER)
    expect(turning.get_by_text("A newer version is ready")).to_be_visible()
    _update(turning)
    turning.goto(people.address + PROVIDER)
    _book(turning, "Back pain")

    _book(old, "Knee pain")
    assert old.evaluate("window.isOld") is True, "it was loaded again"
    _update(old)

    alone.get_by_role("button", name="Account").click()
    alone.get_by_role("link", name="Settings and devices").click()
    _is_newer(alone)
    settings = alone.get_by_role("heading", name="Settings and devices")
    expect(settings).to_be_visible()
    alone.goto(provider)
    _book(alone, "Neck pain")
