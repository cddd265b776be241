"""When a topic may speak again: at once when all is quiet, less often under load.

The first change of a topic goes at once. The next ones wait until the topic's window is
over and then go as one delta, which tells only what is different in the end. A window
is a multiple of what the topic's fan-out costs, so no topic takes more than its share
of a core, and of what everything that waits to be written will take, so all of them
slow down together when the machine is full. Those whose windows are over go in the
order in which that was, so none is passed over.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from actors.domain.ids import Millis

if TYPE_CHECKING:
    from gateway.live.topics.topic import Board

SHARE: Final = 2
"""A window is so many times the work: half of a core is the most a topic takes."""
WINDOW_MS_MAX: Final = 500
"""However busy, every watcher sees what is current twice a second."""


class Load(Protocol):
    """How busy the writing is; see flushes.py."""

    @property
    def write_s(self) -> float:
        """Seconds that one write takes."""
        ...

    @property
    def backlog_s(self) -> float:
        """Seconds until all that waits is written."""
        ...


class Idle:
    """Nothing costs anything: every change goes at once."""

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
        """Topics that hold something back, about."""
        return len(self._due)

    def window_ms(self, watchers: int) -> int:
        """For how long a topic with so many watchers is silent after it spoke."""
        work_s = watchers * self.load.write_s + self.load.backlog_s
        return min(WINDOW_MS_MAX, int(1000 * SHARE * work_s))

    def is_open(self, board: Board, now: Millis) -> bool:
        """Whether a topic may speak now. A clock that was set back closes nothing."""
        spoke = board.spoke_at
        return not spoke <= now < spoke + self.window_ms(len(board.watchers))

    def wait(self, board: Board) -> None:
        """A topic holds a first change back."""
        due = Millis(board.spoke_at + self.window_ms(len(board.watchers)))
        heapq.heappush(self._due, (due, next(self._numbers), board))
        self.wake()

    def take_due(self, now: Millis) -> Iterator[Board]:
        """Those whose window is over, the longest first; take as many as you like."""
        due = self._due
        while due and not now < due[0][0] <= now + WINDOW_MS_MAX:
            yield heapq.heappop(due)[2]

    @property
    def next_due(self) -> Millis | None:
        """When the next window is over; None: nothing is held back."""
        return self._due[0][0] if self._due else None
