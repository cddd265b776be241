"""Follows a log of changes, in which numbers may become visible out of order.

A number is given when a line is inserted and seen when its transaction commits, so a
lower number can appear after a higher one. Lines are therefore read again for
``UNSETTLED_S``, longer than any transaction of ours lasts, and each is told once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection, FromClause

from persistence.sql import change_log
from persistence.sql.change_log import lines_after, newest_line

UNSETTLED_S: Final = 60.0
"""How long after a number was seen a lower one may still appear."""
LINES_MAX: Final = 20_000
"""Unsettled lines of one reading; beyond them reading everything is cheaper."""


class LogReader:
    """The lines of one log since ``begin``. ``read`` runs in a transaction's thread."""

    def __init__(self, log: FromClause, now: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._now = now
        self._settled = 0
        """Every line up to here was told of."""
        self._seen: dict[int, float] = {}
        """Lines above it that were told of."""
        self._reached: deque[tuple[float, int]] = deque()
        """When the log had reached which number."""

    def begin(self, connection: Connection) -> None:
        """Start at the log's end; lines that appear late below it are told of."""
        newest = newest_line(connection, self._log)
        now = self._now()
        self._settled = max(0, newest - LINES_MAX)
        lines = lines_after(connection, self._log, self._settled)
        self._seen = {line.change_id: now for line in lines}
        self._reached = deque([(now, newest)])

    def read(self, connection: Connection) -> Sequence[Any] | None:
        """The lines not told of yet; None if lines may be lost."""
        newest = newest_line(connection, self._log)
        reached = self._reached[-1][1] if self._reached else self._settled
        # Lines were deleted unread, or the database is another one than before.
        if reached < newest - change_log.KEPT or newest < reached:
            return None
        lines = lines_after(connection, self._log, self._settled)
        if len(lines) > 2 * LINES_MAX:
            return None
        fresh = [line for line in lines if line.change_id not in self._seen]
        now = self._now()
        self._seen.update((line.change_id, now) for line in fresh)
        self._reached.append((now, newest))
        self._settle(now)
        return fresh

    def _settle(self, now: float) -> None:
        before = self._settled
        # The last one stays: it says how far the log was.
        while len(self._reached) > 1 and now - self._reached[0][0] >= UNSETTLED_S:
            self._settled = max(self._settled, self._reached.popleft()[1])
        if self._settled == before:
            return
        for number in [one for one in self._seen if one <= self._settled]:
            del self._seen[number]
