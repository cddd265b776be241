"""Names of zones, dates and weeks. Clock changes: tests/properties/test_zones.py."""

from __future__ import annotations

import pytest

from actors.domain.ids import Minute
from actors.domain.zones import (
    day_named,
    instant_text,
    week_named,
    week_of_day,
    weekday,
    zone_named,
)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe", "\0"])
def test_an_unknown_zone_is_none(name: str) -> None:
    """Whatever is asked for, nothing is raised."""
    assert zone_named(name) is None


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-1-1", "20260101", "1969-12-31", "2200-01-01", "today"]
)
def test_only_dates_of_1970_to_2199_are_days(text: str) -> None:
    """Others would make timelines without bound."""
    assert day_named(text) is None


def test_days_and_weeks_have_their_names() -> None:
    """ISO weeks, also around New Year."""
    day = day_named("2027-01-01")
    assert day is not None
    assert weekday(day) == 4
    assert week_of_day(day) == ("2026-W53", day - 4)
    assert week_named("2026-W53") == day - 4


@pytest.mark.parametrize("text", ["2027-W53", "2026-W00", "2026-49", "1969-W01", ""])
def test_a_week_that_is_none(text: str) -> None:
    """A year without a 53rd week, a malformed name, a year too early."""
    assert week_named(text) is None


def test_instants_are_told_in_utc() -> None:
    """For people, to the minute."""
    assert instant_text(Minute(0)) == "1970-01-01T00:00Z"
