"""What an event frees and the waiting list waits for is reserved, not free.

A part of the independent reading in oracle.py; it calls none of the code under test.
"""

from __future__ import annotations

from typing import Any

from actors.domain.messages import events as ev
from actors.domain.rules import Policy
from tests.simulation.agenda import Agenda, Owner
from tests.simulation.region import is_offered
from tests.simulation.sharing import SEAT

FREEING = (
    ev.BookingCancelled,
    ev.BookingRescheduled,
    ev.TimeOffRemoved,
    ev.AvailabilitySet,
)
"""What may free a slot that the waiting list is to have."""


def reserved_now(agenda: Agenda, at: int) -> int:
    """How many slots the waiting list has."""
    return sum(hold.reserved and hold.expires > at for hold in agenda.holds.values())


class ReserveWatch:
    """Sees that what an event frees is reserved, not free: by minutes, one by one."""

    def __init__(self, agenda: Agenda, at: int, policy: Policy) -> None:
        self._at = at
        self._cutoff_ms = policy.reserve_cutoff_ms
        self.missing = ""
        self._before = self._free(agenda)

    def is_kept(self, agenda: Agenda) -> bool:
        """Whether the list has all that became free, or as much as it waits for."""
        waiting = agenda.waiting
        if waiting is None or reserved_now(agenda, self._at) >= waiting.most:
            return True
        self.missing = f"free, and not reserved: {self._free(agenda) - self._before}"
        return self._free(agenda) <= self._before

    def _free(self, agenda: Agenda) -> set[tuple[str, int]]:
        """The slots, free to all, that the list waits for."""
        waiting, rules = agenda.waiting, agenda.availability
        if waiting is None or rules is None:
            return set()
        near = self._at + self._cutoff_ms
        first = max(waiting.first, -(-near // 60_000))
        leaves = tuple(agenda.time_off.values())
        # Due holds may not be written off yet: they block nothing.
        over = {
            ("hold", name) for name, h in agenda.holds.items() if h.expires <= self._at
        }
        return {
            (kind.visit_type, start)
            for kind in rules.visit_types
            if kind.visit_type in waiting.visit_types
            for start in range(first + -first % 30, waiting.until, 30)
            if is_offered(rules, leaves, kind.visit_type, start, self._at)
            and (
                self._has_seat(agenda, kind, start, over)
                or all(
                    minute not in agenda.taken
                    or self._is_over(agenda, agenda.taken[minute], over)
                    for minute in range(
                        start - kind.buffer_before,
                        start + kind.minutes + kind.buffer_after,
                    )
                )
            )
        }

    @staticmethod
    def _is_over(agenda: Agenda, owner: Owner, over: set[Owner]) -> bool:
        """Whether holds that have time of this owner are all due."""
        if owner[0] != SEAT:
            return owner in over
        return set(agenda.sessions[int(owner[1])].seats.values()) <= over

    @staticmethod
    def _has_seat(agenda: Agenda, kind: Any, start: int, over: set[Owner]) -> bool:
        """Whether a session of this type has a seat left."""
        sitting = agenda.sessions.get(start)
        if sitting is None or sitting.visit_type != kind.visit_type:
            return False
        most: int = kind.capacity
        return 0 < len(set(sitting.seats.values()) - over) < most
