"""Holds and bookings, and the cells they take.

Two holds never share a cell, nor do two blocking bookings, buffers included
(decisions guarantee it); freeing cells relies on that. A hold and a booking
share cells only if the hold is to move that very booking. The exceptions are visits
in a ``lane``: sessions.py.
"""

from __future__ import annotations

import heapq

from msgspec import Struct

from actors.domain.calendar.holding.renewals import Renewals
from actors.domain.calendar.lifecycle import BLOCKING
from actors.domain.calendar.sessions import GroupSessions
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus
from actors.domain.rules import Group
from actors.domain.time.grid import PAGE_MINUTES, Bitmap

NEVER = Millis(1 << 62)
"""Later than any deadline."""

VISIT_MINUTES_MAX = 24 * 60
"""No visit is longer (validation.py)."""

TRAIL_MAX = 1024
"""Bound on remembered changes of spans: more than one batch makes."""


class Hold(Struct, array_like=True, gc=False):
    """A live hold."""

    hold_id: HoldId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    expires: Millis
    location_id: LocationId
    extended: bool = False
    extensions: int = 0
    placed: Millis = Millis(0)
    moving: BookingId | None = None
    """The patient's own visit that this hold is to move, whose time it may overlap."""
    stranded: str = ""
    reserved: bool = False
    """The waiting list has it. ``patient_id`` is empty unless it is offered."""
    offered: Millis = Millis(0)
    """When its offer to the patient ends; 0: it is not offered."""
    offers: int = 0
    """How often it was offered."""
    freed_by: BookingId | None = None
    """The visit that gave a reserved slot up, if a visit did."""
    group: Group | None = None
    """The group that it is part of. A member's hold has no patient, ``expires`` never,
    and ``offered`` is when it becomes doubtful; 0: it is."""
    lane: int = 0
    """Below 0: a seat of a group visit (sessions.py)."""


class Booking(Struct, array_like=True, gc=False):
    """A booking, whatever its status."""

    booking_id: BookingId
    patient_id: PatientId
    visit_type: VisitTypeId
    start: Minute
    end: Minute
    busy_start: Minute
    busy_end: Minute
    location_id: LocationId
    booked_at: Millis
    reason: str
    status: BookingStatus = BookingStatus.BOOKED
    cancel_reason: str = ""
    past: tuple[tuple[BookingStatus, Millis], ...] = ()
    """Statuses before, and when each was left: what can be undone, the last first."""
    hold_id: HoldId | None = None
    """The hold whose slot it, or its last move, took."""
    stranded: str = ""
    confidential: bool = False
    group: Group | None = None
    """The group that it was booked, or last moved, with."""
    visit: BookingId | None = None
    """It is a member's part of this visit; then ``patient_id`` is empty."""
    lane: int = 0
    """From 1 on overbooked, below 0 a seat of a group visit (sessions.py)."""


