"""The calendar: one provider's time, as a deterministic state machine.

Rule 1: everything that decides who gets a slot lives in this folder: holding/,
        bookings.py, many.py and staff.py decide, rulings.py holds what they share.
Rule 2: it cannot read a clock, draw a random number, or wait; ``now`` is an argument.
Rule 3: ``decide`` may refuse and never changes the calendar (memos aside);
        ``apply`` (effects.py) changes the calendar and never refuses.
Rule 4: expiry is a predicate: a hold whose deadline has come blocks nothing, whether
        or not its ``HoldExpired`` was journaled yet.

A command is checked in this order: its key (known: nothing to do, or reused), its
deadline, due holds, then its content.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.domain.calendar import bookings, many, staff, window
from actors.domain.calendar.holding import groups, holds, waiting
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import HoldId, Millis
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.refusals import KEY_REUSED, NO_PROVIDER, TOO_LATE, Refusal


class Calendar:
    """A provider's state, with the decisions about it."""

    __slots__ = ("state",)

    def __init__(self, state: CalendarState) -> None:
        self.state = state

    def decide(  # noqa: C901, PLR0911, PLR0912 - each command comes this way; calls would cost
        self, command: cm.Command, now: Millis
    ) -> tuple[ev.Event, ...] | Refusal:
        """Decide a command at ``now``: events to journal, or a refusal.

        An empty tuple means that there is nothing to do: either the key's answer is
        already remembered (see ``CalendarState.answer``), or the calendar's own
        command found nothing. Holds that are due expire first, unless the command is
        refused. The caller must journal the events, then ``apply`` them in order.
        """
        state = self.state
        key = command.key
        if key:
            known = state.answers.entries.get(key)
            if known is not None:
                return () if known[0] == command.fingerprint else KEY_REUSED
        # A deadline that a wrong clock set must not outlast the memory of the key.
        furthest = now + state.policy.key_retention_ms // 2
        if command.deadline and not now <= command.deadline <= furthest:
            return TOO_LATE
        kind = type(command)
        if not state.registered and kind is not cm.RegisterProvider:
            return () if kind in _OWN else NO_PROVIDER
        if state.occupancy.soonest <= now:
            return self._decide_after_expiry(command, now)
        outcome = _DECIDERS[kind](state, command, now, state.version + 1)
        if outcome is None:
            return ()
        if isinstance(outcome, Refusal):
            return outcome
        if isinstance(outcome, tuple):  # several visits, which free nothing
            return outcome
        if state.waiting is not None:
            return waiting.with_reserves(state, outcome, now)
        return (outcome,)

    def refused(
        self, command: cm.Command, refusal: Refusal, now: Millis
    ) -> ev.RefusalRecorded:
        """The event that records a keyed command's refusal."""
        return ev.RefusalRecorded(
            provider_id=self.state.provider_id,
            at=now,
            version=self.state.version,
            key=command.key,
            fingerprint=command.fingerprint,
            by=command.by,
            code=refusal.code.value,
            detail=refusal.detail,
            about=refusal.about,
            group_id=groups.refused_group(self.state, command),
        )

    def _decide_after_expiry(
        self, command: cm.Command, now: Millis
    ) -> tuple[ev.Event, ...] | Refusal:
        state = self.state
        due = sorted(
            (due, hold.hold_id)
            for hold in state.occupancy.holds.values()
            if (due := hold.offered or hold.expires) <= now
        )
        version = state.version + len(due) + 1
        outcome = _DECIDERS[type(command)](state, command, now, version)
        if isinstance(outcome, Refusal):
            return outcome
        expired = tuple(
            self._ended(hold_id, now, state.version + place)
            for place, (_, hold_id) in enumerate(due, 1)
        )
        if outcome is None:
            return expired
        if isinstance(outcome, tuple):
            return (*expired, *outcome)
        if state.waiting is not None:
            return (*expired, *waiting.with_reserves(state, outcome, now))
        return (*expired, outcome)

    def _ended(self, hold_id: HoldId, now: Millis, version: int) -> ev.Event:
        """A hold is over, or doubtful, or the waiting list has it again."""
        hold = self.state.occupancy.holds[hold_id]
        provider_id = self.state.provider_id
        if hold.expires <= now:
            return ev.HoldExpired(
                provider_id=provider_id, at=now, version=version, hold_id=hold_id
            )
        if hold.group is not None:
            return ev.HoldDoubted(
                provider_id=provider_id,
                at=now,
                version=version,
                hold_id=hold_id,
                group=hold.group,
            )
        return ev.HoldReturned(
            provider_id=provider_id,
            at=now,
            version=version,
            hold_id=hold_id,
            patient_id=hold.patient_id,
        )


def _nothing_more(
    _state: CalendarState, _c: cm.ExpireHolds, _now: Millis, _version: int
) -> None:
    """Holds that are due expire before any command: nothing is left to do."""


_OWN = frozenset({cm.ExpireHolds, cm.AdvanceWindow})
"""The shard's own commands; they carry no key, and are never refused."""

_Decided = ev.Event | tuple[ev.Event, ...] | Refusal | None
_Decider = Callable[[CalendarState, Any, Millis, int], _Decided]
_DECIDERS: dict[type, _Decider] = {
    cm.RegisterProvider: staff.register,
    cm.SetRetired: staff.set_retired,
    cm.SetSuspended: staff.set_suspended,
    cm.SetAvailability: staff.set_availability,
    cm.AddTimeOff: staff.add_time_off,
    cm.RemoveTimeOff: staff.remove_time_off,
    cm.PlaceHold: holds.place,
    cm.ExtendHold: holds.extend,
    cm.ReleaseHold: holds.release,
    cm.SetWaiting: waiting.set_waiting,
    cm.ReserveSlot: waiting.reserve,
    cm.OfferHold: waiting.offer,
    cm.ConfirmHold: bookings.confirm,
    cm.BookSlot: bookings.book,
    cm.BookMany: many.book_many,
    cm.CancelBooking: bookings.cancel,
    cm.RescheduleBooking: bookings.reschedule,
    cm.AbortGroup: groups.abort,
    cm.ResolveGroup: groups.resolve,
    cm.SettleGroup: groups.settle,
    cm.SetConfidential: bookings.set_confidential,
    cm.CheckIn: staff.check_in,
    cm.CompleteVisit: staff.complete,
    cm.MarkNoShow: staff.mark_no_show,
    cm.UndoOutcome: staff.undo,
    cm.ExpireHolds: _nothing_more,
    cm.AdvanceWindow: window.advance,
}
"""The function that decides each command: from the state, the command, now, and the
version of the resulting event, or of the first of several."""
