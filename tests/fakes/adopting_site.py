"""An application that takes its connections over, on a real port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from gateway.live.transport.connection import LiveConnection
from gateway.live.transport.uvicorn_protocol import EXTENSION, FanoutProtocol
from gateway.live.transport.write_scheduler import SharedTransport

PATIENCE_S = 60.0


class Site:
    """An application that takes every connection over, and listens to all of them."""

    def __init__(self) -> None:
        self.shared = SharedTransport(1024)
        self.gate = asyncio.Event()
        """Between the handshake and the adoption."""
        self.gate.set()
        self.raw: Any = None
        """uvicorn's object of the last connection."""
        self.made: asyncio.Queue[LiveConnection] = asyncio.Queue()
        self.texts: list[str | None] = []
        self.hears: Callable[[str | None], None] = self.texts.append
        self.reliefs = 0
        self.closes: list[int] = []
        self.port = 0
        self.ends = asyncio.Event()
        self.returned = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.raw = scope["extensions"][EXTENSION]
        await self.gate.wait()
        connection = self.raw.adopt(self.shared)
        connection.begin(self)
        self.made.put_nowait(connection)
        self.returned.set()

    def heard(self, text: str | None) -> None:
        self.hears(text)

    def relieved(self) -> None:
        self.reliefs += 1

    def closed(self, code: int) -> None:
        self.closes.append(code)

    def ended(self) -> None:
        self.ends.set()

    async def connection(self) -> LiveConnection:
        async with asyncio.timeout(PATIENCE_S):
            return await self.made.get()


@asynccontextmanager
async def a_site(application: Any = None, **options: Any) -> AsyncIterator[Site]:
    site = Site()
    config = uvicorn.Config(
        application or site,
        port=0,
        ws=FanoutProtocol,
        lifespan="off",
        log_config=None,
        **{"ws_per_message_deflate": False, **options},
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    await until(lambda: server.started)
    site.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.should_exit = True
        await serving


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.005)


async def stalled(port: int) -> socket.socket:
    """A client with a small window that has shaken hands and reads no more."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    ask = (
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(client, ask.encode())
    assert b"101" in await loop.sock_recv(client, 64)
    return client
