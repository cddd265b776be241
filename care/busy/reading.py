"""Reads when a calendar is busy (RFC 5545); bounded in number and horizon.

Recurring entries are expanded by the wall clock of their zone, with their exceptions.
Times without a zone, and whole days, are by the clock of the doctor's place. Entries
that are cancelled or shown as free take no time, nor do visits of this site, which a
doctor's calendar may show, too. An entry that cannot be read is counted, and costs no
other.

One file because a series, its exceptions and its lengths are one computation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import chain
from typing import Any, Final

from dateutil.rrule import rrulestr
from icalendar import Calendar

from actors.domain.ids import Minute
from actors.domain.zone_data import zone_info
from actors.domain.zones import FIRST_DAY, LAST_DAY, zone_named
from care.busy.slimming import number_of_events
from care.busy.spans import BusyReading, BusySpan, BusyWanted

EVENTS_MAX: Final = 10_000
OCCURRENCES_MAX: Final = 100_000
"""Occurrences of all entries within the horizon."""
_TOO_OFTEN: Final = frozenset({"SECONDLY", "MINUTELY"})
"""Rules of no calendar of a person."""
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_FREE: Final = frozenset({"TRANSPARENT", "FREE", "CANCELLED"})

When = date | datetime
"""A day, or a time; times without a zone are the place's."""


class NotACalendar(ValueError):
    """The text is no calendar."""


class TooManyEvents(ValueError):
    """The calendar has more entries than are read."""


