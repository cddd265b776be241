"""Wall clocks against a naive walk, minute by minute, around clock changes.

The oracle asks the standard library what the clock shows at each minute and applies
the rule word for word: a span begins at the first instant at which the clock shows at
least its opening, and ends after the last at which it shows less than its closing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from actors.domain.availability import Openings
from actors.domain.ids import LocationId, Minute, TimeOffId
from actors.domain.rules import Availability, Hours, TimeOff
from actors.domain.zones import day_named, week_of_day, zone_named
from tests.factories import DAY, a_location, a_visit_type
from tests.wall_clock import packaged_zone

CELL = 5
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Gaza",
    "America/Asuncion",
    "Pacific/Chatham",
    "UTC",
]
EPOCH = date(1970, 1, 1)


def local(zone: str, minute: int) -> datetime:
    """What the clock on the wall shows, without its offset."""
    there = datetime.fromtimestamp(minute * 60, UTC).astimezone(packaged_zone(zone))
    return there.replace(tzinfo=None)


@lru_cache(maxsize=64)
def changes(zone: str) -> tuple[date, ...]:
    """Dates from 1990 to 2037 near which the offset changes."""
    found = []
    offset = None
    for day in range(366 * 20, 366 * 68):
        at = datetime.fromtimestamp(day * 86_400, UTC).astimezone(packaged_zone(zone))
        if offset is not None and at.utcoffset() != offset:
            found.append(EPOCH + timedelta(days=day - 1))
        offset = at.utcoffset()
    return tuple(found) or (date(2026, 3, 29),)


def days_of(zone: str) -> st.SearchStrategy[date]:
    near = st.sampled_from(changes(zone)).flatmap(
        lambda day: st.integers(-2, 2).map(lambda aside: day + timedelta(days=aside))
    )
    return near | near | st.dates(date(1990, 1, 1), date(2037, 1, 1))


hours = st.tuples(st.integers(0, 95), st.integers(1, 96)).map(
    lambda pair: (min(pair) * 15, max(pair[0] + 1, pair[1]) * 15)
)


@st.composite
def openings(draw: st.DrawFn) -> tuple[str, date, tuple[int, int], int, int]:
    zone = draw(st.sampled_from(ZONES))
    length = draw(st.sampled_from([5, 15, 30, 45, 90]))
    return (
        zone,
        draw(days_of(zone)),
        draw(hours),
        length,
        draw(st.sampled_from([5, 10, 15, 20, 30, 50, 60])),
    )


def naive_starts(
    zone: str, day: date, span: tuple[int, int], length: int, alignment: int
) -> list[int]:
    """Starts on a date open from ``span[0]`` to ``span[1]``, by walking minutes."""
    midnight = datetime.combine(day, datetime.min.time())
    around = (
        int((midnight - datetime.combine(EPOCH, datetime.min.time())).total_seconds())
        // 60
    )
    minutes = range(around - 2 * DAY, around + 3 * DAY)
    opens = midnight + timedelta(minutes=span[0])
    closes = midnight + timedelta(minutes=span[1])
    begins = next(m for m in minutes if local(zone, m) >= opens)
    ends = next(m for m in reversed(minutes) if local(zone, m) < closes) + 1
    found = []
    for start in range(begins, ends):
        wall = local(zone, start)
        of_day = wall.hour * 60 + wall.minute
        aligned = of_day % alignment == 0 and start % CELL == 0
        if aligned and start + length <= ends:
            found.append(start)
    return found


def our_starts(
    zone: str, day: date, span: tuple[int, int], length: int, alignment: int
) -> list[int]:
    """The same from the domain: one open date, all others closed."""
    place = a_location(
        time_zone=zone, weekly=((),) * 7, exceptions={day.isoformat(): (Hours(*span),)}
    )
    kind = a_visit_type(minutes=length, alignment=alignment)
    rules = Openings(Availability((place,), (kind,)), (), CELL)
    offer = rules.offers[kind.visit_type]
    around = (day - EPOCH).days * DAY // CELL
    first, last = around - 3 * DAY // CELL, around + 4 * DAY // CELL
    cut = rules.cut(offer, first, last)
    return [(first + i) * CELL for i in range(last - first) if cut >> i & 1]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(openings())
@example(("Europe/Berlin", date(1995, 3, 26), (0, 135), 5, 5))  # a block ends here
@example(("Europe/Berlin", date(2026, 3, 29), (150, 240), 30, 30))
@example(("Europe/Berlin", date(2026, 3, 29), (60, 150), 30, 30))
@example(("Europe/Berlin", date(2026, 10, 25), (60, 240), 30, 30))
@example(("Europe/Berlin", date(2026, 10, 25), (120, 150), 30, 30))
@example(("Australia/Lord_Howe", date(2026, 10, 4), (60, 240), 30, 30))
@example(("Australia/Lord_Howe", date(2026, 4, 5), (60, 240), 30, 30))
@example(("Pacific/Apia", date(2011, 12, 30), (0, 1440), 60, 60))
@example(("Pacific/Apia", date(2011, 12, 29), (0, 1440), 60, 60))
@example(("Africa/Cairo", date(2026, 4, 24), (0, 180), 60, 60))
@example(("Africa/Cairo", date(2026, 10, 29), (1320, 1440), 60, 60))
@example(("Asia/Beirut", date(2026, 3, 29), (0, 180), 60, 60))
@example(("Asia/Beirut", date(2026, 10, 24), (1320, 1440), 60, 60))
@example(("America/St_Johns", date(2006, 10, 28), (1320, 1440), 30, 30))
@example(("America/St_Johns", date(2006, 10, 29), (0, 60), 30, 30))
def test_starts_are_those_of_a_walk_along_the_wall_clock(
    case: tuple[str, date, tuple[int, int], int, int],
) -> None:
    """Every start that the rules offer is one that a patient clerk would find."""
    zone, day, span, length, alignment = case
    assert our_starts(zone, day, span, length, alignment) == naive_starts(
        zone, day, span, length, alignment
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_days_and_weeks_partition_time(data: st.DataObject) -> None:
    """Each instant lies in exactly one local day, between two midnights."""
    name = data.draw(st.sampled_from(ZONES))
    day = data.draw(days_of(name))
    minute = (day - EPOCH).days * DAY + data.draw(st.integers(0, DAY))
    zone = zone_named(name)
    assert zone is not None
    found = zone.day_of(minute)
    assert zone.midnight(found) <= minute < zone.midnight(found + 1)
    week, monday = week_of_day(found)
    shown = local(name, minute).date()
    if (shown - EPOCH).days == found:
        assert week == "{0.year}-W{0.week:02d}".format(shown.isocalendar())
    else:  # the repeated end of a day counts to the next one
        assert (shown - EPOCH).days == found - 1
    assert zone.midnight(monday) <= minute < zone.midnight(monday + 7)


@pytest.mark.parametrize(
    ("zone", "day", "length_h"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-06-01", 24),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Africa/Cairo", "2026-04-24", 23),
        ("Africa/Cairo", "2026-10-29", 25),
        ("Africa/Monrovia", "1972-01-07", 24 - 44.5 / 60),
    ],
)
def test_local_days_have_their_true_length(
    zone: str, day: str, length_h: float
) -> None:
    """Days of 23, 24, 25 and other hours, and Samoa's day that never was."""
    found, number = zone_named(zone), day_named(day)
    assert found is not None
    assert number is not None
    length = found.midnight(number + 1) - found.midnight(number)
    assert abs(length - length_h * 60) <= 0.5


@settings(max_examples=150, deadline=None, derandomize=True)
@given(openings(), st.integers(-300, 300), st.integers(1, 600))
def test_nothing_starts_that_meets_a_leave(
    case: tuple[str, date, tuple[int, int], int, int], aside: int, minutes: int
) -> None:
    """A leave removes exactly the starts whose visit it meets."""
    zone, day, span, length, alignment = case
    without = our_starts(zone, day, span, length, alignment)
    assume(without)
    since = without[0] + aside
    off = TimeOff(TimeOffId("off_1"), Minute(since), Minute(since + minutes))
    place = a_location(
        time_zone=zone, weekly=((),) * 7, exceptions={day.isoformat(): (Hours(*span),)}
    )
    kind = a_visit_type(minutes=length, alignment=alignment)
    rules = Openings(Availability((place,), (kind,)), (off,), CELL)
    offer = rules.offers[kind.visit_type]
    left = [
        s for s in without if rules.location(offer, s // CELL) == LocationId("loc_1")
    ]
    assert left == [s for s in without if s + length <= since or since + minutes <= s]
