"""Judges of groups: over all calendars, in whichever shards they are.

A group is booked on all its calendars or on none; no member lets go unless its primary
decided so in its journal; nothing stays in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.domain.ids import booking_id
from actors.domain.messages import events as ev
from actors.ports import Record
from tests.simulation.agenda import Agenda
from tests.simulation.kernel import Violation
from tests.simulation.oracle import LogJudge
from tests.simulation.resolvers import STICKY_MS

LOOK_MS = 500


@dataclass
class Book:
    """What all journals say about one group."""

    primary: str = ""
    booked: str = ""
    """The primary's booking of it, or that was moved to it."""
    members: tuple[str, ...] = ()
    over: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    """Member -> what became of its hold: held, booked or released."""


def check_groups(
    logs: Mapping[Any, Iterable[Record]], judges: Iterable[LogJudge]
) -> None:
    """All of it, of finished logs in which nothing is under way any more."""
    for name, book in _books(logs).items():
        if book.booked and book.over:
            raise Violation(f"group {name} is booked and over")
        for member, what in book.parts.items():
            is_part = book.booked and member in book.members
            wanted = "booked" if is_part else "released"
            if what != wanted:
                raise Violation(f"group {name} at {member} is {what}, not {wanted}")
            if what == "released" and not book.over and not book.booked:
                raise Violation(f"group {name} was released at {member}, not over")
    agendas = {name: one for judge in judges for name, one in judge.agendas.items()}
    _check_parts(agendas)


def is_held_for_a_group(logs: Mapping[Any, Iterable[Record]]) -> bool:
    """Whether a member holds still: a late call may have placed it, to be resolved."""
    return any("held" in book.parts.values() for book in _books(logs).values())


def _books(logs: Mapping[Any, Iterable[Record]]) -> dict[str, Book]:
    books: dict[str, Book] = {}
    for records in logs.values():
        for record in records:
            _read(books, record)
    return books


def _read(books: dict[str, Book], record: Record) -> None:
    event: Any = record.event
    here = event.provider_id
    group = getattr(event, "group", None)
    if isinstance(event, ev.GroupAborted | ev.RefusalRecorded):
        if event.group_id:
            books.setdefault(event.group_id, Book()).over = True
    elif isinstance(event, ev.HoldReleased | ev.HoldExpired):
        _end(books, here, event.hold_id)
    elif group is None or isinstance(event, ev.BookingCancelled | ev.HoldDoubted):
        hold = getattr(event, "hold_id", None)
        if hold and isinstance(event, ev.SlotBooked | ev.BookingRescheduled):
            _end(books, here, hold)  # another slot was booked with its hold
    elif group.primary == here:
        book = books.setdefault(group.group_id, Book())
        book.primary, book.members = here, group.members
        if isinstance(event, ev.SlotBooked | ev.BookingRescheduled):
            book.booked = event.booking_id
    else:
        book = books.setdefault(group.group_id, Book())
        book.parts[here] = "booked" if isinstance(event, ev.SlotBooked) else "held"


def _end(books: dict[str, Book], here: str, hold: str) -> None:
    """A hold has ended, not by its booking."""
    book = books.get(hold.partition(".")[2])
    if book is not None and here in book.parts:
        book.parts[here] = "released"
    elif book is not None and here == book.primary:
        book.over = True


def _check_parts(agendas: Mapping[str, Agenda]) -> None:
    """A visit's members have its part at its time, and no others have any."""
    wanted: dict[tuple[str, str], tuple[str, int]] = {}
    for agenda in agendas.values():
        for name, visit in agenda.bookings.items():
            group = visit.group
            if group is None or visit.visit or visit.status == "cancelled":
                continue
            for member in group.members:
                part = booking_id(member, group.group_id)
                wanted[member, part] = (name, visit.start)
    found = {
        (agenda.provider, name): (part.visit, part.start)
        for agenda in agendas.values()
        for name, part in agenda.bookings.items()
        if part.visit and part.status != "cancelled"
    }
    if found != wanted:
        raise Violation(f"parts {found}, but the visits want {wanted}")


def groups_as_replayed(here: Any, replayed: Any) -> None:
    """A recovered calendar knows of groups what a replay from zero knows."""
    for what in ("outcomes", "owed", "doubtful"):
        known, told = getattr(here.groups, what), getattr(replayed.groups, what)
        if known != told:
            name = here.provider_id
            raise Violation(f"{name} has the {what} {known}, but its log {told}")


class StickyWatch:
    """Sees that a doubtful hold ends in time once its primary serves again."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._since: dict[tuple[str, str], int] = {}

    def begin(self) -> None:
        """Look, for as long as the world lasts."""
        now = self._world.kernel.now
        found = {}
        for calendar in self._world.calendars:
            state = self._state(calendar)
            if state is None:
                continue
            for hold, group in state.groups.doubtful.items():
                if self._is_answered(group):
                    found[calendar, hold] = self._since.get((calendar, hold), now)
        self._since = found
        for name, since in found.items():
            if now - since > STICKY_MS:
                raise Violation(f"{name} is in doubt since {since}, now {now}")
        self._world.kernel.after(LOOK_MS, self.begin)

    def _is_answered(self, group: Any) -> bool:
        """Whether its primary serves, and does not hold it any more."""
        state = self._state(group.primary)
        if state is None:
            return False
        return all(
            hold.group is None or hold.group.group_id != group.group_id
            for hold in state.occupancy.holds.values()
        )

    def _state(self, calendar: Any) -> Any:
        """A calendar in the memory of its shard's owner, if that serves."""
        owner = self._world.activations[self._world.shard_of(calendar)][-1]
        if owner.state != "open":
            return None
        resident = owner.shard.residents.get(calendar)
        return None if resident is None else resident.calendar.state
