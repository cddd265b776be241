"""Time that several visits share, as the log tells it: seats, and lanes of overbooked.

A part of the independent reading in oracle.py; it calls none of the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SEAT = "seat"
"""The kind of owner that a session is: its start is its name."""


@dataclass
class Sitting:
    """A session of a group visit: who has the seat of each lane."""

    visit_type: str
    end: int
    busy: range
    seats: dict[int, tuple[str, str]] = field(default_factory=dict)

    def state(self, *, full: bool = False) -> str:
        """Booked or held, as other visit types see it; or as its own does, if full."""
        kinds = {kind for kind, _ in self.seats.values()}
        if full:
            return "held" if "hold" in kinds else "booked"
        return "booked" if "booking" in kinds else "held"


def seat_problem(agenda: Any, event: Any, busy: range) -> str:
    """Why this seat cannot be given; "" if it can. Its time may still be taken."""
    kinds = {rule.visit_type: rule for rule in agenda.availability.visit_types}
    sitting = agenda.sessions.get(event.start)
    seats = sitting.seats if sitting is not None else {}
    if len(seats) >= kinds[event.visit_type].capacity:
        return "more than its seats"
    if sitting is None:
        return ""
    if (sitting.visit_type, sitting.end) != (event.visit_type, event.end):
        return "not this session"
    if sitting.busy != busy:
        return "not the session's time"
    return "seat twice" if event.lane in seats else ""


def has_two(agenda: Any, start: int, patient: str, *, booked: bool) -> bool:
    """Whether a patient has a seat there already; ``booked``: holds do not count."""
    sitting = agenda.sessions.get(start)
    for kind, name in sitting.seats.values() if sitting is not None else ():
        if kind == "booking" and agenda.bookings[name].patient == patient:
            return True
        if kind == "hold" and not booked and agenda.holds[name].patient == patient:
            return True
    return False


def lane_problem(agenda: Any, event: Any, busy: range, most: int) -> str:
    """Why a visit cannot be overbooked into this lane; "" if it can."""
    if not getattr(event, "reason", ""):
        return "overbooked without a reason"
    if event.lane >= most:
        return "overbooked beyond the lanes"
    below = [agenda.taken, *(agenda.lanes.get(one, {}) for one in range(1, event.lane))]
    if not all(any(minute in lane for minute in busy) for lane in below):
        return "overbooked where a lane before it is free"
    mine = agenda.lanes.get(event.lane, {})
    return "double in its lane" if any(minute in mine for minute in busy) else ""
