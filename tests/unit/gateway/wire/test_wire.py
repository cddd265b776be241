"""Instants, dates and slots on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.ids import LocationId, Minute, ProviderId, VisitTypeId
from actors.domain.messages.answers import SlotPlace, SlotsView
from gateway.wire.errors import FieldError
from gateway.wire.formats import (
    later,
    millis_text,
    minute_text,
    parse_bound,
    parse_millis,
    parse_minute,
    slots_json,
    today,
)

_INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001
    max_value=datetime(2199, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-23 * 60, 23 * 60).map(
        lambda m: timezone(timedelta(minutes=m))
    ),
)


@given(_INSTANTS)
def test_an_instant_with_any_offset_is_read_as_the_library_reads_it(
    instant: datetime,
) -> None:
    """Our fast parser and datetime agree on every instant, to the millisecond."""
    expected = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert parse_millis(instant.isoformat(), "start") == expected


@given(st.integers(0, 120_000_000))
def test_a_minute_survives_the_wire(minute: int) -> None:
    """What we write we read back as the same minute, and the library agrees."""
    text = minute_text(minute)
    assert parse_minute(text, "start") == minute
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        minutes=minute
    )


@given(st.integers(0, 7_000_000_000_000))
def test_milliseconds_survive_the_wire(millis: int) -> None:
    """An expiry is written to the millisecond and read back unchanged."""
    assert parse_millis(millis_text(millis), "at") == millis


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-12-01",
        "2026-12-01T09:00:00",
        "2026-02-30T09:00:00Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T09:60:00Z",
        "2026-12-01T09:00:60Z",
        "2026-12-01T09:00:00+24:00",
        "2026-12-01T09:00:00+01:60",
        "1969-12-31T23:59:00Z",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "٢٠٢٦-12-01T09:00:00Z",
        "2026-12-01T09:00:00Z\n",
        "2026-12-01T09:00:00Z\0",
        "2026-12-01T09:00:30Z",
        "1" * 10_000,
    ],
)
def test_what_is_no_whole_minute_is_refused_with_its_field(text: str) -> None:
    """A bad start never raises anything but a FieldError that names it."""
    with pytest.raises(FieldError) as refused:
        parse_minute(text, "start")
    assert refused.value.field == "start"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text at all breaks the parsers."""
    for parse in (parse_minute, parse_millis, parse_bound):
        try:
            parse(text, "from")
        except FieldError:
            continue


def test_an_unescaped_plus_is_understood() -> None:
    """In an address "+" arrives as a blank; the offset is still ahead of UTC."""
    assert parse_bound("2026-12-01T09:00:00 01:00", "from") == parse_bound(
        "2026-12-01T08:00:00Z", "from"
    )


def test_both_sides_of_a_fold_are_different_instants() -> None:
    """New York, 1 November 2026: 01:30 happens twice, an hour apart."""
    first = parse_minute("2026-11-01T01:30:00-04:00", "start")
    second = parse_minute("2026-11-01T01:30:00-05:00", "start")
    assert second - first == 60


def test_today_is_the_clinics_today() -> None:
    """At 23:30 UTC it is already tomorrow in Auckland and still today in New York."""
    now = parse_millis("2026-12-01T23:30:00Z", "now")
    assert today(now, "Pacific/Auckland") == "2026-12-02"
    assert today(now, "America/New_York") == "2026-12-01"


def test_later_keeps_the_kind_of_a_bound() -> None:
    """A date moves by days of the calendar, an instant by 24 hours."""
    assert later("2026-02-27", 7) == "2026-03-06"
    assert later(Minute(0), 2) == 2880


def test_slots_are_written_as_json_that_any_reader_reads() -> None:
    """The hand-made rendering equals the plain one, odd names included."""
    view = SlotsView(
        ProviderId("prv_1"),
        7,
        101,
        VisitTypeId('od"d'),
        "Europe/Berlin",
        30,
        [29_772_000, 29_772_030, 29_772_060],
        "fhb",
        (
            SlotPlace(LocationId('l"1'), "Nord", "Europe/Berlin"),
            SlotPlace(LocationId("loc_2"), "", "Asia/Tokyo"),
        ),
        [1, 0, 1],
    )
    assert json.loads(slots_json(view)) == {
        "provider_id": "prv_1",
        "visit_type": 'od"d',
        "time_zone": "Europe/Berlin",
        "locations": [
            {"location_id": 'l"1', "name": "Nord", "time_zone": "Europe/Berlin"},
            {"location_id": "loc_2", "name": "", "time_zone": "Asia/Tokyo"},
        ],
        "epoch": 7,
        "version": 101,
        "slots": [
            {
                "start": minute_text(start),
                "end": minute_text(start + 30),
                "state": state,
                "location_id": place,
            }
            for start, state, place in (
                (29_772_000, "free", "loc_2"),
                (29_772_030, "held", 'l"1'),
                (29_772_060, "booked", "loc_2"),
            )
        ],
    }
