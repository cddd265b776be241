"""The line between a gateway and a shard: frames over one TCP connection.

Ray places shards, restarts them and finds them by name; calls that are made ten
thousand times a second go here, because a call through Ray's task machinery costs a
millisecond and a half of processor time and this one a tenth of that (see
docs/decisions). A broken line fails at once: waiting callers learn immediately that the
outcome is unknown.

A frame is its payload's length (u32), its kind (u8) and the number of the call (u64),
big-endian, then the payload. The server begins with a nonce; the caller answers with
its HMAC-SHA256 under the key that all processes of a site share, so that reaching
the port alone is not enough. Frames are not encrypted: the network between nodes is
the operator's, as it is for Ray.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final, cast

HEADER: Final = struct.Struct(">IBQ")
PAYLOAD_MAX: Final = 16 * 1024 * 1024
"""Bytes of a payload; a batch or a page is far smaller."""
NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32
IN_FLIGHT_MAX: Final = 1_024
"""Calls of one connection in work; each gateway has one batch and one poll."""
HELLO_S: Final = 5.0
"""How long a caller may take to prove knowledge of the key."""

HELLO, REFUSED, FAILED = 0, 254, 255

Answerer = Callable[[int, bytes], Awaitable[bytes]]
"""Answers a call: its kind (1 to 200) and payload."""


class LineLost(ConnectionError):
    """The line broke or could not be opened.

    Whether the call was executed is unknown.
    """


class LineFailed(Exception):
    """The other side could not answer this call; see its log."""


def proof(key: bytes, nonce: bytes) -> bytes:
    """A proof that the caller knows the key, without disclosing it."""
    return hmac.new(key, b"slotcast line " + nonce, hashlib.sha256).digest()


class _Framed(asyncio.Protocol):
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self.payload_max = PAYLOAD_MAX

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has its own

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        at = 0
        while len(received) - at >= HEADER.size:
            length, kind, number = HEADER.unpack_from(received, at)
            if length > self.payload_max:
                self.hang_up()
                return
            end = at + HEADER.size + length
            if len(received) < end:
                break
            self.frame(kind, number, bytes(received[at + HEADER.size : end]))
            at = end
        del received[:at]

    def frame(self, kind: int, number: int, payload: bytes) -> None:
        """Take a whole frame."""
        raise AssertionError("a subclass takes frames")

    def send(self, kind: int, number: int, payload: bytes) -> None:
        """Send a frame, if the line is not broken."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(HEADER.pack(len(payload), kind, number) + payload)

    def socket(self) -> socket.socket | None:
        """The socket below, for its options."""
        found = self._transport and self._transport.get_extra_info("socket")
        return cast("socket.socket | None", found)

    def hang_up(self) -> None:
        """Break the line."""
        if self._transport is not None:
            self._transport.abort()


class _Callee(_Framed):
    """A shard's end of one line."""

    def __init__(self, server: LineServer) -> None:
        super().__init__()
        self.payload_max = PROOF_BYTES  # a caller without the key must not use memory
        self._server = server
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._known = False
        self._working: set[asyncio.Task[None]] = set()
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.joined(self)
        self._patience = asyncio.get_running_loop().call_later(HELLO_S, self.hang_up)
        self.send(HELLO, 0, self._nonce)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the caller; its calls are still finished."""
        if self._patience is not None:
            self._patience.cancel()
        self._server.left(self)

    def frame(self, kind: int, number: int, payload: bytes) -> None:
        """Begin to answer a call."""
        if not self._known:
            self._greet(kind, payload)
        elif len(self._working) >= IN_FLIGHT_MAX:
            self.send(REFUSED, number, b"")
        else:
            work = self._answer(kind, number, payload)
            task = asyncio.get_running_loop().create_task(work)
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    def _greet(self, kind: int, payload: bytes) -> None:
        expected = proof(self._server.key, self._nonce)
        if kind != HELLO or not hmac.compare_digest(payload, expected):
            self.hang_up()
            return
        self._known = True
        self.payload_max = PAYLOAD_MAX
        if self._patience is not None:
            self._patience.cancel()
        self.send(HELLO, 0, b"")

    async def _answer(self, kind: int, number: int, payload: bytes) -> None:
        try:
            answer = await self._server.answer(kind, payload)
        except Exception:  # noqa: BLE001 - the callee's log has it
            self._server.failed(kind)
            self.send(FAILED, number, b"")
        else:
            self.send(kind, number, answer)


class LineServer:
    """The server's end: answers calls from connections that prove the key."""

    def __init__(
        self, answer: Answerer, key: bytes, failed: Callable[[int], None]
    ) -> None:
        """``failed`` is called with a call's kind, in the handler of its exception."""
        self.answer = answer
        self.key = key
        self.failed = failed
        self._lines: set[_Callee] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str) -> int:
        """Listen on a free port of this address; the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Callee(self), host, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening and break every line."""
        if self._server is not None:
            self._server.close()
        for line in tuple(self._lines):
            line.hang_up()

    def joined(self, line: _Callee) -> None:
        """A caller has connected."""
        self._lines.add(line)

    def left(self, line: _Callee) -> None:
        """A caller has disconnected."""
        self._lines.discard(line)


class RpcLine(_Framed):
    """A gateway's end. Made by ``connect``; once broken it stays broken."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._calls = 0
        self._stands: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_lost = False

    @classmethod
    async def connect(cls, host: str, port: int, key: bytes) -> RpcLine:
        """A line on which calls can be made. Bound the wait.

        Raises:
            LineLost: the port does not answer, or the keys differ.
        """
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(lambda: cls(key), host, port)
        except OSError as error:
            raise LineLost(f"no answer at {host}:{port}") from error
        try:
            await line._stands
        except BaseException:
            line.hang_up()
            raise
        return line

    async def call(self, kind: int, payload: bytes) -> bytes:
        """The answer. Bound the wait; a cancelled call is forgotten.

        Raises:
            LineLost: the outcome is unknown.
            LineFailed: the other side could not answer, or has too much to do.
        """
        if self.is_lost:
            raise LineLost("the line is broken")
        self._calls += 1
        number = self._calls
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self.send(kind, number, payload)
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def frame(self, kind: int, number: int, payload: bytes) -> None:
        """Deliver an answer to its call, if it still waits."""
        if kind == HELLO:
            self._greeted(payload)
            return
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            return
        if kind in (REFUSED, FAILED):
            answer.set_exception(LineFailed("the shard could not answer"))
        else:
            answer.set_result(payload)

    def _greeted(self, payload: bytes) -> None:
        if payload:
            self.send(HELLO, 0, proof(self._key, payload))
        elif not self._stands.done():
            self._stands.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all waiting calls at once."""
        self.is_lost = True
        if not self._stands.done():
            self._stands.set_exception(LineLost("the line was not accepted"))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(LineLost("the line broke"))
