"""One topic as a client sees it: content at a position, updated by frames.

The protocol's whole rule: a snapshot replaces everything. A delta is applied if its
epoch equals the view's and ``from <= view's version < version``; it is skipped if
``version <= view's version``; otherwise a change is missing, and the topic must be
subscribed to again with the view's position. States are absolute, so applying one
twice does no harm. This module cannot wait, read a clock, or perform I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, structs

from slotcast.client.frames import Position, ServerMessage

GONE: Final = "gone"
"""In a delta: the slot is no longer offered."""
HELD: Final = "held"
"""A hold with this status is live; with any other it is over."""
UNKNOWN: Final = -1
"""The version of a view that has never seen a snapshot."""


class Change(Struct, frozen=True):
    """The change of a slot (by its start), or of what has an id.

    That is a booking, a hold, a notice or a list's member. ``old`` and ``new`` are
    states or statuses, of a notice ``unread`` or ``read``, of a member its next free
    start or ``none``; ``""`` stands for absent.
    """

    key: str
    old: str
    new: str
    booking: Mapping[str, Any] | None = None
    """The booking as it is now; None for others."""
    hold: Mapping[str, Any] | None = None
    """The hold as it is now, or how it ended; None for others."""
    notice: Mapping[str, Any] | None = None
    """The notice as it is now; None for others."""
    member: Mapping[str, Any] | None = None
    """The list's member as it is now; None for others."""
    seats_left: int | None = None
    """Of a group visit's free slot: how many more patients it takes."""


class Listing(Struct, frozen=True):
    """What a watched list says of itself.

    ``order``: all members, by provider id. ``total``: how many match the search.
    ``live``: no calendar is silent that could change the list. ``next_cursor``: where
    GET /v1/providers goes on.
    """

    order: tuple[str, ...] = ()
    total: int = 0
    live: bool = True
    next_cursor: str | None = None


class Applied(Struct, frozen=True):
    """The view has changed; ``changes`` lists its differences."""

    before: Position | None
    changes: tuple[Change, ...]


class Skipped(Struct, frozen=True):
    """The view has this change already."""


class Gap(Struct, frozen=True):
    """A change before this frame is missing; the view is unchanged."""

    stands: Position | None
    wanted: Position


