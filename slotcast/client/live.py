"""The live client for asyncio: one socket that reconnects by itself.

    async with LiveClient("http://127.0.0.1:8000", [topic], token=…) as client:
        async for event in client:
            …
        booked = await client.call("book", key=…, hold_id=…)

Views, gaps, positions and waits are the session's (session.py); this module has the
socket, the time, and the calls that wait for answers. Commands without an answer are
sent again on the next connection, with the same key.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from types import TracebackType
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from slotcast.client.backoff import Backoff
from slotcast.client.errors import (
    AnswerUnknown,
    ClientClosed,
    CommandRefused,
    SentAway,
)
from slotcast.client.events import (
    Answered,
    Connected,
    Event,
    EventsDropped,
    Lost,
    SignedIn,
    SignInRefused,
    TokenEnding,
    TokenUnavailable,
)
from slotcast.client.handshake import (
    close_code,
    live_address,
    reason_of,
    retry_after_s,
)
from slotcast.client.session import COMMANDS_OPEN_MAX, SUBPROTOCOL, LiveSession
from slotcast.client.view import TopicView

EVENTS_MAX: Final = 4_096
"""Events that wait to be read; beyond, the oldest are dropped. Views do not depend on
them."""
MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest message in bytes: a busy practice's whole schedule is one message."""
OPEN_S: Final = 10.0
CLOSE_S: Final = 2.0
"""Seconds the server may take for its part of a handshake."""
TOKEN_EXPIRED: Final = 4005

_LOG: Final = logging.getLogger("slotcast.client")
_LOG.addHandler(logging.NullHandler())
# At DEBUG websockets writes every message, and some of ours hold tokens.
_LOG.setLevel(logging.INFO)

FreshToken = Callable[[], Awaitable[str]]
"""Returns a new token for the same person."""


