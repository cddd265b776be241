"""Gets the text of a calendar from another server: within time, size and public names.

The address comes from a person, so it is asked as those of browsers are (see
``persistence.notices.push.network``): names must lead to the public internet at each
request, also those of redirects. No answer's text reaches a log or a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpcore
from msgspec import Struct

from care.busy.ports import (
    TAG_CHARACTERS_MAX,
    BusyFailure,
    ReadBefore,
    checked_address,
)
from persistence.notices.push.network import PrivateAddress

BYTES_MAX: Final = 5 * 1024 * 1024
ANSWER_S: Final = 8.0
"""How long a server may be silent."""
FETCH_S: Final = 12.0
"""How long all of it may take, redirects included."""
REDIRECTS_MAX: Final = 3
_TIMEOUTS: Final = dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_S)
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_REFUSED: Final = frozenset({401, 403, 404, 410})
_OK, _NOT_MODIFIED = 200, 304
_RETRY_S_MAX: Final = 24 * 3_600

Headers = Sequence[tuple[bytes, bytes]]


class FetchedCalendar(Struct, frozen=True):
    """A server's answer. ``text`` is None if the calendar is as it was before."""

    text: bytes | None
    etag: str = ""
    modified: str = ""


class FetchFailed(Exception):
    """There was no calendar."""

    def __init__(self, failure: BusyFailure, after_ms: int | None = None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.after_ms = after_ms


class CalendarFetcher:
    """Fetches calendars over a pool of connections.

    ``is_open``: of any network, without TLS, for tests.
    """

    def __init__(
        self, pool: httpcore.AsyncConnectionPool, *, is_open: bool = False
    ) -> None:
        self._pool = pool
        self._is_open = is_open

    async def close(self) -> None:
        """End all connections."""
        await self._pool.aclose()

    async def fetch(self, url: str, before: ReadBefore) -> FetchedCalendar:
        """The calendar, unless it is as ``before``. Raises FetchFailed."""
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._follow(url, before)
        except PrivateAddress:
            raise FetchFailed(BusyFailure.PRIVATE) from None
        except (
            TimeoutError,
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ):
            raise FetchFailed(BusyFailure.UNREACHABLE) from None

    async def _follow(self, url: str, before: ReadBefore) -> FetchedCalendar:
        address = checked_address(url, is_open=self._is_open)
        for _ in range(REDIRECTS_MAX + 1):
            if address is None:
                raise FetchFailed(BusyFailure.PRIVATE)
            found = await self._ask(address, before)
            if isinstance(found, FetchedCalendar):
                return found
            target = urljoin(address, found)
            address = checked_address(target, is_open=self._is_open)
        raise FetchFailed(BusyFailure.SERVER)

    async def _ask(self, url: str, before: ReadBefore) -> FetchedCalendar | str:
        """The calendar, or where it is instead. Raises FetchFailed."""
        async with self._pool.stream(
            "GET",
            url,
            headers=_asking(url, before),
            extensions={"timeout": _TIMEOUTS},
        ) as answer:
            status, headers = answer.status, answer.headers
            if status in _MOVED:
                return _header(headers, b"location", 2_000)
            if status == _NOT_MODIFIED and (before.etag or before.modified):
                return FetchedCalendar(None)
            if status in _REFUSED:
                raise FetchFailed(BusyFailure.REFUSED)
            if status != _OK:
                raise FetchFailed(BusyFailure.SERVER, _after_ms(headers))
            if _header(headers, b"content-encoding", 20) not in ("", "identity"):
                # It was not asked for: a small answer could become an endless one.
                raise FetchFailed(BusyFailure.SERVER)
            text = bytearray()
            async for part in answer.aiter_stream():
                text += part
                if len(text) > BYTES_MAX:
                    raise FetchFailed(BusyFailure.TOO_LARGE)
        return FetchedCalendar(
            bytes(text),
            _header(headers, b"etag", TAG_CHARACTERS_MAX),
            _header(headers, b"last-modified", TAG_CHARACTERS_MAX),
        )


def _asking(url: str, before: ReadBefore) -> list[tuple[bytes, bytes]]:
    fields = {
        "Host": urlsplit(url).netloc.rpartition("@")[2],
        "Accept": "text/calendar, */*;q=0.5",
        "Accept-Encoding": "identity",
        "User-Agent": "Slotcast",
    }
    if before.etag:
        fields["If-None-Match"] = before.etag
    if before.modified:
        fields["If-Modified-Since"] = before.modified
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def _header(headers: Headers, wanted: bytes, limit: int) -> str:
    """A header's value; empty if it is not there, too long or not plain text."""
    for name, value in headers:
        if name.lower() == wanted:
            text = value.decode("latin-1").strip()
            is_plain = text.isascii() and text.isprintable()
            return text if is_plain and len(text) <= limit else ""
    return ""


def _after_ms(headers: Headers) -> int | None:
    """``Retry-After`` in seconds, a day at most."""
    text = _header(headers, b"retry-after", 10)
    return min(int(text), _RETRY_S_MAX) * 1000 if text.isdigit() else None
