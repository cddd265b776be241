"""A table of past visits: what becomes a row, what is bad and what is odd."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from actors.domain.messages.answers import BookingStatus
from cluster.filling.practices import LINE_BYTES_MAX, OtherFile
from cluster.filling.visit_rows import (
    BAD_KEPT_MAX,
    RowsRead,
    VisitRow,
    bounded_lines,
    read_visit_rows,
)

HEADER = "visit,booked_at,start,status,place,patient,age,reminded,cancelled_by"
GOOD = "v{n},2016-04-29 18:38:08,2016-05-02,fulfilled,Harbour,p1,62.0,1,"


def read(*lines: str, header: str = HEADER) -> tuple[list[VisitRow], RowsRead]:
    reading = RowsRead()
    text = "\n".join((header, *lines)).encode()
    return list(read_visit_rows(bounded_lines(io.BytesIO(text)), reading)), reading


def test_a_published_table_is_read_by_its_own_names() -> None:
    """The columns of the no-show trace are known, in whatever order."""
    rows, reading = read(
        "No,1,62.0,JARDIM DA PENHA,2016-04-29,2016-04-29 18:38:08,5642903,298.0",
        "Yes,0,8.0,ROMÃO,2016-05-02,2016-04-29 07:00:00,5642904,299.0",
        header="No_show,SMS_received,Age,Neighbourhood,AppointmentDay,ScheduledDay,"
        "AppointmentID,PatientId",
    )
    assert reading.bad == []
    first, second = rows
    assert first.visit == "5642903"
    assert first.start == datetime(2016, 4, 29, 12)  # noqa: DTZ001
    assert first.day_only
    assert first.booked_at == datetime(2016, 4, 29, 18, 38, 8)  # noqa: DTZ001
    assert (first.age, first.reminded) == (62, True)
    assert first.status is BookingStatus.FULFILLED
    assert second.place == "ROMÃO"
    assert second.status is BookingStatus.NOSHOW
    assert second.reminded is False


def test_a_time_with_an_offset_is_an_instant() -> None:
    """What names its offset needs no zone of a clinic."""
    ((row,), _) = read(
        "v1,2016-04-29T18:38:08Z,2016-05-02T10:00+02:00,fulfilled,Harbour,p1,,,"
    )
    assert row.booked_at == datetime(2016, 4, 29, 18, 38, 8, tzinfo=UTC)
    assert row.start == datetime(2016, 5, 2, 8, tzinfo=UTC)
    assert not row.day_only


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("v2,2016-04-29,2016-05-02,fulfilled,Harbour,p1,62", "7 columns instead of 9"),
        (",2016-04-29,2016-05-02,fulfilled,Harbour,p1,,,", "visit is empty"),
        ("v2,2016-04-29,2016-05-02,fulfilled,Harbour,,,,", "patient is empty"),
        ("v2,2016-04-31,2016-05-02,fulfilled,Harbour,p1,,,", "booked_at is not a time"),
        ("v2,2016-04-29,soon,fulfilled,Harbour,p1,,,", "start is not a time"),
        ("v2,2016-04-29,2016-05-02,maybe,Harbour,p1,,,", "status is none of"),
        ("v2,2016-04-29,2016-05-02,,Harbour,p1,,,", "status is empty"),
        ("v2,2016-04-29,2016-05-02,noshow,Harbour,p1,-1,,", "age is not a number"),
        ("v2,2016-04-29,2016-05-02,noshow,Harbour,p1,131,,", "age is not from 0"),
        ("v2,2016-04-29,2016-05-02,noshow,Harbour,p1,,2,", "reminded is neither"),
        ("v2,2016-04-29,2016-05-02,cancelled,Harbour,p1,,,me", "cancelled_by is nei"),
        (GOOD.format(n=1), "earlier line"),
        ("v2,2016-04-29,2016-05-02,noshow,Har\x07bour,p1,,,", "control character"),
        ('v2,2016-04-29,2016-05-02,noshow,"Harbour,p1,,,', "not readable as CSV"),
        ("v2" + "x" * LINE_BYTES_MAX, "bytes"),
    ],
)
def test_a_bad_row_is_told_by_line_and_stops_nothing(line: str, reason: str) -> None:
    """The rows around it are read."""
    rows, reading = read(GOOD.format(n=1), line, GOOD.format(n=9))
    assert [row.visit for row in rows] == ["v1", "v9"]
    ((number, why),) = reading.bad
    assert number == 3
    assert reason in why


def test_no_reason_shows_a_value_of_a_patient() -> None:
    """Reasons go to a terminal and its log: they name columns."""
    secret = "943-476-5919"
    _, reading = read(
        GOOD.format(n=1),
        f"v2,2016-04-29,2016-05-02,noshow,Harbour,p1,{secret},,",
        f"v3,2016-04-29,2016-05-02,noshow,Harbour,{secret}\x07,,,",
        f'v4,2016-04-29,2016-05-02,noshow,Harbour,"{secret},,,',
        f"v5,2016-04-29,2016-05-02,noshow,Harbour,{secret},,",
    )
    assert len(reading.bad) == 4
    assert not any(secret in why for _, why in reading.bad)


def test_another_file_is_refused_by_its_header() -> None:
    """What is missing is named before a row is read."""
    with pytest.raises(OtherFile, match="no column for patient, status"):
        read(header="visit,booked_at,start,place")


def test_reasons_are_bounded_and_all_are_counted() -> None:
    """A file of bad rows fills no memory."""
    more = BAD_KEPT_MAX + 5
    _, reading = read(GOOD.format(n=1), *(["a,b"] * more))
    assert (len(reading.bad), reading.bad_count) == (BAD_KEPT_MAX, more)
