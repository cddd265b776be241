"""Writes calendars as text, RFC 5545: invitations (RFC 5546) and feeds.

All times are in UTC, so that no definition of a zone goes with them: a calendar shows
them in its owner's. Ends are exclusive, as in RFC 5545 and as spans are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis, Minute

PRODUCT: Final = "-//Slotcast//Slotcast//EN"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
LINE_OCTETS_MAX: Final = 75
"""Longer lines are folded, between characters."""


class CalendarMethod(StrEnum):
    """What a calendar program is to do (RFC 5546); a feed has none."""

    NONE = ""
    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


class Party(Struct, frozen=True):
    """Someone with an address, as organiser or as who is invited."""

    name: str
    email: str


class CalendarEvent(Struct, frozen=True):
    """A visit as calendar programs know it. ``uid`` stays, ``sequence`` only rises."""

    uid: str
    sequence: int
    stamp: Millis
    start: Minute
    end: Minute
    summary: str
    location: str = ""
    description: str = ""
    url: str = ""
    is_cancelled: bool = False
    organizer: Party | None = None
    attendee: Party | None = None


def calendar_text(
    events: Iterable[CalendarEvent],
    *,
    method: CalendarMethod = CalendarMethod.NONE,
    name: str = "",
) -> str:
    """A calendar of these events, lines ended by CRLF."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
    ]
    if method:
        lines.append(f"METHOD:{method.value}")
    if name:
        lines.append(f"X-WR-CALNAME:{_text(name)}")
    for event in events:
        lines += _event(event)
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _event(event: CalendarEvent) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{_text(event.uid)}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTAMP:{_instant(event.stamp // 1000)}",
        f"DTSTART:{_instant(event.start * 60)}",
        f"DTEND:{_instant(event.end * 60)}",
        f"SUMMARY:{_text(event.summary)}",
        f"STATUS:{'CANCELLED' if event.is_cancelled else 'CONFIRMED'}",
    ]
    for key, value in (
        ("LOCATION", event.location),
        ("DESCRIPTION", event.description),
    ):
        if value:
            lines.append(f"{key}:{_text(value)}")
    if event.url:
        lines.append(f"URL:{_one_line(event.url)}")
    if event.organizer is not None:
        lines.append(f"ORGANIZER{_party(event.organizer)}")
    if event.attendee is not None:
        lines.append("ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE" + _party(event.attendee))
    lines.append("END:VEVENT")
    return lines


def _party(party: Party) -> str:
    # A quote cannot stand in a parameter, whatever is done to it (RFC 5545, 3.1).
    name = _one_line(party.name).replace('"', "'")
    named = f';CN="{name}"' if name else ""
    return f"{named}:mailto:{_one_line(party.email)}"


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    lines = escaped.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\\n".join(map(_one_line, lines))


def _one_line(value: str) -> str:
    """Without control characters: a line break would begin a property of its own."""
    return _CONTROL.sub(" ", value)


def _folded(line: str) -> str:
    if len(line) <= LINE_OCTETS_MAX and line.isascii():
        return line
    parts, part, size = [], "", 0
    for one in line:
        octets = len(one.encode())
        if size + octets > LINE_OCTETS_MAX:
            parts.append(part)
            part, size = "", 1  # the space that begins the next line
        part += one
        size += octets
    return "\r\n ".join([*parts, part])
