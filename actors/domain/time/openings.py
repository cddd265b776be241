"""Expands opening rules to instants: the starts of a visit type.

Weekly hours and exceptions of each location, in its zone, become cells; a visit fits
where all its cells are open at one location and none is time off, and where its start
is aligned, by the local clock, to the opening or to midnight. Holds and bookings are
not considered here.

Expansion is lazy, a week page at a time, for all visit types at once, and is only a
cache: dropping it changes no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import lcm

from actors.domain.ids import LocationId, VisitTypeId
from actors.domain.messages.answers import SlotPlace
from actors.domain.rules import (
    AlignedFrom,
    Availability,
    Hours,
    Location,
    TimeOff,
    VisitType,
)
from actors.domain.spans import span_rule
from actors.domain.time.grid import PAGE_MINUTES, all_of, any_of, bits, every, ones
from actors.domain.time.week_page import PageView
from actors.domain.zones import DAY_S, Segment, Zone, date_text, weekday, zone_named

DAY_MINUTES = 24 * 60

PAGES_MAX = 128
"""Bound on expanded pages of one calendar: more than any horizon has weeks. When it is
reached all are dropped, since windows only move forward."""

SPANS_MAX = 64
"""Bound on the lengths of visits that a resource's calendar has expanded."""


class Offer:
    """A visit type in cells, with the starts it is offered at, page by page."""

    __slots__ = (
        "active",
        "after",
        "before",
        "capacity",
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
        self.capacity = rule.capacity
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

    __slots__ = ("_away", "_cell", "_places", "_size", "_spans", "offers", "places")

    def __init__(
        self, rules: Availability, time_off: Iterable[TimeOff], cell: int
    ) -> None:
        self._cell = cell
        self._size = PAGE_MINUTES // cell
        self._away = [(off.start // cell, -(-off.end // cell)) for off in time_off]
        self._places = [LocationHours(location, cell) for location in rules.locations]
        self.places = tuple(
            SlotPlace(location.location_id, location.name, location.time_zone)
            for location in rules.locations
        )
        self.offers: dict[VisitTypeId, Offer] = {
            rule.visit_type: Offer(rule, cell) for rule in rules.visit_types
        }
        self._spans: dict[VisitTypeId, Offer] = {}

    def of_member(self, visit_type: VisitTypeId) -> Offer | None:
        """A resource's offer of a visit type of spans.py; None: it is none of them."""
        found = self._spans.get(visit_type)
        if found is None:
            rule = span_rule(visit_type, self._cell)
            if rule is None:
                return None
            if len(self._spans) >= SPANS_MAX:
                self._spans.clear()
            found = self._spans[visit_type] = Offer(rule, self._cell)
        return found

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

    def where(self, offer: Offer, page: int) -> list[int]:
        """The place in ``places`` of each start of a page, in their order."""
        self.page(offer, page)
        numbers = {place.location_id: n for n, place in enumerate(self.places)}
        found = {
            start: numbers[location_id]
            for location_id, mask in offer.where[page]
            for start in bits(mask)
        }
        return [found[start] for start in sorted(found)]

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
        offers = (*self.offers.values(), *self._spans.values())
        active = [offer for offer in offers if offer.active]
        reach = self._size + max((offer.length for offer in active), default=0)
        first = page * self._size
        away = self._away_cells(first, reach)
        opened = [(place, place.open_cells(first, reach)) for place in self._places]
        for offer in offers:
            if len(offer.pages) >= PAGES_MAX:
                offer.pages.clear()
                offer.where.clear()
            offer.pages[page] = 0
            offer.where[page] = []
        for offer in active:
            self._fit(offer, page, opened, away)

    def _fit(
        self,
        offer: Offer,
        page: int,
        opened: list[tuple[LocationHours, int]],
        away: int,
    ) -> None:
        free = ~any_of(away, offer.length)
        only = offer.rule.locations
        total = 0
        for place, cells in opened:
            if place.zone is None or (only and place.location_id not in only):
                continue
            starts = all_of(cells, offer.length) & ones(self._size) & free
            if starts:
                starts &= self._aligned(place, offer.rule, page)
            starts &= ~total
            if starts:
                total |= starts
                offer.where[page].append((place.location_id, starts))
        offer.pages[page] = total

    def _aligned(self, place: LocationHours, rule: VisitType, page: int) -> int:
        if rule.aligned_from is AlignedFrom.OPENING:
            return place.start_cells(page * self._size, self._size, rule.alignment)
        assert place.zone is not None, "nothing is open there"
        return aligned(place.zone, rule.alignment, self._cell, page)

    def _away_cells(self, first: int, count: int) -> int:
        found = 0
        for start, end in self._away:
            low, high = max(start - first, 0), min(end - first, count)
            if low < high:
                found |= ones(high - low) << low
        return found


class Days:
    """Cells of local days, each from its midnight on.

    A day's cells are what ``make`` gives for its spans of hours, put together; those
    of hours over midnight reach into the next day.
    """

    __slots__ = ("_exceptions", "_made", "_make", "_weekly")

    def __init__(self, location: Location, make: Callable[[Hours], int]) -> None:
        self._make = make
        self._exceptions = location.exceptions
        self._weekly = [self._of(hours) for hours in location.weekly]
        self._made: dict[str, int] = {}

    def cells(self, day: int) -> int:
        """The cells of a day (days since 1970-01-01), bit 0 for its midnight."""
        if self._exceptions:
            text = date_text(day)
            hours = self._exceptions.get(text)
            if hours is not None:
                made = self._made.get(text)
                if made is None:
                    made = self._made[text] = self._of(hours)
                return made
        return self._weekly[weekday(day)]

    def _of(self, hours: tuple[Hours, ...]) -> int:
        found = 0
        for span in hours:
            found |= self._make(span)
        return found


class LocationHours:
    """A location's hours, ready to expand.

    A cell is open where the clock on the wall shows open minutes all through it. So a
    repeated hour is open in each of its passes as the hours say, and the wall-clock
    times that a change skips do not exist. A cell in which the clock changes is
    closed; there has been none since 2011.
    """

    __slots__ = (
        "_cell",
        "_last",
        "_location",
        "_open",
        "_starts",
        "location_id",
        "zone",
    )

    def __init__(self, location: Location, cell: int) -> None:
        self._cell = cell
        self._location = location
        self.location_id = location.location_id
        self.zone = zone_named(location.time_zone)
        self._open = Days(location, self._inside)
        self._starts: dict[int, Days] = {}
        self._last: dict[int, tuple[tuple[int, int] | None, int]] = {}

    def open_cells(self, first: int, count: int) -> int:
        """Which of ``count`` cells from ``first`` on are wholly open."""
        return self._shown(self._open, first, count)

    def start_cells(self, first: int, count: int, alignment: int) -> int:
        """The open ones that lie a multiple of ``alignment`` after an opening.

        An opening inside a cell counts from the next cell on. The last answer of each
        alignment is kept, since all visit types ask for one page after the other.
        """
        span, cells = self._last.get(alignment, (None, 0))
        if span != (first, count):
            cells = self._shown(self._stepping(alignment), first, count)
            self._last[alignment] = (first, count), cells
        return cells

    def _stepping(self, alignment: int) -> Days:
        days = self._starts.get(alignment)
        if days is None:
            step = lcm(alignment, self._cell) // self._cell
            days = Days(self._location, lambda span: self._inside(span, step))
            self._starts[alignment] = days
        return days

    def _inside(self, span: Hours, step: int = 1) -> int:
        """Every ``step``-th whole cell of a span, from its first on."""
        opens, closes = -(-span.opens // self._cell), span.closes // self._cell
        return every(step, closes - opens) << opens if opens < closes else 0

    def _shown(self, days: Days, first: int, count: int) -> int:
        """The open cells of ``days``, in ``count`` cells from ``first`` on.

        A zone that tzdata dropped after the rules were set is closed.
        """
        if self.zone is None:
            return 0
        cell_s = self._cell * 60
        first_s, last_s = first * cell_s, (first + count) * cell_s
        found = 0
        for since, until, offset in self.zone.segments(first_s, last_s):
            low = -(-max(since, first_s) // cell_s)
            high = min(until, last_s) // cell_s
            if low < high and offset % cell_s == 0:
                found |= self._wall(days, low + offset // cell_s, high - low) << (
                    low - first
                )
        return found

    def _wall(self, days: Days, first: int, count: int) -> int:
        """``count`` cells of the wall clock, from its ``first`` since 1970 on."""
        per_day = DAY_MINUTES // self._cell
        found = 0
        for day in range(first // per_day - 1, (first + count - 1) // per_day + 1):
            cells = days.cells(day)
            if cells:
                place = day * per_day - first
                found |= cells << place if place >= 0 else cells >> -place
        return found & ones(count)


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
