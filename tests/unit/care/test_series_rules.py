"""Dates of a series' rule, against dateutil and zoneinfo; ids of its visits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random

import pytest
from dateutil.rrule import DAILY, MO, WEEKLY, rrule

from actors.domain.ids import Minute, ProviderId, booking_id, provider_of
from actors.domain.zones import zone_or_utc
from care.series.ids import (
    is_series_id,
    membership_of,
    series_id,
    series_provider,
    visit_id,
)
from care.series.rules import (
    DATES_MAX,
    SeriesRule,
    SeriesUnit,
    TooManyDates,
    moved_start,
    planned_dates,
    rule_problem,
)
from tests.wall_clock import packaged_zone

EPOCH = date(1970, 1, 1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Gaza")


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def wall(start: Minute, zone: str) -> str:
    at = datetime.fromtimestamp(start * 60, UTC).astimezone(packaged_zone(zone))
    return at.strftime("%Y-%m-%d %H:%M")


def weekly(first: str, at: int, **more: object) -> SeriesRule:
    given = {"unit": SeriesUnit.WEEK, "first": day(first), "at": at, **more}
    return SeriesRule(**given)  # type: ignore[arg-type]


def test_a_visit_at_nine_stays_at_nine_over_the_change_of_clocks() -> None:
    """Instants differ by an hour, the wall does not."""
    rule = weekly("2026-10-19", 9 * 60, count=3)
    found = planned_dates(rule, zone_or_utc("Europe/Berlin"))
    assert [wall(one.start, "Europe/Berlin") for one in found] == [
        "2026-10-19 09:00",
        "2026-10-26 09:00",
        "2026-11-02 09:00",
    ]
    assert found[1].start - found[0].start == 7 * 24 * 60 + 60


def test_a_skipped_time_does_not_exist_and_a_repeated_one_is_its_first() -> None:
    """As opening hours have it: the clock never shows the one, and twice the other."""
    zone = zone_or_utc("Europe/Berlin")
    spring = planned_dates(weekly("2026-03-22", 150, count=3), zone)
    assert [one.exists for one in spring] == [True, False, True]
    assert wall(spring[1].start, "Europe/Berlin") == "2026-03-29 03:00"
    autumn = planned_dates(weekly("2026-10-25", 150, count=1), zone)
    assert autumn[0].exists
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert autumn[0].start == int(first.timestamp()) // 60


def a_rule(chance: Random) -> SeriesRule:
    unit = chance.choice(list(SeriesUnit))
    on: tuple[int, ...] = ()
    if unit is SeriesUnit.WEEK and chance.random() < 0.7:
        on = tuple(chance.sample(range(7), chance.randrange(1, 8)))
    first = day("2026-01-01") + chance.randrange(700)
    every = chance.randrange(1, 9)
    count = chance.randrange(1, DATES_MAX + 1) if chance.random() < 0.7 else None
    until = None
    if count is None or chance.random() < 0.3:
        until = first + chance.randrange(every * 40)
    return SeriesRule(unit, first, chance.randrange(1440), every, on, count, until)


def days_of(rule: SeriesRule) -> list[date]:
    """The dates of a rule by dateutil, up to one more than a series may have."""
    first = EPOCH + timedelta(days=rule.first)
    until = None if rule.until is None else EPOCH + timedelta(days=rule.until)
    found = rrule(
        WEEKLY if rule.unit is SeriesUnit.WEEK else DAILY,
        dtstart=datetime(first.year, first.month, first.day, tzinfo=UTC),
        interval=rule.every,
        byweekday=rule.weekdays or None,
        wkst=MO,
    )
    most = islice(found, rule.count or DATES_MAX + 1)
    return [one.date() for one in most if until is None or one.date() <= until]


def test_rules_have_the_dates_that_dateutil_has() -> None:
    """Days and weeks, several weekdays, intervals, count and until, at all seasons."""
    chance = Random(7)
    for _ in range(300):
        zone, rule = chance.choice(ZONES), a_rule(chance)
        assert rule_problem(rule) is None
        wanted = days_of(rule)
        if len(wanted) > DATES_MAX:
            with pytest.raises(TooManyDates):
                planned_dates(rule, zone_or_utc(zone))
            continue
        found = planned_dates(rule, zone_or_utc(zone))
        assert len(found) == len(wanted)
        for one, its_day in zip(found, wanted, strict=True):
            clock = f"{its_day} {rule.at // 60:02}:{rule.at % 60:02}"
            assert (wall(one.start, zone) == clock) is one.exists
            before = wall(Minute(one.start - 1), zone)
            assert one.exists or before < clock < wall(one.start, zone)


def test_those_after_a_moved_visit_move_along_on_the_wall() -> None:
    """As many days, to its new time of day, over the change of clocks."""
    zone = zone_or_utc("Europe/Berlin")
    old = planned_dates(weekly("2026-10-19", 9 * 60, count=3), zone)
    new = planned_dates(weekly("2026-10-21", 14 * 60 + 30, count=3), zone)
    moved = (old[0].start, new[0].start)
    assert [moved_start(one.start, moved, zone).start for one in old] == [
        one.start for one in new
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"every": 0}, "every"),
        ({"every": 53}, "every"),
        ({"at": 1440}, "time"),
        ({"weekdays": (7,)}, "weekdays"),
        ({"unit": SeriesUnit.DAY, "weekdays": (1,)}, "weekdays"),
        ({"count": None}, "count"),
        ({"count": 53}, "count"),
        ({"until": day("2026-01-01")}, "until"),
    ],
)
def test_a_wrong_rule_names_its_field(changes: dict[str, object], field: str) -> None:
    """With what to send instead."""
    given = {"first": "2026-08-10", "at": 540, "count": 3, **changes}
    problem = rule_problem(weekly(**given))  # type: ignore[arg-type]
    assert problem is not None
    assert problem[0] == field


def test_an_id_says_which_series_a_visit_belongs_to() -> None:
    """And is a booking's id of its calendar; random ids belong to none."""
    provider = ProviderId("prv_" + "a-_9" * 16)
    series = series_id(provider, "0123456789abcdef" * 2)
    assert is_series_id(series)
    assert series_provider(series) == provider
    for number, count in ((1, 1), (52, 52), (7, 12)):
        name = visit_id(series, number, count)
        assert provider_of(name) == provider
        found = membership_of(name)
        assert found is not None
        assert (found.series_id, found.number, found.count) == (series, number, count)
    for token in ("Xa8k2LqPz0", "series-1", "series-0123456789abcdef012-1-12"):
        assert membership_of(booking_id(provider, token)) is None
    assert not is_series_id(series + "\n")
