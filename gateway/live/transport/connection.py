"""One live connection after its handshake: small, without a task, and a ``Writer``.

uvicorn's connection and the application's calls take thirty kilobytes, since they are
made for any use of a socket. After the handshake a watcher needs only the transport, a
queue of finished frames, and a listener for its messages. So the transport is given to
this class (uvicorn_protocol.py), and the rest is released.

The server's frames are complete when they are made (frames.py) and go straight to the
transport; all frames of one connection in one iteration of the event loop leave in one
write, which is most of a message's cost. That is safe because a whole, unfragmented
data frame changes no state of a connection without extensions.

One file because sending, receiving and closing share the same few fields: an object for
each would cost memory per watcher.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, CloseCode, Opcode
from websockets.frames import Frame as WireFrame
from websockets.protocol import Protocol
from websockets.typing import BytesLike

from gateway.live.core.frames import Frame, bye_frame
from gateway.live.transport.parsers import (
    FRAMES_A_TURN,
    FRAMES_BURST_S,
    PIECE_BYTES,
    emptied_at,
    is_data,
    is_one_pong,
    whole_text,
)
from gateway.live.transport.write_scheduler import Listener, SharedTransport
from gateway.wire.problems import CLOSE_REASONS
from gateway.wire.problems import CloseCode as OurCode

JOINED_MAX: Final = 16 * 1024
"""Most bytes for one connection in one iteration, plus the last frame; further frames
are owed (watcher.py)."""
ANSWERS_BYTES_MAX: Final = 1024 * 1024
"""Most waiting answers; a client that keeps sending and does not read is closed. One
message may name 256 topics, and have an answer and a snapshot for each."""
SHUTDOWN_S: Final = 0.5
"""Seconds for the last bytes when the server has stopped."""

_PING: Final = b"\x89\x00"

log = structlog.get_logger("slotcast.live")


class LiveConnection(asyncio.BufferedProtocol):
    """A transport, a queue of frames, and a listener.

    Bytes are received into a buffer that all connections share, so that no client has
    more read at once than it holds. What was read and not yet parsed is ``_unread``;
    while there is any, or the client has used up its allowance, reading is paused.
    """

    __slots__ = (
        "_bytes",
        "_close_timer",
        "_closing",
        "_connections",
        "_empty_at",
        "_flushes",
        "_fragments",
        "_inbox",
        "_is_alive",
        "_is_closed",
        "_is_deaf",
        "_is_paused",
        "_listener",
        "_parser",
        "_reading_on",
        "_reason",
        "_row",
        "_shared",
        "_transport",
        "_unread",
        "_was_full",
        "writable",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        shared: SharedTransport,
        connections: set[Any],
        early: bytes = b"",
    ) -> None:
        """No message is passed on before ``begin``.

        ``connections`` is the server's set of all it has; ``early`` the bytes that came
        behind the handshake.
        """
        self.writable = True
        """Whether a frame may be written now; a plain attribute, since it is read once
        for each watcher and frame."""
        self._transport = transport
        self._shared = shared
        self._flushes = shared.flushes
        self._connections = connections
        self._listener: Listener | None = None
        self._parser: Protocol | None = None
        self._fragments: tuple[bool, bytearray] | None = None
        self._inbox: list[str | None] | None = None
        self._unread: bytes | None = early or None
        self._reading_on: asyncio.Handle | None = None
        self._empty_at = 0.0
        self._reason = ""
        self._row: list[bytes] = []
        self._bytes = 0
        self._was_full = False
        self._is_paused = False
        self._is_alive = True
        self._closing: int | None = None
        self._is_closed = False
        self._is_deaf = False
        self._close_timer: asyncio.TimerHandle | None = None

    def begin(self, listener: Listener | None) -> None:
        """Pass messages to ``listener`` from now on; None: it is only closed."""
        self._listener = listener
        if self._unread is not None and self._reading_on is None:
            loop = asyncio.get_running_loop()
            self._reading_on = loop.call_soon(self._read_on)

    # --- sending -------------------------------------------------------------------

    def write(self, frame: Frame) -> None:
        """Send a topic's frame at the end of this iteration."""
        row = self._row
        wire = frame.wire
        if not row:
            self._flushes.add(self, frame)
        row.append(wire)
        self._bytes += len(wire)
        if self._bytes > JOINED_MAX:
            self._full()

    def answer(self, frame: Frame) -> None:
        """Send an answer, even to a client that reads slowly; bounded."""
        if self._closing is not None:
            return
        self._flushes.add_urgent(self)
        self._row.append(frame.wire)
        self._bytes += len(frame.wire)
        if self._bytes > JOINED_MAX:
            self._full()
        if self.unsent > ANSWERS_BYTES_MAX:
            self.close(OurCode.TOO_SLOW)

    @property
    def unsent(self) -> int:
        """Unsent bytes outside the kernel."""
        return self._transport.get_write_buffer_size() + self._bytes

    def ping(self) -> None:
        """Ping; a client that sent nothing since the last one is disconnected."""
        if not self._is_alive:
            self.cut_off()
            return
        self._is_alive = False
        if self._closing is None and not self._is_paused:
            if not self._row:
                self._flushes.add(self, _PING)
            self._row.append(_PING)

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        """End the connection after the queued frames; a slow client gets none."""
        if self._closing is not None:
            return
        self._reason = reason
        if code == OurCode.TOO_SLOW:
            self._row.clear()
        if last is not None:
            self._row.append(last.wire)
        self._closing = code
        self.writable = False
        self._flushes.add_urgent(self)

    def flush(self) -> None:
        """Write all frames of this iteration at once."""
        row = self._row
        if row:
            joined = b"".join(row)
            row.clear()
            self._bytes = 0
            if not self._is_closed:
                self._transport.write(joined)
        if self._closing is not None:
            self._say_close()
        elif self._was_full:
            self._relieve()

    def cut_off(self) -> None:
        """Abort the connection."""
        self.writable = False
        self._closing = self._closing or CloseCode.ABNORMAL_CLOSURE
        self._is_closed = True
        self._row.clear()
        self._transport.abort()

    def shutdown(self) -> None:
        """The server stops; its watchers were closed before (ticker.py)."""
        if not self._is_closed:
            self._closing = self._closing or CloseCode.SERVICE_RESTART
            self._say_close()
        self._end_soon(SHUTDOWN_S)

    def _say_close(self) -> None:
        if self._is_closed:
            return
        code = self._closing or CloseCode.NORMAL_CLOSURE
        self._is_closed = True
        self.writable = False
        if self._listener is not None:
            self._listener.closed(code)
        reason = self._reason or CLOSE_REASONS.get(code, "")
        close = WireFrame(Opcode.CLOSE, Close(code, reason).serialize())
        self._transport.write(close.serialize(mask=False))
        self._cut_off_in(self._shared.close_s)

    def _end_soon(self, seconds: float) -> None:
        """Close the transport; bytes not taken in this time are discarded.

        The kernel buffers little, so bytes wait here: a transport that closes in good
        order would wait for a client that may never read again.
        """
        self._is_closed = True
        self.writable = False
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._cut_off_in(seconds)

    def _cut_off_in(self, seconds: float) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        loop = asyncio.get_running_loop()
        self._close_timer = loop.call_later(seconds, self._transport.abort)

    # --- callbacks of the transport ---------------------------------------------------

    def pause_writing(self) -> None:
        """The transport is full: further frames are owed."""
        self._is_paused = True
        self._full()

    def resume_writing(self) -> None:
        """The transport is writable again: owed frames are due."""
        self._is_paused = False
        self._is_alive = True
        self._relieve()

    def _full(self) -> None:
        self.writable = False
        self._was_full = True

    def _relieve(self) -> None:
        if self._is_paused or self._closing is not None or self._row:
            return
        self._was_full = False
        self.writable = not self._is_closed
        if self._listener is not None and self.writable:
            self._listener.relieved()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended, whichever side closed it."""
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._connections.discard(self)
        self._is_closed = True
        self.writable = False
        self._closing = self._closing or CloseCode.ABNORMAL_CLOSURE
        self._row.clear()
        self._parser = self._inbox = self._fragments = self._unread = None
        if self._reading_on is not None:
            self._reading_on.cancel()
            self._reading_on = None
        listener, self._listener = (
            self._listener,
            None,
        )  # no reference cycle: freed at once
        if listener is not None:
            listener.ended()

    # --- receiving --------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> bytearray:
        """The buffer for the transport's reads; its bytes are consumed at once."""
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """This many bytes of the client are in the buffer."""
        self.data_received(bytes(memoryview(self._shared.buffer)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._is_alive = True
        if self._unread is not None:
            self._unread += data  # read before the pause took effect
            return
        if self._is_deaf or (self._parser is None and is_one_pong(data)):
            self._wait(self._spend(1, len(data)), b"")
            return
        self._unread = data
        self._read_on()

    def _read_on(self) -> None:
        """Parse some received bytes: a bounded part of this iteration of the loop.

        It ends with the first message, since one is handled per iteration.
        """
        self._reading_on = None
        data, self._unread = self._unread or b"", None
        at, frames = self._take_whole_text(data)
        if frames and (at == len(data) or self._inbox is not None):
            self._wait(self._spend(frames, at), data[at:])
            return
        parser = self._parser or self._shared.incoming.borrow()
        while at < len(data) and frames < FRAMES_A_TURN and self._inbox is None:
            parser.receive_data(data[at : at + PIECE_BYTES])
            at += PIECE_BYTES
            said = parser.events_received()
            frames += len(said)
            for frame in said:
                assert isinstance(frame, WireFrame)
                if is_data(frame) and self._closing is None:
                    self._take(frame)
            if parser.parser_exc is not None:
                self._unreadable(parser)
                return
            if parser.close_rcvd is not None:
                self._client_closed(b"".join(parser.data_to_send()))
                return
        self._keep_or_return(parser)
        if self._transport.is_closing():
            return
        self._wait(self._spend(frames, min(at, len(data))), data[at:])

    def _take_whole_text(self, data: bytes) -> tuple[int, int]:
        """Take the first message without a parser, if it is one whole short frame.

        Returns how many bytes and frames were taken.
        """
        if (
            self._parser is not None
            or self._fragments is not None
            or self._closing is not None
            or self._inbox is not None
        ):
            return 0, 0
        found = whole_text(data, 0, self._shared.incoming.message_bytes_max)
        if found is None:
            return 0, 0
        text, end = found
        self.receive(text)
        return end, 1

    def _spend(self, frames: int, size: int) -> float:
        """Count read bytes; the seconds to pause reading, mostly 0."""
        now = asyncio.get_running_loop().time()
        self._empty_at = emptied_at(self._empty_at, now, frames, size)
        return max(0.0, self._empty_at - now - FRAMES_BURST_S)

    def _keep_or_return(self, parser: Protocol) -> None:
        ours = b"".join(parser.data_to_send())
        if ours and not self._is_closed:
            self._pong(ours)
        is_idle = self._fragments is None and self._shared.incoming.give_back(parser)
        self._parser = None if is_idle else parser

    def _wait(self, seconds: float, rest: bytes) -> None:
        """Continue with ``rest`` in a later iteration; resume reading after it."""
        if not rest and seconds <= 0:
            if self._inbox is None and not self._transport.is_closing():
                self._transport.resume_reading()
            return
        self._unread = rest
        self._transport.pause_reading()
        loop = asyncio.get_running_loop()
        if seconds > 0:
            self._reading_on = loop.call_later(seconds, self._read_on)
        elif self._inbox is None:
            self._reading_on = loop.call_soon(self._read_on)

    def _client_closed(self, echo: bytes) -> None:
        """The client closes, or answers our close."""
        if not self._is_closed:
            self._closing = self._closing or CloseCode.NORMAL_CLOSURE
            self._transport.write(b"".join(self._row) + echo)
            self._row.clear()
        self._end_soon(self._shared.close_s)

    def _unreadable(self, parser: Protocol) -> None:
        """Invalid frames: close with the reason, and stop reading."""
        if isinstance(parser.parser_exc, PayloadTooBig):
            self._refuse(OurCode.TOO_LARGE)
            self.flush()
        elif not self._is_closed:
            self._closing = self._closing or CloseCode.PROTOCOL_ERROR
            last = (*self._row, *parser.data_to_send())
            self._transport.write(b"".join(last))
            self._row.clear()
        self._is_closed = self._is_deaf = True
        self.writable = False
        if self._transport.can_write_eof():
            # Closing with unread bytes resets the connection, and the client
            # may lose the close frame with the reason.
            self._transport.write_eof()
            self._cut_off_in(self._shared.close_s)
        else:
            self._end_soon(self._shared.close_s)

    def _refuse(self, code: OurCode, reason: str = "") -> None:
        self.close(code, bye_frame(code, self._shared.retry_ms), reason)

    def _pong(self, pong: bytes) -> None:
        if self._transport.get_write_buffer_size() > ANSWERS_BYTES_MAX:
            self.cut_off()  # keeps pinging without reading
        else:
            self._transport.write(pong)

    def _take(self, frame: WireFrame) -> None:
        """Put the frames of a message together."""
        is_text = frame.opcode is Opcode.TEXT
        if not frame.fin and not frame.data:
            # The bound on a message's bytes does not count these.
            self._refuse(OurCode.BAD_FRAME, "A fragment of a message is empty.")
            return
        if frame.opcode is Opcode.CONT and self._fragments is not None:
            # Only bytes are counted, so only they are kept.
            is_text, whole = self._fragments
            whole += frame.data
            if frame.fin:
                self._fragments = None
                self._receive(whole, is_text=is_text)
        elif frame.fin:
            self._receive(frame.data, is_text=is_text)
        else:
            self._fragments = is_text, bytearray(frame.data)

    def _receive(self, message: BytesLike, *, is_text: bool) -> None:
        try:
            text = str(message, "utf-8") if is_text else None
        except UnicodeDecodeError:
            self._row.clear()
            self.close(CloseCode.INVALID_DATA, reason="A text is not UTF-8.")
            return
        self.receive(text)

    def receive(self, text: str | None) -> None:
        """Handle a message: one per iteration of the event loop.

        So answers leave between them, and one client cannot delay the others. Messages
        that came with it wait, and reading with them.
        """
        if self._inbox is not None or self._listener is None:
            self._inbox = self._inbox or []
            self._inbox.append(text)
            self._transport.pause_reading()
            return
        self._inbox = []
        asyncio.get_running_loop().call_soon(self._go_on)
        self._hear(text)

    def _go_on(self) -> None:
        inbox = self._inbox
        if inbox and self._closing is None:
            text = inbox.pop(0)
            asyncio.get_running_loop().call_soon(self._go_on)
            self._hear(text)
            return
        self._inbox = None
        # A client answers our close behind messages that are not handled.
        if inbox is None or self._transport.is_closing():
            return
        if self._unread is None:
            self._transport.resume_reading()
        elif self._reading_on is None:
            self._read_on()

    def _hear(self, text: str | None) -> None:
        assert self._listener is not None
        try:
            self._listener.heard(text)
        except Exception:
            # As in a flush: an internal error costs this connection, and no other.
            log.exception("a connection is aborted after an internal error")
            self.cut_off()
