"""Topics as Server-Sent Events, ``GET /v1/stream?topics=…``: the socket's frames.

For clients that can only read. ``id:`` has the positions of all topics, so that a
browser that reconnects with ``Last-Event-ID`` resumes.
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Final

from msgspec import MsgspecError, json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.access.tokens import Caller
from gateway.live.core.frames import NOWHERE, Frame, Position, error_frame
from gateway.live.core.topic_names import BadTopic, Kind, TopicName
from gateway.live.sessions.connection_limits import ConnectionLimits
from gateway.live.sessions.conversation import TAKEN_AT_ONCE
from gateway.live.sessions.permits import begin_topic, topic_for
from gateway.live.sessions.topic_limits import check_week
from gateway.live.topics.topic import Board
from gateway.live.transport.asgi_writer import RowWriter
from gateway.wire.bodies import unknown
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.problems import CODES, Problem, of_error, problem
from gateway.wire.replies import problem_reply

_RETRY_MS: Final = (2_000, 8_000)
_CURSOR: Final = json.Decoder(dict[str, Position])
_CURSOR_CHARACTERS_MAX: Final = 32 * 1024

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # else nginx holds events back
}


class LiveStream:
    """Serves streams of events."""

    def __init__(self, limits: ConnectionLimits, random: Random) -> None:
        self._limits = limits
        self._random = random

    async def __call__(self, request: Request) -> Response:
        """One stream, or a problem."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=_HEADERS)
        address = request.client.host if request.client else ""
        try:
            if self._limits.is_full():
                return _refusal("unavailable", 2)
            seconds = await self._limits.waiting_room.pass_through()
            if seconds:
                return _refusal("unavailable", seconds)
            self._limits.rates.admit(None, address)
            context = self._limits.context
            caller = context.authenticator.caller(request.headers.get("authorization"))
            names, refused = await self._names(request, caller, address)
            if not names:
                return _problem(next(iter(refused.values())))
            since = _since(request.headers.get("last-event-id"))
        except Exception as error:  # noqa: BLE001 - the last word is always a problem
            return _response(error)
        leave = self._enter(address, caller)
        if leave is None:
            return _refusal("too_many_requests", 2)
        return _Stream(self._events(names, refused, since, caller), leave)

    def _enter(self, address: str, caller: Caller | None) -> Callable[[], None] | None:
        """Count a stream; how to stop counting it, or None: there are too many."""
        limits, persons = self._limits, self._limits.context.persons
        if not limits.enter(address):
            return None
        if caller is not None and not persons.enter(caller.person):
            limits.leave(address)
            return None

        def leave() -> None:
            limits.leave(address)
            if caller is not None:
                persons.leave(caller.person)

        return leave

    async def _names(
        self, request: Request, caller: Caller | None, address: str
    ) -> tuple[list[TopicName], dict[TopicName, Problem]]:
        """The topics to watch, and those that do not exist."""
        strange = [name for name in request.query_params if name != "topics"]
        if strange:
            known = ("topics",)
            raise InvalidRequest(
                "", *(unknown(name, known, "query parameter") for name in strange)
            )
        texts = ",".join(request.query_params.getlist("topics")).split(",")
        wanted = dict.fromkeys(text for text in texts if text)
        limit = self._limits.context.settings.subscriptions_max
        if not wanted or 0 < limit < len(wanted):
            raise InvalidRequest(
                "", FieldError("topics", f"must name 1 to {limit} topics")
            )
        context = self._limits.context
        self._limits.rates.admit_topics(caller, address, len(wanted))
        boards: dict[TopicName, Board] = {}
        for number, text in enumerate(wanted, 1):
            try:
                name = topic_for(caller, text)
                check_week(name, context.clock.now())
            except BadTopic as error:
                raise InvalidRequest("", FieldError("topics", str(error))) from None
            await begin_topic(context.access, caller, name)
            boards[name] = context.room.take(name, caller, address)
            if number % TAKEN_AT_ONCE == 0:
                await asyncio.sleep(0)
        not_found = await context.room.unknown(
            [board for name, board in boards.items() if name.kind is not Kind.ME]
        )
        refused = {board.name: reason for board, reason in not_found.items()}
        return [name for name in boards if name not in refused], refused

    async def _events(
        self,
        names: list[TopicName],
        refused: dict[TopicName, Problem],
        since: dict[str, Position],
        caller: Caller | None,
    ) -> AsyncIterator[bytes]:
        context = self._limits.context
        writer = RowWriter()
        watcher = self._limits.watcher(writer)
        watcher.caller = caller
        context.hub.joined(watcher)
        stands = {name.wire: since.get(name.wire, NOWHERE) for name in names}
        try:
            yield b"retry: %d\n\n" % self._random.randint(*_RETRY_MS)
            for name, reason in refused.items():
                yield _event(error_frame(None, reason, name.wire), stands)
            for name in names:
                context.hub.subscribe(
                    watcher, name, since.get(name.wire), context.clock.now()
                )
            while writer.closing is None or writer.has_frames:
                frame = await self._next(writer)
                if frame is None:
                    yield b": \n\n"
                    continue
                yield _event(frame, stands)
                if writer.takes_relief():
                    context.hub.writable(watcher, context.clock.now())
        finally:
            context.hub.dropped(watcher, context.clock.now())

    async def _next(self, writer: RowWriter) -> Frame | None:
        try:
            async with asyncio.timeout(self._limits.context.settings.sse_comment_s):
                return await writer.next()
        except TimeoutError:
            return None


class _Stream(StreamingResponse):
    """A response that stops counting itself at its end, even if it never began."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def _event(frame: Frame, stands: dict[str, Position]) -> bytes:
    if not frame.topic:
        return b"data: %b\n\n" % frame.payload
    stands[frame.topic] = frame.position
    known = {wire: at for wire, at in stands.items() if at != NOWHERE}
    cursor = urlsafe_b64encode(json.encode(known)).rstrip(b"=")
    return b"id: %b\ndata: %b\n\n" % (cursor, frame.payload)


def _since(cursor: str | None) -> dict[str, Position]:
    """The client's positions; empty for an invalid cursor."""
    if not cursor or len(cursor) > _CURSOR_CHARACTERS_MAX:
        return {}
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return _CURSOR.decode(raw)
    except (ValueError, MsgspecError):
        return {}


def _refusal(code: str, seconds: int) -> Response:
    headers = ((b"retry-after", b"%d" % seconds),)
    reply = problem_reply(problem(code, CODES[code][1] + ".", headers=headers))
    return _plain(reply.status, reply.body, reply.headers)


def _response(error: Exception) -> Response:
    return _problem(of_error(error))


def _problem(found: Problem) -> Response:
    reply = problem_reply(found)
    return _plain(reply.status, reply.body, reply.headers)


def _plain(
    status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> Response:
    written = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, written)
