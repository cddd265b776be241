"""Reads a table of past visits: CSV with a header row (docs/import.md).

Rule 1: a bad row is reported with line and reason, counted, and does not stop the
import. A reason names the column and shows no value of a patient.
Rule 2: one line is read at a time, and one row is one line.
Rule 3: instants are wall times of the visit's clinic, unless they name an offset.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import BinaryIO, Final

from actors.domain.messages.answers import BookingStatus
from cluster.filling.practices import (
    GIVEN_UP_AFTER,
    LINE_BYTES_MAX,
    BadRow,
    OtherFile,
    check_texts,
    fields_of,
)

VISITS_MAX: Final = 2_000_000
"""Visits of one file: the numbers of all are remembered, 100 bytes each."""
BAD_KEPT_MAX: Final = 1_000
"""Bad rows whose reasons are kept; the rest are counted."""
AGE_MAX: Final = 130
MINUTES_MAX: Final = 24 * 60
DEFAULT_MINUTES: Final = 15

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "visit": ("visit", "visit_id", "appointmentid"),
    "booked_at": ("booked_at", "scheduledday"),
    "start": ("start", "starts_at", "appointmentday"),
    "status": ("status",),
    "no_show": ("no_show", "no-show"),
    "place": ("place", "clinic", "neighbourhood"),
    "patient": ("patient", "patient_id", "patientid"),
    "provider": ("provider", "provider_id"),
    "minutes": ("minutes",),
    "visit_type": ("visit_type",),
    "cancelled_at": ("cancelled_at",),
    "cancelled_by": ("cancelled_by",),
    "age": ("age",),
    "reminded": ("reminded", "sms_received"),
}
"""Column -> the names that a header may have for it, in small letters."""
_NEEDED: Final = ("visit", "booked_at", "start", "place", "patient")
_YES: Final = frozenset({"1", "yes", "true", "y"})
_NO: Final = frozenset({"0", "no", "false", "n"})
_STATUSES: Final = {
    "fulfilled": BookingStatus.FULFILLED,
    "arrived": BookingStatus.FULFILLED,
    "noshow": BookingStatus.NOSHOW,
    "no_show": BookingStatus.NOSHOW,
    "cancelled": BookingStatus.CANCELLED,
}
_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One row. Instants without an offset are wall times of the place."""

    line: int
    visit: str
    booked_at: datetime
    start: datetime
    day_only: bool
    status: BookingStatus
    place: str
    patient: str
    provider: str
    minutes: int
    visit_type: str
    cancelled_at: datetime | None
    by_patient: bool | None
    age: int | None
    reminded: bool | None


@dataclass(slots=True)
class RowsRead:
    """Counters and bad rows of one import of visits."""

    rows: int = 0
    bad_count: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)
    """Line number (from 1) and reason of the first bad rows."""
    odd: list[tuple[int, str]] = field(default_factory=list)
    """The same of rows that were imported although something is odd."""
    odd_count: int = 0

    def note_bad(self, line: int, reason: str) -> None:
        """Count a bad row."""
        self.bad_count += 1
        if len(self.bad) < BAD_KEPT_MAX:
            self.bad.append((line, reason))

    def note_odd(self, line: int, reason: str) -> None:
        """Count a row that is imported, and odd."""
        self.odd_count += 1
        if len(self.odd) < BAD_KEPT_MAX:
            self.odd.append((line, reason))


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, its beginning."""
    while line := file.readline(LINE_BYTES_MAX + 2):
        rest = line
        while not rest.endswith(b"\n") and len(rest) > LINE_BYTES_MAX:
            rest = file.readline(LINE_BYTES_MAX + 2)
        yield line


def read_visit_rows(lines: Iterable[bytes], reading: RowsRead) -> Iterator[VisitRow]:
    """The good rows, in the file's order; ``reading`` keeps count.

    Raises:
        OtherFile: the header lacks a column, or the first rows are all bad.
    """
    numbered = enumerate(lines, start=1)
    at = _header(next(numbered, (1, b""))[1])
    seen: set[bytes] = set()
    for number, line in numbered:
        if not line.strip():
            continue
        reading.rows += 1
        try:
            row = _row(number, _values(line), at)
            _check_once(row.visit, seen)
        except BadRow as bad:
            reading.note_bad(number, str(bad))
            if reading.rows == reading.bad_count == GIVEN_UP_AFTER:
                first, reason = reading.bad[0]
                raise OtherFile(f"line {first}: {reason}") from None
            continue
        yield row


def _header(line: bytes) -> dict[str, int]:
    """Column -> its number. Raises OtherFile."""
    try:
        names = [name.strip().lower() for name in fields_of(line)]
    except BadRow as bad:
        raise OtherFile(f"line 1: {bad}") from None
    at = {
        column: names.index(name)
        for column, known in COLUMNS.items()
        for name in known
        if name in names
    }
    missing = [column for column in _NEEDED if column not in at]
    if "status" not in at and "no_show" not in at:
        missing.append("status")
    if missing:
        raise OtherFile(f"the header has no column for {', '.join(missing)}")
    at[""] = len(names)
    return at


def _values(line: bytes) -> list[str]:
    row = fields_of(line)
    check_texts(row)
    return row


def _check_once(visit: str, seen: set[bytes]) -> None:
    """Remember a visit's number. Raises BadRow for a repeated one."""
    name = hashlib.blake2b(visit.encode(), digest_size=8).digest()
    if name in seen:
        raise BadRow("its visit is on an earlier line already")
    if len(seen) >= VISITS_MAX:
        raise BadRow(f"the file has more than {VISITS_MAX:,} visits: divide it")
    seen.add(name)


