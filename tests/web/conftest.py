"""A real server with a demo region and the built app, and a real browser before it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from tests.fixtures.oidc_issuer import NAME, SECRET, OidcIssuer, oidc_issuer
from tests.fixtures.reserved import free_port, one_at_a_time
from tests.fixtures.server import ROOT, ServerProcess

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1200, "height": 900}
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
]
PEOPLE = ("patient", "doctor", "clinic", "operator")
"""The demo's people, in the order of the sign-in page."""

OWN_HOSTS = ("localhost", "127.0.0.1")

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
def built() -> Path:
    """The app, built as ``make run`` builds it."""
    with one_at_a_time("web"):
        subprocess.run([sys.executable, "tools/web.py"], cwd=ROOT, check=True)
    return ROOT / "web" / "dist"


@pytest.fixture(scope="session")
def site(
    built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One server for all tests of a session."""
    assert (built / "index.html").is_file()
    data, port = tmp_path_factory.mktemp("web") / "data", free_port()
    with (
        oidc_issuer(site=f"http://localhost:{port}") as issuer,
        ServerProcess(
            data,
            port,
            SLOTCAST_RATE_LIMITS="false",
            SLOTCAST_SHARDS="1",
            SLOTCAST_CALENDARS_ANYWHERE="true",
            SLOTCAST_OIDC=_providers(issuer),
        ) as server,
    ):
        server.start()
        yield server


@pytest.fixture(scope="session")
def training_site(
    built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server that takes outcomes of visits early, whose people tests may change.

    A module takes it by a fixture ``site`` of its own.
    """
    assert (built / "index.html").is_file()
    with ServerProcess(
        tmp_path_factory.mktemp("training") / "data",
        SLOTCAST_RATE_LIMITS="false",
        SLOTCAST_SHARDS="1",
        SLOTCAST_EARLY_OUTCOMES="true",
    ) as server:
        server.start()
        yield server


def _providers(issuer: OidcIssuer) -> str:
    provider = {
        "name": NAME,
        "title": "Test",
        "issuer": issuer.issuer,
        "client_id": "slotcast",
        "secret": SECRET,
        "email_trusted": True,
    }
    return json.dumps([provider])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; while it runs, no other loop can run in this thread."""
    program = shutil.which("chromium")
    assert program is not None, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Withheld:
    """Requests of a page that do not reach the server while the block lasts.

    The page's browser needs ``service_workers="block"``: a worker's requests pass by.
    """

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._pattern = pattern
        self._routes: list[Route] = []

    def __enter__(self) -> Withheld:
        self._page.route(self._pattern, lambda route: self._routes.append(route))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._routes:
            one.continue_()
        self._page.unroute(self._pattern)


class Browsing:
    """Pages of separate people, and what went wrong in any of them."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self.address = address
        self.faults: list[str] = []
        self._contexts: list[BrowserContext] = []

    def person(self, **options: Any) -> BrowserContext:
        """A browser of a person of its own."""
        context = self._browser.new_context(
            viewport=options.pop("viewport", DESKTOP),
            timezone_id="Europe/London",
            locale=options.pop("locale", "en-GB"),
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        return context

    def page_of(self, context: BrowserContext) -> Page:
        """A page whose script errors, policy reports and foreign requests count."""
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._console)
        page.on("request", self._request)
        return page

    def open(self, path: str = "/", persona: str = "", **options: Any) -> Page:
        """A page of a new person."""
        page = self.page_of(self.person(**options))
        if persona:
            page.goto(self.address + "/login")
            sign_in(page, persona)
        page.goto(self.address + path)
        return page

    def close(self) -> None:
        """Close every browser of these people."""
        for context in self._contexts:
            context.close()

    def _console(self, message: ConsoleMessage) -> None:
        words = ("Content Security Policy", "TrustedScript", "Trusted Type")
        if any(one in message.text for one in words):
            self.faults.append(message.text)

    def _request(self, request: Request) -> None:
        found = urlsplit(request.url)
        if found.scheme not in ("http", "https") or found.hostname in OWN_HOSTS:
            return
        # An identity provider's own page may fetch what it likes.
        if request.frame.url.startswith(self.address):
            self.faults.append(f"a request to another host: {request.url}")


@pytest.fixture
def browsing(site: ServerProcess, chromium: Browser) -> Iterator[Browsing]:
    """Browsers before the shared server; a fault in any page fails the test."""
    found = Browsing(chromium, local(site))
    yield found
    found.close()
    assert found.faults == []


@pytest.fixture
def opened(browsing: Browsing) -> Opened:
    """Opens pages of separate people."""
    return browsing.open


def local(site: ServerProcess) -> str:
    """The server's address by the name that browsers trust without a certificate."""
    return site.url.replace("127.0.0.1", "localhost")


def sign_in(page: Page, persona: str) -> None:
    """Come in as one of the demo's people, in any language."""
    if not page.url.endswith("/login"):
        page.locator('a[href="/login"]').first.click()
    page.locator(".demo-people button").nth(PEOPLE.index(persona)).click()
    page.locator('button[popovertarget="account-menu"]').wait_for()


def with_passkeys(page: Page) -> None:
    """Give a page's browser an authenticator that says yes by itself."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
