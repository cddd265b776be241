"""Reads the English list of general practices (the format of ``epraccur.csv``).

27 columns, no header row, quoted, empty fields empty, dates as YYYYMMDD. docs/import.md
says which columns are used and which rows are skipped.

Rule 1: a bad row is reported with line and reason, counted, and does not stop the
import.
Rule 2: only active practices (status ``A``) that are open on the day are clinics;
        closed, dormant and proposed ones are counted as skipped.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic

COLUMNS = 27
CODE, NAME, POSTCODE, OPENED, CLOSED, STATUS, PHONE = 0, 1, 9, 10, 11, 12, 17
ADDRESS = range(4, 9)
TIME_ZONE = "Europe/London"
COUNTRY = "GB"

FIELD_CHARACTERS_MAX = 200
"""Maximum length of a value; the longest in the real list has 47 characters."""
LINE_BYTES_MAX = 16 * 1024
"""Longest line that is read; a longer one is a broken file, not a practice."""
GIVEN_UP_AFTER = 20
"""If the first rows, this many, are all bad, the file is taken for another kind."""
_CODE = re.compile(r"[A-Z0-9]{3,8}")
_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}")
_PHONE = re.compile(r"[0-9+() /.-]{0,30}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, line separators, and marks that change the text direction."""


class Status(StrEnum):
    """Column 13."""

    ACTIVE = "A"
    CLOSED = "C"
    DORMANT = "D"
    PROPOSED = "P"


class OtherFile(Exception):
    """The file is not a list of practices: its first rows are all bad."""


class BadRow(ValueError):
    """A row that is not a practice; the message says why."""


@dataclass(frozen=True, slots=True)
class Practice:
    """One row: the clinic it describes, and whether it is open."""

    clinic: Clinic
    status: Status
    opened: date
    closed: date | None

    def why_skipped(self, day: date) -> str:
        """Why this practice is no clinic on ``day``; empty if it is one."""
        if self.status is Status.CLOSED or (self.closed and self.closed <= day):
            return "closed"
        if self.status is Status.DORMANT:
            return "dormant"
        if self.status is Status.PROPOSED or self.opened > day:
            return "not open yet"
        return ""


@dataclass(slots=True)
class Reading:
    """Counters and bad rows of one import."""

    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)
    """Line number (from 1) and reason of every bad row."""


def read_practices(
    lines: Iterable[bytes], day: date, reading: Reading
) -> Iterator[Clinic]:
    """The clinics open on ``day``, in the file's order; ``reading`` keeps count.

    Raises:
        OtherFile: the first rows are all bad; says why the first of them is.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        reading.rows += 1
        try:
            practice = parse_row(fields_of(line))
            _check_new(practice.clinic.clinic_id, seen, number)
        except BadRow as bad:
            reading.bad.append((number, str(bad)))
            if reading.rows == len(reading.bad) == GIVEN_UP_AFTER:
                first, reason = reading.bad[0]
                raise OtherFile(f"line {first}: {reason}") from None
            continue
        why = practice.why_skipped(day)
        if why:
            reading.skipped[why] += 1
        else:
            yield practice.clinic


def _check_new(code: ClinicId, seen: dict[str, int], number: int) -> None:
    """Remember the line of a code. Raises BadRow for a repeated code."""
    if code in seen:
        raise BadRow(f"code {code[4:]} was on line {seen[code]} already")
    seen[code] = number


def parse_row(row: list[str]) -> Practice:
    """The practice that a row of 27 fields describes. Raises BadRow."""
    if len(row) != COLUMNS:
        raise BadRow(f"{len(row)} columns instead of {COLUMNS}")
    check_texts(row)
    if not _CODE.fullmatch(row[CODE]):
        raise BadRow(f"{row[CODE]!r} is not a practice code")
    if not row[NAME]:
        raise BadRow("the name is empty")
    try:
        status = Status(row[STATUS])
    except ValueError:
        raise BadRow(f"status {row[STATUS]!r} is none of A C D P") from None
    opened = _date(row[OPENED], "open date")
    closed = _date(row[CLOSED], "close date") if row[CLOSED] else None
    if closed and closed < opened:
        raise BadRow(f"closed {row[CLOSED]} before it opened {row[OPENED]}")
    return Practice(_clinic(row), status, opened, closed)


def _clinic(row: list[str]) -> Clinic:
    postcode = row[POSTCODE]
    if postcode and not _POSTCODE.fullmatch(postcode):
        raise BadRow(f"{postcode!r} is not a postcode")
    if not _PHONE.fullmatch(row[PHONE]):
        raise BadRow(f"{row[PHONE]!r} is not a telephone number")
    address = [row[column] for column in ADDRESS if row[column]]
    return Clinic(
        clinic_id=ClinicId(f"cln_{row[CODE]}"),
        name=row[NAME],
        time_zone=TIME_ZONE,
        address=", ".join(address),
        city=_town(row),
        postcode=postcode,
        country=COUNTRY,
        phone=row[PHONE],
    )


def _town(row: list[str]) -> str:
    """Usually column 7; some rows have it in the next one, or the one before."""
    return row[ADDRESS[2]] or row[ADDRESS[3]] or row[ADDRESS[1]]


def fields_of(line: bytes) -> list[str]:
    """The trimmed values of a line. Raises BadRow."""
    if len(line) > LINE_BYTES_MAX:
        raise BadRow(f"the line has more than {LINE_BYTES_MAX} bytes")
    if b"\0" in line:
        raise BadRow("the line contains a NUL byte")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRow(f"byte {error.start + 1} is not UTF-8") from None
    try:
        rows = list(csv.reader([text.rstrip("\r\n")], strict=True))
    except csv.Error as error:
        raise BadRow(f"not readable as CSV: {error}") from None
    return [value.strip() for value in rows[0]] if rows else []


def check_texts(row: list[str]) -> None:
    """Raises BadRow for values that are too long or cannot be shown."""
    for column, value in enumerate(row, start=1):
        if len(value) > FIELD_CHARACTERS_MAX:
            raise BadRow(
                f"column {column} has {len(value)} characters, "
                f"more than {FIELD_CHARACTERS_MAX}"
            )
        if _UNPRINTABLE.search(value):
            raise BadRow(f"column {column} contains a direction or control character")


def _date(text: str, what: str) -> date:
    if len(text) == 8 and text.isascii() and text.isdigit():  # noqa: PLR2004
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            pass
    raise BadRow(f"{what} {text!r} is not a date YYYYMMDD")
