"""Opening rules turned into instants: where a visit type may start.

Weekly hours and exceptions of each location, in its zone, become cells; a visit fits
where all its cells are open at one location and none is time off, and where its start
is aligned to the local clock. Who is already there is not asked here.

Expansion is lazy, a week page at a time, for all visit types at once, and is only a
memo: dropping it changes no answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from actors.domain.grid import PAGE_MINUTES, all_of, any_of, ones
from actors.domain.ids import LocationId, VisitTypeId
from actors.domain.paint import PageView
from actors.domain.rules import Availability, Hours, Location, TimeOff, VisitType
from actors.domain.zones import (
    DAY_S,
    Segment,
    Zone,
    begin_of,
    day_named,
    end_of,
    weekday,
    zone_named,
)

PAGES_MAX = 128
"""Bound on expanded pages of one calendar: more than any horizon has weeks. When it is
reached all are dropped, since windows only move forward."""


class Offer:
    """A visit type in cells, with the starts it is offered at, page by page."""

    __slots__ = (
        "active",
        "after",
        "before",
        "horizon",
        "length",
        "notice",
        "pages",
        "rule",
        "span",
        "views",
        "where",
    )

    def __init__(self, rule: VisitType, cell: int) -> None:
        self.rule = rule
        self.active = rule.active
        self.length = rule.minutes // cell
        self.before = rule.buffer_before // cell
        self.after = rule.buffer_after // cell
        self.span = self.before + self.length + self.after
        self.notice = rule.notice // cell
        self.horizon = rule.horizon // cell
        self.pages: dict[int, int] = {}
        self.where: dict[int, list[tuple[LocationId, int]]] = {}
        self.views: dict[int, PageView] = {}
        """Memos of views.py, which bounds them."""


class Openings:
    """The expanded rules of one calendar."""

    __slots__ = ("_away", "_cell", "_places", "_size", "offers")

    def __init__(
        self, rules: Availability, time_off: Iterable[TimeOff], cell: int
    ) -> None:
        self._cell = cell
        self._size = PAGE_MINUTES // cell
        self._away = [(off.start // cell, -(-off.end // cell)) for off in time_off]
        self._places = [Place(location, cell) for location in rules.locations]
        self.offers: dict[VisitTypeId, Offer] = {
            rule.visit_type: Offer(rule, cell) for rule in rules.visit_types
        }

    def page(self, offer: Offer, page: int) -> int:
        """The starts offered in a page, bit 0 for its first cell."""
        found = offer.pages.get(page)
        if found is None:
            self._expand(page)
            found = offer.pages[page]
        return found

    def location(self, offer: Offer, start: int) -> LocationId | None:
        """Where a visit that starts at cell ``start`` takes place; None if nowhere."""
        page, offset = divmod(start, self._size)
        found = offer.pages.get(page)
        if found is None:
            found = self.page(offer, page)
        if not found >> offset & 1:
            return None
        for location_id, mask in offer.where[page]:
            if mask >> offset & 1:
                return location_id
        raise AssertionError("offered, but nowhere")  # pragma: no cover

    def cut(self, offer: Offer, first: int, last: int) -> int:
        """The starts offered in ``[first, last)``, bit 0 for ``first``."""
        found = 0
        for page in range(first // self._size, -(-last // self._size)):
            mask = self.page(offer, page)
            if mask:
                shift = page * self._size - first
                found |= mask << shift if shift >= 0 else mask >> -shift
        return found & ones(max(0, last - first))

    def _expand(self, page: int) -> None:
        active = [offer for offer in self.offers.values() if offer.active]
        reach = self._size + max((offer.length for offer in active), default=0)
        first = page * self._size
        away = self._away_cells(first, reach)
        opened = [(place, place.open_cells(first, reach)) for place in self._places]
        for offer in self.offers.values():
            if len(offer.pages) >= PAGES_MAX:
                offer.pages.clear()
                offer.where.clear()
            offer.pages[page] = 0
            offer.where[page] = []
        for offer in active:
            self._fit(offer, page, opened, away)

    def _fit(
        self, offer: Offer, page: int, opened: list[tuple[Place, int]], away: int
    ) -> None:
        free = ~any_of(away, offer.length)
        only = offer.rule.locations
        total = 0
        for place, cells in opened:
            if place.zone is None or (only and place.location_id not in only):
                continue
            starts = all_of(cells, offer.length) & ones(self._size) & free
            starts &= aligned(place.zone, offer.rule.alignment, self._cell, page)
            starts &= ~total
            if starts:
                total |= starts
                offer.where[page].append((place.location_id, starts))
        offer.pages[page] = total

    def _away_cells(self, first: int, count: int) -> int:
        found = 0
        for start, end in self._away:
            low, high = max(start - first, 0), min(end - first, count)
            if low < high:
                found |= ones(high - low) << low
        return found


class Place:
    """A location's hours, ready to expand."""

    __slots__ = ("_cell", "_exceptions", "_weekly", "location_id", "zone")

    def __init__(self, location: Location, cell: int) -> None:
        self._cell = cell
        self.location_id = location.location_id
        self.zone = zone_named(location.time_zone)
        self._weekly = location.weekly
        self._exceptions: dict[int | None, tuple[Hours, ...]] = {
            day_named(text): hours for text, hours in location.exceptions.items()
        }

    def open_cells(self, first: int, count: int) -> int:
        """Which of ``count`` cells from ``first`` on are wholly open.

        A zone that tzdata has lost since the rules were set is closed.
        """
        if self.zone is None:
            return 0
        cell_s = self._cell * 60
        first_s = first * cell_s
        last_s = first_s + count * cell_s
        segments = self.zone.segments(first_s - 4 * DAY_S, last_s + 4 * DAY_S)
        found = 0
        for day in range(first_s // DAY_S - 2, last_s // DAY_S + 3):
            hours = self._exceptions.get(day)
            if hours is None:
                hours = self._weekly[weekday(day)]
            for span in hours:
                opens = begin_of(segments, day * DAY_S + span.opens * 60)
                closes = end_of(segments, day * DAY_S + span.closes * 60)
                low = max(-(-opens // cell_s) - first, 0)
                high = min(closes // cell_s - first, count)
                if low < high:
                    found |= ones(high - low) << low
        return found


@lru_cache(maxsize=8192)
def aligned(zone: Zone, alignment: int, cell: int, page: int) -> int:
    """Cells of a page whose local minutes since midnight are a multiple."""
    size = PAGE_MINUTES // cell
    cell_s = cell * 60
    first_s = page * size * cell_s
    last_s = first_s + size * cell_s
    found = 0
    for since, until, offset in zone.segments(first_s, last_s):
        low, high = max(since, first_s), min(until, last_s)
        if low >= high or offset % 60:
            continue
        found |= _aligned_in((low, high, offset), alignment, cell, page * size)
    return found


def _aligned_in(segment: Segment, alignment: int, cell: int, origin: int) -> int:
    """The aligned cells of one segment, as bits from cell ``origin`` on."""
    low, high, offset = segment
    cell_s = cell * 60
    found = 0
    for day in range((low + offset) // DAY_S, (high - 1 + offset) // DAY_S + 1):
        midnight = (day * DAY_S - offset) // 60
        place = -(-midnight // cell) - origin
        pattern = _pattern(alignment, cell, midnight % cell)
        found |= pattern << place if place >= 0 else pattern >> -place
    first, last = -(-low // cell_s) - origin, -(-high // cell_s) - origin
    return found >> first << first & ones(last)


@lru_cache(maxsize=1024)
def _pattern(alignment: int, cell: int, phase: int) -> int:
    """A day's aligned cells from its first whole cell on.

    ``phase`` is how many minutes midnight lies after a cell's beginning.
    """
    skip = -phase % cell
    found = 0
    for minute in range(0, 24 * 60, alignment):
        if (minute - skip) % cell == 0 and minute >= skip:
            found |= 1 << (minute - skip) // cell
    return found
