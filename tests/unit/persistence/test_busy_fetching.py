"""Texts of other companies' calendars: of public names alone, with few redirects."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from care.busy.ports import BusyFailure, ReadBefore, checked_address
from persistence.directory.busy import fetching as module
from persistence.directory.busy.fetching import CalendarFetcher, FetchFailed
from persistence.notices.push.network import connections
from tests.fixtures.calendar_server import CalendarServer, calendar_server, entry

LUNCH = entry("1", "20260812T090000Z", "20260812T100000Z")


@pytest.fixture
async def server() -> AsyncIterator[CalendarServer]:
    async with calendar_server() as made:
        made.entries = [LUNCH]
        yield made


@pytest.fixture
async def fetcher() -> AsyncIterator[CalendarFetcher]:
    made = CalendarFetcher(connections(is_open=True), is_open=True)
    yield made
    await made.close()


async def failure_of(fetcher: CalendarFetcher, url: str) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url, ReadBefore())
    return caught.value


async def test_an_unchanged_calendar_is_not_sent_again(
    server: CalendarServer, fetcher: CalendarFetcher
) -> None:
    """Its validators are sent back."""
    first = await fetcher.fetch(server.url, ReadBefore())
    assert first.text == server.text.encode()
    again = await fetcher.fetch(server.url, ReadBefore(first.etag, first.modified))
    assert again.text is None
    assert server.statuses == [200, 304]


async def test_redirects_are_followed_a_few_times(
    server: CalendarServer, fetcher: CalendarFetcher
) -> None:
    """Also relative ones; a server that sends on and on is given up."""

    def moved(number: int) -> list[web.StreamResponse]:
        where = {"Location": "/secret-4711/other.ics"}
        return [web.Response(status=302, headers=where) for _ in range(number)]

    server.answers = moved(module.REDIRECTS_MAX)
    assert (await fetcher.fetch(server.url, ReadBefore())).text
    server.answers = moved(module.REDIRECTS_MAX + 1)
    found = await failure_of(fetcher, server.url)
    assert found.failure is BusyFailure.SERVER
    assert not server.answers


async def test_a_server_says_when_to_come_back(
    server: CalendarServer, fetcher: CalendarFetcher
) -> None:
    """In seconds, a day at most; other forms are left out."""
    for text, after_ms in (("120", 120_000), ("999999", 86_400_000), ("soon", None)):
        answer = web.Response(status=429, headers={"Retry-After": text})
        server.answers = [answer]
        assert (await failure_of(fetcher, server.url)).after_ms == after_ms


async def test_a_name_that_leads_to_this_network_is_not_asked(
    server: CalendarServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its address says, at once or after a redirect: no connection is made."""

    def resolve(_host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    closed = CalendarFetcher(connections(is_open=False))
    for url in ("https://calendar.example.org/a.ics", server.url):
        assert (await failure_of(closed, url)).failure is BusyFailure.PRIVATE
    led = {"Location": "http://127.0.0.1/latest/meta-data"}
    server.answers = [web.Response(status=302, headers=led)]
    # The first address is open here, the second is judged as on a real site.
    half = CalendarFetcher(connections(is_open=True))
    monkeypatch.setattr(module, "checked_address", _first_is_open(server.url))
    assert (await failure_of(half, server.url)).failure is BusyFailure.PRIVATE
    assert server.statuses == [302]
    await closed.close()
    await half.close()


def _first_is_open(url: str) -> Any:
    real = checked_address

    def check(text: str, *, is_open: bool) -> str | None:
        return text if text == url else real(text, is_open=is_open)

    return check


async def test_a_silent_server_is_given_up(
    server: CalendarServer, fetcher: CalendarFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is not there; the error names no address."""
    monkeypatch.setattr(module, "FETCH_S", 0.0)
    found = await failure_of(fetcher, server.url)
    assert found.failure is BusyFailure.UNREACHABLE
    assert "secret" not in repr(found)
    monkeypatch.undo()
    found = await failure_of(fetcher, "http://127.0.0.1:1/secret.ics")
    assert found.failure is BusyFailure.UNREACHABLE
