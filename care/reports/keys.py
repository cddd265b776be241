"""Keys of rows: what a value that visits are counted by is called in an answer."""

from __future__ import annotations

from typing import Any, Final

from actors.domain.zones import date_text, week_of_day, weekday
from care.reports.leads import COARSE, COARSE_OF, FINE
from care.reports.questions import AgeGroup, By

UNKNOWN: Final = "unknown"
"""The key of visits of which what rows are made of is not known."""
DAY_MINUTES: Final = 1_440
BY_SIZE: Final = frozenset({By.PROVIDER, By.PLACE, By.VISIT_TYPE})
"""Rows of these stand in the order of how much they count."""
BY_LEAD: Final = frozenset({By.LEAD, By.LEAD_FINE})
_LEAD_ORDER: Final = [one.name for one in (*FINE, *COARSE)]


def key_text(by: By, key: Any, fine: str = "") -> str:
    """A key of the database as one of the answer; ``fine``: the visit's fine lead.

    Days are local midnights in minutes.
    """
    match by:
        case By.ALL:
            return "all"
        case By.LEAD:
            return COARSE_OF[fine]
        case By.LEAD_FINE:
            return fine
        case By.HOUR:
            return f"{int(key) // 60:02d}"
        case By.DAY | By.WEEK | By.MONTH | By.WEEKDAY:
            return date_key(by, int(key) // DAY_MINUTES)
        case By.AGE if key is not None:
            return list(AgeGroup)[int(key)].value
        case By.REMINDED if key is not None:
            return "yes" if key else "no"
        case _:
            return UNKNOWN if key is None else str(key)


def date_key(by: By, day: int) -> str:
    """The key of a day (days since 1970-01-01), its week, month or ISO weekday."""
    if by is By.WEEK:
        return week_of_day(day)[0]
    if by is By.WEEKDAY:
        return str(weekday(day) + 1)
    return date_text(day)[: len("2026-12") if by is By.MONTH else None]


def row_order(by: By, key: str, size: int) -> tuple[Any, ...]:
    """Where a row stands; ``size``: how much it counts."""
    if by in BY_SIZE:
        return (-size, key)
    if by in BY_LEAD:
        return (_LEAD_ORDER.index(key),)
    return (key == UNKNOWN, key)
