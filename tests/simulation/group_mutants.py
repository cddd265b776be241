"""The guards of groups, taken out one at a time (see mutants.py).

The first three are the broken variants of the model that the protocol came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.domain.calendar import bookings, effects, rulings
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.holding import groups
from actors.domain.calendar.holding.grouped import Groups
from actors.domain.ids import Millis
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import NEEDS_MEMBERS, GroupState

Patch = tuple[Any, str, Any]


def _over_if_unknown(state: Any, group_id: Any, member: Any = None) -> Any:
    """What a primary without tombstones says."""
    found = real_view(state, group_id, member)
    if found.state is GroupState.PENDING and not found.expires:
        return msgspec.structs.replace(found, state=GroupState.OVER)
    return found


real_view = groups.view


def _expire_by_clock() -> list[Patch]:
    """A member lets go at its deadline, whatever its primary has decided."""
    return [(effects, "_stick", lambda hold: None)]


def _no_tombstone() -> list[Patch]:
    """A primary does not remember against which groups it has decided."""
    return [
        (Groups, "over", lambda self, group_id, at: None),
        (groups, "view", _over_if_unknown),
    ]


def _soft_no() -> list[Patch]:
    """A resolver is told that a group is over, and nothing is written of it."""

    def decide(self: Any, command: Any, now: int) -> Any:
        outcome = real_decide(self, command, Millis(now))
        if isinstance(command, cm.ResolveGroup) and isinstance(outcome, tuple):
            return tuple(o for o in outcome if not isinstance(o, ev.GroupAborted))
        return outcome

    real_decide = Calendar.decide
    return [(Calendar, "decide", decide), (groups, "view", _over_if_unknown)]


def _free_release() -> list[Patch]:
    """Staff release a member's hold like any other."""

    def live_hold(state: Any, hold_id: Any, owner: Any, now: Any, **given: Any) -> Any:
        hold = state.occupancy.holds.get(hold_id)
        if hold is not None and hold.group is not None and owner is None:
            return hold
        return real_live_hold(state, hold_id, owner, now, **given)

    real_live_hold = rulings.live_hold
    return [(rulings, "live_hold", live_hold)]


def _free_change() -> list[Patch]:
    """Staff cancel or move a member's part like any other booking."""

    def own_booking(state: Any, booking_id: Any, *given: Any, **more: Any) -> Any:
        booking = state.occupancy.bookings.get(booking_id)
        if booking is not None and booking.visit is not None:
            return booking
        return real_own_booking(state, booking_id, *given, **more)

    real_own_booking = rulings.own_booking
    return [(rulings, "own_booking", own_booking)]


def _no_debts() -> list[Patch]:
    """A primary does not keep what it owes to members."""
    return [(Groups, "_owe", lambda self, *given: None)]


def _choosy_member() -> list[Patch]:
    """A member does not pay once leave or new rules took its ground."""

    def confirm(state: Any, c: Any, visit: Any, now: Any, version: int) -> Any:
        hold = state.occupancy.holds.get(c.hold_id)
        late = None if hold is None else rulings.late(state, hold, now)
        return late or real_confirm(state, c, visit, now, version)

    real_confirm = groups.confirm
    return [(groups, "confirm", confirm)]


def _left_behind() -> list[Patch]:
    """A visit moves without its members."""
    return [(bookings, "_has_members", lambda booking: False)]


def _any_member() -> list[Patch]:
    """A calendar that the primary did not choose is told that it is booked."""
    return [
        (
            groups,
            "view",
            lambda state, group_id, member=None: real_view(state, group_id),
        )
    ]


def _no_snapshot() -> list[Patch]:
    """Outcomes and debts are not in the snapshot."""
    return [(Groups, "kept", lambda self: None)]


def _joined_when_over() -> list[Patch]:
    """A time is booked with members that were released already."""

    def joined(_state: Any, group: Any) -> Any:
        return NEEDS_MEMBERS if group is None else group

    return [(groups, "joined", joined)]


GROUP_MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    "group_sticky": _expire_by_clock,
    "group_tombstone": _no_tombstone,
    "group_soft_no": _soft_no,
    "group_release": _free_release,
    "group_change": _free_change,
    "group_debts": _no_debts,
    "group_pays": _choosy_member,
    "group_moves": _left_behind,
    "group_members": _any_member,
    "group_snapshot": _no_snapshot,
    "group_joined": _joined_when_over,
}
"""Name of a guard -> how to take it out."""
