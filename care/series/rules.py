"""A series' rule: every few days or weeks at a time of the clinic's wall clock.

Dates are counted on the wall and become instants at the end, so that a visit at nine
stays at nine when the clocks change. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import Minute
from actors.domain.zones import DAY_S, Zone, weekday

DATES_MAX: Final = 52
"""Visits of a series at most: a year of weeks."""
EVERY_MAX: Final = 52
"""Days or weeks between two dates at most."""
_WEEK: Final = 7
_REACH: Final = _WEEK * EVERY_MAX * (DATES_MAX + 1)
"""Days from the first date on within which the last one lies."""


class SeriesUnit(StrEnum):
    """What a rule counts."""

    DAY = "day"
    WEEK = "week"


class SeriesRule(Struct, frozen=True, omit_defaults=True):
    """Every ``every`` days, or every ``every`` weeks on ``weekdays``.

    ``first``: the first date that may be one (days since 1970-01-01). ``at``: minutes
    since the local midnight. ``weekdays``: 0 for Monday; without any the first date's.
    It ends after ``count`` dates or with the date ``until``, whichever is sooner.
    """

    unit: SeriesUnit
    first: int
    at: int
    every: int = 1
    weekdays: tuple[int, ...] = ()
    count: int | None = None
    until: int | None = None


class PlannedDate(Struct, frozen=True):
    """One date of a rule.

    ``start``: the first instant that shows its time or a later one. Without ``exists``
    the clock skips that time on that date.
    """

    start: Minute
    exists: bool = True


class TooManyDates(Exception):
    """The rule has more dates than a series may have."""


def rule_problem(rule: SeriesRule) -> tuple[str, str] | None:
    """A field that is wrong, and what to send; None if the rule is valid."""
    if not 1 <= rule.every <= EVERY_MAX:
        return "every", f"must be 1 to {EVERY_MAX}"
    if not 0 <= rule.at < DAY_S // 60:
        return "time", "must be a time of day, as 09:00"
    if any(not 0 <= day < _WEEK for day in rule.weekdays):
        return "weekdays", "must be 0 (Monday) to 6"
    if rule.weekdays and rule.unit is not SeriesUnit.WEEK:
        return "weekdays", "are for a series of weeks"
    if rule.count is None and rule.until is None:
        return "count", "is missing: send count or until"
    if rule.count is not None and not 1 <= rule.count <= DATES_MAX:
        return "count", f"must be 1 to {DATES_MAX}"
    if rule.until is not None and rule.until < rule.first:
        return "until", "must not be before the first date"
    return None


def planned_dates(rule: SeriesRule, zone: Zone) -> list[PlannedDate]:
    """The dates of a valid rule, in order.

    Raises:
        TooManyDates: it has more than ``DATES_MAX``.
    """
    return [on_wall(day, rule.at, zone) for day in _days(rule)]


def on_wall(day: int, at: int, zone: Zone) -> PlannedDate:
    """The instant of a time of the wall clock; of a repeated one the first."""
    wall_s = day * DAY_S + at * 60
    start_s = zone.begins(wall_s)
    start = Minute(-(-start_s // 60))
    return PlannedDate(start, wall_of(start, zone) == wall_s // 60)


def wall_of(start: Minute, zone: Zone) -> int:
    """What the wall clock shows at an instant, in minutes since 1970-01-01."""
    at = start * 60
    for first, last, offset in zone.segments(at, at + 1):
        if first <= at < last:
            return (at + offset) // 60
    raise AssertionError("a timeline has no gaps")  # pragma: no cover


def moved_start(old: Minute, moved: tuple[Minute, Minute], zone: Zone) -> PlannedDate:
    """Where a visit goes when another one of its series moves, on the wall clock.

    As many days later as that one, at that one's new time of day. ``moved``: its start
    before and after.
    """
    before, after = (divmod(wall_of(one, zone), DAY_S // 60) for one in moved)
    day = wall_of(old, zone) // (DAY_S // 60) + after[0] - before[0]
    return on_wall(day, after[1], zone)


def _days(rule: SeriesRule) -> list[int]:
    found: list[int] = []
    most = DATES_MAX if rule.count is None else rule.count
    for day in _ascending(rule):
        if rule.until is not None and day > rule.until:
            break
        if len(found) == most:
            if rule.count is None:
                raise TooManyDates
            break
        found.append(day)
    return found


def _ascending(rule: SeriesRule) -> Iterator[int]:
    """The rule's days, as far as a series of the most dates can reach."""
    if rule.unit is SeriesUnit.DAY:
        yield from range(rule.first, rule.first + _REACH, rule.every)
        return
    monday = rule.first - weekday(rule.first)
    on = sorted(set(rule.weekdays)) or [weekday(rule.first)]
    weeks = range(monday, monday + _REACH, rule.every * _WEEK)
    for week in weeks:
        yield from (day for one in on if (day := week + one) >= rule.first)
