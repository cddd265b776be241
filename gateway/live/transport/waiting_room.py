"""New connections that wait to be admitted, and the protocol class that holds them.

A WebSocket's handshake waits or is refused here before anything of it is parsed, so
that a refusal costs next to nothing and a storm does not delay open connections.
Streams come by ASGI and wait in the same queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final, cast

import structlog
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.live.transport.admission import Admission, Admit
from gateway.live.transport.uvicorn_protocol import FanoutProtocol

EARLY_BYTES_MAX: Final = 16 * 1024
"""A handshake, and what a client may send before its answer."""

_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Retry-After: %d\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 64\r\n"
    b"Connection: close\r\n\r\n"
    b"The server is full or shutting down. Retry after the given time."
)

log = structlog.get_logger("slotcast.live")


class QueuePlace:
    """A place in the queue: ``enter`` is called when its turn comes."""

    __slots__ = ("enter",)

    def __init__(self, enter: Callable[[], None]) -> None:
        self.enter: Callable[[], None] | None = enter


class WaitingRoom:
    """Runs the admission. ``is_shut``: no connection is admitted at all."""

    def __init__(
        self,
        admission: Admission,
        is_shut: Callable[[], bool],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.admission = admission
        self.is_shut = is_shut
        self._now = now
        self._row: deque[QueuePlace] = deque()
        self._is_due = False

    def request_admission(self, enter: Callable[[], None]) -> QueuePlace | None:
        """Queue ``enter`` for a later iteration; None if the connection is refused."""
        if self.is_shut():
            self.admission.tally.shut_out += 1
            return None
        verdict = self.admission.arrive(self._now())
        if verdict is Admit.REFUSE:
            return None
        ticket = QueuePlace(enter)
        loop = asyncio.get_running_loop()
        if verdict is Admit.ENTER:
            ticket.enter = None
            loop.call_soon(_let_in, enter)
            return ticket
        self._row.append(ticket)
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._turn)
        return ticket

    def give_up(self, ticket: QueuePlace) -> None:
        """The client left. No effect if it was already admitted."""
        if ticket.enter is not None:
            ticket.enter = None
            self.admission.gave_up()

    async def pass_through(self) -> int:
        """Wait for admission: 0 when admitted, else the seconds until a retry."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ticket = self.request_admission(
            lambda: None if turn.done() else turn.set_result(None)
        )
        if ticket is None:
            return self.admission.come_again_s()
        try:
            await turn
        finally:
            self.give_up(ticket)
        return 0

    def _turn(self) -> None:
        left, row = self.admission.let_in(self._now()), self._row
        while left and row:
            ticket = row.popleft()
            if ticket.enter is not None:
                left -= 1
                enter, ticket.enter = ticket.enter, None
                _let_in(enter)
        while row and row[0].enter is None:
            row.popleft()
        if row:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._is_due = False


def _let_in(enter: Callable[[], None]) -> None:
    try:
        enter()
    except Exception:
        # An internal error costs this connection, and not those behind it.
        log.exception("a connection could not be admitted")


class WaitingConnection(asyncio.Protocol):
    """A transport and the bytes of a handshake: all that a waiting connection costs.

    Given to uvicorn as its ``ws``. When admitted, it creates uvicorn's connection with
    uvicorn's own arguments, and that takes the transport over.
    """

    __slots__ = (
        "_bytes",
        "_connections",
        "_make",
        "_ticket",
        "_transport",
        "_waiting_room",
    )

    def __init__(
        self,
        waiting_room: WaitingRoom,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
    ) -> None:
        self._waiting_room = waiting_room
        self._make = partial(FanoutProtocol, config, server_state, app_state)
        # The server ends all members of its set; anything that can shut down may be
        # one.
        self._connections = cast("set[Any]", server_state.connections)
        self._transport: asyncio.Transport | None = None
        self._bytes = b""
        self._ticket: QueuePlace | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport until admission."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; the first of them are its whole handshake."""
        assert self._transport is not None
        self._bytes += data
        if len(self._bytes) > EARLY_BYTES_MAX:
            self._transport.abort()
        elif self._ticket is None:
            self._ticket = self._waiting_room.request_admission(self._enter)
            if self._ticket is None:
                self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left: remove it from the queue."""
        self._connections.discard(self)
        self._transport = None
        if self._ticket is not None:
            self._waiting_room.give_up(self._ticket)

    def shutdown(self) -> None:
        """Refuse: the waiting room is full, or the server stops."""
        if self._transport is not None and not self._transport.is_closing():
            seconds = self._waiting_room.admission.come_again_s()
            self._transport.write(_REFUSAL % seconds)
            self._transport.close()

    def _enter(self) -> None:
        transport = self._transport
        if self._waiting_room.is_shut():
            self.shutdown()
        elif transport is not None and not transport.is_closing():
            try:
                self._become_connection(transport)
            except Exception:
                transport.abort()
                raise

    def _become_connection(self, transport: asyncio.Transport) -> None:
        self._connections.discard(self)
        connection = self._make()
        connection.connection_made(transport)
        connection.data_received(self._bytes)
        transport.set_protocol(connection)


def protocol_of(waiting_room: WaitingRoom) -> Callable[..., WaitingConnection]:
    """The class to give uvicorn as ``ws``, for one gateway."""
    return partial(WaitingConnection, waiting_room)
