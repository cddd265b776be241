"""uvicorn's HTTP connection with bounds: bytes of a head, pipelined requests, time.

Given to uvicorn as its ``http`` class. uvicorn's own class does not bound a head, reads
on while requests wait, treats trailers as headers and has no deadline but keep-alive,
without a setting for any of it. A proxy in front prevents much of that; a port open to
clients gets all of it.

Received bytes are given to the parser in pieces that end where a head ends, so that
they are counted as they come, and the next request is parsed only when the one before
is answered. Until then reading is paused.

One file because bytes, stages and deadlines of a connection form one state machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from gateway.transport.answers import AnswerCycle
from gateway.transport.connections import HttpConnections
from gateway.transport.unframed import Unframed
from gateway.wire.addresses import network_of
from gateway.wire.problems import Problem, problem
from gateway.wire.replies import problem_reply

PIECE_BYTES: Final = 4096
"""Most bytes given to the parser at once while the end of a head is not yet found."""

_HEAD_END: Final = b"\r\n\r\n"
_ONCE: Final = frozenset({b"host", b"authorization", b"content-length"})
"""Headers that may occur once: proxies and servers differ on which of two counts."""
_RETRY: Final = ((b"retry-after", b"2"),)
_NO_ROOM: Final = {
    "open_files": problem("unavailable", headers=_RETRY),
    "connections": problem("unavailable", headers=_RETRY),
    "pipelined": problem("unavailable", headers=_RETRY),
    "connections_per_address": problem(
        "too_many_requests",
        "There are too many connections from this address; close some.",
        headers=_RETRY,
    ),
}


class _Stage(Enum):
    """The stage of a connection, which decides its deadline."""

    HEAD = auto()
    BODY = auto()
    GONE = auto()
    """Refused and being drained, handed to a live socket, or closed."""


class _Refused(Exception):
    """Raised by a parser callback to refuse a request; httptools chains it."""

    def __init__(self, detail: str, code: str = "bad_request") -> None:
        super().__init__(detail)
        self.problem = problem(code, detail)


class _Flow(FlowControl):
    """uvicorn's flow control, without resuming while pipelined requests wait."""

    holds = False

    def resume_reading(self) -> None:
        """Resume reading, unless requests wait."""
        if not self.holds:
            super().resume_reading()


