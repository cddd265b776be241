"""When another calendar is busy: another library's expansion is the judge."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar

from actors.domain.ids import Minute
from care.busy import reading as module
from care.busy.reading import NotACalendar, TooManyEvents, read_busy
from care.busy.slimming import slimmed
from care.busy.spans import BusySpan, BusyWanted
from tests.wall_clock import packaged_zone

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def minute(at: datetime) -> Minute:
    return Minute(int(at.timestamp()) // 60)


def calendar(*entries: str, zones: str = "") -> bytes:
    lines = "\n".join(f"BEGIN:VEVENT\n{one.strip()}\nEND:VEVENT" for one in entries)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{zones}{lines}\nEND:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def read(text: bytes, zone: str = BERLIN, host: str = "clinic.test") -> Any:
    wanted = BusyWanted(zone, minute(FIRST), minute(LAST), host)
    return read_busy(slimmed(text), wanted)


def busy(text: bytes, zone: str = BERLIN) -> list[tuple[str, int]]:
    """Begin in UTC, and length in minutes."""
    found = read(text, zone)
    assert found.skipped == 0
    return [
        (
            f"{datetime.fromtimestamp(one.start * 60, UTC):%m-%d %H:%M}",
            one.end - one.start,
        )
        for one in found.spans
    ]


def judged(text: bytes, zone: str) -> list[BusySpan]:
    """What the other library says of the same text."""
    found = set()
    place = packaged_zone(zone)
    for one in recurring_ical_events.of(Calendar.from_ical(text)).between(FIRST, LAST):
        first, last = (
            at.replace(tzinfo=place)
            if isinstance(at, datetime) and at.tzinfo is None
            else at
            if isinstance(at, datetime)
            else datetime(at.year, at.month, at.day, tzinfo=place)
            for at in (one.start, one.end)
        )
        if first < LAST and last > FIRST:
            found.add(BusySpan(minute(first), minute(last)))
    return sorted(found)


RULES = (
    "FREQ=DAILY;COUNT=10",
    "FREQ=DAILY;INTERVAL=3;UNTIL=20261231T000000Z",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;UNTIL=20261101T235959Z",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
)
ZONES = ("Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")


@pytest.mark.parametrize(
    ("rule", "zone"), list(itertools.product(RULES, ZONES)), ids=str
)
def test_rules_are_expanded_as_another_library_does(rule: str, zone: str) -> None:
    """By the wall clock of their zone over its changes, also of zones whose offset or
    change is half an hour; with an exception and a moved occurrence."""
    text = calendar(
        f"UID:1\nDTSTART;TZID={zone}:20260302T093000\n"
        f"DTEND;TZID={zone}:20260302T101500\n"
        f"RRULE:{rule}\nEXDATE;TZID={zone}:20260304T093000",
        f"UID:1\nRECURRENCE-ID;TZID={zone}:20260330T093000\n"
        f"DTSTART;TZID={zone}:20260330T120000\nDTEND;TZID={zone}:20260330T130000",
    )
    found = read(text)
    assert found.skipped == 0
    assert list(found.spans) == judged(text, BERLIN)


def test_a_time_that_the_clock_skips_or_shows_twice() -> None:
    """It is read with the offset before the change (RFC 5545, 3.3.5), and all of a
    series are equally long."""
    text = calendar(
        "UID:1\nDTSTART;TZID=Europe/Berlin:20260328T023000\n"
        "DTEND;TZID=Europe/Berlin:20260328T031500\nRRULE:FREQ=DAILY;COUNT=3",
        "UID:2\nDTSTART;TZID=Europe/Berlin:20261024T023000\n"
        "DTEND;TZID=Europe/Berlin:20261024T031500\nRRULE:FREQ=HOURLY;INTERVAL=24;COUNT=3",
    )
    assert busy(text) == [
        ("03-28 01:30", 45),
        ("03-29 01:30", 45),
        ("03-30 00:30", 45),
        ("10-24 00:30", 45),
        ("10-25 00:30", 45),
        ("10-26 01:30", 45),
    ]


def test_whole_days_and_times_without_a_zone_are_by_the_clock_of_the_place() -> None:
    """Ends are exclusive; a day has the hours that it has there."""
    text = calendar(
        "UID:1\nDTSTART;VALUE=DATE:20260329\nDTEND;VALUE=DATE:20260330",
        "UID:2\nDTSTART;VALUE=DATE:20260401",
        "UID:3\nDTSTART:20260402T090000\nDTEND:20260402T093000",
        "UID:4\nDTSTART;VALUE=DATE:20261024\nRRULE:FREQ=DAILY;COUNT=3",
        "UID:5\nDTSTART:20260403T090000\nDURATION:P1DT30M",
    )
    assert busy(text) == [
        ("03-28 23:00", 23 * 60),
        ("03-31 22:00", 24 * 60),
        ("04-02 07:00", 30),
        ("04-03 07:00", 24 * 60 + 30),
        ("10-23 22:00", 24 * 60),
        ("10-24 22:00", 25 * 60),
        ("10-25 23:00", 24 * 60),
    ]
    assert busy(text, "Asia/Kolkata")[1:3] == [
        ("03-31 18:30", 1440),
        ("04-02 03:30", 30),
    ]
    assert list(read(text).spans) == judged(text, BERLIN)


MINE = """BEGIN:VTIMEZONE
TZID:Mine
BEGIN:STANDARD
DTSTART:20001029T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0230
TZOFFSETTO:+0130
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20000326T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0130
TZOFFSETTO:+0230
END:DAYLIGHT
END:VTIMEZONE
"""


def test_zones_of_the_calendar_itself() -> None:
    """Its own definition without an end, Windows' names, and names that no zone has:
    those are the place's."""
    text = calendar(
        "UID:1\nDTSTART;TZID=Mine:20260105T090000\nDTEND;TZID=Mine:20260105T100000",
        "UID:2\nDTSTART;TZID=Mine:20260706T090000\nDTEND;TZID=Mine:20260706T100000",
        "UID:3\nDTSTART;TZID=W. Europe Standard Time:20260707T090000\nDURATION:PT1H",
        "UID:4\nDTSTART;TZID=Nowhere:20260708T090000\nDURATION:PT1H",
        zones=MINE,
    )
    assert busy(text) == [
        ("01-05 07:30", 60),
        ("07-06 06:30", 60),
        ("07-07 07:00", 60),
        ("07-08 07:00", 60),
    ]


