"""A booking trace: when each visit was booked, its day, its place, kept or missed.

The format is that of the published Vitória no-show data set: a CSV file with a header
and at least the columns of ``COLUMNS``. ``generate`` writes a small synthetic one.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "PatientId",
    "AppointmentID",
    "ScheduledDay",
    "AppointmentDay",
    "Neighbourhood",
    "No_show",
)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Visit:
    """One row; ``line`` is its line number in the file, from 2."""

    line: int
    patient: str
    number: str
    booked_at: datetime
    day: date
    place: str
    showed: bool


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not a valid visit, and why."""

    line: int
    reason: str


class NotATrace(Exception):
    """The file lacks columns of a booking trace."""


def _visit(line: int, row: dict[str, str]) -> Visit:
    """One visit. Raises ValueError with the reason if the row is not valid."""
    if row.get("No_show") not in ("Yes", "No"):
        raise ValueError(f"No_show must be Yes or No, not {row.get('No_show')!r}")
    # The published data set has its ids as floats.
    patient = f"{float(row['PatientId']):.5f}".rstrip("0").rstrip(".")
    number = row["AppointmentID"].strip()
    if not number:
        raise ValueError("AppointmentID is empty")
    booked = datetime.fromisoformat(row["ScheduledDay"].replace("Z", ""))
    return Visit(
        line=line,
        patient=patient.replace(".", "-"),
        number=number,
        booked_at=booked.replace(tzinfo=UTC),
        day=date.fromisoformat(row["AppointmentDay"][:10]),
        place=row["Neighbourhood"].strip(),
        showed=row["No_show"] == "No",
    )


def read(path: Path, limit: int | None = None) -> tuple[list[Visit], list[BadRow]]:
    """Visits and bad rows of a trace, in the file's order.

    Raises:
        NotATrace: the header lacks a column.
        OSError: the file cannot be read.
    """
    visits: list[Visit] = []
    bad: list[BadRow] = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise NotATrace(f"{path} lacks the columns {', '.join(missing)}")
        for row in rows:
            if limit is not None and len(visits) + len(bad) >= limit:
                break
            try:
                visits.append(_visit(rows.line_num, row))
            except (ValueError, TypeError, AttributeError, OverflowError) as error:
                bad.append(BadRow(rows.line_num, str(error)))
    return visits, bad


def shift_to(visits: list[Visit], first_day: date) -> timedelta:
    """Weeks by which to move the trace, so that weekdays are kept.

    Its first visit day becomes ``first_day`` or the next day of the same weekday.
    """
    earliest = min(visit.day for visit in visits)
    shift = first_day - earliest
    weeks = -(-shift // WEEK)
    return weeks * WEEK


def generate(path: Path, rows: int, seed: int = 1) -> None:
    """Write a small synthetic trace with realistic places, lead times and no-shows."""
    dice = random.Random(seed)
    places = [f"QUARTER {letter}" for letter in "ABCDEFG"]
    first = date(2024, 3, 4)
    days = [first + timedelta(days=n) for n in range(12) if n % 7 < 5]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(1, rows + 1):
            day = dice.choice(days)
            lead = dice.choice((0, 0, 0, 1, 3, 6, 14, 30))
            booked = datetime.combine(day, datetime.min.time(), UTC) + timedelta(
                days=-lead, hours=dice.randrange(7, 10), minutes=dice.randrange(60)
            )
            missed = dice.random() < (0.04 if lead == 0 else 0.28)
            writer.writerow(
                (
                    f"{dice.randrange(1, rows)}.0",
                    5_000_000 + number,
                    booked.strftime("%Y-%m-%d %H:%M:%S"),
                    day.isoformat(),
                    dice.choice(places),
                    "Yes" if missed else "No",
                )
            )
