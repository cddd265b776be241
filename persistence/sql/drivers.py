"""asyncmy and aiomysql, bounded in time: a frozen server must never block a caller.

What the drivers do by themselves when a server stops answering (SIGSTOP, a black hole
in the network): aiomysql waits for an answer for ever. asyncmy gives up after its
``read_timeout``, but then waits for ever until the rest of a long statement and its
good-bye have left the socket; and it keeps that time by ``asyncio.wait_for``, which
before Python 3.12 may swallow the cancellation of a waiting task, whose own timeout
is then lost. Here every wait has an end, on both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, ExceptionContext

CONNECT_S = 4.0
"""Until a connection must stand, its handshake included."""
CLOSE_S = 1.0
"""For saying good-bye; after that the connection is cut."""
LOCK_WAIT_S = 8
"""How long a statement waits for another transaction's row lock."""
IDLE_LEAST_S = 20
"""How long the server keeps a connection that says nothing, at least. A projector that
was frozen or cut off in a transaction holds its locks for so long, and no longer."""

_NO_ANSWER = "Lost connection to MySQL server during query (read timeout)"
CANNOT_CONNECT, SERVER_LOST = 2003, 2013
READ_ONLY_CODES = frozenset({1290, 1836})
"""The server became read-only: a failover; its other connections are of no use, too."""
SQL_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Ours for each session: a value that does not fit is an error, not cut to size."""


def _session(answer_s: float) -> str:
    """What holds for each connection; who may ask for longer may also think longer."""
    idle_s = max(IDLE_LEAST_S, int(answer_s))
    return (
        f"SET time_zone = '+00:00', sql_mode = '{SQL_MODE}', "
        f"innodb_lock_wait_timeout = {LOCK_WAIT_S}, wait_timeout = {idle_s}"
    )


Creator = Callable[..., Awaitable[Any]]


def connect_arguments(url: URL, answer_s: float) -> dict[str, Any]:
    """What the driver of ``url`` is to be told; no answer takes more than this."""
    aiomysql = url.get_driver_name() == "aiomysql"
    creator = _aiomysql_creator if aiomysql else _asyncmy_creator
    return {
        "async_creator_fn": creator(answer_s),
        "connect_timeout": CONNECT_S,
        "charset": "utf8mb4",
        "init_command": _session(answer_s),
    }


def _asyncmy_creator(answer_s: float) -> Creator:
    # Imported when it is used: a site on SQLite needs neither driver.
    from asyncmy.connection import Connection
    from asyncmy.errors import OperationalError

    class BoundedConnection(Connection):
        """A connection that does not wait for an answer for ever."""

        async def _fill_buffer(self, need: int) -> None:
            try:
                async with asyncio.timeout(answer_s):
                    await super()._fill_buffer(need)  # type: ignore[misc]
            except TimeoutError:
                self.close()
                raise OperationalError(SERVER_LOST, _NO_ANSWER) from None

        async def ensure_closed(self) -> None:
            """Say good-bye if the peer takes it within a second, else hang up."""
            await _leave(_transport_of(self), super().ensure_closed())
            self.close()

        def close(self) -> None:
            """Hang up."""
            _drop_unsent(_transport_of(self))
            super().close()

    return _bounded(BoundedConnection, lambda conn: conn.connect(), OperationalError)


def _transport_of(connection: Any) -> asyncio.WriteTransport | None:
    """asyncmy's, which its stubs do not name."""
    found: asyncio.WriteTransport | None = connection._transport
    return found


def _aiomysql_creator(answer_s: float) -> Creator:
    from aiomysql.connection import Connection  # type: ignore[import-untyped]
    from pymysql.err import OperationalError  # type: ignore[import-untyped]

    class BoundedConnection(Connection):  # type: ignore[misc]
        """A connection that does not wait for an answer for ever."""

        async def _read_bytes(self, num_bytes: int) -> bytes:
            try:
                async with asyncio.timeout(answer_s):
                    data: bytes = await super()._read_bytes(num_bytes)
                    return data
            except TimeoutError:
                self.close()
                raise OperationalError(SERVER_LOST, _NO_ANSWER) from None

        async def ensure_closed(self) -> None:
            """Say good-bye if the peer takes it within a second, else hang up."""
            transport = self._writer.transport if self._writer else None
            await _leave(transport, super().ensure_closed())
            self.close()

        def close(self) -> None:
            """Hang up."""
            _drop_unsent(self._writer.transport if self._writer else None)
            super().close()

    return _bounded(BoundedConnection, lambda conn: conn._connect(), OperationalError)


def _bounded(
    make: Callable[..., Any],
    connect: Callable[[Any], Awaitable[Any]],
    trouble: type[Exception],
) -> Creator:
    """A creator of connections that gives up after ``CONNECT_S``."""

    async def create(*args: Any, **kwargs: Any) -> Any:
        connection = make(*args, **kwargs)
        try:
            async with asyncio.timeout(CONNECT_S):
                await connect(connection)
        except TimeoutError:
            connection.close()
            raise trouble(
                CANNOT_CONNECT, f"no answer within {CONNECT_S:.0f} s"
            ) from None
        except (RuntimeError, EOFError) as error:
            # A peer that hung up during the handshake: uvloop's transport has no
            # socket any more, and both drivers then raise what is no database error.
            connection.close()
            raise trouble(CANNOT_CONNECT, f"the handshake failed: {error}") from error
        return connection

    return create


async def _leave(
    transport: asyncio.WriteTransport | None, goodbye: Awaitable[None]
) -> None:
    _drop_unsent(transport)
    try:
        async with asyncio.timeout(CLOSE_S):
            await goodbye
    except (TimeoutError, OSError):
        if transport is not None:
            transport.abort()


def _drop_unsent(transport: asyncio.WriteTransport | None) -> None:
    """Cut a connection whose peer does not read: closing it would wait for that."""
    if transport is not None and transport.get_write_buffer_size() > 0:
        transport.abort()


def note_lost_connections(engine: Engine) -> None:
    """Have SQLAlchemy throw away connections after errors that it takes lightly."""
    event.listen(engine, "handle_error", _judge)


def _judge(context: ExceptionContext) -> None:
    error = context.original_exception
    if _ends_the_connection(error):
        context.is_disconnect = True


def _ends_the_connection(error: BaseException) -> bool:
    if isinstance(error, OSError | EOFError):
        return True
    code = error.args[0] if error.args else None
    if code in READ_ONLY_CODES:
        return True
    # Answers of another question: whatever comes next would be wrong, too.
    return "packet sequence number wrong" in str(error).lower()
