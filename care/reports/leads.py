"""Lead times: days between the date of booking and the date of the visit.

Dates of the clinic's zone, not steps of 24 hours: booked at 23:59 for the next morning
is one day.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class Lead(Struct, frozen=True):
    """An interval of lead times in days; both ends belong to it, None: no end."""

    name: str
    first: int
    last: int | None


BEFORE: Final = "after_its_day"
"""The name of what was booked after its day: an error of the data, in no interval."""

FINE: Final = (
    Lead("0", 0, 0),
    Lead("1", 1, 1),
    Lead("2-3", 2, 3),
    Lead("4-6", 4, 6),
    Lead("7-13", 7, 13),
    Lead("14-30", 14, 30),
    Lead("31-60", 31, 60),
    Lead("61+", 61, None),
)
"""The intervals that are counted; what compares shares uses them."""

COARSE: Final = (
    Lead("0", 0, 0),
    Lead("1-6", 1, 6),
    Lead("7-30", 7, 30),
    Lead("31+", 31, None),
)
"""The intervals that people read; each is a union of fine ones."""

COARSE_OF: Final[Mapping[str, str]] = {
    fine.name: next(wide.name for wide in reversed(COARSE) if fine.first >= wide.first)
    for fine in FINE
} | {BEFORE: BEFORE}
"""Fine interval -> the coarse one that it belongs to."""
