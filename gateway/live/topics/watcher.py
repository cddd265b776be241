"""One live connection in the hub: its topics, and the frames owed to it.

A watcher that is not writable is owed only the newest state: its topics become *dirty*
with the position it last saw, no frame is queued, and when it is writable again it gets
the current state. So a stalled connection costs a few words, however much happens.

This module cannot wait, read a clock, or reach a socket: see ``Writer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from actors.domain.ids import Millis
from gateway.access.tokens import Caller
from gateway.live.core.frames import NOWHERE, Frame, Position

if TYPE_CHECKING:
    from gateway.live.topics.topic import Board

STRIKES_MAX: Final = 3
"""Unreadable frames after which the connection is closed."""


class Writer(Protocol):
    """Writes to one connection. Adapters: connection.py and asgi_writer.py."""

    @property
    def writable(self) -> bool:
        """Whether a frame may be written now; after False, the hub is called later."""
        ...

    @property
    def unsent(self) -> int:
        """Unsent bytes; a smaller number than before shows that the client reads."""
        ...

    def write(self, frame: Frame) -> None:
        """Send a topic's frame, now or next; only while ``writable``."""
        ...

    def answer(self, frame: Frame) -> None:
        """Send an answer to the client; bounded by the limit on its requests."""
        ...

    def ping(self) -> None:
        """Check that the client still answers; called every 20 s or so."""
        ...

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        """End the connection, after a last frame if there is one.

        ``reason`` goes into the close frame, instead of the code's meaning.
        """
        ...


class Watcher:
    """One connection's subscriptions, and who it belongs to.

    ``boards`` holds what it watches by the wire's name; ``dirty`` the topics whose
    frames it could not take, with the position it stands at. ``turn`` spreads
    heartbeats over the seconds.
    """

    __slots__ = (
        "boards",
        "caller",
        "dirty",
        "paused_since",
        "strikes",
        "turn",
        "unsent",
        "writer",
    )

    def __init__(self, writer: Writer, turn: int = 0) -> None:
        self.writer = writer
        self.turn = turn
        self.caller: Caller | None = None
        self.boards: dict[str, Board] = {}
        self.dirty: dict[Board, Position] = {}
        self.paused_since: Millis | None = None
        self.unsent = 0
        """``backlog`` of the writer at the last check."""
        self.strikes = 0

    @property
    def subject(self) -> str:
        """The signed-in subject; "" without one."""
        return self.caller.subject if self.caller else ""

    def owe(self, board: Board, position: Position, now: Millis) -> None:
        """A frame could not be written: note the watcher's position."""
        if position == NOWHERE:
            self.dirty[board] = position
        else:
            self.dirty.setdefault(board, position)
        if self.paused_since is None:
            self.paused_since = now

    def settle(self, board: Board) -> None:
        """The topic is current again, or not watched any more."""
        self.dirty.pop(board, None)

    def relieved(self) -> None:
        """All that was owed has been sent."""
        self.paused_since = None

    def strike(self) -> bool:
        """Count a frame that could not be read; True when it was one too many."""
        self.strikes += 1
        return self.strikes >= STRIKES_MAX
