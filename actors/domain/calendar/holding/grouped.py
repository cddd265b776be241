"""What a calendar knows of groups: decision 0100. Part of its state.

Of groups whose primary it is: the outcomes it decided, and what its bookings owe to
members. Of groups it is a member of: which of its holds are doubtful. Derived from
events alone, so a replay yields the same.
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from actors.domain.ids import BookingId, GroupId, HoldId, Millis, ProviderId
from actors.domain.messages.answers import Debt, DebtKind
from actors.domain.rules import Group, Policy

KEPT_RETENTIONS = 2
"""How long outcomes are kept, in retentions of keys: longer than the furthest deadline,
half a retention, and its key together."""

OUTCOMES_MAX = 20_000
"""Bound on remembered outcomes of one calendar; the oldest are dropped first."""


class Decided(Struct, frozen=True, array_like=True, gc=False):
    """A primary's decision: for the group by a booking, or against it."""

    at: Millis
    booking_id: BookingId | None = None
    members: tuple[ProviderId, ...] = ()


class KeptGroups(Struct, array_like=True):
    """What a snapshot holds of groups; doubts follow from its holds."""

    outcomes: dict[GroupId, Decided]
    owed: dict[BookingId, tuple[Debt, ...]]


def is_member(group: Group | None, provider_id: ProviderId) -> bool:
    """Whether a calendar is a member of a group, and not its primary."""
    return group is not None and group.primary != provider_id


class Groups:
    """The outcomes, debts and doubts of one calendar."""

    __slots__ = ("_keep", "doubtful", "outcomes", "owed")

    def __init__(self, policy: Policy) -> None:
        self._keep = policy.key_retention_ms * KEPT_RETENTIONS
        self.outcomes: dict[GroupId, Decided] = {}
        """Of groups whose primary this is, oldest first."""
        self.owed: dict[BookingId, tuple[Debt, ...]] = {}
        """What each booking owes, in the order of payment."""
        self.doubtful: dict[HoldId, Group] = {}
        """Members' holds whose groups' primaries are to be asked."""

    @property
    def are_open(self) -> bool:
        """Whether anything is not settled."""
        return bool(self.owed or self.doubtful)

    def kept(self) -> KeptGroups | None:
        """What a snapshot holds; None if there is nothing."""
        if not self.outcomes and not self.owed:
            return None
        return KeptGroups(self.outcomes, self.owed)

    def restore(self, kept: KeptGroups | None) -> None:
        """Take over what a snapshot holds."""
        if kept is not None:
            self.outcomes, self.owed = kept.outcomes, kept.owed

    def over(self, group_id: GroupId, at: Millis) -> None:
        """It is decided against a group: its tombstone."""
        if group_id not in self.outcomes:
            self._decide(group_id, Decided(at))

    def booked(
        self, group: Group, booking_id: BookingId, at: Millis, version: int, by: str
    ) -> None:
        """A group is booked, or a visit moved to it: its members are owed that."""
        self._decide(group.group_id, Decided(at, booking_id, group.members))
        self._owe(DebtKind.CONFIRM, group, booking_id, version, by)

    def given_up(
        self, group: Group, booking_id: BookingId, version: int, by: str
    ) -> None:
        """A visit was cancelled or moved away: its members are owed that."""
        self._owe(DebtKind.CANCEL, group, booking_id, version, by)

    def _owe(
        self, kind: DebtKind, group: Group, booking_id: BookingId, version: int, by: str
    ) -> None:
        debts = tuple(
            Debt(member, group.group_id, kind, version, by) for member in group.members
        )
        if debts:
            self.owed[booking_id] = self.owed.get(booking_id, ()) + debts

    def settled(self, booking_id: BookingId, upto: int) -> None:
        """What a booking owed up to a version was paid."""
        left = tuple(
            debt for debt in self.owed.pop(booking_id, ()) if debt.version > upto
        )
        if left:
            self.owed[booking_id] = left

    def _decide(self, group_id: GroupId, decided: Decided) -> None:
        """Remember an outcome, and forget what is too old or too many.

        An outcome is kept as long as its booking owes anything.
        """
        outcomes = self.outcomes
        outcomes[group_id] = decided
        old = []
        for name, known in outcomes.items():
            if known.at >= decided.at - self._keep:
                break  # outcomes are in the order of their events
            if known.booking_id is None or known.booking_id not in self.owed:
                old.append(name)
        for name in old:
            del outcomes[name]
        if len(outcomes) > OUTCOMES_MAX:
            settled = (
                name
                for name, known in outcomes.items()
                if known.booking_id is None or known.booking_id not in self.owed
            )
            for name in list(islice(settled, OUTCOMES_MAX // 4)):
                if name != group_id:
                    del outcomes[name]
