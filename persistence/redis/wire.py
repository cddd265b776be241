"""One pipelined connection to Redis with bounded waits; reopened after failures.

Why not a client library: an append is one command that must cost little, and the caller
must know whether a failed request had been handed to the network, which decides between
"nothing was done" and "the outcome is unknown".

Replies are matched to requests by order alone. So a request keeps its place when its
caller is cancelled, and a late reply ends the connection: it can never be mistaken for
the answer to another request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
from msgspec import Struct

from persistence.redis.functions import packed

CONNECT_S = 1.0
"""Timeout in seconds for connecting and greeting together."""
ANSWER_S = 3.0
"""Seconds without an answer after which the connection is dropped."""
_NOTHING = object()
_LATE = "no answer in time"
_NOT_UNDERSTOOD = (
    "it cannot be parsed: the format is redis://user:password@host:port/number; in "
    "the password / # ? @ : % are encoded as %2F %23 %3F %40 %3A %25"
)


class WireDown(Exception):
    """The connection failed.

    ``sent``: the request may have arrived. ``ended``: the connection ended, perhaps
    before the request; a retry on a new one may succeed. ``late``: no answer came in
    time, and nothing else is known.
    """

    def __init__(
        self, detail: str, *, sent: bool, ended: bool = False, late: bool = False
    ) -> None:
        super().__init__(detail)
        self.sent = sent
        self.ended = ended
        self.late = late


class Address(Struct, frozen=True):
    """The parts of a Redis URL: server, credentials, database."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    database: int = 0
    secure: bool = False
    authority: str = ""
    """A file of CA certificates for verifying the server; '' for the system's."""

    @property
    def place(self) -> str:
        """The address for messages, without the password."""
        return f"{self.host}:{self.port}"


def address_of(url: str) -> Address:
    """The parts of ``redis://user:password@host:port/database`` (``rediss`` for TLS).

    Raises:
        ValueError: it is not such a URL. The message quotes no part of it: a password
            with an unencoded character may end up in any part.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:
        raise ValueError(_NOT_UNDERSTOOD) from None
    if parts.scheme not in {"redis", "rediss"}:
        raise ValueError("a Redis address begins with redis:// or rediss://")
    database = parts.path.strip("/") or "0"
    if parts.fragment or "@" in parts.query or "@" in database:
        raise ValueError(_NOT_UNDERSTOOD)
    if not database.isdecimal():
        raise ValueError("the database in a Redis address is a number")
    asked = parse_qs(parts.query)
    return Address(
        parts.hostname or "localhost",
        port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        int(database),
        parts.scheme == "rediss",
        asked.get("ssl_ca_certs", [""])[0],
    )


Pushed = Callable[[str, bytes], None]
"""Called with a channel and a message published there."""


class _Asked(Struct, eq=False):
    """A request in flight, and the replies received so far."""

    answer: asyncio.Future[list[Any]]
    awaited: int
    deadline: float
    replies: list[Any]


class RedisConnection(asyncio.Protocol):
    """One TCP connection. Its end fails all requests in flight."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, pushed: Pushed | None = None
    ) -> None:
        """``pushed``: called with each message, once the connection has subscribed.

        It is called while bytes are read; an exception from it ends the connection.
        """
        self.ended: asyncio.Future[str] = loop.create_future()
        """Why it ended, once it has."""
        self._loop = loop
        self._pushed = pushed
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._asked: deque[_Asked] = deque()
        self._transport: asyncio.Transport | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether something can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the connection is open."""
        self._transport = cast(
            "asyncio.Transport", transport
        )  # uvloop has a class of its own

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the connection has ended."""
        self._transport = None
        why = f" ({exc!r})" if exc else ""
        self._fail(f"the connection ended{why}", ended=True)

    def data_received(self, data: bytes) -> None:
        """Assign replies to requests, in order."""
        reader, asked = self._reader, self._asked
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                if self._pushed and type(reply) is list and reply[0] == b"message":
                    self._pushed(reply[1].decode(), reply[2])
                    continue
                first = asked[0]
                first.replies.append(reply)
                if len(first.replies) == first.awaited:
                    asked.popleft()
                    if not first.answer.done():
                        first.answer.set_result(first.replies)
        except (hiredis.HiredisError, IndexError) as error:
            self.drop(f"received an invalid reply ({error!r})")

    def send(
        self, request: bytes, replies: int, timeout_s: float
    ) -> asyncio.Future[list[Any]]:
        """Write a request now; a future of its replies."""
        assert self._transport is not None
        answer: asyncio.Future[list[Any]] = self._loop.create_future()
        deadline = self._loop.time() + timeout_s
        self._asked.append(_Asked(answer, replies, deadline, []))
        self._transport.write(request)
        if self._alarm is None:
            self._alarm = self._loop.call_at(deadline, self._look)
        return answer

    async def ask(self, request: bytes, replies: int, timeout_s: float) -> list[Any]:
        """Like ``Wire.ask``, on this connection and no other. Raises WireDown."""
        if not self.is_open:
            raise WireDown("the connection ended", sent=False, ended=True)
        return await self.send(request, replies, timeout_s)

    def drop(self, why: str, *, late: bool = False) -> None:
        """Abort the connection."""
        self._fail(why, late=late)
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _look(self) -> None:
        """One timer for all requests, set to the earliest deadline."""
        self._alarm = None
        if not self._asked:
            return
        first = self._asked[0].deadline
        if first <= self._loop.time():
            self.drop(_LATE, late=True)
        else:
            self._alarm = self._loop.call_at(first, self._look)

    def _fail(self, why: str, *, ended: bool = False, late: bool = False) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        waiting, self._asked = self._asked, deque()
        for asked in waiting:
            if not asked.answer.done():
                asked.answer.set_exception(
                    WireDown(why, sent=True, ended=ended, late=late)
                )
                # A caller cancelled meanwhile does not retrieve the exception; that is
                # fine.
                asked.answer.exception()


