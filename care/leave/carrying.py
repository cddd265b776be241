"""Carries out what was chosen for a visit, once, in a gateway or a worker.

A choice is durable before anything is done. With the same provider it is one command.
With another one the new visit is booked first, and then the old one's cancellation is
owed, until its calendar says that it is done. Each command has a key that is made of
the choice, and expects the visit at the time that the leave took: after a crash, or by
two at once, the same is done again and has no further effect.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from actors.domain.ids import BookingId, Millis, ProviderId, booking_id
from actors.domain.messages.answers import BookingStatus, BookingView, Reply
from actors.domain.messages.commands import (
    BookSlot,
    CancelBooking,
    RescheduleBooking,
)
from actors.domain.messages.reads import ReadBooking
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import Unavailable
from actors.ports import Clock
from care.keys.texts import NOT_NOW
from care.leave.opening import visit_of
from care.leave.ports import Ask, LeaveQueue
from care.leave.visits import (
    Choice,
    Equivalent,
    LeaveVisit,
    Resolution,
    RowState,
    VisitOutcome,
    settled_by_calendar,
    where,
)

DEADLINE_MS: Final = 10_000
"""How long a calendar may take to a command."""
_FINGERPRINT_BITS: Final = (1 << 63) - 1
_LOST: Final = frozenset(
    {
        RefusalCode.SLOT_UNAVAILABLE,
        RefusalCode.SLOT_NOT_OFFERED,
        RefusalCode.VISIT_TYPE_NOT_FOUND,
        RefusalCode.PROVIDER_NOT_FOUND,
        RefusalCode.INVALID_REQUEST,
    }
)
"""The chosen time cannot be had; other refusals are about the visit."""


class Carrier:
    """Carries out choices."""

    def __init__(self, queue: LeaveQueue, ask: Ask, clock: Clock) -> None:
        self._queue = queue
        self._ask = ask
        self._clock = clock

    async def carry(self, row: LeaveVisit) -> Resolution | None:
        """How the row was resolved; None: the time was taken, and it is open again.

        Raises:
            Unavailable: a store or a calendar does not answer; it is gone on with.
        """
        choice = row.choice
        if row.state is not RowState.CHOSEN or choice is None:
            raise ValueError("nothing was chosen")
        if choice.to is None:
            how = await self._cancel(row, choice)
        elif choice.to.provider_id == row.provider_id:
            how = await self._move(row, choice, choice.to)
        else:
            how = await self._rebook(row, choice, choice.to)
        now = self._clock.now()
        if how is None:
            await self._queue.reopen(row.booking_id, choice.token, now=now)
            return None
        await self._queue.resolve(row.booking_id, how, token=choice.token, now=now)
        return how

    async def _cancel(self, row: LeaveVisit, choice: Choice) -> Resolution | None:
        reply = await self._send_cancel(row.booking_id, row, choice, "cancel")
        if isinstance(reply, BookingView):
            return Resolution(VisitOutcome.CANCELLED, choice.chooser)
        return await self._overtaken(row)

    async def _move(
        self, row: LeaveVisit, choice: Choice, to: Equivalent
    ) -> Resolution | None:
        """To another time of the same provider."""
        reply = await self._send(
            RescheduleBooking(
                provider_id=row.provider_id,
                booking_id=row.booking_id,
                owner=None,
                start=to.start,
                if_start=row.start,
                key=_key(choice, "move"),
                fingerprint=_fingerprint(row.booking_id, to.start),
                deadline=self._deadline(),
                by=choice.by,
            )
        )
        if isinstance(reply, BookingView):
            return Resolution(VisitOutcome.MOVED, choice.chooser, where(reply))
        if reply.code in _LOST:
            return None
        view = await visit_of(self._ask, row)
        if view is not None and view.start == to.start != row.start:
            # Done before, so long ago that the calendar forgot the key.
            return Resolution(VisitOutcome.MOVED, choice.chooser, where(view))
        return settled_by_calendar(row, view, self._clock.now())

    async def _rebook(
        self, row: LeaveVisit, choice: Choice, to: Equivalent
    ) -> Resolution | None:
        """With another provider: the new visit first, then the old one is owed."""
        if not choice.is_booked:
            booked = await self._book(row, choice, to)
            if not isinstance(booked, BookingView):
                return booked
            choice = replace(choice, is_booked=True)
            now = self._clock.now()
            await self._queue.put_choice(row.booking_id, choice, now=now)
        if not choice.gives_back:
            reply = await self._send_cancel(row.booking_id, row, choice, "cancel")
            if isinstance(reply, BookingView) or await self._is_over(row):
                return Resolution(VisitOutcome.MOVED, choice.chooser, to)
            choice = replace(choice, gives_back=True)
            now = self._clock.now()
            await self._queue.put_choice(row.booking_id, choice, now=now)
        # The old visit was moved elsewhere meanwhile: one visit is enough.
        new = _new_booking(choice, to)
        await self._send_cancel(new, row, choice, "return")
        return await self._overtaken(row)

    async def _book(
        self, row: LeaveVisit, choice: Choice, to: Equivalent
    ) -> BookingView | Resolution | None:
        """The new visit; or how the row ends without one; None: its time was taken."""
        new = _new_booking(choice, to)
        made = await self._ask(ReadBooking(to.provider_id, new))
        if isinstance(made, BookingView):
            # Cancelled since: then the old visit is not given up for it.
            return None if made.status is BookingStatus.CANCELLED else made
        old = await visit_of(self._ask, row)
        how = settled_by_calendar(row, old, self._clock.now())
        if how is not None or old is None:
            return how
        if old.reason == NOT_NOW:
            raise Unavailable("the visit's reason cannot be opened now")
        reply = await self._send(
            BookSlot(
                provider_id=to.provider_id,
                booking_id=new,
                patient_id=row.patient_id,
                visit_type=to.visit_type,
                start=to.start,
                reason=old.reason,
                by_staff=True,  # a limit of visits is no reason to lose this one
                confidential=old.confidential,
                key=_key(choice, "book"),
                fingerprint=_fingerprint(new, to.start),
                deadline=self._deadline(),
                by=choice.by,
            )
        )
        return reply if isinstance(reply, BookingView) else None

    async def _send_cancel(
        self, booking: BookingId, row: LeaveVisit, choice: Choice, what: str
    ) -> BookingView | Refusal:
        is_old = booking == row.booking_id
        to = choice.to
        provider_id = row.provider_id if is_old or to is None else to.provider_id
        return await self._send(
            CancelBooking(
                provider_id=ProviderId(provider_id),
                booking_id=booking,
                owner=None,
                if_start=row.start if is_old else None,
                key=_key(choice, what),
                fingerprint=_fingerprint(booking, what),
                deadline=self._deadline(),
                by=choice.by,
            )
        )

    async def _is_over(self, row: LeaveVisit) -> bool:
        """Whether the old visit takes no time any more, or has taken place."""
        view = await visit_of(self._ask, row)
        return view is None or view.status is not BookingStatus.BOOKED

    async def _overtaken(self, row: LeaveVisit) -> Resolution | None:
        """How the row ends by what was done elsewhere; None: it is open again."""
        view = await visit_of(self._ask, row)
        return settled_by_calendar(row, view, self._clock.now())

    async def _send(
        self, command: BookSlot | CancelBooking | RescheduleBooking
    ) -> BookingView | Refusal:
        """Raises Unavailable: it is not known whether it was done."""
        reply: Reply = await self._ask(command)
        if isinstance(reply, BookingView):
            return reply
        if isinstance(reply, Refusal):
            if reply.code is RefusalCode.DEADLINE_PASSED:
                raise Unavailable("a calendar was asked too late")
            return reply
        raise TypeError(f"a calendar answered {type(reply).__name__}")

    def _deadline(self) -> Millis:
        return Millis(self._clock.now() + DEADLINE_MS)


def _new_booking(choice: Choice, to: Equivalent) -> BookingId:
    return booking_id(to.provider_id, choice.token)


def _key(choice: Choice, what: str) -> str:
    """A key of the choice alone: the one that goes on with it has the same."""
    return f"leave.{choice.token}.{what}"


def _fingerprint(*content: object) -> int:
    digest = blake2b(repr(content).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _FINGERPRINT_BITS
