"""Calendars as text: another program's parser is the judge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from icalendar import Calendar
from msgspec.structs import replace

from actors.domain.ids import Millis, Minute
from care.feeds.ics import CalendarEvent, CalendarMethod, Party, calendar_text
from tests import factories as make

EVENT = CalendarEvent(
    uid="bkg_1.1@clinic.test",
    sequence=3,
    stamp=make.NOW,
    start=make.at(9),
    end=Minute(make.at(9) + 30),
    summary="Visit: Praxis am Zoo; Müller, Söhne \\ Töchter",
    location="Ä" * 90 + "\nfloor 2",
    url="https://clinic.test/#/me/visits",
    organizer=Party('Praxis "Zoo"\r\nX-EVIL:1', "visits@clinic.test"),
    attendee=Party("Mira: Berg; MD", "mira@example.org"),
)


def parsed(text: str) -> Any:
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert not event.errors
    return event


def test_an_invitation_is_read_as_it_was_meant() -> None:
    """Text, times and parties, whatever characters they have."""
    text = calendar_text([EVENT], method=CalendarMethod.REQUEST)
    assert Calendar.from_ical(text)["METHOD"] == "REQUEST"
    event = parsed(text)
    assert event["SUMMARY"] == EVENT.summary
    assert event["LOCATION"] == EVENT.location
    assert event["SEQUENCE"] == 3
    assert event["DTSTART"].dt == datetime(2026, 8, 10, 9, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2026, 8, 10, 9, 30, tzinfo=UTC)
    assert event["ATTENDEE"] == "mailto:mira@example.org"
    assert event["ATTENDEE"].params["CN"] == "Mira: Berg; MD"
    assert "X-EVIL" not in event


def test_lines_are_short_and_end_as_they_must() -> None:
    """At most 75 octets, folded between characters, CRLF at each end."""
    text = calendar_text([EVENT])
    assert text.endswith("END:VCALENDAR\r\n")
    for line in text.encode().removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        assert b"\n" not in line
        line.decode()  # no character is cut in two


def test_a_cancelled_visit_is_cancelled() -> None:
    """By method and status, under the same id."""
    over = replace(EVENT, is_cancelled=True, sequence=4, stamp=Millis(make.NOW + 1))
    event = parsed(calendar_text([over], method=CalendarMethod.CANCEL))
    assert (event["STATUS"], event["UID"], event["SEQUENCE"]) == (
        "CANCELLED",
        EVENT.uid,
        4,
    )
