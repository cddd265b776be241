"""Names of zones, dates and weeks. Clock changes: tests/properties/test_zones.py."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from actors.domain.ids import Minute
from actors.domain.zone_data import NAMES, zone_info
from actors.domain.zones import (
    day_named,
    instant_text,
    week_named,
    week_of_day,
    weekday,
    zone_named,
)
from tests.architecture.sources import ROOT


@pytest.mark.parametrize(
    "name",
    [
        *("", "Mars/Olympus", "../etc/passwd", "Europe", "\0", "localtime", "Factory"),
        *("right/Europe/Berlin", "posix/Europe/Berlin", "posixrules", "europe/berlin"),
        *("tzdata.zi", "zone.tab", "Europe/", "/Europe/Berlin", "Europe//Berlin"),
    ],
)
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


def test_links_of_the_list_are_zones() -> None:
    """Older names that the list keeps mean what they always did."""
    old, new = zone_named("Asia/Calcutta"), zone_named("Asia/Kolkata")
    assert old is not None
    assert new is not None
    assert old.segments(0, 10**9) == new.segments(0, 10**9)


def test_every_name_of_the_package_is_a_zone() -> None:
    """The list of names and the files of the package agree."""
    assert len(NAMES) > 590
    assert all(zone_info(name) for name in NAMES)


def test_zone_files_of_the_machine_do_not_count(tmp_path: Path) -> None:
    """A machine whose Vancouver is on Kathmandu's clock computes what others do."""
    stale = tmp_path / "America" / "Vancouver"
    stale.parent.mkdir()
    kathmandu = files("tzdata").joinpath("zoneinfo", "Asia", "Kathmandu")
    stale.write_bytes(kathmandu.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", _VANCOUVER],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    machine, ours, wire = done.stdout.split()
    assert machine == "20700"  # the control: the machine's file is read by zoneinfo
    # Vancouver is on daylight time for good since 2026 (edition 2026b and later).
    assert ours == "-25200"
    assert wire == "2026-12-01"


_VANCOUVER = """
import zoneinfo
from datetime import datetime, timezone
from actors.domain.zones import zone_named
from gateway.wire.formats import parse_millis, today
at = datetime(2026, 12, 2, 12, tzinfo=timezone.utc)
read = at.astimezone(zoneinfo.ZoneInfo("America/Vancouver")).utcoffset()
print(int(read.total_seconds()))
print(zone_named("America/Vancouver").segments(1796212800, 1796212801)[-1][2])
print(today(parse_millis("2026-12-02T06:00:00Z", "now"), "America/Vancouver"))
"""
