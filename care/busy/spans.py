"""Which time off follows from busy times: joined, bounded, told apart by its ids; pure.

The id of imported time off says its span. So what is there and what should be there
are compared by ids alone, a repeated command has no second effect, and time off that a
person took is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from actors.domain.calendar.validation import TIME_OFF_MAX, TIME_OFF_MINUTES_MAX
from actors.domain.ids import Millis, Minute, ProviderId, TimeOffId, time_off_id
from actors.domain.rules import TimeOff

SPANS_MAX: Final = TIME_OFF_MAX // 2
"""Imported times off of a calendar; the other half is left to those taken by hand."""
MONTHS_AHEAD: Final = 7
"""The months that are read, the current one included: what is offered lies in them."""
PAST_MINUTES: Final = 24 * 60
"""How long imported time off stays when it is over: the day is still looked at."""
MINUTE_MS: Final = 60_000
_MONTHS: Final = 12
_IMPORTED: Final = re.compile(r"off_[^.]+\.busy-[0-9]{1,10}-[0-9]{1,10}")


class BusySpan(Struct, frozen=True, order=True, array_like=True):
    """Busy from ``start`` (included) to ``end`` (excluded)."""

    start: Minute
    end: Minute


class Horizon(Struct, frozen=True):
    """What is read of a calendar: whole months, so that ids are the same all month."""

    start: Minute
    end: Minute


class BusyWanted(Struct, frozen=True):
    """What is read: between two instants, at a place. ``own_host``: of this site."""

    zone: str
    start: Minute
    end: Minute
    own_host: str = ""


class BusyReading(Struct, frozen=True):
    """When a calendar is busy, and how many entries could not be read."""

    spans: Sequence[BusySpan]
    skipped: int = 0


class Differences(Struct, frozen=True):
    """The commands that make imported time off what it should be."""

    added: Sequence[BusySpan]
    removed: Sequence[TimeOffId]


def horizon_at(now: Millis) -> Horizon:
    """What is read at this instant."""
    today = datetime.fromtimestamp(now / 1000, UTC)
    month = today.year * _MONTHS + today.month - 1
    return Horizon(_begin(month - 1), _begin(month + MONTHS_AHEAD))


def joined(spans: Iterable[BusySpan], horizon: Horizon) -> list[BusySpan]:
    """The same time in as few spans as possible, by start, within the horizon."""
    found: list[BusySpan] = []
    for one in sorted(spans):
        start = Minute(max(one.start, horizon.start))
        end = Minute(min(one.end, horizon.end))
        if start >= end:
            continue
        last = found[-1] if found else None
        if last is not None and start <= last.end:
            found[-1] = BusySpan(last.start, Minute(max(end, last.end)))
        else:
            found.append(BusySpan(start, end))
    return found


def wanted_spans(
    spans: Iterable[BusySpan], now: Millis
) -> tuple[Sequence[BusySpan], Minute | None]:
    """The time off that busy times make, and from where on it is left out.

    The latter is None unless there are more than ``SPANS_MAX``.
    """
    horizon, today = horizon_at(now), now // MINUTE_MS - PAST_MINUTES
    found = [one for one in joined(spans, horizon) if one.end > today]
    cut = found[SPANS_MAX].start if len(found) > SPANS_MAX else None
    return found[:SPANS_MAX], cut


def differences(
    provider_id: ProviderId, wanted: Iterable[BusySpan], present: Iterable[TimeOff]
) -> Differences:
    """What is missing and what is too much; time off taken by hand is left alone."""
    named = {imported_id(provider_id, one): one for one in wanted}
    there = {one.time_off_id for one in present if is_imported(one.time_off_id)}
    return Differences(
        [one for name, one in named.items() if name not in there],
        sorted(there - set(named)),
    )


def imported_id(provider_id: ProviderId, span: BusySpan) -> TimeOffId:
    """The id of the time off of a span; no other has it."""
    return time_off_id(provider_id, f"busy-{span.start}-{span.end}")


def is_imported(name: str) -> bool:
    """Whether time off was made from another calendar, by its id."""
    return _IMPORTED.fullmatch(name) is not None


def _begin(month: int) -> Minute:
    """The first minute of a month, counted from the year 0."""
    first = datetime(month // _MONTHS, month % _MONTHS + 1, 1, tzinfo=UTC)
    return Minute(int(first.timestamp()) // 60)


assert (MONTHS_AHEAD + 1) * 31 * 24 * 60 < TIME_OFF_MINUTES_MAX, "one leave holds it"