def read_busy(
    text: bytes,
    wanted: BusyWanted,
    bound: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> BusyReading:
    """When a calendar is busy. Raises NotACalendar, TooManyEvents.

    ``bound`` is entered for each entry; what it raises counts as an entry that cannot
    be read.
    """
    if number_of_events(text) > EVENTS_MAX:
        raise TooManyEvents
    try:
        calendars: Any = Calendar.from_ical(text, multiple=True)
    except Exception:  # noqa: BLE001 - whatever a library says of others' text
        raise NotACalendar from None
    if not calendars or any(one.name != "VCALENDAR" for one in calendars):
        raise NotACalendar
    reader = _Reader(wanted, bound)
    for calendar in calendars:
        reader.add(calendar)
    return BusyReading(sorted(set(reader.spans)), reader.skipped)


class _Reader:
    """Collects spans of one text."""

    def __init__(
        self, wanted: BusyWanted, bound: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._bound = bound
        self.spans: list[BusySpan] = []
        self.skipped = 0
        self._wanted = wanted
        self._zone = zone_named(wanted.zone)
        self._info: tzinfo = zone_info(wanted.zone) or UTC
        self._occurrences = 0

    def add(self, calendar: Any) -> None:
        """Read all entries of one calendar."""
        series: dict[str, list[Any]] = defaultdict(list)
        for number, event in enumerate(calendar.walk("VEVENT")):
            # Entries without an id have no exceptions: each is by itself.
            series[str(event.get("UID") or f" {number}")].append(event)
        for uid, events in series.items():
            if not self._is_own(uid):
                self._add_series(events)
        for free_busy in calendar.walk("VFREEBUSY"):
            self._guarded(self._add_periods, free_busy)

    def _guarded(self, work: Callable[..., None], *about: Any) -> None:
        try:
            with self._bound():
                work(*about)
        except TooManyEvents:
            raise
        except Exception:  # noqa: BLE001 - an entry of others costs no other
            self.skipped += 1

    def _is_own(self, uid: str) -> bool:
        """Whether it is a visit of this site: it takes its time already."""
        host = self._wanted.own_host
        return bool(host) and uid.startswith("bkg_") and uid.endswith(f"@{host}")

    def _add_series(self, events: Sequence[Any]) -> None:
        """Read the entries of one id: a rule with its exceptions, or single ones."""
        exceptions: dict[int, Any] = {}
        for event in _newest_last(events):
            if event.get("RECURRENCE-ID") is not None:
                self._guarded(self._except, exceptions, event)
        for event in events:
            if event.get("RECURRENCE-ID") is None:
                self._guarded(self._expand, event, exceptions)
        for event in exceptions.values():
            if not _is_free(event):
                self._guarded(self._take_one, event)

    def _except(self, exceptions: dict[int, Any], event: Any) -> None:
        exceptions[self._second(event["RECURRENCE-ID"].dt)] = event

    def _expand(self, event: Any, exceptions: dict[int, Any]) -> None:
        """The occurrences of a series that no exception replaces."""
        later = sorted(
            at
            for at, one in exceptions.items()
            if one["RECURRENCE-ID"].params.get("RANGE") == "THISANDFUTURE"
        )
        if _is_free(event) and not later:
            return
        left_out = _Excluded(self, event)
        for start, length in self._occurrences_of(event):
            at = self._second(start)
            if at in exceptions or left_out.has(start, at):
                continue
            since = [one for one in later if one < at]
            if since:
                self._take_shifted(exceptions[since[-1]], since[-1], at)
            elif not _is_free(event):
                self._take(event, start, length)

    def _occurrences_of(self, event: Any) -> Iterator[tuple[When, timedelta | None]]:
        """Starts in the horizon and before; a length of its own where one is given."""
        start = _start(event)
        yield start, None
        for recur in _listed(event.get("RRULE")):
            for one in self._of_rule(start, recur):
                if one != start:
                    yield one, None
        for one in _dates(event.get("RDATE")):
            if not isinstance(one, tuple):
                yield one, None
                continue
            first, last = one
            is_length = isinstance(last, timedelta)
            yield (
                first,
                last
                if is_length
                else timedelta(seconds=self._second(last) - self._second(first)),
            )

    def _of_rule(self, start: When, recur: Any) -> Iterator[When]:
        """The starts that a rule makes, up to the end of the horizon."""
        parts = {key: value for key, value in recur.items() if key != "UNTIL"}
        if str(parts["FREQ"][0]).upper() in _TOO_OFTEN:
            raise ValueError("no rule of a person's calendar")
        bounds = [self._until(one, start) for one in _listed(recur.get("UNTIL"))]
        last = min([*bounds, self._wanted.end * 60])
        text = type(recur)(parts).to_ical().decode()
        is_day = not isinstance(start, datetime)
        info = None if is_day else getattr(start, "tzinfo", None)
        for local in rrulestr(text, dtstart=_wall(start)):
            one: When = local.date() if is_day else local.replace(tzinfo=info)
            if self._second(one) > last:
                return
            yield one

    def _until(self, until: When, start: When) -> int:
        """The last instant of a rule; a day includes all of it."""
        if isinstance(until, datetime):
            if until.tzinfo is None and isinstance(start, datetime):
                return self._second(until.replace(tzinfo=start.tzinfo))
            if not isinstance(start, datetime):
                # A rule of days until an instant: the day that it names.
                return self._second(until.date())
            return self._second(until)
        return self._second(until + timedelta(days=1)) - 1

    def _take_one(self, event: Any) -> None:
        self._take(event, _start(event))

    def _take(self, event: Any, start: When, length: timedelta | None = None) -> None:
        """An occurrence is busy."""
        first = self._second(start)
        last = self._end(event, start) if length is None else first + _seconds(length)
        self._busy(first, last)

    def _take_shifted(self, event: Any, replaced: int, at: int) -> None:
        """An occurrence after one from which on all were changed."""
        if _is_free(event):
            return
        start = _start(event)
        first = self._second(start)
        length = self._end(event, start) - first
        begin = at + first - replaced
        self._busy(begin, begin + length)

    def _busy(self, first: int, last: int) -> None:
        wanted = self._wanted
        start, end = first // 60, -(-last // 60)
        if last <= first or end <= wanted.start or start >= wanted.end:
            return
        self._occurrences += 1
        if self._occurrences > OCCURRENCES_MAX:
            raise TooManyEvents
        self.spans.append(BusySpan(Minute(start), Minute(end)))

    def _end(self, event: Any, start: When) -> int:
        """The instant (s) at which the occurrence that begins at ``start`` ends.

        An end makes all occurrences equally long; a duration counts days by the wall
        clock (RFC 5545, 3.8.5.3).
        """
        begun, first = _start(event), self._second(start)
        if (end := event.get("DTEND")) is not None:
            if not isinstance(start, datetime) and not isinstance(end.dt, datetime):
                return self._second(start + (end.dt - begun))
            return first + self._second(end.dt) - self._second(begun)
        if (duration := event.get("DURATION")) is not None:
            days = start + timedelta(days=duration.dt.days)
            return self._second(days) + int(duration.dt.seconds)
        if isinstance(start, datetime):
            return first
        return self._second(start + timedelta(days=1))

    def _add_periods(self, free_busy: Any) -> None:
        """The periods of a list of busy times."""
        for values in _listed(free_busy.get("FREEBUSY")):
            if str(values.params.get("FBTYPE", "BUSY")).upper() == "FREE":
                continue
            for first, last in _dates(values):
                begin = self._second(first)
                if isinstance(last, timedelta):
                    self._busy(begin, begin + _seconds(last))
                else:
                    self._busy(begin, self._second(last))

    def _second(self, when: When) -> int:
        """An instant (s): of a time, or of the begin of a day at the place."""
        if isinstance(when, datetime):
            return int(_packaged(when, self._info).timestamp())
        day = when.toordinal() - _EPOCH_ORDINAL
        if not FIRST_DAY <= day < LAST_DAY:
            raise ValueError("no day of this calendar")
        if self._zone is None:
            return day * 86_400
        return self._zone.midnight(day) * 60


class _Excluded:
    """The starts that a series leaves out."""

    def __init__(self, reader: _Reader, event: Any) -> None:
        named = [one for one in _dates(event.get("EXDATE")) if isinstance(one, date)]
        self._days = {one for one in named if not isinstance(one, datetime)}
        self._instants = {
            reader._second(one) for one in named if isinstance(one, datetime)
        }

    def has(self, start: When, at: int) -> bool:
        """Whether a start is left out; some programs name days where times are."""
        day = start.date() if isinstance(start, datetime) else start
        return at in self._instants or day in self._days


def _start(event: Any) -> When:
    start = event["DTSTART"].dt
    if not isinstance(start, date):
        raise TypeError("no day and no time")
    return start


def _wall(start: When) -> datetime:
    """What the clock shows."""
    if isinstance(start, datetime):
        return start.replace(tzinfo=None)
    return datetime(start.year, start.month, start.day)  # noqa: DTZ001 - a wall clock


def _packaged(when: datetime, place: tzinfo) -> datetime:
    """A time in the edition of zones that all of the site is in."""
    if when.tzinfo is None:
        return when.replace(tzinfo=place)
    name = getattr(when.tzinfo, "key", "")
    return when.replace(tzinfo=zone_info(name) or when.tzinfo) if name else when


def _newest_last(events: Sequence[Any]) -> list[Any]:
    return sorted(events, key=_sequence)


def _sequence(event: Any) -> int:
    """Of an entry that has no number, or several, it is as if there were none."""
    try:
        return int(event.get("SEQUENCE") or 0)
    except (TypeError, ValueError):
        return 0


def _is_free(event: Any) -> bool:
    """Whether an entry takes no time."""
    names = ("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS")
    return any(str(event.get(name, "")).upper() in _FREE for name in names)


def _listed(value: Any) -> list[Any]:
    """The values of a property that may be there several times."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _dates(value: Any) -> Iterable[Any]:
    """The dates, times and periods of a property that lists them."""
    each = (getattr(one, "dts", [one]) for one in _listed(value))
    return (one.dt for one in chain.from_iterable(each))


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
