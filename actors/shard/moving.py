"""A calendar moves from one shard's journal to another's: what either shard decides.

::

    old shard   CalendarMovedOut   from then on it answers "moved", for ever
    new shard   CalendarMovedIn    the whole calendar; its epoch is above the old one's

In between nobody answers for the calendar, which is what keeps it one: a shard of its
own does not begin a calendar that has not come in. Each step asked again is answered
as the first time, so a move that broke off is simply made again.

Pure: the shard journals what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors.domain.calendar.at_rest import (
    SnapshotUnreadable,
    pack_for_new_shard,
    unpack,
)
from actors.domain.calendar.calendar import Calendar
from actors.domain.ids import Millis, ShardId
from actors.domain.messages.answers import CalendarLeft, Done, Reply
from actors.domain.messages.commands import AdoptCalendar, MoveCalendarOut, Transfer
from actors.domain.messages.events import CalendarMovedIn, CalendarMovedOut
from actors.domain.messages.refusals import NO_PROVIDER, TOO_LATE, invalid
from actors.placement import is_isolated
from actors.ports import Request, Trouble, TroubleCode

ON_ITS_WAY = Trouble(
    TroubleCode.RECOVERING, "the calendar is on its way to a shard of its own"
)
Moving = CalendarMovedOut | CalendarMovedIn
Outcome = Moving | Reply | Trouble
"""An event to journal, or the answer."""


def away(calendar: Calendar, shard: ShardId) -> Trouble | None:
    """What ``shard`` says instead of an answer about a calendar it does not have."""
    left = calendar.left
    if left is not None:
        return Trouble(
            TroubleCode.MOVED, left.to_shard, provider_id=calendar.provider_id
        )
    if not calendar.registered and is_isolated(shard):
        return ON_ITS_WAY
    return None


def epoch_to_beat(requests: Iterable[Request]) -> int:
    """The epoch above which a shard must be to take these calendars in; 0 for none."""
    return max(
        (one.from_epoch for one in requests if type(one) is AdoptCalendar), default=0
    )


def moved(calendar: Calendar, command: Transfer, now: Millis, seq: int) -> Outcome:
    """What follows from a transfer; ``seq`` is where its event would stand."""
    if 0 < command.deadline < now:
        return TOO_LATE
    if isinstance(command, MoveCalendarOut):
        return _moved_out(calendar, command, now, seq)
    return _moved_in(calendar, command, now)


def told(calendar: Calendar, command: Transfer) -> Reply:
    """The answer to a transfer that was done."""
    left = calendar.left
    if left is None or isinstance(command, AdoptCalendar):
        return Done(calendar.provider_id, calendar.epoch, calendar.version)
    state = pack_for_new_shard(calendar)
    return CalendarLeft(
        calendar.provider_id,
        left.epoch,
        calendar.version,
        left.to_shard,
        left.seq,
        state,
    )


def _moved_out(
    calendar: Calendar, command: MoveCalendarOut, now: Millis, seq: int
) -> Outcome:
    left = calendar.left
    if left is not None and left.to_shard == command.to_shard:
        return told(calendar, command)
    if left is not None:
        return Trouble(
            TroubleCode.MOVED, left.to_shard, provider_id=calendar.provider_id
        )
    if not calendar.registered:
        return NO_PROVIDER
    return CalendarMovedOut(
        provider_id=calendar.provider_id,
        at=now,
        version=calendar.version,
        to_shard=command.to_shard,
        seq=seq,
    )


def _moved_in(calendar: Calendar, command: AdoptCalendar, now: Millis) -> Outcome:
    try:
        kept, left = unpack(command.state)
    except SnapshotUnreadable as error:
        return invalid(f"the calendar's state cannot be read: {error}")
    if left is not None or kept.provider_id != calendar.provider_id:
        return invalid("this is not the state that a calendar takes along")
    here = calendar.left
    if here is not None and command.from_epoch <= here.epoch:
        # Old news: it was here, and has moved on since.
        return Trouble(
            TroubleCode.MOVED, here.to_shard, provider_id=calendar.provider_id
        )
    if calendar.registered and here is None:
        if calendar.version >= kept.version:
            return told(calendar, command)
        return invalid("another calendar of this provider is here already")
    return CalendarMovedIn(
        provider_id=calendar.provider_id,
        at=now,
        version=kept.version,
        from_shard=command.from_shard,
        from_epoch=command.from_epoch,
        from_seq=command.from_seq,
        state=command.state,
    )
