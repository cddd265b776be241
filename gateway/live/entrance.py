"""Newcomers on their way in: the turnstile with an event loop, and the socket's class.

A WebSocket's handshake waits or is refused here before anything of it is parsed, so
that a refusal costs next to nothing and a storm does not delay those who are in.
Streams, and sockets of another server, come by ASGI and wait in the same row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar, Final

from gateway.live.connection import LiveConnection, Switchboard
from gateway.live.deflate import DeflatedConnection, is_shared, offer
from gateway.live.fanout import FanoutProtocol
from gateway.live.turnstile import Turnstile, Verdict

EARLY_BYTES_MAX: Final = 16 * 1024
"""A handshake, and what an impatient client may say before its answer."""

_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Retry-After: %d\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 33\r\n"
    b"Connection: close\r\n\r\n"
    b"Full or stopping; come back soon."
)


class Newcomer:
    """Somebody who waits: ``enter`` is called when it is their turn."""

    __slots__ = ("enter",)

    def __init__(self, enter: Callable[[], None]) -> None:
        self.enter: Callable[[], None] | None = enter


class Entrance:
    """Runs a turnstile. ``is_shut`` says that nobody more is taken at all."""

    def __init__(
        self,
        turnstile: Turnstile,
        is_shut: Callable[[], bool],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.turnstile = turnstile
        self.is_shut = is_shut
        self._now = now
        self._row: deque[Newcomer] = deque()
        self._is_due = False

    def knock(self, enter: Callable[[], None]) -> Newcomer | None:
        """Let ``enter`` be called now or later; None if it never will be."""
        verdict = Verdict.REFUSE
        if not self.is_shut():
            verdict = self.turnstile.arrive(self._now())
        if verdict is Verdict.REFUSE:
            return None
        newcomer = Newcomer(enter)
        if verdict is Verdict.ENTER:
            self._admit(newcomer)
            return newcomer
        self._row.append(newcomer)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)
        return newcomer

    def give_up(self, newcomer: Newcomer) -> None:
        """They have gone; nothing happens if they are in already."""
        if newcomer.enter is not None:
            newcomer.enter = None
            self.turnstile.gave_up()

    async def pass_through(self) -> int:
        """Wait one's turn: 0 when it has come, else when to come again, in seconds."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        newcomer = self.knock(lambda: None if turn.done() else turn.set_result(None))
        if newcomer is None:
            return self.turnstile.come_again_s()
        try:
            await turn
        finally:
            self.give_up(newcomer)
        return 0

    def _turn(self) -> None:
        left, row = self.turnstile.let_in(self._now()), self._row
        while left and row:
            newcomer = row.popleft()
            if newcomer.enter is not None:
                left -= 1
                self._admit(newcomer)
        while row and row[0].enter is None:
            row.popleft()
        if row:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._is_due = False

    def _admit(self, newcomer: Newcomer) -> None:
        enter, newcomer.enter = newcomer.enter, None
        assert enter is not None
        enter()


class LiveProtocol(FanoutProtocol):
    """A connection that passes the entrance before its handshake is read."""

    entrance: ClassVar[Entrance | None] = None
    """Shared by all connections of a class: see ``protocol_of``."""
    deflating: ClassVar[Switchboard | None] = None
    """What those share who agreed to shared compression; None: nobody is asked."""

    __slots__ = ("_handshake", "_knocked")

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        if self.deflating is not None:
            self.conn.available_extensions = [offer()]
        self._knocked: Newcomer | None = None
        self._handshake: bytes | None = None if self.entrance is None else b""

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; the first of them are its handshake."""
        if self._handshake is None:
            super().data_received(data)
            return
        self._handshake += data
        if self._knocked is not None:
            if len(self._handshake) > EARLY_BYTES_MAX:
                self.transport.abort()
            return
        assert self.entrance is not None
        newcomer = self.entrance.knock(self._enter)
        if newcomer is None:
            self._refuse(self.entrance.turnstile.come_again_s())
        elif newcomer.enter is not None:
            self._knocked = newcomer

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for somebody who has gone."""
        if self._knocked is not None and self.entrance is not None:
            self.entrance.give_up(self._knocked)
        super().connection_lost(exc)

    def heir(self, shared: Switchboard) -> tuple[type[LiveConnection], Switchboard]:
        """Who agreed to shared compression is served with it."""
        if self.deflating is not None and is_shared(self.conn.extensions):
            return DeflatedConnection, self.deflating
        return super().heir(shared)

    def _enter(self) -> None:
        data, self._handshake, self._knocked = self._handshake, None, None
        assert self.entrance is not None
        if self.entrance.is_shut():
            self._refuse(self.entrance.turnstile.come_again_s())
        elif data and not self.transport.is_closing():
            super().data_received(data)

    def _refuse(self, seconds: int) -> None:
        self._handshake = None
        self.handshake_complete = self.close_sent = True
        self.transport.write(_REFUSAL % seconds)
        self.transport.close()


def protocol_of(
    entrance: Entrance, deflating: Switchboard | None = None
) -> type[LiveProtocol]:
    """The class of sockets to give uvicorn as ``ws``, for one gateway."""
    space = {"entrance": entrance, "deflating": deflating, "__slots__": ()}
    return type("LiveProtocolOfGateway", (LiveProtocol,), space)
