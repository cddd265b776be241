"""Instants as dates of a zone, in SQL: neither database knows time zones.

The offsets of a zone between two instants are written into the statement. Dates stay
instants of local midnight and are divided outside: MariaDB's division rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, case, literal

from actors.domain.zones import FIRST_DAY, LAST_DAY, Zone

MINUTE_S: Final = 60
DAY_MINUTES: Final = 1_440
WEEK_MINUTES: Final = 7 * DAY_MINUTES
DAY_MS: Final = 86_400_000
DAY_S: Final = 86_400
BOOKED_BEFORE_DAYS: Final = 4 * 366
"""Bookings are dated right so long before a period; earlier ones by its first offset,
which may miss the date by one."""


def local_minutes(
    minutes: ColumnElement[int], zone: Zone, first: int, last: int
) -> ColumnElement[int]:
    """Minutes of the wall clock; ``first`` and ``last`` bound the instants, too."""
    steps = [
        (-(-since // MINUTE_S), offset // MINUTE_S)
        for since, offset in _steps(zone, first * MINUTE_S, last * MINUTE_S)
    ]
    return minutes + _offset(minutes, steps)


def local_millis(
    millis: ColumnElement[int], zone: Zone, first: int, last: int
) -> ColumnElement[int]:
    """Milliseconds of the wall clock; the bounds are minutes, too."""
    steps = [
        (since * 1_000, offset * 1_000)
        for since, offset in _steps(zone, first * MINUTE_S, last * MINUTE_S)
    ]
    return millis + _offset(millis, steps)


def _steps(zone: Zone, first_s: int, last_s: int) -> Iterable[tuple[int, int]]:
    """Since when which offset holds; equal neighbours are one."""
    low, high = (FIRST_DAY + 3) * DAY_S, (LAST_DAY - 3) * DAY_S
    first_s, last_s = max(low, first_s), min(high, last_s)
    known: int | None = None
    for since, until, offset in zone.segments(first_s, max(last_s, first_s + 1)):
        if until > first_s and offset != known:
            yield since, offset
            known = offset


def _offset(
    instant: ColumnElement[int], steps: list[tuple[int, int]]
) -> ColumnElement[Any]:
    """A CASE over the steps."""
    if len(steps) == 1:
        return literal(steps[0][1])
    before = [
        (instant < since, offset)
        for (since, _), (_, offset) in zip(steps[1:], steps, strict=False)
    ]
    return case(*before, else_=steps[-1][1])