class LiveClient:
    """Views of topics that keep themselves current, events, and commands.

    Use it as an asynchronous context; iterate over it in one place only. ``token`` is
    needed for private topics and commands, ``fresh_token`` to stay connected after it
    expires. The iteration ends with a LiveError when the server forbids reconnecting.
    """

    def __init__(
        self,
        url: str,
        topics: Iterable[str] = (),
        *,
        token: str = "",
        fresh_token: FreshToken | None = None,
        random: Random | None = None,
        reconnect: Backoff | None = None,
    ) -> None:
        self.url = live_address(url)
        self.messages = 0
        """Messages received, of any kind."""
        self.connections = 0
        # Waits need no secret; a test passes a seeded one.
        dice = random or Random()  # noqa: S311  # nosec B311
        self._session = LiveSession(
            topics, token=token, random=dice, reconnect=reconnect
        )
        self._fresh_token = fresh_token
        self._is_fresh = False
        """Whether the token is a fresh one that has not been accepted yet."""
        self._refreshing: asyncio.Future[None] | None = None
        self._socket: ClientConnection | None = None
        self._line = asyncio.Lock()
        """Serialises sending, so that no command overtakes the sign-in."""
        self._room = asyncio.Semaphore(COMMANDS_OPEN_MAX)
        self._waiting: dict[int, asyncio.Future[Answered]] = {}
        self._events: deque[Event] = deque()
        self._dropped = 0
        self._moved = asyncio.Event()
        self._running: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    async def __aenter__(self) -> LiveClient:
        self._running = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def stop(self) -> None:
        """End the iteration and all waiting; the context's end closes the socket."""
        self._finish(ClientClosed())

    async def close(self) -> None:
        """Close the connection; every waiting call raises ClientClosed."""
        self.stop()
        tasks = [one for one in (self._running, self._refreshing) if one is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- state ------------------------------------------------------------

    @property
    def views(self) -> Mapping[str, TopicView]:
        """The content of each topic; for reading only."""
        return self._session.views

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open."""
        return self._session.is_connected

    def __aiter__(self) -> LiveClient:
        return self

    async def __anext__(self) -> Event:
        """The next event.

        Raises:
            StopAsyncIteration: the client was closed with ``close`` or ``stop``.
            LiveError: the client has ended for another reason.
        """
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return EventsDropped(dropped)
            if self._events:
                return self._events.popleft()
            if isinstance(self._end, ClientClosed):
                raise StopAsyncIteration
            if self._end is not None:
                raise self._end
            await self._next_move()

    async def when(self, holds: Callable[[LiveClient], bool]) -> None:
        """Wait until ``holds(client)`` is true; evaluated again after each message.

        Raises:
            LiveError: the client has ended before.
        """
        while not holds(self):
            if self._end is not None:
                raise self._end
            await self._next_move()

    async def shown(self) -> None:
        """Wait until every topic has content."""
        await self.when(lambda _: all(v.position for v in self.views.values()))

    async def _next_move(self) -> None:
        moved = self._moved
        await moved.wait()

    # --- requests -------------------------------------------------------------

    async def subscribe(self, *topics: str) -> None:
        """Watch these too."""
        await self._send(self._socket, self._session.subscribe(topics))

    async def unsubscribe(self, *topics: str) -> None:
        """Stop watching these; their views are dropped."""
        await self._send(self._socket, self._session.unsubscribe(topics))

    async def authenticate(self, token: str) -> None:
        """Sign in, or stay signed in with a newer token of the same person."""
        await self._send(self._socket, self._session.authenticate(token))

    async def call(
        self, op: str, *, key: str, timeout_s: float = 30.0, **fields: Any
    ) -> Answered:
        """Send a command and wait for its answer, across reconnections.

        Args:
            op: hold, extend, release, book, cancel or reschedule.
            key: the idempotency key: new for each intention, the same for each attempt.
            timeout_s: how long to wait for the answer.
            fields: those of the REST call's path and body.

        Raises:
            CommandRefused: the command was refused, and nothing has changed.
            AnswerUnknown: no answer in time; send it again with the same key.
            LiveError: the client has ended.
        """
        try:
            async with asyncio.timeout(timeout_s), self._room:
                answer = await self._asked(op, key, fields)
        except TimeoutError:
            raise AnswerUnknown(op, key) from None
        if answer.problem is not None:
            raise CommandRefused(answer.status, answer.problem)
        return answer

    async def _asked(self, op: str, key: str, fields: Mapping[str, Any]) -> Answered:
        if self._end is not None:
            raise self._end
        # Without a connection the session keeps the command for the next connection.
        socket = self._socket
        identifier, text = self._session.command(op, key=key, **fields)
        answer: asyncio.Future[Answered] = asyncio.Future()
        self._waiting[identifier] = answer
        try:
            await self._send(socket, [text])
            return await answer
        finally:
            self._waiting.pop(identifier, None)
            self._session.forget(identifier)

    async def _send(self, socket: ClientConnection | None, texts: list[str]) -> None:
        if socket is None or not texts:
            return
        try:
            async with self._line:
                for text in texts:
                    await socket.send(text)
        except ConnectionClosed:
            return  # the reader notices; the session sends it again after reconnecting

    # --- the connection ----------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                wait_s = await self._once()
                await asyncio.sleep(wait_s)
        except Exception as error:  # noqa: BLE001 - passed to every waiting call
            self._finish(error)

    async def _once(self) -> float:
        """One connection, from handshake to end; how long to wait for the next."""
        now = asyncio.get_running_loop().time
        code, at_least_s = None, 0.0
        try:
            async with connect(
                self.url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_size=MESSAGE_BYTES_MAX,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                logger=_LOG,
            ) as socket:
                code, reason = await self._converse(socket)
        except (OSError, TimeoutError, EOFError, WebSocketException) as error:
            at_least_s = retry_after_s(error, self.url)
            reason = reason_of(error)
        finally:
            self._socket = None
        wait_s = self._session.lost(code, now(), at_least_s=at_least_s)
        code = self._session.ended_with
        if wait_s is None:
            raise SentAway(code or 0)
        self._tell([Lost(reason, wait_s, code)])
        if code == TOKEN_EXPIRED:
            await self._refresh()
        return wait_s

    async def _converse(self, socket: ClientConnection) -> tuple[int | None, str]:
        """Receive until the connection ends; its close code and reason."""
        session, now = self._session, asyncio.get_running_loop().time
        self._socket = socket
        self._tell([Connected(again=self.connections > 0)])
        self.connections += 1
        await self._send(socket, session.connected(now()))
        while True:
            try:
                async with asyncio.timeout_at(session.hears_until):
                    text = await socket.recv()
            except TimeoutError:
                return None, "the server was silent for too long"
            except ConnectionClosed as end:
                return close_code(end), reason_of(end)
            heard = session.heard(text, now())
            self.messages += 1
            self._tell(heard.events)
            await self._send(socket, heard.send)

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Answered):
                waiter = self._waiting.get(event.id)
                if waiter is not None and not waiter.done():
                    waiter.set_result(event)
                continue
            self._mind_token(event)
            if len(self._events) >= EVENTS_MAX:
                self._events.popleft()
                self._dropped += 1
            self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _finish(self, end: Exception) -> None:
        if self._end is None:
            self._end = end
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(self._end)
        self._wake()

    # --- the token ---------------------------------------------------------------

    def _mind_token(self, event: Event) -> None:
        if isinstance(event, SignedIn):
            self._is_fresh = False
        elif isinstance(event, TokenEnding) or (
            # A fresh token that is refused, too, is not replaced again.
            isinstance(event, SignInRefused) and not self._is_fresh
        ):
            self._begin_refresh()

    def _begin_refresh(self) -> None:
        if self._fresh_token is None:
            return
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._refresh())

    async def _refresh(self) -> None:
        """Get a fresh token, and sign in with it."""
        if self._fresh_token is None:
            return
        try:
            token = await self._fresh_token()
        except Exception as error:  # noqa: BLE001 - the caller's function: any of them
            self._tell([TokenUnavailable(f"{type(error).__name__}: {error}")])
            return
        self._is_fresh = True
        await self.authenticate(token)
