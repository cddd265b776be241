"""Follows a log of changes, in which numbers may become visible out of order.

A number is given when a line is inserted and seen when its transaction commits, so a
lower number can appear after a higher one. Numbers that were passed over are therefore
looked for again for ``UNSETTLED_S``, longer than any transaction of ours lasts; a
transaction that is rolled back leaves its numbers missing for good. A reading costs as
much as it has new lines, whatever the log's length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import monotonic
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, FromClause, and_, or_

from persistence.sql import change_log
from persistence.sql.change_log import lines_after, lines_where, newest_line

UNSETTLED_S: Final = 60.0
"""How long after a number was seen a lower one may still appear."""
LINES_MAX: Final = 20_000
"""Lines of one reading; beyond twice as many reading everything is cheaper."""
GAPS_AT_ONCE: Final = 50
"""Gaps that are named in a query; of more, all lines between them are read."""


class _Gap(NamedTuple):
    """Numbers that were passed over, both ends inclusive, and when that was seen."""

    first: int
    last: int
    since: float


class LogReader:
    """The lines of one log since ``begin``. ``read`` runs in a transaction's thread."""

    def __init__(self, log: FromClause, now: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._now = now
        self._reached = 0
        """No line above it was told of."""
        self._gaps: list[_Gap] = []
        """Below it, ascending: what was not told of and may still appear."""

    def begin(self, connection: Connection) -> None:
        """Start at the log's end; lines that appear late below it are told of."""
        newest = newest_line(connection, self._log)
        first = max(0, newest - LINES_MAX)
        lines = lines_after(connection, self._log, first)
        self._reached, self._gaps = first, []
        self._reach(newest, lines)

    def read(self, connection: Connection) -> Sequence[Any] | None:
        """The lines not told of yet; None if lines may be lost."""
        newest = newest_line(connection, self._log)
        # Lines were deleted unread, or the database is another one than before.
        if self._reached < newest - change_log.KEPT or newest < self._reached:
            return None
        fresh = lines_after(connection, self._log, self._reached)
        if len(fresh) > 2 * LINES_MAX:
            return None
        late = self._late(connection)
        now = self._now()
        self._gaps = [gap for gap in self._gaps if now - gap.since < UNSETTLED_S]
        self._reach(newest, fresh)
        return [*late, *fresh]

    def _reach(self, newest: int, lines: Sequence[Any]) -> None:
        """Note what is missing up to the newest line."""
        now = self._now()
        numbers = [self._reached, *(line.change_id for line in lines)]
        numbers.append(max(newest, numbers[-1]) + 1)
        self._gaps += [
            _Gap(before + 1, after - 1, now)
            for before, after in pairwise(numbers)
            if after - before > 1
        ]
        self._reached = numbers[-1] - 1

    def _late(self, connection: Connection) -> Sequence[Any]:
        """The lines that have appeared in gaps, which they divide."""
        if not self._gaps:
            return ()
        number = self._log.c.change_id
        spans = [and_(number >= gap.first, number <= gap.last) for gap in self._gaps]
        if len(spans) > GAPS_AT_ONCE:
            first, last = self._gaps[0].first, self._gaps[-1].last
            spans = [and_(number >= first, number <= last)]
        lines = {
            line.change_id: line
            for line in lines_where(connection, self._log, or_(*spans))
        }
        numbers = list(lines)
        late: list[Any] = []
        gaps: list[_Gap] = []
        for first, last, since in self._gaps:
            found = numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]
            late += [lines[one] for one in found]
            gaps += [
                _Gap(before + 1, after - 1, since)
                for before, after in pairwise([first - 1, *found, last + 1])
                if after - before > 1
            ]
        self._gaps = gaps
        return late