def test_what_is_free_takes_no_time() -> None:
    """Cancelled, transparent, shown as free, without length, and visits of this site;
    an occurrence that is free leaves its place."""
    rest = "DTSTART:20260810T090000Z\nDTEND:20260810T100000Z"
    text = calendar(
        f"UID:1\n{rest}\nSTATUS:CANCELLED",
        f"UID:2\n{rest}\nTRANSP:TRANSPARENT",
        f"UID:3\n{rest}\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
        f"UID:bkg_1.a@clinic.test\n{rest}",
        "UID:5\nDTSTART:20260810T090000Z",
        "UID:6\nDTSTART:20260810T090000Z\nDTEND:20260810T080000Z",
        "UID:7\nDTSTART:20260901T090000Z\nDTEND:20260901T100000Z\nRRULE:FREQ=DAILY;COUNT=3",
        "UID:7\nRECURRENCE-ID:20260902T090000Z\nDTSTART:20260902T090000Z\n"
        "DTEND:20260902T100000Z\nSTATUS:CANCELLED",
    )
    assert busy(text) == [("09-01 09:00", 60), ("09-03 09:00", 60)]


def test_changes_of_occurrences() -> None:
    """From one on, more dates, periods; the newest of two changes counts."""
    text = calendar(
        "UID:1\nDTSTART:20260901T090000Z\nDTEND:20260901T100000Z\nRRULE:FREQ=DAILY;COUNT=4",
        "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260903T090000Z\n"
        "DTSTART:20260903T110000Z\nDTEND:20260903T113000Z",
        "UID:2\nDTSTART:20261001T090000Z\nDTEND:20261001T100000Z\n"
        "RDATE;VALUE=PERIOD:20261002T090000Z/PT3H\nRDATE:20261003T090000Z",
        "UID:3\nDTSTART:20261101T090000Z\nDTEND:20261101T100000Z\nRRULE:FREQ=DAILY;COUNT=2\n"
        "EXDATE;VALUE=DATE:20261102",
        "UID:4\nSEQUENCE:2\nRECURRENCE-ID:20261201T090000Z\nDTSTART:20261201T120000Z\nDURATION:PT1H",
        "UID:4\nSEQUENCE:1\nRECURRENCE-ID:20261201T090000Z\nDTSTART:20261201T150000Z\nDURATION:PT1H",
    )
    assert busy(text) == [
        ("09-01 09:00", 60),
        ("09-02 09:00", 60),
        ("09-03 11:00", 30),
        ("09-04 11:00", 30),
        ("10-01 09:00", 60),
        ("10-02 09:00", 180),
        ("10-03 09:00", 60),
        ("11-01 09:00", 60),
        ("12-01 12:00", 60),
    ]