class Wire:
    """A connection that is opened when needed. Must be closed."""

    def __init__(
        self,
        address: Address,
        *,
        name: str = "slotcast",
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        """Connects when first asked; ``name`` is what CLIENT LIST shows."""
        if address.secure:
            with suppress(OSError):  # the first use retries, and reports the error
                _secured(address.authority)
        self._address = address
        self._name = name
        self._connect_s = connect_s
        self._answer_s = answer_s
        self._line: RedisConnection | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def ask(
        self, request: bytes, replies: int = 1, timeout_s: float = 0.0
    ) -> list[Any]:
        """Send packed commands, and wait for that number of replies.

        Errors are replies.

        Raises:
            WireDown: it could not be sent, or was not answered in time.
        """
        line = self._line
        if line is None or not line.is_open:
            line = await self._connected()
        return await line.send(request, replies, timeout_s or self._answer_s)

    def drop(self) -> None:
        """End the connection; requests in flight fail. The next opens another."""
        line, self._line = self._line, None
        if line is not None:
            line.drop("given up")

    async def close(self) -> None:
        """End the connection for good."""
        self._closed = True
        if self._line is not None:
            self.drop()
            await asyncio.sleep(
                0
            )  # the transport closes its socket in the next loop iteration

    async def _connected(self) -> RedisConnection:
        async with self._connecting:
            if self._line is not None and self._line.is_open:
                return self._line
            if self._closed:
                raise WireDown("closed", sent=False)
            self._line = await connected(self._address, self._name, self._connect_s)
            return self._line


async def connected(
    address: Address, name: str, timeout_s: float, pushed: Pushed | None = None
) -> RedisConnection:
    """An authenticated connection. Raises WireDown; ``pushed``: see RedisLine."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _greeted(address, name, timeout_s, pushed)
    except (OSError, TimeoutError, WireDown) as error:
        late = isinstance(error, TimeoutError) or getattr(error, "late", False)
        raise WireDown(str(error) or _LATE, sent=False, late=late) from error


async def _greeted(
    address: Address, name: str, timeout_s: float, pushed: Pushed | None
) -> RedisConnection:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(
        lambda: RedisConnection(loop, pushed),
        address.host,
        address.port,
        ssl=_secured(address.authority) if address.secure else None,
    )
    greeting = _greeting(address, name)
    try:
        replies = await line.ask(b"".join(greeting), len(greeting), timeout_s)
        _must_be_welcome(replies[:-1])
    except BaseException:
        line.drop("not greeted")
        raise
    return line


def _greeting(address: Address, name: str) -> Sequence[bytes]:
    """The commands of the greeting; the client's name last, as it may be refused."""
    words: list[bytes] = []
    if address.password:
        who = (address.user,) if address.user else ()
        words.append(packed("AUTH", *who, address.password))
    if address.database:
        words.append(packed("SELECT", address.database))
    return [*words, packed("CLIENT", "SETNAME", name)]


def _must_be_welcome(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise WireDown(str(reply), sent=False)


def _secured(authority: str) -> ssl.SSLContext:
    """The TLS context; reloaded when the CA file has changed."""
    changed_at = Path(authority).stat().st_mtime_ns if authority else 0
    return _trusting(authority, changed_at)


@lru_cache(maxsize=4)
def _trusting(authority: str, _changed_at: int) -> ssl.SSLContext:
    # Reading the system's certificates takes longer than a request waits for Redis.
    return ssl.create_default_context(cafile=authority or None)
