"""Carries out at the members of a group what its primary has decided. Stateless.

Any process may do it, at any time and more than once: what a booking owes is read from
the primary's calendar, which forgets it only when it is told that it was paid, and a
member's doubtful hold is ended only by what the primary answers
(docs/decisions/0100-groups.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from actors.domain.ids import BookingId, Millis, ProviderId, booking_id, hold_id
from actors.domain.messages.answers import (
    BookingView,
    Debt,
    DebtKind,
    Doubt,
    GroupState,
    GroupsView,
    GroupView,
    Reply,
)
from actors.domain.messages.commands import (
    CancelBooking,
    Command,
    ConfirmHold,
    ReleaseHold,
    ResolveGroup,
    SettleGroup,
)
from actors.domain.messages.reads import ReadGroups
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from actors.ports import Calendars

PATIENCE_MS: Final = 10_000
"""How long a member or a primary may take to answer."""
_PAID: Final = {
    DebtKind.CONFIRM: RefusalCode.HOLD_CONFIRMED,
    DebtKind.CANCEL: RefusalCode.WRONG_STATUS,
}
"""What a member answers that has done it already."""

_GONE: Final = frozenset(
    {
        RefusalCode.HOLD_NOT_FOUND,
        RefusalCode.BOOKING_NOT_FOUND,
        RefusalCode.PROVIDER_NOT_FOUND,
    }
)
"""What a member answers that has nothing of the group."""

log = logging.getLogger(__name__)


class Settling:
    """Pays debts and resolves doubts. Every method may raise Unavailable: try again."""

    def __init__(self, calendars: Calendars, now: Callable[[], Millis]) -> None:
        self._calendars = calendars
        self._now = now

    async def pay(self, primary: ProviderId, visit: BookingId) -> None:
        """Carry out at the members what a booking of the primary owes them."""
        found = await self._calendars.ask(ReadGroups(primary))
        if not isinstance(found, GroupsView):
            _check(found)
            return  # there is no such calendar, and no debt of it
        for owed in found.owed:
            if owed.booking_id == visit:
                for debt in owed.debts:
                    await self._pay_one(visit, debt)
                await self._ask(
                    SettleGroup(
                        provider_id=primary,
                        booking_id=visit,
                        settled=found.version,
                        deadline=self._deadline(),
                    )
                )

    async def resolve(self, member: ProviderId, doubt: Doubt) -> Millis:
        """End a doubtful hold as its primary has decided.

        Returns 0, or the instant after which to ask again: the patient still decides.
        """
        group = doubt.group
        found = await self._ask(
            ResolveGroup(
                provider_id=group.primary,
                group_id=group.group_id,
                deadline=self._deadline(),
            )
        )
        if not isinstance(found, GroupView):
            raise Unavailable("the primary of a group does not say how it stands")
        if found.state is GroupState.PENDING:
            return Millis(max(found.expires, self._now() + 1))
        if found.booking_id is not None:
            await self.pay(group.primary, found.booking_id)
        # Over; or booked without it, by an attempt that had chosen another: if it was
        # among the members it is confirmed by now, and there is nothing to release.
        await self._ask(
            ReleaseHold(
                provider_id=member,
                hold_id=doubt.hold_id,
                owner=None,
                group=group.group_id,
                deadline=self._deadline(),
            )
        )
        return Millis(0)

    async def resolve_all(self, member: ProviderId) -> Millis:
        """End all doubtful holds of a calendar; as ``resolve``, the soonest instant."""
        found = await self._calendars.ask(ReadGroups(member))
        if not isinstance(found, GroupsView):
            _check(found)
            return Millis(0)
        later = [await self.resolve(member, doubt) for doubt in found.doubts]
        return min((at for at in later if at), default=Millis(0))

    async def _pay_one(self, visit: BookingId, debt: Debt) -> None:
        member, token = debt.member, debt.group_id
        command: Command
        if debt.kind is DebtKind.CONFIRM:
            command = ConfirmHold(
                provider_id=member,
                hold_id=hold_id(member, token),
                booking_id=booking_id(member, token),
                owner=None,
                by_staff=True,
                visit=visit,
                by=debt.by,
                deadline=self._deadline(),
            )
        else:
            command = CancelBooking(
                provider_id=member,
                booking_id=booking_id(member, token),
                owner=None,
                group=token,
                by=debt.by,
                deadline=self._deadline(),
            )
        reply = await self._ask(command)
        if isinstance(reply, BookingView):
            return
        if isinstance(reply, Refusal) and reply.code is _PAID[debt.kind]:
            return
        if not isinstance(reply, Refusal) or reply.code not in _GONE:
            raise Unavailable("a member of a group does not accept its outcome yet")
        # Its hold was sticky: nothing but this group's outcome ends it. A room that is
        # booked without its time being taken is for a person to look at.
        log.error(
            "a member does not carry out its group's outcome",
            extra={
                "member": member,
                "group": token,
                "debt": debt.kind.value,
                "answer": reply.code.value,
            },
        )

    async def _ask(self, command: Command) -> Reply:
        reply = await self._calendars.ask(command)
        _check(reply)
        return reply

    def _deadline(self) -> Millis:
        return Millis(self._now() + PATIENCE_MS)


def _check(reply: Reply) -> None:
    """Raises Unavailable: the calendar was too late to decide."""
    if isinstance(reply, Refusal) and reply.code is RefusalCode.DEADLINE_PASSED:
        raise Unavailable("a calendar answered too late; try again")
