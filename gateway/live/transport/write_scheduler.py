"""Schedules the writes of connections that have something to send.

A topic with ten thousand watchers must not delay one with ten: each frame's receivers
form a queue, and the queues are served round-robin. Answers go first. After a bounded
number of writes other work on the event loop runs.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from time import thread_time
from typing import Final, Protocol
from typing import Protocol as Interface

import structlog

from gateway.live.transport.parsers import READ_BYTES_MAX, ParserPool

WRITES_AT_ONCE: Final = 250
"""Writes per iteration of the event loop; about two milliseconds."""
LANE_WRITES: Final = 50
"""Writes from one queue before the next."""
_LEARNING: Final = 0.1
_WRITE_S: Final = 1e-5
"""Assumed seconds of one write, before any is measured."""
_NO_FRAME: Final = object()

log = structlog.get_logger("slotcast.live")


class Flushable(Protocol):
    """A connection with queued frames."""

    def flush(self) -> None:
        """Write the queued frames."""
        ...

    def cut_off(self) -> None:
        """Abort the connection."""
        ...


class WriteScheduler:
    """The connections to be written: ``waiting`` of them, ``write_s`` for each."""

    __slots__ = (
        "_frame",
        "_is_due",
        "_lane",
        "_lanes",
        "_last",
        "_loop",
        "_urgent",
        "waiting",
        "write_s",
    )

    def __init__(self) -> None:
        self.waiting = 0
        self.write_s = _WRITE_S
        """Recent processor seconds per flush, including this thread's other work in
        between, but not the time of other processes."""
        self._lanes: deque[deque[Flushable]] = deque()
        self._frame: object = _NO_FRAME
        self._lane: deque[Flushable] = deque()
        """The queue of the frame's receivers; not in ``_lanes`` once it is empty."""
        self._last: tuple[float, int] | None = None
        self._urgent: OrderedDict[Flushable, None] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_due = False

    @property
    def backlog_s(self) -> float:
        """Estimated seconds for all waiting writes."""
        return self.waiting * self.write_s

    def add(self, writer: Flushable, frame: object) -> None:
        """Schedule a flush among the other receivers of this frame."""
        if frame is not self._frame or not self._lane:
            # A flush makes its connection writable, which may take a frame whose other
            # receivers are written already: that lane is gone.
            self._frame = frame
            self._lane = deque()
            self._lanes.append(self._lane)
        self._lane.append(writer)
        self.waiting += 1
        if not self._is_due:
            self._wake()

    def add_urgent(self, writer: Flushable) -> None:
        """Schedule a flush before those that have only topics' frames."""
        if writer in self._urgent:
            return
        self._urgent[writer] = None
        self.waiting += 1
        if not self._is_due:
            self._wake()

    def _wake(self) -> None:
        self._is_due = True
        self._loop = self._loop or asyncio.get_running_loop()
        self._loop.call_soon(self._run)

    def _run(self) -> None:
        assert self._loop is not None
        now = thread_time()
        if self._last is not None:
            # Measured between iterations: a loop may write only when an iteration ends.
            began, count = self._last
            self.write_s += _LEARNING * ((now - began) / count - self.write_s)
        done = self._flush_some()
        self.waiting -= done
        if self.waiting:
            self._last = (now, done)
            self._loop.call_soon(self._run)
        else:
            if self._last is None:
                self._forget(done)
            self._last = None
            self._is_due = False

    def _forget(self, count: int) -> None:
        """Few writes are not measured; let the estimate of a storm decay."""
        share = _LEARNING * count / WRITES_AT_ONCE
        self.write_s += share * (min(self.write_s, _WRITE_S) - self.write_s)

    def _flush_some(self) -> int:
        """The writes of one iteration; returns their number."""
        room = WRITES_AT_ONCE
        while room > 0 and self._urgent:
            _flush_one(self._urgent.popitem(last=False)[0])
            room -= 1
        self._frame = _NO_FRAME
        lanes = self._lanes
        while room > 0 and lanes:
            lane = lanes.popleft()
            room -= _flush(lane, min(room, LANE_WRITES))
            if lane:
                lanes.append(lane)
        return WRITES_AT_ONCE - room


def _flush(lane: deque[Flushable], room: int) -> int:
    """Flush at most this many of a queue; returns their number."""
    count = min(len(lane), room)
    for _ in range(count):
        _flush_one(lane.popleft())
    return count


def _flush_one(writer: Flushable) -> None:
    try:
        writer.flush()
    except Exception:
        # An internal error costs this connection, and no other.
        log.exception("a connection is aborted after an internal error")
        writer.cut_off()


CLOSE_S: Final = 10.0
"""Seconds for the closing handshake; then the connection is aborted."""


class Listener(Interface):
    """The session of a connection: called with what happens on it."""

    def heard(self, text: str | None) -> None:
        """A message was received; None stands for one that is not text."""
        ...

    def relieved(self) -> None:
        """The connection is writable again: owed frames are due."""
        ...

    def closed(self, code: int) -> None:
        """The server closes the connection with this code."""
        ...

    def ended(self) -> None:
        """The connection ended."""
        ...


class SharedTransport:
    """State shared by the connections of one process."""

    __slots__ = ("buffer", "close_s", "flushes", "incoming", "retry_ms")

    def __init__(self, message_bytes_max: int) -> None:
        self.flushes = WriteScheduler()
        self.incoming = ParserPool(message_bytes_max)
        self.buffer = bytearray(READ_BYTES_MAX)
        """The shared receive buffer; see LiveConnection."""
        self.close_s = CLOSE_S
        self.retry_ms = (500, 15_000)
        """Written into the ``bye`` of a connection that the server closes."""
