"""Which visits and holds are no longer covered: by a leave, or by new opening rules.

A booked visit stays until staff or patient resolve it, but it is marked, with a
reason, until it is moved, cancelled or covered again. A held slot that is marked
cannot be booked. Notice, horizon, alignment and whether a type is still offered do not
matter: they are about new bookings.

The marks are decided here and travel in the events (``stranded``: only what changed),
so that ``apply`` reads no rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from actors.domain.calendar.lifecycle import LIVE
from actors.domain.calendar.occupancy import VISIT_MINUTES_MAX, Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import LocationId, Millis, Minute, VisitTypeId
from actors.domain.rules import Availability, TimeOff, VisitType
from actors.domain.spans import span_rule
from actors.domain.time.grid import PAGE_MINUTES, ones
from actors.domain.time.openings import LocationHours

LEAVE, HOURS, PLACE, VISIT_TYPE = "leave", "hours", "place", "visit_type"
"""Reasons: away, closed, not at this place any more, no such visit type any more."""

Marks = dict[str, str]
"""Id of a booking or a hold -> its reason, "" if it is covered again."""


class Ground:
    """What rules and leaves cover, looked up visit by visit."""

    def __init__(
        self, rules: Availability, time_off: Iterable[TimeOff], cell: int
    ) -> None:
        self._cell = cell
        self._size = PAGE_MINUTES // cell
        self._kinds: dict[VisitTypeId, VisitType] = {
            rule.visit_type: rule for rule in rules.visit_types
        }
        self._places = {
            location.location_id: LocationHours(location, cell)
            for location in rules.locations
        }
        self._open: dict[tuple[LocationId, int], int] = {}
        self._away = _merged(time_off)

    def reason(self, visit: Booking | Hold) -> str:
        """Why a visit is not covered; "" if it is."""
        kind = visit.visit_type
        rule = self._kinds.get(kind) or span_rule(kind, self._cell)
        if rule is None:
            return VISIT_TYPE
        place = self._places.get(visit.location_id)
        if place is None or (
            rule.locations and visit.location_id not in rule.locations
        ):
            return PLACE
        if not self._is_open(place, visit):
            return HOURS
        return LEAVE if self.is_away(visit) else ""

    def _is_open(self, place: LocationHours, visit: Booking | Hold) -> bool:
        first, last = visit.start // self._cell, -(-visit.end // self._cell)
        page, offset = divmod(first, self._size)
        name = place.location_id, page
        cells = self._open.get(name)
        if cells is None:
            reach = self._size + VISIT_MINUTES_MAX // self._cell
            cells = self._open[name] = place.open_cells(page * self._size, reach)
        wanted = ones(last - first) << offset
        return cells & wanted == wanted

    def is_away(self, visit: Booking | Hold) -> bool:
        """Whether a leave overlaps the visit."""
        at = bisect_right(self._away, (visit.end - 1, _FOREVER)) - 1
        return at >= 0 and self._away[at][1] > visit.start


_FOREVER = 1 << 62


def _merged(time_off: Iterable[TimeOff]) -> list[tuple[int, int]]:
    """The spans of leaves, merged where they touch, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((off.start, off.end) for off in time_off):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def marks(
    calendar: CalendarState,
    rules: Availability,
    time_off: Iterable[TimeOff],
    now: Millis,
    span: tuple[Minute, Minute] | None = None,
) -> Marks:
    """What these rules and leaves change about upcoming visits and live holds.

    ``span``: only visits and holds overlapping it can have changed.
    """
    ground = Ground(rules, time_off, calendar.cell)
    found: Marks = {}
    for name, visit in upcoming(calendar, now):
        if span is not None and not (visit.start < span[1] and span[0] < visit.end):
            continue
        reason = ground.reason(visit)
        if reason != visit.stranded:
            found[name] = reason
    return found


def upcoming(
    calendar: CalendarState, now: Millis
) -> Iterable[tuple[str, Booking | Hold]]:
    """Live visits that have not ended, and live holds."""
    for booking in calendar.occupancy.bookings.values():
        if booking.status in LIVE and booking.end * 60_000 > now:
            yield booking.booking_id, booking
    for hold in calendar.occupancy.holds.values():
        if hold.expires > now:
            yield hold.hold_id, hold
