"""A ``Writer`` over an ASGI ``send``: a short, bounded queue of frames, and one task.

The queue exists because ASGI's ``send`` waits. When it is full the connection is not
writable, topics become dirty instead of growing the queue (watcher.py), and once it is
empty again the hub is called. A transport that takes finished frames without waiting
needs no queue: it implements ``Writer`` itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.live.core.frames import Frame
from gateway.wire.problems import CloseCode

FRAMES_MAX: Final = 64
BYTES_MAX: Final = 64 * 1024
ANSWERS_MAX: Final = 1_024
"""Most unsent answers; a client that keeps sending and does not read is closed as too
slow. One message may name 256 topics, and have an answer for each."""


class RowWriter:
    """A ``Writer`` over a ``send`` that waits."""

    __slots__ = (
        "_answers",
        "_bytes",
        "_closing",
        "_news",
        "_row",
        "_was_full",
        "reason",
    )

    def __init__(self) -> None:
        self._row: deque[Frame] = deque()
        self._bytes = 0
        self._answers = 0
        self._was_full = False
        self._closing: int | None = None
        self.reason = ""
        """The reason in the close frame; "" for the code's meaning."""
        self._news = asyncio.Event()

    @property
    def writable(self) -> bool:
        """Whether the queue has room."""
        if (
            len(self._row) < FRAMES_MAX
            and self._bytes < BYTES_MAX
            and self._closing is None
        ):
            return True
        self._was_full = True
        return False

    @property
    def unsent(self) -> int:
        """Bytes in the queue."""
        return self._bytes

    @property
    def closing(self) -> int | None:
        """The code that the connection is being closed with."""
        return self._closing

    def write(self, frame: Frame) -> None:
        """Append a topic's frame to the queue."""
        self._row.append(frame)
        self._bytes += len(frame.payload)
        self._news.set()

    def answer(self, frame: Frame) -> None:
        """Append an answer to the queue, even if it is full."""
        if self._closing is not None:
            return
        self._answers += 1
        if self._answers > ANSWERS_MAX:
            self.close(CloseCode.TOO_SLOW)
            return
        self.write(frame)

    def ping(self) -> None:
        """Does nothing: the ASGI server monitors its connections."""

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        """End the connection after the queued frames."""
        if self._closing is not None:
            return
        self.reason = reason
        if code == CloseCode.TOO_SLOW:
            self._row.clear()
        if last is not None:
            self.write(last)
        self._closing = code
        self._news.set()

    @property
    def has_frames(self) -> bool:
        """Whether frames are still queued."""
        return bool(self._row)

    async def next(self) -> Frame | None:
        """The next frame, as soon as there is one; None once closed and empty.

        May be cancelled: then no frame is lost.
        """
        while not self._row:
            if self._closing is not None:
                return None
            self._news.clear()
            await self._news.wait()
        frame = self._row.popleft()
        self._bytes -= len(frame.payload)
        return frame

    def takes_relief(self) -> bool:
        """Whether the queue was full and is empty now: the hub must be called, once."""
        if self._row:
            return False
        self._answers = 0
        was_full, self._was_full = self._was_full, False
        return was_full

    async def run(
        self,
        send: Callable[[Frame], Awaitable[None]],
        relieved: Callable[[], None],
    ) -> int:
        """Send until closed; the close code. ``relieved``: there is room again."""
        while (frame := await self.next()) is not None:
            await send(frame)
            if self.takes_relief():
                relieved()
        assert self._closing is not None
        return self._closing
