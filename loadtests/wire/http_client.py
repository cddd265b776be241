"""A lean HTTP/1.1 client for load: keep-alive connections, little CPU per request.

A general-purpose client uses several times the server's processor time on the same
cores; this one parses with httptools and does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httptools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(slots=True)
class Response:
    """One answer; ``seconds`` is from the first byte sent to the last received."""

    status: int
    body: bytes
    headers: dict[str, str]
    seconds: float

    def json(self) -> Any:
        """The body as JSON; None if it is empty or not JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None

    @property
    def code(self) -> str:
        """The problem's code, or the status as text."""
        content = self.json() if self.status >= 400 else None
        if isinstance(content, dict) and isinstance(content.get("code"), str):
            return str(content["code"])
        return f"http_{self.status}"


class ConnectionLost(Exception):
    """The connection ended before the answer: the outcome is unknown."""


class _Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.closed = False
        self._reset()

    def _reset(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.chunks: list[bytes] = []
        self.headers: dict[str, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.headers.get("connection", "").lower() == "close":
            self.closed = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionLost(str(exc or "closed")))

    async def ask(self, request: bytes, timeout_s: float) -> Response:
        """Send one request and wait for its whole answer."""
        self._reset()
        assert self.transport is not None
        self.waiter = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self.transport.write(request)
        try:
            async with asyncio.timeout(timeout_s):
                await self.waiter
        except TimeoutError:
            self.abandon()
            raise ConnectionLost(f"no answer in {timeout_s:g} s") from None
        except asyncio.CancelledError:
            self.abandon()
            raise
        seconds = time.perf_counter() - began
        return Response(
            self.parser.get_status_code(), b"".join(self.chunks), self.headers, seconds
        )

    def abandon(self) -> None:
        """Close without waiting: an answer may still be on its way."""
        self.closed = True
        if self.transport is not None:
            self.transport.abort()


class HttpClient:
    """A client of one server; ``connections`` requests at a time, others wait."""

    def __init__(self, base_url: str, connections: int, timeout_s: float = 30) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 80
        self._timeout_s = timeout_s
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(connections)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        async with self._room:
            while self._idle and self._idle[-1].closed:
                self._idle.pop()
            if self._idle:
                connection = self._idle.pop()
            else:
                loop = asyncio.get_running_loop()
                try:
                    _, connection = await loop.create_connection(
                        _Connection, self._host, self._port
                    )
                except OSError as error:
                    raise ConnectionLost(str(error)) from error
            try:
                yield connection
            finally:
                if not connection.closed:
                    self._idle.append(connection)

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        token: str = "",
        key: str = "",
    ) -> Response:
        """One request. Raises ConnectionLost when the outcome is unknown."""
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        if token:
            head.append(f"Authorization: Bearer {token}")
        if key:
            head.append(f"Idempotency-Key: {key}")
        if body is not None:
            head.append("Content-Type: application/json")
        if content or method != "GET":
            head.append(f"Content-Length: {len(content)}")
        request = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + content
        async with self._connection() as connection:
            return await connection.ask(request, self._timeout_s)

    async def close(self) -> None:
        """Close idle connections."""
        for connection in self._idle:
            connection.abandon()
        self._idle.clear()
