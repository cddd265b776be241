"""When a topic may send again: at once when idle, less often under load.

The first change of a topic goes at once. The next ones wait until the topic's window
ends and are then sent as one delta, with only the final differences. A window is a
multiple of what the topic's fan-out costs, so no topic takes more than its share of a
core, and of what everything that waits to be written will take, so all of them slow
down together when the machine is full. Topics are served in the order in which their
windows end, so none starves.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from actors.domain.ids import Millis
from gateway.live.core.topic_names import Kind

if TYPE_CHECKING:
    from gateway.live.topics.topic import Board

SHARE: Final = 2
"""Window as a multiple of the work: a topic takes at most half of a core."""
WINDOW_MS_MAX: Final = 500
"""Longest window: every watcher gets the current state at least twice a second."""
LIST_WINDOW_MS: Final = 250
"""Shortest window of a watched list."""


class Load(Protocol):
    """The load of the writes; see write_scheduler.py."""

    @property
    def write_s(self) -> float:
        """Seconds that one write takes."""
        ...

    @property
    def backlog_s(self) -> float:
        """Seconds until all waiting frames are written."""
        ...


class Idle:
    """No load at all: every change is sent at once."""

    write_s = 0.0
    backlog_s = 0.0


class Pace:
    """Which topics hold changes back, and until when."""

    def __init__(self) -> None:
        self.load: Load = Idle()
        self.wake: Callable[[], None] = lambda: None
        """Called when something is held back: ``release`` is to be called from now on
        (delivery.py)."""
        self._due: list[tuple[Millis, int, Board]] = []
        self._numbers = count()

    def __len__(self) -> int:
        """Number of topics that hold something back, approximately."""
        return len(self._due)

    def window_ms(self, watchers: int) -> int:
        """The window of a topic with this many watchers, in seconds."""
        work_s = watchers * self.load.write_s + self.load.backlog_s
        return min(WINDOW_MS_MAX, int(1000 * SHARE * work_s))

    def is_open(self, board: Board, now: Millis) -> bool:
        """Whether a topic may send now. A clock that was set back blocks nothing."""
        spoke = board.spoke_at
        return not spoke <= now < spoke + self._window_of(board)

    def _window_of(self, board: Board) -> int:
        least = LIST_WINDOW_MS if board.name.kind is Kind.SEARCH else 0
        return max(least, self.window_ms(len(board.watchers)))

    def wait(self, board: Board) -> None:
        """A topic holds a first change back."""
        due = Millis(board.spoke_at + self._window_of(board))
        heapq.heappush(self._due, (due, next(self._numbers), board))
        self.wake()

    def take_due(self, now: Millis) -> Iterator[Board]:
        """Topics whose window has ended, the earliest first; lazy."""
        due = self._due
        while due and not now < due[0][0] <= now + WINDOW_MS_MAX:
            yield heapq.heappop(due)[2]

    @property
    def next_due(self) -> Millis | None:
        """When the next window is over; None: nothing is held back."""
        return self._due[0][0] if self._due else None
