"""Wall clocks against a naive walk, minute by minute, around clock changes.

The oracle asks the standard library what the clock shows at each minute of UTC, and a
minute is open where that lies in the hours: in both passes of a repeated hour.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from actors.domain.ids import LocationId, Minute, TimeOffId
from actors.domain.rules import AlignedFrom, Availability, Hours, TimeOff
from actors.domain.time.openings import LocationHours, Offer, Openings
from actors.domain.zone_data import NAMES
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
    "America/Santiago",
    "Antarctica/Troll",
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


hours = st.tuples(
    st.integers(0, 95), st.integers(1, 96), st.sampled_from([0, 0, 7])
).map(lambda drawn: (drawn[0] * 15 + drawn[2], (drawn[0] + drawn[1]) * 15))
"""From an opening on, maybe inside a cell, for up to a day: over midnight too."""


class Case(NamedTuple):
    """Hours of one date in one zone, and what is to be booked in them."""

    zone: str
    day: date
    span: tuple[int, int]
    length: int
    alignment: int
    aligned_from: AlignedFrom = AlignedFrom.MIDNIGHT


NIGHT_OF_THE_CHANGE = Case(
    "Europe/Berlin", date(2026, 10, 24), (1320, 1800), 30, 50, AlignedFrom.OPENING
)
cases = st.sampled_from(ZONES).flatmap(
    lambda zone: st.builds(
        Case,
        st.just(zone),
        days_of(zone),
        hours,
        st.sampled_from([5, 15, 30, 45, 90]),
        st.sampled_from([5, 10, 15, 20, 30, 50, 60]),
        st.sampled_from(AlignedFrom),
    )
)


def shown_minutes(zone: str, day: date, minute: int) -> int:
    """What the clock shows, in minutes since the midnight that begins ``day``."""
    since = local(zone, minute) - datetime.combine(day, datetime.min.time())
    return int(since.total_seconds() // 60)


def is_open(zone: str, day: date, span: tuple[int, int], start: int) -> bool:
    """Whether a cell is: each of its minutes by the wall clock, which runs on in it."""
    shown = [shown_minutes(zone, day, start + aside) for aside in range(CELL)]
    runs_on = shown[-1] - shown[0] == CELL - 1
    return runs_on and all(span[0] <= one < span[1] for one in shown)


def naive_starts(case: Case) -> list[int]:
    """Starts on a date open from ``span[0]`` to ``span[1]``, by walking minutes."""
    around = (case.day - EPOCH).days * DAY
    walk = range(around - DAY, around + 3 * DAY, CELL)
    opened = {m for m in walk if is_open(case.zone, case.day, case.span, m)}

    def steps(start: int) -> int:
        """The minutes that alignment counts: since midnight, or the first cell."""
        shown = shown_minutes(case.zone, case.day, start)
        if case.aligned_from is AlignedFrom.MIDNIGHT:
            return shown % DAY
        return shown - -(-case.span[0] // CELL) * CELL

    return [
        start
        for start in sorted(opened)
        if steps(start) % case.alignment == 0
        and all(cell in opened for cell in range(start, start + case.length, CELL))
    ]


def our_starts(case: Case, off: tuple[TimeOff, ...] = ()) -> list[int]:
    """The same from the domain: one open date, all others closed."""
    rules, offer = opened(case, off)
    around = (case.day - EPOCH).days * DAY // CELL
    first, last = around - 3 * DAY // CELL, around + 5 * DAY // CELL
    cut = rules.cut(offer, first, last)
    return [(first + i) * CELL for i in range(last - first) if cut >> i & 1]


def opened(case: Case, off: tuple[TimeOff, ...] = ()) -> tuple[Openings, Offer]:
    place = a_location(
        time_zone=case.zone,
        weekly=((),) * 7,
        exceptions={case.day.isoformat(): (Hours(*case.span),)},
    )
    kind = a_visit_type(
        minutes=case.length, alignment=case.alignment, aligned_from=case.aligned_from
    )
    rules = Openings(Availability((place,), (kind,)), off, CELL)
    return rules, rules.offers[kind.visit_type]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases)
@example(Case("Europe/Berlin", date(1995, 3, 26), (0, 135), 5, 5))  # a block ends here
@example(Case("Europe/Berlin", date(2026, 3, 29), (150, 240), 30, 30))
@example(Case("Europe/Berlin", date(2026, 3, 29), (60, 150), 30, 30))
@example(Case("Europe/Berlin", date(2026, 10, 25), (60, 240), 30, 30))
@example(Case("Europe/Berlin", date(2026, 10, 25), (120, 150), 30, 30))
@example(Case("Australia/Lord_Howe", date(2026, 10, 4), (60, 240), 30, 30))
@example(Case("Australia/Lord_Howe", date(2026, 4, 5), (60, 240), 30, 30))
@example(Case("Pacific/Apia", date(2011, 12, 30), (0, 1440), 60, 60))
@example(Case("Pacific/Apia", date(2011, 12, 29), (0, 1440), 60, 60))
@example(Case("Africa/Cairo", date(2026, 4, 24), (0, 180), 60, 60))
@example(Case("Africa/Cairo", date(2026, 10, 29), (1320, 1440), 60, 60))
@example(Case("Asia/Beirut", date(2026, 3, 29), (0, 180), 60, 60))
@example(Case("Asia/Beirut", date(2026, 10, 24), (1320, 1440), 60, 60))
@example(Case("America/St_Johns", date(2006, 10, 28), (1320, 1440), 30, 30))
@example(Case("America/St_Johns", date(2006, 10, 29), (0, 60), 30, 30))
@example(Case("Europe/Berlin", date(2027, 10, 31), (120, 150), 5, 5))
@example(Case("Antarctica/Troll", date(2026, 10, 25), (60, 180), 30, 30))
@example(
    Case("Europe/Berlin", date(2026, 10, 24), (1320, 1800), 30, 50, AlignedFrom.OPENING)
)
def test_starts_are_those_of_a_walk_along_the_wall_clock(case: Case) -> None:
    """Every start that the rules offer is one that a patient clerk would find."""
    assert our_starts(case) == naive_starts(case)


def test_every_zone_offers_what_its_clocks_show_when_they_change() -> None:
    """All changes of all zones in two years: short hours before, in and after each."""
    seen = set()
    for zone in sorted(NAMES):
        known = coming_changes(zone)
        if not known or known in seen:
            continue
        seen.add(known)
        for change in known:
            before, after = local(zone, change - 1), local(zone, change)
            for wall in {before, after, before - timedelta(minutes=40)}:
                opens = wall.hour * 60 + wall.minute // 15 * 15
                span = (opens, opens + 45)
                case = Case(zone, wall.date(), span, 15, 15, AlignedFrom.OPENING)
                near = range((change // CELL - 60) * CELL, change + 300, CELL)
                naive = [m for m in near if is_open(zone, wall.date(), span, m)]
                ours, count = places_of(case)[0], len(near)
                mask = ours.open_cells(near[0] // CELL, count)
                assert [m for i, m in enumerate(near) if mask >> i & 1] == naive, case
    assert len(seen) > 20


def coming_changes(zone: str) -> tuple[int, ...]:
    """The minutes of 2026 and 2027 at which the offset changes."""
    first = (date(2026, 1, 1) - EPOCH).days
    found = []
    for low, high in pairwise(range(first * DAY, (first + 730) * DAY, 7 * DAY)):
        was = offset_at(zone, low)
        if was == offset_at(zone, high):
            continue
        found += [
            minute
            for minute in range(low + 15, high + 15, 15)
            if offset_at(zone, minute) != offset_at(zone, minute - 15)
        ]
    return tuple(found)


def offset_at(zone: str, minute: int) -> timedelta | None:
    at = datetime.fromtimestamp(minute * 60, UTC).astimezone(packaged_zone(zone))
    return at.utcoffset()


def places_of(*cases: Case) -> list[LocationHours]:
    """The place of each case."""
    return [
        LocationHours(
            a_location(
                number,
                time_zone=case.zone,
                weekly=((),) * 7,
                exceptions={case.day.isoformat(): (Hours(*case.span),)},
            ),
            CELL,
        )
        for number, case in enumerate(cases, 1)
    ]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cases, st.integers(1, 95))
@example(Case("Europe/Berlin", date(2027, 10, 31), (120, 180), 30, 30), 6)
def test_two_places_one_after_the_other_are_never_open_at_once(
    case: Case, cells: int
) -> None:
    """Hours that follow each other do so in both passes of a repeated hour."""
    middle = case.span[0] // CELL * CELL + cells * CELL
    assume(case.span[0] < middle < case.span[1])
    one, two, both = places_of(
        case._replace(span=(case.span[0], middle)),
        case._replace(span=(middle, case.span[1])),
        case,
    )
    first = (case.day - EPOCH).days * DAY // CELL - 600
    left, right = one.open_cells(first, 2000), two.open_cells(first, 2000)
    assert not left & right
    assert left | right == both.open_cells(first, 2000)


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
@given(cases, st.integers(-300, 300), st.integers(1, 600))
def test_nothing_starts_that_meets_a_leave(
    case: Case, aside: int, minutes: int
) -> None:
    """A leave removes exactly the starts whose visit it meets."""
    without = our_starts(case)
    assume(without)
    since = without[0] + aside
    off = TimeOff(TimeOffId("off_1"), Minute(since), Minute(since + minutes))
    rules, offer = opened(case, (off,))
    left = [
        s for s in without if rules.location(offer, s // CELL) == LocationId("loc_1")
    ]
    assert left == [
        s for s in without if s + case.length <= since or since + minutes <= s
    ]
