"""One provider's time as a log tells it: minutes in plain dictionaries.

A part of the independent reading in oracle.py; it calls none of the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actors.domain.messages import events as ev
from tests.simulation.sharing import SEAT, Sitting

NEVER = 1 << 62
"""When a member's hold ends by itself."""

Owner = tuple[str, str]
"""("hold" or "booking", id), or of a session (SEAT, its start)."""


@dataclass
class Held:
    """A live hold."""

    patient: str
    visit_type: str
    start: int
    end: int
    busy: range
    expires: int
    location: str
    placed: int
    moving: str | None = None
    extensions: int = 0
    reserved: bool = False
    """The waiting list has it; ``patient`` is whom it is offered to until ``offered``.
    """
    offered: int = 0
    group: Any = None
    sticky: bool = False
    """A member's of a group: ``offered`` is its deadline, 0 once it is doubtful."""
    lane: int = 0

    @property
    def owned_until(self) -> int:
        """Until when its patient may book it."""
        return self.offered if self.reserved else self.expires


@dataclass
class Booked:
    """A booking of any status."""

    patient: str
    visit_type: str
    start: int
    end: int
    busy: range
    status: str
    location: str
    booked_at: int
    reason: str = ""
    cancel_reason: str = ""
    group: Any = None
    visit: str = ""
    history: list[tuple[int, str]] = field(default_factory=list)
    outcomes: list[tuple[str, int]] = field(default_factory=list)
    """Statuses that outcomes replaced, and when."""
    lane: int = 0


@dataclass
class Agenda:
    """One provider's time as the log tells it."""

    provider: str
    version: int = 0
    until: int = 0
    availability: Any = None
    profile: Any = None
    taken: dict[int, Owner] = field(default_factory=dict)
    shared: dict[int, Owner] = field(default_factory=dict)
    """Minutes of a visit that a hold, which is to move that visit, has as well."""
    sessions: dict[int, Sitting] = field(default_factory=dict)
    """Group visits by their start."""
    lanes: dict[int, dict[int, Owner]] = field(default_factory=dict)
    """Minutes of overbooked visits, by lane."""
    holds: dict[str, Held] = field(default_factory=dict)
    bookings: dict[str, Booked] = field(default_factory=dict)
    time_off: dict[str, tuple[int, int]] = field(default_factory=dict)
    spent_holds: dict[str, str] = field(default_factory=dict)
    waiting: Any = None
    reserving: list[Any] = field(default_factory=list)
    """Reserves whose time the next event frees."""
    together: list[ev.SlotBooked] = field(default_factory=list)
    """Visits of a command whose last one is still to come."""

    def claim(
        self, span: range, owner: Owner, beside: Owner | None = None
    ) -> Owner | None:
        """Take minutes for an owner; who has one of them already, or None.

        What the owner ``beside`` has stays theirs, and is shared.
        """
        taken = self.taken
        for minute in span:
            other = taken.get(minute)
            if other is not None and other != beside:
                return other
        for minute in span:
            books = self.shared if minute in taken else taken
            books[minute] = owner
        return None

    def give_back(self, visit: Held | Booked, owner: Owner) -> None:
        """The time of a visit, its seat or its lane are its owner's no more."""
        if visit.lane == 0:
            self._free(visit.busy, owner)
        elif visit.lane > 0:
            for minute in visit.busy:
                del self.lanes[visit.lane][minute]
        else:
            sitting = self.sessions[visit.start]
            del sitting.seats[visit.lane]
            if not sitting.seats:
                del self.sessions[visit.start]
                self._free(visit.busy, (SEAT, str(visit.start)))

    def _free(self, span: range, owner: Owner) -> None:
        taken, shared = self.taken, self.shared
        for minute in span:
            if shared.get(minute) == owner:
                del shared[minute]
            if taken.get(minute) == owner:
                del taken[minute]
                if minute in shared:
                    taken[minute] = shared.pop(minute)