def _row(line: int, row: Sequence[str], at: Mapping[str, int]) -> VisitRow:
    """Raises BadRow."""
    if len(row) != at[""]:
        raise BadRow(f"{len(row)} columns instead of {at['']}")

    def of(column: str) -> str:
        return row[at[column]] if column in at else ""

    for column in _NEEDED:
        if not of(column):
            raise BadRow(f"{column} is empty")
    start, day_only = _instant(of("start"), "start")
    visit_type = of("visit_type") or "visit"
    if not _NAME.fullmatch(visit_type):
        raise BadRow("visit_type is not a name of letters, digits, _ . and -")
    status = _status(of("status"), of("no_show"))
    cancelled = of("cancelled_at")
    return VisitRow(
        line=line,
        visit=of("visit"),
        booked_at=_instant(of("booked_at"), "booked_at")[0],
        start=start,
        day_only=day_only,
        status=status,
        place=of("place"),
        patient=of("patient"),
        provider=of("provider"),
        minutes=_number(of("minutes"), "minutes", 1, MINUTES_MAX) or DEFAULT_MINUTES,
        visit_type=visit_type,
        cancelled_at=_instant(cancelled, "cancelled_at")[0] if cancelled else None,
        by_patient=_by_patient(of("cancelled_by")),
        age=_number(of("age"), "age", 0, AGE_MAX),
        reminded=_truth(of("reminded"), "reminded"),
    )


def _instant(text: str, column: str) -> tuple[datetime, bool]:
    """An instant, and whether the text is a day alone. Raises BadRow."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRow(
            f"{column} is not a time as 2016-04-29 18:38:08 or 2016-04-29"
        ) from None
    is_day = len(text) <= len("2016-04-29")
    if is_day:
        found = datetime.combine(found.date(), time(12))
    return found, is_day


def _status(status: str, no_show: str) -> BookingStatus:
    if status:
        found = _STATUSES.get(status.lower())
        if found is None:
            raise BadRow(f"status is none of {', '.join(_STATUSES)}")
        return found
    missed = _truth(no_show, "no_show")
    if missed is None:
        raise BadRow("status is empty")
    return BookingStatus.NOSHOW if missed else BookingStatus.FULFILLED


def _truth(text: str, column: str) -> bool | None:
    if not text:
        return None
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise BadRow(f"{column} is neither yes nor no")


def _by_patient(text: str) -> bool | None:
    if not text:
        return None
    if text.lower() not in ("patient", "clinic"):
        raise BadRow("cancelled_by is neither patient nor clinic")
    return text.lower() == "patient"


def _number(text: str, column: str, least: int, most: int) -> int | None:
    """A whole number; tables write some as 62.0. Raises BadRow."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}(\.0+)?", text):
        raise BadRow(f"{column} is not a number")
    found = int(text.partition(".")[0])
    if not least <= found <= most:
        raise BadRow(f"{column} is not from {least} to {most}")
    return found