class BoundedHttpProtocol(HttpToolsProtocol):
    """One HTTP connection, from its first byte to its last."""

    def __init__(
        self,
        shared: HttpConnections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._shared = shared
        self._limits = shared.limits
        self._stage = _Stage.HEAD
        self.url, self.headers = b"", []
        self._network: str | None = None
        """The address under which it is counted; None: not counted (any more)."""
        self._pending = b""
        self._at = 0
        """Received bytes not yet given to the parser, from ``_at`` on."""
        self._held_bytes = 0
        self._unfinished = 0
        """Bytes given to the parser since it last finished a head or a part of one
        body."""
        self._has_finished = False
        self._body_left = 0
        """Bytes left of a body with a declared length."""
        self._unread_bytes = 0
        self._lingers = False
        self._is_idle = False
        """Whether the connection is idle and its deadline the end of keep-alive."""
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    # --- the connection ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, or refuse it with an answer."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.flow: _Flow = _Flow(self.transport)
        network = network_of(self.client[0] if self.client else "")
        peer = transport.get_extra_info("socket")
        reason = self._shared.enter(network, -1 if peer is None else peer.fileno())
        if reason:
            self._refuse(_NO_ROOM[reason], reason)
            return
        self._network = network
        self._expect(self._limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything when the connection ends."""
        super().connection_lost(exc)
        self._let_go()
        if self._lingers:
            self._lingers = False
            self._shared.lingering -= 1

    def _let_go(self) -> None:
        """Stop counting: it has ended, or another protocol has taken it over."""
        self._stage = _Stage.GONE
        if self._network is not None:
            self._shared.leave(self._network)
            self._network = None
        self._keep(b"")
        self._deadline = None
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._write_timer = None

    def shutdown(self) -> None:
        """Close the connection, as the server stops."""
        if self._stage is _Stage.GONE:
            self.transport.close()
        else:
            super().shutdown()

    # --- received bytes ----------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take received bytes."""
        if self._stage is _Stage.GONE:
            self._unread(len(data), self._limits.linger_bytes_max)
            return
        if self._is_idle:
            self._is_idle = False
            self._deadline = None
        self._keep(self._pending[self._at :] + data if self._pending else data)
        self._advance()

    def _keep(self, data: bytes) -> None:
        self._pending, self._at = data, 0
        if self._held_bytes:
            self._shared.pipelined_bytes -= self._held_bytes
            self._held_bytes = 0

    def _advance(self) -> None:
        """Parse received bytes, up to the end of a request that is not answered yet."""
        while self._pending:
            if self._stage is _Stage.HEAD and self._unanswered is not None:
                self._hold()
                return
            self._feed(self._piece())
            if self._stage is _Stage.GONE:
                return
        if self.flow.holds:
            self.flow.holds = False
            self.flow.resume_reading()
        self._watch()

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        """The request whose answer is not completely sent; None if there is none."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def _hold(self) -> None:
        """Let pipelined requests wait, and pause reading."""
        self._deadline = None
        rest = self._pending[self._at :]
        self._keep(rest)
        self._held_bytes = len(rest)
        self._shared.pipelined_bytes += len(rest)
        self.flow.holds = True
        self.flow.pause_reading()
        if self._shared.pipelined_bytes > self._limits.pipelined_bytes_max:
            self._shared.refused("pipelined")
            self._keep(b"")
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Continue parsing in a later iteration of the loop, after others."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._stage is _Stage.BODY:
            # The rest of its body is discarded, which must not take long.
            self._expect(self._limits.head_s)
        elif not self._pending:
            self._rest()
        if self._pending:
            self.loop.call_soon(self._go_on)

    def _rest(self) -> None:
        """The last request is answered: start the keep-alive deadline."""
        self._is_idle = True
        self._expect(self._limits.keep_alive_s)

    def _go_on(self) -> None:
        if self._stage is not _Stage.GONE and not self.transport.is_closing():
            self._advance()

    def _piece(self) -> bytes | memoryview:
        """The next bytes for the parser, up to the end of a head if one is found."""
        pending, at = self._pending, self._at
        if self._stage is _Stage.BODY and self._body_left:
            end = at + self._body_left
        else:
            end = pending.find(_HEAD_END, at, at + PIECE_BYTES)
            end = at + PIECE_BYTES if end < 0 else end + len(_HEAD_END)
        if end >= len(pending):
            self._keep(b"")
            return memoryview(pending)[at:] if at else pending
        self._at = end
        return memoryview(pending)[at:end]

    def _feed(self, piece: bytes | memoryview) -> None:
        self._has_finished = False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._upgrade()
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self._refuse(cause.problem, cause.problem.code)
            else:
                self._refuse(problem("bad_request"), "bad_request")
            return
        if self._has_finished:
            self._unfinished = 0
        else:
            self._unfinished += len(piece)
            if self._unfinished > self._limits.head_bytes_max:
                code = self._too_large()
                self._refuse(problem(code), code)
                return
        if self._stage is _Stage.BODY and self.cycle.response_complete:
            self._unread(len(piece), self._limits.unread_body_bytes_max)

    def _too_large(self) -> str:
        is_address = self._stage is _Stage.HEAD and not self.headers and self.url
        return "uri_too_long" if is_address else "headers_too_large"

    def _unread(self, size: int, limit: int) -> None:
        """Count discarded bytes; a client that keeps sending is disconnected."""
        self._unread_bytes += size
        if self._unread_bytes > limit and not self.transport.is_closing():
            self.transport.abort()

    def _upgrade(self) -> None:
        if not self._should_upgrade():
            self._unfinished = 0
            return
        early = self._pending[self._at :]
        self._let_go()
        self.handle_websocket_upgrade()
        heir = self.transport.get_protocol()
        if early and heir is not self and not self.transport.is_closing():
            cast("asyncio.Protocol", heir).data_received(early)

    # --- parser callbacks --------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._body_left = self._unread_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are dropped."""
        if self._stage is _Stage.BODY:
            return
        if len(self.headers) >= self._limits.header_lines_max:
            lines = self._limits.header_lines_max
            raise _Refused(f"Send at most {lines} header lines.", "headers_too_large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is ambiguous."""
        self._check_head()
        self._is_idle = False
        self._begin()
        self._has_finished = True
        self._stage = _Stage.BODY
        self._deadline = self.loop.time() + self._limits.body_s

    def _begin(self) -> None:
        """Run the application; the previous request is answered."""
        scope, parser = self.scope, self.parser
        version = parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        if parser.should_upgrade() and self._should_upgrade():
            return
        address = httptools.parse_url(self.url)
        path = address.path.decode("ascii")
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + address.path
        scope["query_string"] = address.query or b""
        self.cycle = AnswerCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,  # gateway/http/request_log.py writes the lines
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def _check_head(self) -> None:
        seen: dict[bytes, bytes] = {}
        for name, value in self.headers:
            if name in _ONCE:
                if name in seen:
                    raise _Refused(f"The header {name.decode()} is given twice.")
                seen[name] = value
        if b"host" not in seen and self.parser.get_http_version() == "1.1":
            raise _Refused("The header Host is missing.")
        length = seen.get(b"content-length", b"0")
        self._body_left = int(length) if length.isdigit() else 0
        if self.parser.should_upgrade() and (
            self._body_left or any(n == b"transfer-encoding" for n, _ in self.headers)
        ):
            raise _Refused("A request for an upgrade must not have a body.")

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, which extends the deadline."""
        super().on_body(body)
        self._has_finished = True
        if self._body_left:
            self._body_left -= len(body)
        if self._deadline is not None and not self.cycle.response_complete:
            self._deadline += len(body) / self._limits.body_bytes_per_s

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self._has_finished = True
        self._stage = _Stage.HEAD
        self._deadline = None
        if self._unanswered is None:
            self._rest()

    # --- deadlines ---------------------------------------------------------------

    def _watch(self) -> None:
        """Set the deadline of the present stage."""
        if self._stage is _Stage.BODY:
            self._arm()
        elif self._unfinished and (self._is_idle or self._deadline is None):
            self._is_idle = False
            self._expect(self._limits.head_s)

    def _expect(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        self._arm()

    def _arm(self) -> None:
        """Make sure that the timer fires in time; it is kept between requests."""
        assert self._deadline is not None
        if self._timer is not None:
            if self._timer.when() <= self._deadline:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self.loop.time() < self._deadline:
            self._arm()
        elif self._stage is _Stage.BODY and self.flow.read_paused:
            self._expect(self._limits.body_s)  # reading is paused by us
        else:
            self._too_late()

    def _too_late(self) -> None:
        self._deadline = None
        if self._stage is _Stage.BODY and not self.cycle.response_complete:
            self._refuse(problem("request_timeout"), "slow_body")
        elif self._stage is _Stage.HEAD and self._unfinished:
            self._refuse(problem("request_timeout"), "slow_head")
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read: limit the time."""
        super().pause_writing()
        if self._write_timer is None:
            seconds = self._limits.write_s
            self._write_timer = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    # --- refusals ----------------------------------------------------------------

    def _refuse(self, found: Problem, reason: str) -> None:
        """Answer, unless an answer has begun, and end the connection."""
        self._shared.refused(reason)
        asked = self._unanswered
        if asked is not None:
            asked.disconnected = True
            asked.message_event.set()
        self.pipeline.clear()
        is_answered = asked is None and self._stage is _Stage.BODY
        if not is_answered and (asked is None or not asked.response_started):
            self.transport.write(self._written(found))
        self._let_go()
        self._linger(reason)

    def _written(self, found: Problem) -> bytes:
        reply = problem_reply(found)
        headers = (
            *self.server_state.default_headers,
            *reply.headers,
            *self._shared.cors(self.headers or []),
            (b"content-length", b"%d" % len(reply.body)),
            (b"connection", b"close"),
        )
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        return b"".join((STATUS_LINE[reply.status], *lines, b"\r\n", reply.body))

    def _linger(self, reason: str) -> None:
        """Close when the client has the answer.

        Closing with unread bytes makes the kernel reset the connection, and the
        answer would be lost: so further bytes are read for a moment and discarded.
        """
        shared = self._shared
        is_full = shared.lingering >= self._limits.lingering_max
        if is_full or reason == "open_files" or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._lingers = True
        self._unread_bytes = 0
        shared.lingering += 1
        self.transport.write_eof()
        self.flow.holds = False
        self.flow.resume_reading()
        self._timer = self.loop.call_later(self._limits.linger_s, self.transport.close)

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: any client may request an upgrade, and each would be a line."""

    # --- HTTP/1.0 ----------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = Unframed(app, cycle)
        super()._start_asgi_task(cycle, app)


def http_protocol_of(shared: HttpConnections) -> Callable[..., BoundedHttpProtocol]:
    """The class to give uvicorn as ``http``, for one gateway."""
    return partial(BoundedHttpProtocol, shared)
