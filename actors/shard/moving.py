"""A calendar moves from one shard's journal to another's: what either shard decides.

::

    old shard   CalendarMovedOut   from then on it answers "moved"
    new shard   CalendarMovedIn    the whole calendar; its epoch is above the old one's

In between no shard answers for the calendar, so it never exists twice: a shard of its
own does not begin a calendar that has not arrived. Every step is idempotent, so an
interrupted move is repeated from the start.

Pure: the shard journals what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors.domain.calendar.at_rest import SnapshotUnreadable, unpack
from actors.domain.calendar.snapshot import encode_for_new_shard
from actors.domain.calendar.state import CalendarState
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


def away(state: CalendarState, shard: ShardId) -> Trouble | None:
    """The trouble that ``shard`` answers about a calendar it does not have."""
    left = state.left
    if left is not None:
        return Trouble(TroubleCode.MOVED, left.to_shard, provider_id=state.provider_id)
    if not state.registered and is_isolated(shard):
        return ON_ITS_WAY
    return None


def epoch_to_beat(requests: Iterable[Request]) -> int:
    """The epoch above which a shard must be to take these calendars in; 0 for none."""
    return max(
        (one.from_epoch for one in requests if type(one) is AdoptCalendar), default=0
    )


def moved(state: CalendarState, command: Transfer, now: Millis, seq: int) -> Outcome:
    """What follows from a transfer; ``seq`` is where its event would stand."""
    if 0 < command.deadline < now:
        return TOO_LATE
    if isinstance(command, MoveCalendarOut):
        return _moved_out(state, command, now, seq)
    return _moved_in(state, command, now)


def transfer_answer(state: CalendarState, command: Transfer) -> Reply:
    """The answer to a transfer that was done."""
    left = state.left
    if left is None or isinstance(command, AdoptCalendar):
        return Done(state.provider_id, state.epoch, state.version)
    return CalendarLeft(
        state.provider_id,
        left.epoch,
        state.version,
        left.to_shard,
        left.seq,
        encode_for_new_shard(state),
    )


def _moved_out(
    state: CalendarState, command: MoveCalendarOut, now: Millis, seq: int
) -> Outcome:
    left = state.left
    if left is not None and left.to_shard == command.to_shard:
        return transfer_answer(state, command)
    if left is not None:
        return Trouble(TroubleCode.MOVED, left.to_shard, provider_id=state.provider_id)
    if not state.registered:
        return NO_PROVIDER
    return CalendarMovedOut(
        provider_id=state.provider_id,
        at=now,
        version=state.version,
        to_shard=command.to_shard,
        seq=seq,
    )


def _moved_in(state: CalendarState, command: AdoptCalendar, now: Millis) -> Outcome:
    try:
        kept, left = unpack(command.state)
    except SnapshotUnreadable as error:
        return invalid(f"the calendar's state cannot be read: {error}")
    if left is not None or kept.provider_id != state.provider_id:
        return invalid("this is not the state that a calendar takes along")
    here = state.left
    if here is not None and command.from_epoch <= here.epoch:
        # A late retry: the calendar was here, and has moved on since.
        return Trouble(TroubleCode.MOVED, here.to_shard, provider_id=state.provider_id)
    if state.registered and here is None:
        if state.version >= kept.version:
            return transfer_answer(state, command)
        return invalid("another calendar of this provider is here already")
    return CalendarMovedIn(
        provider_id=state.provider_id,
        at=now,
        version=kept.version,
        from_shard=command.from_shard,
        from_epoch=command.from_epoch,
        from_seq=command.from_seq,
        state=command.state,
    )
