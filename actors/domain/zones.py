"""Wall clocks: a zone's offsets as a timeline, and local days and weeks as instants.

A local day begins at the first instant at which the clock shows at least its midnight.
What hours mean when the clocks change is in time/openings.py.

Zones come from zone_data.py alone. Seconds inside, since a few historic offsets are
not whole minutes.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache

from actors.domain.ids import Minute
from actors.domain.zone_data import zone_info

DAY_S = 86_400
_BLOCK_S = 512 * DAY_S
"""Timelines are made for so long at a time: 512 look-ups, half a millisecond."""

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
FIRST_DAY, LAST_DAY = 0, date(2200, 1, 1).toordinal() - _EPOCH_ORDINAL
"""Dates outside 1970 to 2199 are refused, which bounds the memory of timelines."""

_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Segment = tuple[int, int, int]
"""From, to (instants in s, half-open) and the offset in s east of UTC between them."""


class Zone:
    """One IANA zone. Get it from ``zone_named``, which keeps its timeline."""

    __slots__ = ("_blocks", "_info", "name")

    def __init__(self, name: str, info: tzinfo) -> None:
        self.name = name
        self._info = info
        self._blocks: dict[int, list[Segment]] = {}

    def segments(self, first_s: int, last_s: int) -> list[Segment]:
        """The timeline that covers ``[first_s, last_s)``, in order, without gaps."""
        found: list[Segment] = []
        for block in range(first_s // _BLOCK_S, (last_s - 1) // _BLOCK_S + 1):
            known = self._blocks.get(block)
            if known is None:
                known = self._blocks[block] = self._make(block)
            found += known
        return found

    def begins(self, wall_s: int) -> int:
        """The first instant (s) at which the clock shows at least ``wall_s``."""
        return begin_of(self.segments(wall_s - 2 * DAY_S, wall_s + 2 * DAY_S), wall_s)

    def midnight(self, day: int) -> Minute:
        """The first instant of a local day (days since 1970-01-01)."""
        return Minute(-(-self.begins(day * DAY_S) // 60))

    def day_of(self, minute: int) -> int:
        """The local day that an instant falls into, by ``midnight``.

        Where a clock goes back over midnight, the repeated end of the old day counts
        to the new one: days follow each other, they never alternate.
        """
        at = minute * 60
        for first, last, offset in self.segments(at, at + 1):
            if first <= at < last:
                day = (at + offset) // DAY_S
                return day + 1 if minute >= self.midnight(day + 1) else day
        raise AssertionError("a timeline has no gaps")  # pragma: no cover

    def _make(self, block: int) -> list[Segment]:
        first = block * _BLOCK_S
        last = first + _BLOCK_S
        made: list[Segment] = []
        since, offset = first, self._offset(first)
        for at in range(first + DAY_S, last + DAY_S, DAY_S):
            if self._offset(at) != offset:
                change = self._change(at - DAY_S, at)
                made.append((since, change, offset))
                since, offset = change, self._offset(at)
        made.append((since, last, offset))  # empty if the offset changes at ``last``
        return made

    def _change(self, before: int, after: int) -> int:
        """The first second of the offset that holds at ``after``."""
        old = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == old:
                before = middle
            else:
                after = middle
        return after

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, UTC).astimezone(self._info).utcoffset()
        assert offset is not None
        return offset.days * DAY_S + offset.seconds


def begin_of(segments: list[Segment], wall_s: int) -> int:
    """The first instant at which the clock shows at least ``wall_s``."""
    for first, last, offset in segments:
        if last + offset > wall_s:
            return max(first, wall_s - offset)
    raise AssertionError("the segments end before the wall time")  # pragma: no cover


@lru_cache(maxsize=1024)
def zone_named(name: str) -> Zone | None:
    """The zone of an IANA name; None if tzdata does not have it."""
    info = zone_info(name)
    return None if info is None else Zone(name, info)


def zone_or_utc(name: str) -> Zone:
    """The zone of a stored name; UTC for one that tzdata does not have any more."""
    zone = zone_named(name) or zone_named("UTC")
    assert zone is not None, "tzdata is missing"
    return zone


def day_named(text: str) -> int | None:
    """Days since 1970-01-01 of a date ``YYYY-MM-DD``; None if not accepted."""
    if not _DATE.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None
    return day if FIRST_DAY <= day < LAST_DAY else None


@lru_cache(maxsize=4096)
def week_named(text: str) -> int | None:
    """The Monday (days since 1970-01-01) of an ISO week; None if it is not one."""
    match = _WEEK.fullmatch(text)
    if match is None:
        return None
    try:
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        return None
    day = monday.toordinal() - _EPOCH_ORDINAL
    return day if FIRST_DAY <= day < LAST_DAY else None


@lru_cache(maxsize=4096)
def week_of_day(day: int) -> tuple[str, int]:
    """The ISO week of a day: its name, ``2026-W49``, and its Monday."""
    iso = date.fromordinal(day + _EPOCH_ORDINAL).isocalendar()
    return f"{iso.year:04d}-W{iso.week:02d}", day - iso.weekday + 1


@lru_cache(maxsize=4096)
def date_text(day: int) -> str:
    """A day (days since 1970-01-01) as ``2026-12-01``."""
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()


def weekday(day: int) -> int:
    """0 for Monday; 1970-01-01 was a Thursday."""
    return (day + 3) % 7


def instant_text(minute: Minute) -> str:
    """An instant for people: ``2026-12-01T09:00Z``."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
