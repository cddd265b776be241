"""A doctor's own calendar: its address, how its import goes, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from playwright.sync_api import expect

from tests.fixtures.calendar_server import CalendarServer, entry
from tests.web.conftest import Opened


@contextmanager
def own_calendar(text: str) -> Iterator[str]:
    """A calendar on this machine, and nothing else: its server's origin."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_there = self.path == "/secret-4711/basic.ics"
            self.send_response(200 if is_there else 404)
            self.end_headers()
            self.wfile.write(text.encode() if is_there else b"")

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_doctors_own_calendar_is_imported_and_given_up(opened: Opened) -> None:
    """An address that is not known says so; the right one becomes leave without a
    title; its end gives the time back. The address is never shown again."""
    day = f"{datetime.now(UTC) + timedelta(days=40):%Y%m%d}"
    calendar = CalendarServer()
    calendar.entries = [entry("1", f"{day}T090000Z", f"{day}T100000Z")]
    page = opened("/", "doctor")
    page.get_by_role("link", name="My day").first.click()
    page.wait_for_url("**/desk/**")
    provider = page.url.rpartition("/")[2].partition("?")[0]
    with own_calendar(calendar.text) as origin:
        page.goto(page.url.partition("/desk/")[0] + f"/desk/leave/{provider}")
        card = page.get_by_role("region", name="Busy times from your own calendar")
        address = card.get_by_label("Secret address of the calendar")
        address.fill("not an address")
        card.get_by_role("button", name="Import busy times").click()
        expect(card.get_by_role("alert")).to_contain_text("no address of a calendar")
        address.fill(f"{origin}/gone/basic.ics")
        card.get_by_role("button", name="Import busy times").click()
        expect(card).to_contain_text("does not know the address any more")
        card.get_by_role("button", name="End the import").click()
        address.fill(f"{origin}/secret-4711/basic.ics")
        card.get_by_role("button", name="Import busy times").click()
        expect(card).to_contain_text("1 busy time")
        taken = page.get_by_role("region", name="Leave that is taken")
        expect(taken).to_contain_text("from your own calendar")
        expect(page.locator("body")).not_to_contain_text("4711")
        card.get_by_role("button", name="End the import").click()
        expect(address).to_be_visible()
        page.reload()
        expect(address).to_be_visible()
        expect(taken).not_to_contain_text("from your own calendar")
