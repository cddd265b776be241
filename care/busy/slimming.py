"""Drops what is not about time from a calendar's text, before anything reads it.

Titles, notes, places and people are the doctor's and of no use here: they are neither
parsed nor kept. What is left is the same as long as the busy times are, also where a
server stamps each answer with the current time.
"""

from __future__ import annotations

import re
from typing import Final

_KEPT: Final = (
    "BEGIN|END|UID|SEQUENCE|DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|RECURRENCE-ID"
    "|STATUS|TRANSP|X-MICROSOFT-CDO-BUSYSTATUS|FREEBUSY|TZID|TZOFFSETFROM|TZOFFSETTO"
)
_LINE: Final = re.compile(
    rf"^(?:{_KEPT})[;:][^\r\n]*(?:\r?\n[ \t][^\r\n]*)*".encode(),
    re.MULTILINE | re.IGNORECASE,
)
"""A content line with the lines that it is folded over (RFC 5545, 3.1)."""
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that some programs begin a text with."""
_EVENT: Final = re.compile(rb"^BEGIN:V(?:EVENT|FREEBUSY)", re.MULTILINE | re.IGNORECASE)


def slimmed(text: bytes) -> bytes:
    """The lines of a calendar that say when it is busy."""
    lines = _LINE.finditer(text.removeprefix(_MARK))
    return b"\r\n".join(found.group().strip() for found in lines)


def number_of_events(slim: bytes) -> int:
    """How many entries there are, without reading any."""
    return len(_EVENT.findall(slim))
