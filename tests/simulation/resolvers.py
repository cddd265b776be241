"""Resolvers of groups: what is doubtful or owed is settled, from the primary's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.domain.ids import (
    BookingId,
    GroupId,
    Millis,
    ProviderId,
    booking_id,
    hold_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import (
    BookingView,
    Debt,
    DebtKind,
    Doubt,
    GroupState,
    GroupsView,
    GroupView,
)
from actors.domain.messages.reads import ReadGroups
from actors.domain.messages.refusals import Refusal, RefusalCode
from tests.simulation.kernel import Kernel
from tests.simulation.people import Desk

ROUND_MS = 1_500
"""How often a resolver looks at every calendar."""
STICKY_MS = 20_000
"""How long a doubtful hold may last once all faults are over and its primary serves."""


def pay(desk: Desk, debt: Debt, visit: BookingId, paid: Callable[[Any], None]) -> None:
    """Tell a member what its primary has decided."""
    member, name = debt.member, debt.group_id
    common: dict[str, Any] = {
        "provider_id": member,
        "booking_id": booking_id(member, name),
        "owner": None,
        "deadline": Millis(desk.deadline()),
    }
    if debt.kind is DebtKind.CONFIRM:
        desk.ask(
            cm.ConfirmHold(hold_id=hold_id(member, name), visit=visit, **common), paid
        )
    else:
        desk.ask(cm.CancelBooking(group=name, **common), paid)


def is_paid(debt: Debt, reply: Any) -> bool:
    """Whether a member has done it, now or before."""
    if isinstance(reply, BookingView):
        return True
    done = {
        DebtKind.CONFIRM: RefusalCode.HOLD_CONFIRMED,
        DebtKind.CANCEL: RefusalCode.WRONG_STATUS,
    }
    return isinstance(reply, Refusal) and reply.code is done[debt.kind]


Place = tuple[ProviderId, BookingId, int]
"""A primary, its booking, and its version that what is owed was read at."""


def pay_all(
    desk: Desk,
    place: Place,
    debts: tuple[Debt, ...],
    settle: Callable[[Place], None],
) -> None:
    """Pay one debt after the other, then ``settle``."""
    if not debts:
        settle(place)
        return

    def paid(reply: Any) -> None:
        if is_paid(debts[0], reply):
            pay_all(desk, place, debts[1:], settle)

    pay(desk, debts[0], place[1], paid)


def settler(desk: Desk) -> Callable[[Place], None]:
    """Tells a primary that what it owed was paid."""

    def settle(place: Place) -> None:
        primary, visit, version = place
        command = cm.SettleGroup(
            provider_id=primary,
            booking_id=visit,
            settled=version,
            deadline=Millis(desk.deadline()),
        )
        desk.ask(command, lambda reply: None)

    return settle


def let_go(desk: Desk, member: ProviderId, group_id: GroupId) -> None:
    """Release a member's hold, of a group whose primary said that it is over."""
    desk.ask(
        cm.ReleaseHold(
            provider_id=member,
            hold_id=hold_id(member, group_id),
            owner=None,
            group=group_id,
            deadline=Millis(desk.deadline()),
        ),
        lambda reply: None,
    )


class Resolver:
    """Looks at every calendar again and again, and settles what it finds.

    It has no memory: whatever was lost, late or doubled is found again.
    """

    def __init__(
        self, name: str, kernel: Kernel, desk: Desk, calendars: list[ProviderId]
    ) -> None:
        self.name = name
        self._kernel = kernel
        self._desk = desk
        self._calendars = calendars

    def begin(self) -> None:
        """Look, for as long as the world lasts."""
        for calendar in self._calendars:
            self._desk.ask(ReadGroups(calendar), self._found)
        self._kernel.after(ROUND_MS, self.begin)

    def _found(self, reply: Any) -> None:
        if not isinstance(reply, GroupsView):
            return
        for doubt in reply.doubts:
            self._resolve(reply.provider_id, doubt)
        for owed in reply.owed:
            place = reply.provider_id, owed.booking_id, reply.version
            pay_all(self._desk, place, owed.debts, settler(self._desk))

    def _resolve(self, member: ProviderId, doubt: Doubt) -> None:
        group = doubt.group

        def answered(reply: Any) -> None:
            if not isinstance(reply, GroupView):
                return
            self._kernel.note(self.name, "hears", reply)
            if reply.state is GroupState.OVER:
                let_go(self._desk, member, group.group_id)
            elif reply.booking_id is not None:
                debt = Debt(member, group.group_id, DebtKind.CONFIRM, 0)
                pay(self._desk, debt, reply.booking_id, lambda told: None)

        command = cm.ResolveGroup(
            provider_id=group.primary,
            group_id=group.group_id,
            member=member,
            deadline=Millis(self._desk.deadline()),
        )
        self._desk.ask(command, answered)
