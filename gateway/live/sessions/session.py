"""One live connection and its parts, without a task of its own.

A message is answered at once if possible; only waits (for a right to be looked up, a
topic to be read) run as a task, which ends with the connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from websockets.frames import CloseCode

from gateway.live.sessions.conversation import Conversation, Later
from gateway.live.transport.connection import LiveConnection

if TYPE_CHECKING:
    from gateway.live.sessions.connection_limits import ConnectionLimits

log = structlog.get_logger("slotcast.live")


class SocketSession:
    """The listener of a connection; releases what it counted at its end."""

    __slots__ = ("_address", "_conversation", "_limits", "_running", "_watcher")

    def __init__(
        self, limits: ConnectionLimits, address: str, connection: LiveConnection
    ) -> None:
        self._limits = limits
        self._address = address
        self._watcher = limits.watcher(connection)
        self._conversation = Conversation(limits.context, self._watcher, address)
        self._running: set[asyncio.Future[None]] | None = None

    def begin(self, connection: LiveConnection) -> None:
        """Set up the conversation of a connection."""
        self._limits.context.hub.joined(self._watcher)
        connection.begin(self)

    def heard(self, text: str | None) -> None:
        """A message was received."""
        later = self._conversation.hear(text)
        if later is not None:
            self._run(later)

    def _run(self, later: Later) -> None:
        task = asyncio.ensure_future(later)
        if self._running is None:
            self._running = set()
        self._running.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Future[None]) -> None:
        assert self._running is not None
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # An internal error costs this connection, and no other.
            log.error("a connection is closed after an internal error", exc_info=error)
            self._watcher.writer.close(CloseCode.INTERNAL_ERROR)

    def relieved(self) -> None:
        """The connection is writable again."""
        context = self._limits.context
        context.hub.writable(self._watcher, context.clock.now())

    def closed(self, code: int) -> None:
        """The server closes the connection."""
        self._limits.context.hub.tally.closes[code] += 1

    def ended(self) -> None:
        """The client left: cancel its running work."""
        for task in self._running or ():
            task.cancel()
        context = self._limits.context
        context.hub.dropped(self._watcher, context.clock.now())
        self._conversation.ended()
        self._limits.leave(self._address)
