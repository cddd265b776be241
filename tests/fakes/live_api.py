"""A whole gateway behind a real port, and a client of its live socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.live.asyncapi import document
from gateway.live.service import LiveService
from tests.fakes.api import Api, open_api
from tests.fakes.live_schemas import LiveSchemas

PATIENCE_S = 60.0
"""Far longer than anything takes; only a bug waits this long."""


class LiveClient:
    """One connection; every frame is checked against the AsyncAPI document."""

    def __init__(self, connection: ClientConnection, schemas: LiveSchemas) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self._schemas = schemas
        self._ids = 0

    async def send(self, op: str, **fields: Any) -> int:
        """Say something; its id."""
        self._ids += 1
        message = {"op": op, "id": self._ids, **fields}
        self._schemas.check_client(message)
        await self.connection.send(json.dumps(message))
        return self._ids

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(PATIENCE_S):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        self._schemas.check_server(frame)
        self.frames.append(frame)
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind."""
        while True:
            frame = await self.next()
            if frame["t"] == kind:
                return frame

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """The answer to a message."""
        identifier = await self.send(op, **fields)
        while True:
            frame = await self.next()
            if frame["t"] in ("result", "error", "pong") and frame["id"] == identifier:
                return frame

    async def closed(self) -> int:
        """Read on until the server closes; the code."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else 1006


class LiveApi:
    """An API with a port."""

    def __init__(self, api: Api, port: int) -> None:
        self.api = api
        self.port = port
        self.live: LiveService = api.app.state.live
        self.asyncapi = document(self.live.operations, "0.1.0")
        self.schemas = LiveSchemas(self.asyncapi)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def client(
        self, role: str = "", subject: str = "", **options: Any
    ) -> AsyncIterator[LiveClient]:
        """A connection, signed in if a role is given."""
        options.setdefault("compression", None)
        options.setdefault("subprotocols", [Subprotocol("slotcast.v1")])
        address = f"ws://127.0.0.1:{self.port}/v1/live"
        async with connect(address, **options) as connection:
            client = LiveClient(connection, self.schemas)
            if role:
                token = self.api.token(role, subject)
                answer = await client.ask("auth", token=token)
                assert answer["t"] == "result", answer
            yield client


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()


@asynccontextmanager
async def open_live_api(*, ws: Any = None, **changes: Any) -> AsyncIterator[LiveApi]:
    """A gateway on a free port, with one provider who is open 9 to 5 UTC.

    ``ws`` is uvicorn's class of sockets; the gateway's own by default.
    """
    async with open_api(**changes) as api:
        await api.add_provider()
        server = _Server(
            uvicorn.Config(
                api.app,
                host="127.0.0.1",
                port=0,
                ws=ws or api.app.state.live.protocol,
                ws_per_message_deflate=False,
                ws_max_size=128 * 1024,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve())
            await server.up.wait()
            port = server.servers[0].sockets[0].getsockname()[1]
            try:
                yield LiveApi(api, port)
            finally:
                server.should_exit = True
                # Also after an error: the group would cancel the server, which then
                # leaves its sockets open.
                await asyncio.wait({serving})
