"""All or none: what calendars say of the groups they are part of must agree.

A visit that takes rooms is decided by its provider's calendar and carried out at the
rooms' (decision 0100). Between the two it is owed, for seconds. Fed with every calendar
as it is after its last record, this finds visits without a room, rooms without a visit,
and what was not settled in time.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from actors.domain.calendar.effects import KEPT_DAYS
from actors.domain.calendar.holding.grouped import is_member
from actors.domain.calendar.occupancy import Booking, Hold
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    GroupId,
    Millis,
    Minute,
    ProviderId,
    provider_of,
)
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingStatus, Debt, DebtKind
from actors.domain.rules import Group

SETTLED_MS = 10 * 60_000
"""What is owed or in doubt for longer is not under way any more: gateways and workers
try again every few seconds, and a lost shard is back within a minute."""
_FORGOTTEN_MINUTES = (KEPT_DAYS - 35) * 24 * 60
"""Calendars forget visits that are older, each when it likes."""

_OWING = (ev.SlotBooked, ev.BookingCancelled, ev.BookingRescheduled)

_Part = tuple[ProviderId, GroupId]
"""A calendar, and a group that it is part of."""


class _GroupBooking(Struct, frozen=True, gc=False):
    """A booking of a group: at its primary the visit, at a member its part."""

    booking_id: BookingId
    group: Group
    visit: BookingId | None
    start: Minute
    end: Minute
    is_live: bool


class AuditedGroups:
    """``follow`` every event, ``add`` every calendar; then ask for the problems."""

    def __init__(self) -> None:
        self._visits: dict[BookingId, _GroupBooking] = {}
        self._parts: dict[_Part, _GroupBooking] = {}
        self._held: dict[_Part, tuple[Group, Millis]] = {}
        """What members hold, and since when each is in doubt."""
        self._pending: set[_Part] = set()
        """What primaries hold: their patients still decide."""
        self._over: set[_Part] = set()
        """What primaries decided against."""
        self._owed: dict[BookingId, tuple[Debt, ...]] = {}
        self._opened: dict[ProviderId, Millis] = {}
        self._since: dict[tuple[BookingId, int], Millis] = {}
        """When a booking began to owe something, by the version of that decision."""

    def follow(self, event: ev.Event, calendar: CalendarState) -> None:
        """Take in an event, after its effect on the calendar."""
        owed = calendar.groups.owed
        if isinstance(event, ev.GroupSettled):
            left = {debt.version for debt in owed.get(event.booking_id, ())}
            for name, version in list(self._since):
                if name == event.booking_id and version not in left:
                    del self._since[name, version]
        elif isinstance(event, ev.CalendarMovedIn):
            self.begin(calendar, event.at)
        elif isinstance(event, _OWING) and event.booking_id in owed:
            self._owes_since(event.booking_id, event.version, event.at)

    def begin(self, calendar: CalendarState, at: Millis) -> None:
        """Take in a calendar whose earlier events are not read."""
        for name, debts in calendar.groups.owed.items():
            for debt in debts:
                self._owes_since(name, debt.version, at)

    def _owes_since(self, name: BookingId, version: int, at: Millis) -> None:
        self._since[name, version] = min(at, self._since.get((name, version), at))

    def add(self, calendar: CalendarState, opened: Millis) -> None:
        """Take in what one calendar says of groups after its last event.

        ``opened``: since when its shard has its present owner; before, perhaps none
        was there to settle anything.
        """
        here, known = calendar.provider_id, calendar.groups
        self._opened[here] = opened
        for booking in calendar.occupancy.bookings.values():
            if booking.group is not None:
                self._add_booking(here, booking, booking.group)
        for hold in calendar.occupancy.holds.values():
            if hold.group is not None:
                self._add_hold(calendar, hold, hold.group)
        for group_id, decided in known.outcomes.items():
            if decided.booking_id is None:
                self._over.add((here, group_id))
        self._owed.update(known.owed)

    def _add_booking(self, here: ProviderId, booking: Booking, group: Group) -> None:
        name = booking.booking_id
        one = _GroupBooking(
            name,
            group,
            booking.visit,
            booking.start,
            booking.end,
            booking.status is not BookingStatus.CANCELLED,
        )
        if booking.visit is None:
            self._visits[name] = one
        else:
            self._parts[here, group.group_id] = one

    def _add_hold(self, calendar: CalendarState, hold: Hold, group: Group) -> None:
        part = calendar.provider_id, group.group_id
        if is_member(group, calendar.provider_id):
            since = hold.offered or hold.placed + calendar.policy.hold_ms
            self._held[part] = group, Millis(since)
        else:
            self._pending.add(part)

    def problems(self, now: Millis) -> Iterator[str]:
        """What does not agree; ``now`` is the instant of the newest record."""
        oldest = now // 60_000 - _FORGOTTEN_MINUTES
        for visit in self._visits.values():
            if visit.is_live and visit.end > oldest:
                yield from self._of_visit(visit)
        for (member, _), part in self._parts.items():
            if part.is_live and part.end > oldest:
                yield from self._of_part(member, part)
        yield from self._held_too_long(now)
        for name, debts in self._owed.items():
            for debt in debts:
                late = now - self._began(name, debt, now)
                if late > SETTLED_MS:
                    yield f"{name} owes {debt.member} its outcome for {_minutes(late)}"

    def _held_too_long(self, now: Millis) -> Iterator[str]:
        for (member, group_id), (group, doubtful) in self._held.items():
            late = now - max(doubtful, self._opened[member])
            if self._is_left(member, group, late):
                yield (
                    f"{member} holds time for group {group_id} of {group.primary}, "
                    f"which is not under way: {_minutes(late)} past its end"
                )

    def _began(self, name: BookingId, debt: Debt, now: Millis) -> Millis:
        """Since when it could have been paid."""
        primary = provider_of(name)
        opened = Millis(0) if primary is None else self._opened.get(primary, Millis(0))
        return max(self._since.get((name, debt.version), now), opened)

    def _of_visit(self, visit: _GroupBooking) -> Iterator[str]:
        group, name = visit.group, visit.booking_id
        if (group.primary, group.group_id) in self._over:
            yield f"{name} is booked with group {group.group_id}, which is over"
        for member in group.members:
            place = member, group.group_id
            part = self._parts.get(place)
            if part is not None and part.is_live:
                if (part.visit, part.start) != (name, visit.start):
                    yield f"{member} has {name} as {part.visit} at {part.start}"
            elif not self._owes(name, place, DebtKind.CONFIRM):
                yield f"{name} is booked, but {member} has no part of it"
            elif place not in self._held:
                yield f"{name} is booked, but {member} holds nothing for it"

    def _of_part(self, member: ProviderId, part: _GroupBooking) -> Iterator[str]:
        assert part.visit is not None
        visit = self._visits.get(part.visit)
        place = member, part.group.group_id
        if visit is not None and visit.is_live and _takes(visit, place):
            return  # ``_of_visit`` compares the two
        if not self._owes(part.visit, place, DebtKind.CANCEL):
            yield f"{member} has a part of {part.visit}, which does not take it"

    def _is_left(self, member: ProviderId, group: Group, late_ms: int) -> bool:
        """Whether a member's hold has outlived its group."""
        place = member, group.group_id
        if late_ms <= SETTLED_MS or (group.primary, group.group_id) in self._pending:
            return False
        return not any(
            (debt.member, debt.group_id) == place
            for debts in self._owed.values()
            for debt in debts
            if debt.kind is DebtKind.CONFIRM
        )

    def _owes(self, visit: BookingId, place: _Part, kind: DebtKind) -> bool:
        return any(
            (debt.member, debt.group_id, debt.kind) == (*place, kind)
            for debt in self._owed.get(visit, ())
        )


def _takes(visit: _GroupBooking, place: _Part) -> bool:
    member, group_id = place
    return visit.group.group_id == group_id and member in visit.group.members


def _minutes(millis: int) -> str:
    return f"{millis // 60_000} min"
