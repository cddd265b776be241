"""A lean live socket for load: raw frames, many operations at a time, little CPU.

The load generator must not be the bottleneck: a general-purpose client takes 60 to 70
µs of processor time per booking, as much as a gateway. Here an operation is one
formatted frame, and only the id and the status of its answer are read. Run it on
uvloop, which writes all frames of one loop iteration with one system call.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import msgspec

from loadtests.wire.websocket import CLOSE, PING, PONG, TEXT, Frames, masked, upgrade
from slotcast.client.session import SUBPROTOCOL

IN_FLIGHT_MAX = 60
"""Operations without an answer on one socket; the server refuses the 65th."""
_HEAD_END = b"\r\n\r\n"


class _Reply(msgspec.Struct):
    """The fields read from a frame; others are skipped by the decoder."""

    id: int = -1
    status: int = 0


_reply_of = msgspec.json.Decoder(_Reply).decode


class SocketClient(asyncio.Protocol):
    """One connection. Its loop must call nothing else on the transport."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: Any = None
        self._is_open = False
        self._head = b""
        self._frames = Frames()
        self._ids = 0
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._held: deque[bytes] = deque()
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ask(self, fields: str) -> asyncio.Future[int]:
        """Send an operation; a future of its answer's status.

        ``fields`` is the JSON of the message without its braces and without ``id``.
        Beyond ``IN_FLIGHT_MAX`` it waits here until there is room.
        """
        self._ids += 1
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        frame = masked(TEXT, f'{{"id":{self._ids},{fields}}}'.encode())
        if len(self._waiting) >= IN_FLIGHT_MAX:
            self._held.append(frame)
        else:
            self._transport.write(frame)
        self._waiting[self._ids] = waiter
        return waiter

    def close(self) -> None:
        """Abort the connection."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all unanswered operations: their outcome is unknown."""
        lost = ConnectionError(f"the socket was closed: {exc or 'by the server'}")
        waiting: list[asyncio.Future[Any]] = [self.upgraded, *self._waiting.values()]
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(lost)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        if not self._is_open:
            self._head += data
            head, end, data = self._head.partition(_HEAD_END)
            if not end:
                return
            if b" 101 " not in head[:16]:
                self.upgraded.set_exception(ConnectionError(head[:64].decode()))
                self._transport.abort()
                return
            self._is_open = True
            self.upgraded.set_result(None)
        for opcode, payload in self._frames.feed(data):
            if opcode == TEXT:
                self._answered(payload)
            elif opcode == PING:
                self._transport.write(masked(PONG, payload))
            elif opcode == CLOSE:
                self._transport.close()

    def _answered(self, payload: bytes) -> None:
        reply = _reply_of(payload)
        waiter = self._waiting.pop(reply.id, None)
        if waiter is None:
            return  # a frame of a subscription, or a heartbeat
        if not waiter.done():
            waiter.set_result(reply.status)
        if self._held:
            self._transport.write(self._held.popleft())


async def open_socket(url: str, token: str) -> SocketClient:
    """A signed-in socket to a server; ``url`` is its ``http://…`` address.

    Raises:
        ConnectionError: the upgrade or the token was refused.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    request = upgrade(f"{host}:{port}", "/v1/live", os.urandom(16), SUBPROTOCOL)
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: SocketClient(request), host, port)
    await client.upgraded
    if (status := await client.ask(f'"op":"auth","token":"{token}"')) != 200:
        client.close()
        raise ConnectionError(f"the socket's token was answered with {status}")
    return client
