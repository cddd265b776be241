"""Which visits share their time: an index of holds and bookings by their lane.

``lane`` 0: the visit has its time to itself, as the public may take it. From 1 on:
overbooked, one of several visits at that time; the public sees nothing of it. Below 0:
a seat of a group visit, -1 the first. The seats of one session have the same start,
type and time; the session has its cells from its first seat until its last is given
back, and its capacity is what the rules say now.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct, field

from actors.domain.ids import BookingId, HoldId, LocationId, Minute, VisitTypeId
from actors.domain.time.grid import PAGE_MINUTES, Bitmap

FIRST_SEAT = -1
"""The lane of the seat that opens a session."""


class _Visit(Protocol):
    """What a hold and a booking have in common."""

    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    location_id: LocationId
    lane: int


class _Held(_Visit, Protocol):
    hold_id: HoldId


class _Booked(_Visit, Protocol):
    booking_id: BookingId


class GroupSession(Struct):
    """A group visit at one time: the lane of each seat, and whose it is."""

    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    location_id: LocationId
    held: dict[int, HoldId] = field(default_factory=dict)
    booked: dict[int, BookingId] = field(default_factory=dict)

    def taken(self) -> int:
        """How many seats are taken."""
        return len(self.held.keys() | self.booked.keys())


class GroupSessions:
    """Sessions by their start, and the cells of each lane of overbooked visits."""

    __slots__ = ("_cell", "at", "lanes")

    def __init__(self, cell: int) -> None:
        self._cell = cell
        self.at: dict[tuple[Minute, VisitTypeId], GroupSession] = {}
        """By start and type: a seat that is reserved while another session at its
        start is not over yet is of its own session."""
        self.lanes: list[Bitmap] = []
        """Lane 1 first."""

    def add_hold(self, hold: _Held) -> None:
        """A seat is held."""
        self._session(hold).held[hold.lane] = hold.hold_id

    def end_hold(self, hold: _Held) -> bool:
        """A held seat is given back; whether it was the session's last held one."""
        session = self.at[hold.start, hold.visit_type]
        del session.held[hold.lane]
        self._close(session)
        return not session.held

    def add_booking(self, booking: _Booked) -> bool:
        """A visit is booked in a lane; whether it has cells that the public sees."""
        if booking.lane < 0:
            self._session(booking).booked[booking.lane] = booking.booking_id
            return True
        while len(self.lanes) < booking.lane:
            self.lanes.append(Bitmap(PAGE_MINUTES // self._cell))
        span = booking.busy_start // self._cell, booking.busy_end // self._cell
        self.lanes[booking.lane - 1].add(*span)
        return False

    def free(self, booking: _Booked) -> bool:
        """A visit gives up its lane; whether cells that the public sees go with it."""
        if booking.lane < 0:
            session = self.at[booking.start, booking.visit_type]
            del session.booked[booking.lane]
            self._close(session)
            return not session.booked
        span = booking.busy_start // self._cell, booking.busy_end // self._cell
        self.lanes[booking.lane - 1].remove(*span)
        return False

    def is_lane_taken(self, lane: int, first: int, last: int) -> bool:
        """Whether a visit in this lane of overbooked ones has any of these cells."""
        return lane <= len(self.lanes) and self.lanes[lane - 1].hits(first, last)

    def _session(self, visit: _Visit) -> GroupSession:
        name = visit.start, visit.visit_type
        session = self.at.get(name)
        if session is None:
            session = self.at[name] = GroupSession(
                visit.visit_type,
                visit.start,
                visit.end,
                visit.busy_start,
                visit.busy_end,
                visit.location_id,
            )
        return session

    def _close(self, session: GroupSession) -> None:
        if not session.held and not session.booked:
            del self.at[session.start, session.visit_type]
