"""The minutes in which providers were open, by the hours that hold now.

Calendars keep no former hours: a change of hours changes utilisation of the past, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import ProviderView
from actors.domain.time.openings import LocationHours
from actors.domain.zones import Zone, weekday
from care.reports.keys import date_key
from care.reports.questions import By, ReportQuestion


def open_by_day(
    view: ProviderView, zone: Zone, question: ReportQuestion, cell: int
) -> Iterator[tuple[int, int]]:
    """Days of the period, and the minutes that a provider is open on each."""
    first, last = question.period.first, question.period.last
    begin = zone.midnight(first) // cell
    count = -(-zone.midnight(last + 1) // cell) - begin
    cells = 0
    for location in view.availability.locations:
        cells |= LocationHours(location, cell).open_cells(begin, count)
    for off in view.time_off:
        low = max(0, off.start // cell - begin)
        high = min(count, -(-off.end // cell) - begin)
        if low < high:
            cells &= ~(((1 << (high - low)) - 1) << low)
    wanted = question.filters.weekdays
    for day in range(first, last + 1):
        if wanted and weekday(day) + 1 not in wanted:
            continue
        low = zone.midnight(day) // cell - begin
        high = zone.midnight(day + 1) // cell - begin
        yield day, (cells >> low & ((1 << (high - low)) - 1)).bit_count() * cell


def capacity_of(
    views: Iterable[ProviderView], zone: Zone, question: ReportQuestion, cell: int
) -> dict[str, int]:
    """Open minutes by the key of rows."""
    found: dict[str, int] = {}
    for view in views:
        for day, minutes in open_by_day(view, zone, question, cell):
            key = _key(question.by, view, day)
            if minutes or key in found:
                found[key] = found.get(key, 0) + minutes
    return found


def _key(by: By, view: ProviderView, day: int) -> str:
    match by:
        case By.ALL:
            return "all"
        case By.PROVIDER:
            return view.provider_id
        case By.PLACE:
            return view.profile.clinic.clinic_id
        case _:
            return date_key(by, day)


def labels_of(views: Sequence[ProviderView]) -> dict[str, str]:
    """Names of providers."""
    return {ProviderId(view.provider_id): view.profile.name for view in views}
