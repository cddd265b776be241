"""A real server with a demo region and the built app, and a real browser before it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
    sync_playwright,
)

from tests.fixtures.reserved import one_at_a_time
from tests.fixtures.server import ROOT, ServerProcess

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1200, "height": 900}
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
]

PATIENCE_MS = 60_000
"""Far longer than a page takes; only a bug waits this long."""
expect.set_options(timeout=PATIENCE_MS)

Opened = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them start the whole server."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server, with the app built as ``make run`` builds it."""
    with one_at_a_time("web"):
        subprocess.run([sys.executable, "tools/web.py"], cwd=ROOT, check=True)
    data = tmp_path_factory.mktemp("web") / "data"
    with ServerProcess(
        data, SLOTCAST_RATE_LIMITS="false", SLOTCAST_SHARDS="1"
    ) as server:
        server.start()
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; while it runs, no other loop can run in this thread."""
    program = shutil.which("chromium")
    assert program is not None, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(site: ServerProcess, chromium: Browser) -> Iterator[Opened]:
    """Opens pages of separate people; a defect in one's script fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(path: str = "/", persona: str = "", **options: Any) -> Page:
        context = chromium.new_context(
            viewport=options.pop("viewport", DESKTOP),
            timezone_id="Europe/London",
            locale=options.pop("locale", "en-GB"),
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        address = site.url.replace("127.0.0.1", "localhost")
        if persona:
            page.goto(address + "/login")
            sign_in(page, persona)
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


def sign_in(page: Page, persona: str) -> None:
    """Come in as one of the demo's people, and go back to where the page was."""
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name=f"A {persona}").click()
    page.get_by_role("button", name="Account").wait_for()