def test_lists_of_busy_times_are_read() -> None:
    """A calendar that shows no entries, but when it is busy."""
    text = (
        b"BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\n"
        b"FREEBUSY:20260815T090000Z/20260815T100000Z,20260815T110000Z/PT1H\r\n"
        b"FREEBUSY;FBTYPE=FREE:20260816T090000Z/20260816T100000Z\r\n"
        b"END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    )
    assert busy(text) == [("08-15 09:00", 60), ("08-15 11:00", 60)]


def test_an_entry_that_cannot_be_read_costs_no_other() -> None:
    """It is counted; rules of every second are none of a person."""
    text = calendar(
        "UID:1\nDTSTART:garbage",
        "UID:2\nSUMMARY:no time",
        "UID:3\nDTSTART:20260901T090000Z\nDTEND:20260901T100000Z",
        "UID:4\nDTSTART:20260901T120000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY",
        "UID:5\nDTSTART:20260901T140000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYDAY=XX",
        "UID:6\nDTSTART:00010101T000000Z\nDTEND:99991231T235959Z",
    )
    found = read(text)
    assert found.skipped >= 3
    spans = {(one.start, one.end) for one in found.spans}
    nine = minute(datetime(2026, 9, 1, 9, tzinfo=UTC))
    assert (nine, nine + 60) in spans


@pytest.mark.parametrize(
    "wrong", ["SEQUENCE:one", "SEQUENCE:1\nSEQUENCE:2", "SEQUENCE:"], ids=repr
)
def test_an_odd_count_of_changes_costs_no_other_entry(wrong: str) -> None:
    """It is no time: the entry is read without it."""
    times = "DTSTART:20260901T090000Z\nDURATION:PT1H"
    text = calendar(f"UID:1\n{wrong}\n{times}", f"UID:2\n{times}")
    assert len(read(text).spans) == 1
    moved = f"UID:1\n{wrong}\nRECURRENCE-ID:20260901T090000Z\n{times}"
    assert len(read(calendar(f"UID:1\n{times}", moved)).spans) == 1


def test_a_calendar_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In entries and in occurrences."""
    one = "DTSTART:20260901T090000Z\nDTEND:20260901T093000Z\nRRULE:FREQ=DAILY;COUNT=9"
    text = calendar(f"UID:1\n{one}", f"UID:2\n{one}")
    monkeypatch.setattr(module, "OCCURRENCES_MAX", 17)
    with pytest.raises(TooManyEvents):
        read(text)
    monkeypatch.setattr(module, "OCCURRENCES_MAX", 18)
    assert len(read(text).spans) == 9
    monkeypatch.setattr(module, "EVENTS_MAX", 1)
    with pytest.raises(TooManyEvents):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>log in</html>",
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        b"BEGIN:VCALENDAR",
    ],
    ids=["empty", "page", "no_calendar", "cut"],
)
def test_what_is_no_calendar(text: bytes) -> None:
    """A page that asks to log in, for instance, is no empty calendar."""
    with pytest.raises(NotACalendar):
        read(text)


def test_a_cut_text_is_no_calendar() -> None:
    """A connection that ended early gives no time back."""
    whole = calendar(
        *(f"UID:{n}\nDTSTART:202609{n:02}T090000Z\nDURATION:PT1H" for n in range(1, 20))
    )
    for length in (len(whole) // 2, len(whole) - 20):
        with pytest.raises(NotACalendar):
            read(whole[:length])


def test_a_series_of_years_ago_is_read_to_the_end_of_the_horizon() -> None:
    """And not beyond it."""
    text = calendar("UID:1\nDTSTART:19990104T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY")
    found = read(text)
    weeks = (LAST - FIRST) / timedelta(days=7)
    assert abs(len(found.spans) - weeks) <= 1
    assert date(1999, 1, 4).weekday() == 0