class Occupancy:
    """The holds and bookings of one calendar, with an index for each look-up."""

    __slots__ = (
        "_expiries",
        "booked",
        "bookings",
        "bookings_of",
        "cell",
        "held",
        "holds",
        "holds_of",
        "renewals",
        "sessions",
        "soonest",
        "starting",
        "trail",
        "trail_from",
    )

    def __init__(self, cell: int) -> None:
        """``cell`` is the length of a cell in minutes."""
        self.cell = cell
        self.holds: dict[HoldId, Hold] = {}
        self.bookings: dict[BookingId, Booking] = {}
        self.renewals = Renewals()
        # Derived from the above:
        self.booked = Bitmap(PAGE_MINUTES // cell)
        self.held = Bitmap(PAGE_MINUTES // cell)
        self.sessions = GroupSessions(cell)
        self.holds_of: dict[PatientId, list[HoldId]] = {}
        self.bookings_of: dict[PatientId, tuple[BookingId, ...]] = {}
        """Bookings of any status; tuples, for most patients have one."""
        self.starting: dict[int, list[BookingId]] = {}
        """Bookings by the week page of their start."""
        self.soonest = NEVER
        """The soonest deadline of a hold or of an offer, or when one is doubtful."""
        self._expiries: list[tuple[Millis, HoldId]] = []
        # What the last batch changed, for delta.py:
        self.trail: list[tuple[int, Minute, Minute]] = []
        self.trail_from = 1
        """Changed cells are recorded from this version on."""

    def next_expiry(self) -> Millis | None:
        """The soonest deadline of a live hold."""
        return self.soonest if self.soonest != NEVER else None

    def bookings_from(self, first: Minute, last: Minute) -> list[Booking]:
        """Bookings of any status that start in ``[first, last)``, by start."""
        if last - first > PAGE_MINUTES * len(self.starting):
            pages = list(self.starting)
        else:
            pages = list(range(first // PAGE_MINUTES, last // PAGE_MINUTES + 1))
        found = [
            booking
            for page in pages
            for booking_id in self.starting.get(page, ())
            if first <= (booking := self.bookings[booking_id]).start < last
        ]
        found.sort(key=lambda booking: (booking.start, booking.booking_id))
        return found

    def bookings_over(self, first: Minute, last: Minute) -> list[Booking]:
        """Bookings of any status with a part in ``[first, last)``, by start."""
        near = self.bookings_from(Minute(first - VISIT_MINUTES_MAX), last)
        return [booking for booking in near if booking.end > first]

    def add_hold(self, hold: Hold) -> None:
        """Add a hold: mark its cells and queue its deadline."""
        cell = self.cell
        self.holds[hold.hold_id] = hold
        if hold.lane:
            self.sessions.add_hold(hold)
        self.held.add(hold.busy_start // cell, hold.busy_end // cell)
        mine = self.holds_of.get(hold.patient_id)
        if mine is None:
            self.holds_of[hold.patient_id] = [hold.hold_id]
        else:
            mine.append(hold.hold_id)
        self.wait_for(hold)

    def give_to(self, patient_id: PatientId, hold: Hold) -> None:
        """A reserved slot is this patient's from now on; without one: the list's."""
        hold_id = hold.hold_id
        mine = self.holds_of[hold.patient_id]
        mine.remove(hold_id)
        if not mine:
            del self.holds_of[hold.patient_id]
        hold.patient_id = patient_id
        self.holds_of.setdefault(patient_id, []).append(hold_id)

    def wait_for(self, hold: Hold) -> None:
        """Remember the next deadline of a hold."""
        due = hold.offered or hold.expires
        heapq.heappush(self._expiries, (due, hold.hold_id))
        self.soonest = min(self.soonest, due)

    def end_hold(self, hold_id: HoldId, version: int) -> Hold:
        """Remove a hold and free its cells."""
        hold = self.holds.pop(hold_id)
        if not hold.lane or self.sessions.end_hold(hold):
            self.held.remove(hold.busy_start // self.cell, hold.busy_end // self.cell)
        mine = self.holds_of[hold.patient_id]
        if len(mine) == 1:
            del self.holds_of[hold.patient_id]
        else:
            mine.remove(hold_id)
        if (hold.offered or hold.expires) == self.soonest:
            self.wait()
        self.mark(version, hold.busy_start, hold.busy_end)
        return hold

    def hold_again(self, over: Hold) -> None:
        """Mark what is reserved of the time of a hold that has just ended.

        A reserve comes before the event that frees its slot: the hold was there still.
        """
        first, last = over.busy_start, over.busy_end
        for hold in self.holds.values():
            if hold.reserved and hold.busy_start < last and first < hold.busy_end:
                self.held.add(hold.busy_start // self.cell, hold.busy_end // self.cell)

    def wait(self) -> None:
        """Find the soonest deadline; entries of ended or extended holds fall out."""
        queue, holds = self._expiries, self.holds
        while queue:
            expires, hold_id = queue[0]
            hold = holds.get(hold_id)
            if hold is not None and (hold.offered or hold.expires) == expires:
                self.soonest = expires
                return
            heapq.heappop(queue)
        self.soonest = NEVER

    def add_booking(self, booking: Booking) -> None:
        """Add a booking, and mark its cells unless it is cancelled."""
        cell = self.cell
        self.bookings[booking.booking_id] = booking
        if booking.patient_id:  # a member of a group is not told
            mine = self.bookings_of.get(booking.patient_id, ())
            self.bookings_of[booking.patient_id] = (*mine, booking.booking_id)
        if booking.status in BLOCKING and (
            not booking.lane or self.sessions.add_booking(booking)
        ):
            self.booked.add(booking.busy_start // cell, booking.busy_end // cell)
        page = booking.start // PAGE_MINUTES
        filed = self.starting.get(page)
        if filed is None:
            self.starting[page] = [booking.booking_id]
        else:
            filed.append(booking.booking_id)

    def remove_booking(self, booking: Booking) -> None:
        """Remove a booking and free its cells."""
        page = booking.start // PAGE_MINUTES
        filed = self.starting[page]
        filed.remove(booking.booking_id)
        if not filed:
            del self.starting[page]
        if booking.status in BLOCKING:
            self.free(booking)
        del self.bookings[booking.booking_id]
        if not booking.patient_id:
            return
        mine = self.bookings_of[booking.patient_id]
        if len(mine) == 1:
            del self.bookings_of[booking.patient_id]
        else:
            left = tuple(one for one in mine if one != booking.booking_id)
            self.bookings_of[booking.patient_id] = left

    def free(self, booking: Booking) -> None:
        """Free a booking's cells."""
        if booking.lane and not self.sessions.free(booking):
            return
        cell = self.cell
        self.booked.remove(booking.busy_start // cell, booking.busy_end // cell)

    def mark(self, version: int, first: Minute, last: Minute) -> None:
        """Note that cells changed, for watchers."""
        trail = self.trail
        trail.append((version, first, last))
        if len(trail) > TRAIL_MAX:
            del trail[: TRAIL_MAX // 2]
            self.trail_from = trail[0][0] + 1

    def forget_trail(self, before: int) -> None:
        """Versions before this one need not be traced any more."""
        self.trail = [entry for entry in self.trail if entry[0] >= before]
        self.trail_from = before
