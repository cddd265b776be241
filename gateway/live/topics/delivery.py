"""Sends frames to watchers: at once, or the newest state when they are writable.

The loop over a topic's watchers encodes nothing and creates no objects: it writes, or
notes that a watcher is owed a frame. Writers must not call the hub from ``write``.
"""

from __future__ import annotations

from typing import Final

from actors.domain.ids import Millis
from gateway.live.core.frames import (
    NOWHERE,
    Frame,
    Hidden,
    Position,
    Rows,
    heartbeat_frame,
)
from gateway.live.topics.coalescing import Pace
from gateway.live.topics.counters import LiveTally
from gateway.live.topics.topic import Board
from gateway.live.topics.watcher import Watcher

RELEASED_AT_ONCE: Final = 10_000
"""Frames written before the rest of the event loop runs."""


class TopicDelivery:
    """Writes topics to watchers, and keeps which frames are owed to which."""

    def __init__(self, tally: LiveTally) -> None:
        self.tally = tally
        self.pace = Pace()
        self.paused: set[Watcher] = set()
        self._version = 0

    def heartbeat(self, watcher: Watcher, now: Millis) -> Frame:
        """The positions of a watcher's topics, as far as they were sent."""
        stands = [
            (wire, watcher.dirty.get(board, board.position))
            for wire, board in watcher.boards.items()
            if watcher in board.watchers
        ]
        return heartbeat_frame(
            now, {wire: position for wire, position in stands if position != NOWHERE}
        )

    def tell(self, board: Board, rows: Rows, version: int, now: Millis) -> None:
        """Take a change, and send it now or when the topic's window ends."""
        board.floor = max(board.floor, version)
        if board.pending:
            board.pend(version, rows)
        elif self.pace.is_open(board, now):
            self._send(board, rows, version, now)
        elif news := board.news(rows):
            board.pend(version, news)
            self.pace.wait(board)

    def replace(self, board: Board, rows: Rows, now: Millis) -> None:
        """Take a topic's whole content, as ``tell`` takes a change."""
        changed = board.difference(rows)
        if board.pending:
            # Also what is to be sent may have been undone.
            board.pending = changed
        else:
            self.tell(board, changed, 0, now)

    def settle(self, board: Board, now: Millis) -> None:
        """Send what a topic holds back, window or not."""
        if board.pending:
            version, rows = board.take_pending()
            self._send(board, rows, version, now)

    def release(self, now: Millis) -> Millis | None:
        """Send held-back changes that are due; when to call again, None: not needed.

        It stops after a bounded amount of work, so that the event loop runs, and must
        be called again at once.
        """
        written = 0
        for board in self.pace.take_due(now):
            self.settle(board, now)
            written += 1 + len(board.watchers)
            if written >= RELEASED_AT_ONCE:
                break
        return self.pace.next_due

    def _send(self, board: Board, rows: Rows, version: int, now: Millis) -> None:
        """Apply a change, and send what is new in it to all watchers."""
        news = board.news(rows)
        if not news:
            return
        if board.name.kind.counts_itself:
            version = self.next_version()
        before = board.position
        if any(isinstance(row, Hidden) for row in news.values()):
            board.conceal(version, news)
            frame = board.snapshot()
        else:
            frame = board.advance(version, news, now)
        board.spoke_at = now
        self.broadcast(board, frame, before, now)

    def broadcast(
        self, board: Board, frame: Frame, before: Position, now: Millis
    ) -> None:
        """Write a frame to all watchers of a topic; ``before`` is their position."""
        sent = 0
        for watcher in board.watchers:
            writer = watcher.writer
            if writer.writable and board not in watcher.dirty:
                writer.write(frame)
                sent += 1
            else:
                self.owe(watcher, board, before, now)
        self.tally.frames_sent += sent
        self.tally.bytes_sent += sent * len(frame.payload)

    def owe(
        self, watcher: Watcher, board: Board, stands: Position, now: Millis
    ) -> None:
        """A watcher was not writable: it gets the topic's newest state later."""
        watcher.owe(board, stands, now)
        self.paused.add(watcher)

    def serve(
        self, board: Board, watcher: Watcher, since: Position, now: Millis
    ) -> None:
        """Add a watcher to a topic with content, from its position."""
        how = self.bring(board, watcher, since, now)
        board.watchers[watcher] = None
        if since != NOWHERE:
            self.tally.resumes[how] += 1

    def bring(
        self, board: Board, watcher: Watcher, stands: Position, now: Millis
    ) -> str:
        """Send the frames a watcher lacks, or note that they are due; returns which."""
        frames = board.catch_up(stands)
        if frames is not None and not frames:
            return "none"
        if not watcher.writer.writable:
            self.owe(watcher, board, stands, now)
            return "later"
        for frame in frames or (board.snapshot(),):
            watcher.writer.write(frame)
            self.tally.frames_sent += 1
            self.tally.bytes_sent += len(frame.payload)
        return "snapshot" if frames is None else "ring"

    def show_all(self, board: Board, now: Millis) -> None:
        """A topic has a new epoch: every watcher gets a snapshot."""
        if board.name.kind.counts_itself:
            board.version = board.floor = self.next_version()
        if board.watchers:
            self.broadcast(board, board.snapshot(), NOWHERE, now)

    def next_version(self) -> int:
        """The next version of a topic whose versions are no calendar's.

        Counted in this process, over all such topics.
        """
        self._version += 1
        return self._version
