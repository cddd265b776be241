"""The socket that takes finished frames: no copy, no task and no framing per watcher.

uvicorn's own ``send`` waits, checks, encodes and frames for each connection. A frame of
ours is finished when it is made (frames.py), so here it goes straight to the transport,
and all that concerns one connection in one turn of the event loop leaves in one write:
the write is most of what a message costs. What makes that safe: a whole, unfragmented,
uncompressed data frame changes no state of the connection, and is valid whether or not
compression was agreed (RFC 7692, section 6).

Given to uvicorn as its ``ws`` class. Where it is missing (another server, a test) the
application finds no ``EXTENSION`` in its scope and sends as ASGI says (outbox.py).
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame as WireFrame

from gateway.live.frames import Frame
from gateway.problems import CloseCode

EXTENSION: Final = "slotcast.fanout"
"""Where the application finds the connection, in its scope's ``extensions``."""
UNSENT_BYTES: Final = 16 * 1024
"""What the kernel may hold unsent. By default it takes four megabytes from a client who
does not read: thousands of frames that are old before they leave."""
BUFFER_HIGH, BUFFER_LOW = 16 * 1024, 4 * 1024
"""Bytes that wait outside the kernel when writing pauses, and when it goes on."""
JOINED_MAX: Final = 32 * 1024
"""Bytes for one connection in one turn, give or take the last frame; what comes on top
is owed (watcher.py)."""
ANSWERS_BYTES_MAX: Final = 1024 * 1024
"""Answers that wait; who asks on and does not read is closed as too slow. One message
may name 256 topics, and have an answer and a snapshot for each."""
WRITES_AT_ONCE: Final = 500
"""Then others on the event loop have a turn; about two milliseconds."""

SHUTDOWN_S: Final = 0.5
"""What the last bytes may take when the server has stopped."""

log = structlog.get_logger("slotcast.live")

_NOTSENT_LOWAT: Final = 25
"""TCP_NOTSENT_LOWAT on Linux; the socket module has no name for it in 3.11."""


class FanoutProtocol(WebSocketsSansIOProtocol):
    """uvicorn's connection, open to a ``FrameWriter``."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.writer: FrameWriter | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep little of what a client does not read."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family != socket.AF_UNIX:
            peer.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)

    async def run_asgi(self) -> None:
        """Let the application see us."""
        # Typed as a dict of one known key; ASGI lets a server add its own.
        extensions = cast("dict[str, Any]", self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()

    def pause_writing(self) -> None:
        """The client takes no more bytes for now."""
        super().pause_writing()
        if self.writer is not None:
            self.writer.paused()

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        super().resume_writing()
        if self.writer is not None:
            self.writer.resumed()

    def end(self, code: int) -> None:
        """Begin the closing handshake; who does not answer it is cut off."""
        if self.disconnected:
            return
        if self.close_sent or self.transport.is_closing():
            self.transport.abort()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(
            self.close_timeout, self.transport.abort
        )

    # As little as the kernel takes, as much waits here: uvicorn's ``close`` would wait
    # with it for a client who may never read again, and the application with both.

    def keepalive_timeout(self) -> None:
        """No pong: the client is gone, or as good as gone."""
        super().keepalive_timeout()
        self.transport.abort()

    def handle_close(self, event: WireFrame) -> None:
        """The client closes, or answers our close."""
        super().handle_close(event)
        self._cut_off_in(self.close_timeout)

    def shutdown(self) -> None:
        """The server has stopped; its watchers were sent away before (rhythm.py)."""
        super().shutdown()
        self._cut_off_in(SHUTDOWN_S)

    def _cut_off_in(self, seconds: float) -> None:
        transport = self.transport
        if transport.is_closing() and transport.get_write_buffer_size():
            self.loop.call_later(seconds, transport.abort)


class Flushes:
    """The connections of this process with frames to send, in this turn of the loop."""

    __slots__ = ("_is_due", "_loop", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[FrameWriter] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_due = False

    def add(self, writer: FrameWriter) -> None:
        """Flush this one after what runs now."""
        self._waiting.append(writer)
        if not self._is_due:
            self._is_due = True
            self._loop = self._loop or asyncio.get_running_loop()
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        waiting = self._waiting
        for _ in range(min(len(waiting), WRITES_AT_ONCE)):
            writer = waiting.popleft()
            try:
                writer.flush()
            except Exception:
                # A defect of ours costs this connection, and no other.
                log.exception("a connection is cut off")
                writer.cut_off()
        if waiting:
            assert self._loop is not None
            self._loop.call_soon(self._run)
        else:
            self._is_due = False


class FrameWriter:
    """A ``Writer`` on a ``FanoutProtocol``: the hub's way to one connection.

    ``relieved`` is called when it is writable again after it was not; ``closed`` with
    the code that it was closed with.
    """

    __slots__ = (
        "_bytes",
        "_closed",
        "_closing",
        "_flushes",
        "_has_ended",
        "_protocol",
        "_relieved",
        "_row",
        "_was_full",
        "writable",
    )

    def __init__(
        self,
        protocol: FanoutProtocol,
        flushes: Flushes,
        relieved: Callable[[], None],
        closed: Callable[[int], None],
    ) -> None:
        self.writable = protocol.writable.is_set()
        """Whether a frame may be written now; a plain attribute, for it is looked at
        once for each watcher and frame."""
        self._protocol = protocol
        self._flushes = flushes
        self._relieved = relieved
        self._closed = closed
        self._row: list[bytes] = []
        self._bytes = 0
        self._was_full = not self.writable
        self._closing: int | None = None
        self._has_ended = False
        protocol.writer = self

    def write(self, frame: Frame) -> None:
        """Send a topic's frame at the end of this turn."""
        row, wire = self._row, frame.wire
        if not row:
            self._flushes.add(self)
        row.append(wire)
        self._bytes += len(wire)
        if self._bytes > JOINED_MAX:
            self.paused()

    def answer(self, frame: Frame) -> None:
        """Send an answer, even to one who reads slowly; bounded."""
        if self._closing is not None:
            return
        self.write(frame)
        unsent = self._protocol.transport.get_write_buffer_size() + self._bytes
        if unsent > ANSWERS_BYTES_MAX:
            self.close(CloseCode.TOO_SLOW)

    def close(self, code: int, last: Frame | None = None) -> None:
        """End the connection after what is in the row; too slow a client gets less."""
        if self._closing is not None:
            return
        if code == CloseCode.TOO_SLOW:
            self._row.clear()
        if last is not None:
            self._row.append(last.wire)
        self._closing = code
        self.writable = False
        self._flushes.add(self)

    def flush(self) -> None:
        """Everything of this turn in one write."""
        protocol, row = self._protocol, self._row
        if row:
            joined = b"".join(row)
            row.clear()
            self._bytes = 0
            if not (protocol.close_sent or protocol.transport.is_closing()):
                protocol.transport.write(joined)
        if self._closing is not None:
            self._end()
        elif self._was_full and protocol.writable.is_set():
            self.resumed()

    def paused(self) -> None:
        """The transport takes no more bytes: what comes now is owed."""
        self.writable = False
        self._was_full = True

    def resumed(self) -> None:
        """The transport takes bytes; what was owed is due."""
        if self._closing is None and self._was_full and not self._row:
            self._was_full = False
            self.writable = True
            self._relieved()

    def cut_off(self) -> None:
        """Let go of the connection at once."""
        self.writable = False
        self._row.clear()
        self._protocol.transport.abort()

    def _end(self) -> None:
        if not self._has_ended and self._closing is not None:
            self._has_ended = True
            self._closed(self._closing)
            self._protocol.end(self._closing)