class TopicView:
    """One topic.

    ``slots`` for slots topics, members and ``listing`` for watched lists; bookings and
    leave for the others.
    """

    __slots__ = (
        "bookings",
        "epoch",
        "holds",
        "listing",
        "members",
        "notices",
        "seats_left",
        "slots",
        "time_off",
        "topic",
        "unread",
        "version",
    )

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.epoch = 0
        self.version = UNKNOWN
        self.slots: dict[str, str] = {}
        """Start -> ``free``, ``held`` or ``booked``."""
        self.seats_left: dict[str, int] = {}
        """Start -> how many more patients a group visit that is free takes."""
        self.bookings: dict[str, dict[str, Any]] = {}
        """Booking id -> the booking as REST shows it."""
        self.holds: dict[str, dict[str, Any]] = {}
        """Hold id -> a live hold of the caller; on ``me`` only."""
        self.notices: dict[str, dict[str, Any]] = {}
        """Notice id -> what the caller was told, the newest ones; on ``me`` only."""
        self.unread = 0
        """How many of all notices are unread."""
        self.time_off: tuple[dict[str, Any], ...] = ()
        self.members: dict[str, dict[str, Any]] = {}
        """Provider id -> a member of the list, as GET /v1/providers shows it."""
        self.listing = Listing()

    @property
    def position(self) -> Position | None:
        """Where the view stands; None before its first snapshot."""
        return None if self.version == UNKNOWN else (self.epoch, self.version)

    def is_behind(self, position: Position) -> bool:
        """Whether ``position`` is ahead of this view."""
        epoch, version = position
        return epoch != self.epoch or self.version < version

    def apply(self, frame: ServerMessage) -> Applied | Skipped | Gap:
        """Take a snapshot or a delta of this topic.

        On a ``Gap`` you must subscribe again with ``since`` at ``position``.
        """
        if frame.t == "snapshot":
            return self._replace(frame)
        if self.version == UNKNOWN or frame.epoch != self.epoch:
            return Gap(self.position, frame.position)
        if frame.version <= self.version:
            return Skipped()
        if frame.before > self.version:
            return Gap(self.position, frame.position)
        before = self.position
        changes = (
            *self._slots(frame),
            *self._bookings(frame),
            *self._held(frame),
            *self._told(frame),
            *self._listed(frame),
        )
        if frame.time_off is not None:
            self.time_off = frame.time_off
        self.version = frame.version
        return Applied(before, changes)

    def _replace(self, frame: ServerMessage) -> Applied:
        before, slots, bookings = self.position, self.slots, self.bookings
        holds, notices, members = self.holds, self.notices, self.members
        seats, self.seats_left = self.seats_left, dict(frame.seats_left)
        self.slots = dict(frame.slots)
        self.bookings = {str(row.get("booking_id")): row for row in frame.bookings}
        self.holds = {str(row.get("hold_id")): row for row in frame.holds}
        self.notices = {str(row.get("notice_id")): row for row in frame.notices}
        self.unread = frame.unread or 0
        self.time_off = frame.time_off or ()
        self.members = {str(row.get("provider_id")): row for row in frame.members}
        self._order(frame)
        self.epoch, self.version = frame.position
        if before is None:
            return Applied(None, ())
        changes = (
            *_different(slots, self.slots),
            *_reseated(slots, seats, self),
            *_rewritten(bookings, self.bookings),
            *(
                structs.replace(change, booking=None, hold=change.booking)
                for change in _rewritten(holds, self.holds)
            ),
            *(
                structs.replace(change, booking=None, notice=change.booking)
                for change in _rewritten(notices, self.notices)
            ),
            *(
                structs.replace(change, booking=None, member=change.booking)
                for change in _rewritten(members, self.members)
            ),
        )
        return Applied(before, changes)

    def _slots(self, frame: ServerMessage) -> list[Change]:
        slots, changes = self.slots, []
        for start, state in frame.slots:
            if state == GONE:
                old, new = slots.pop(start, ""), ""
            else:
                old, new = slots.get(start, ""), state
                slots[start] = state
            seats, left = self.seats_left.pop(start, None), frame.seats_left.get(start)
            if left is not None:
                self.seats_left[start] = left
            if (old, seats) != (new, left):
                changes.append(Change(start, old, new, seats_left=left))
        return changes

    def _bookings(self, frame: ServerMessage) -> list[Change]:
        changes = []
        for row in frame.bookings:
            key = str(row.get("booking_id"))
            old = self.bookings.get(key)
            self.bookings[key] = row
            # A rescheduled booking keeps its status, but has changed all the same.
            if old != row:
                changes.append(Change(key, _status(old), _status(row), row))
        return changes

    def _held(self, frame: ServerMessage) -> list[Change]:
        changes = []
        for row in frame.holds:
            key = str(row.get("hold_id"))
            old = self.holds.get(key)
            if row.get("status") == HELD:
                self.holds[key] = row
            elif self.holds.pop(key, None) is None:
                continue
            if old != row:
                changes.append(Change(key, _status(old), _status(row), None, row))
        return changes

    def _told(self, frame: ServerMessage) -> list[Change]:
        changes = []
        for row in frame.notices:
            key = str(row.get("notice_id"))
            old = self.notices.get(key)
            self.notices[key] = row
            if old != row:
                change = Change(key, _status(old), _status(row), notice=row)
                changes.append(change)
        if frame.unread is not None:
            self.unread = frame.unread
        return changes

    def _listed(self, frame: ServerMessage) -> list[Change]:
        changes = []
        for key in frame.gone:
            old = self.members.pop(key, None)
            if old is not None:
                changes.append(Change(key, _status(old), ""))
        for row in frame.members:
            key = str(row.get("provider_id"))
            old = self.members.get(key)
            self.members[key] = row
            if old != row:
                change = Change(key, _status(old), _status(row), member=row)
                changes.append(change)
        self._order(frame)
        return changes

    def _order(self, frame: ServerMessage) -> None:
        if frame.order is not None:
            said = frame.order, frame.total, frame.live, frame.next_cursor
            self.listing = Listing(*said)


def _status(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    if "next_free" in row:
        return str(row["next_free"] or "none")
    if "notice_id" in row:
        return "unread" if row.get("read_at") is None else "read"
    return str(row.get("status", ""))


def _reseated(
    slots: Mapping[str, str], seats: Mapping[str, int], view: TopicView
) -> list[Change]:
    """Group visits with other seats left, and the same state."""
    return [
        Change(start, state, state, seats_left=view.seats_left.get(start))
        for start, state in view.slots.items()
        if slots.get(start) == state and seats.get(start) != view.seats_left.get(start)
    ]


def _different(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    keys = sorted(old.keys() | new.keys())
    return [
        Change(key, old.get(key, ""), new.get(key, ""))
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _rewritten(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> list[Change]:
    keys = sorted(old.keys() | new.keys())
    return [
        Change(key, _status(old.get(key)), _status(new.get(key)), new.get(key))
        for key in keys
        if old.get(key) != new.get(key)
    ]
