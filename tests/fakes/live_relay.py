"""A line to a live socket that a test can spoil: frames lost, connections cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

Frame = dict[str, Any]
SUBPROTOCOL = Subprotocol("slotcast.v1")


class LiveRelay:
    """Passes messages on, both ways, one at a time."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.said: list[Frame] = []
        """What clients said, over all connections."""
        self.connections = 0
        self.loses: Callable[[Frame], bool] = lambda frame: False
        """Which of the server's frames never arrive."""
        self.lost: list[Frame] = []
        self.refuses: tuple[int, str] | None = None
        """Status and Retry-After of the next handshakes."""
        self._upstream = upstream
        self._lines: set[ServerConnection] = set()
        self._moved = asyncio.Event()

    async def until(self, holds: Callable[[LiveRelay], bool]) -> None:
        """Wait until something holds of what passed here."""
        async with asyncio.timeout(60):
            while not holds(self):
                self._moved.clear()
                await self._moved.wait()

    def cut(self) -> None:
        """Break every connection in the middle of whatever it does."""
        for line in list(self._lines):
            line.transport.abort()

    async def close(self, code: int) -> None:
        """Close every connection as a server does."""
        for line in list(self._lines):
            await line.close(code)

    async def _meet(self, line: ServerConnection) -> None:
        self.connections += 1
        self._lines.add(line)
        try:
            async with connect(
                self._upstream, subprotocols=[SUBPROTOCOL], compression=None
            ) as server:
                await self._pass(line, server)
        finally:
            self._lines.discard(line)

    async def _pass(self, line: ServerConnection, server: ClientConnection) -> None:
        up = asyncio.ensure_future(self._up(line, server))
        down = asyncio.ensure_future(self._down(line, server))
        await asyncio.wait({up, down}, return_when="FIRST_COMPLETED")
        for one in (up, down):
            one.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        if server.close_code is not None:
            with suppress(ConnectionClosed):
                await line.close(server.close_code)

    async def _up(self, line: ServerConnection, server: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in line:
                self.said.append(json.loads(text))
                self._moved.set()
                await server.send(text)

    async def _down(self, line: ServerConnection, server: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in server:
                frame = json.loads(text)
                if self.loses(frame):
                    self.lost.append(frame)
                    self._moved.set()
                else:
                    await line.send(text)

    def _greet(self, line: ServerConnection, request: Request) -> Response | None:
        if self.refuses is None:
            return None
        status, seconds = self.refuses
        answer = line.respond(HTTPStatus(status), "Not now.\n")
        answer.headers["Retry-After"] = seconds
        return answer


@asynccontextmanager
async def open_relay(upstream: str) -> AsyncIterator[LiveRelay]:
    """A relay on a free port, to this live socket."""
    relay = LiveRelay(upstream)
    async with serve(
        relay._meet,
        "127.0.0.1",
        0,
        subprotocols=[SUBPROTOCOL],
        process_request=relay._greet,
        compression=None,
        close_timeout=1,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        relay.url = f"ws://127.0.0.1:{port}/v1/live"
        yield relay
