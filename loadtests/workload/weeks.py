"""ISO weeks in the format of topics."""

from __future__ import annotations

from datetime import date


def iso_week(day: date) -> str:
    """The ISO week of a day: ``2026-W49``."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def days_of(week: str) -> tuple[date, date]:
    """The Monday and the Sunday of an ISO week."""
    year, number = week.split("-W")
    first = date.fromisocalendar(int(year), int(number), 1)
    return first, date.fromordinal(first.toordinal() + 6)
