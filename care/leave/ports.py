"""What the queue of a leave needs from a store, and from the calendars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import BookingId, Millis, ProviderId, TimeOffId
from actors.domain.messages.answers import Reply
from actors.ports import Request
from care.leave.visits import (
    Choice,
    Equivalent,
    LeaveProgress,
    LeaveVisit,
    Resolution,
    TakenLeave,
)
from care.notices.links import ChooseLink
from care.notices.messages import DeliveryStatus

REMIND_TO_CHOOSE: Final = "leave.remind"
"""The kind of job that reminds a patient who has not chosen."""
Ask = Callable[[Request], Awaitable[Reply]]
"""Asks a calendar. Raises Unavailable."""


class ToldOf(Struct, frozen=True):
    """How far the best message about a visit's loss came.

    ``status`` is None if it is known that there is no message: the patient has no
    address, or wants none.
    """

    status: DeliveryStatus | None
    at: Millis


class LeaveQueue(Protocol):
    """Rows of visits that leaves affect. Every method may raise Unavailable."""

    async def open(
        self, leave: TakenLeave, visits: Sequence[LeaveVisit], *, now: Millis
    ) -> None:
        """Add rows, and the jobs of their reminders; those that are there stay."""
        ...

    async def leave(self, time_off_id: TimeOffId) -> TakenLeave | None:
        """A leave with affected visits."""
        ...

    async def leaves(
        self, provider_id: ProviderId, *, now: Millis, limit: int
    ) -> Sequence[LeaveProgress]:
        """Leaves of a provider with affected visits, the newest first."""
        ...

    async def visits(self, time_off_id: TimeOffId) -> Sequence[LeaveVisit]:
        """All rows of a leave, by start."""
        ...

    async def of_booking(self, booking_id: BookingId) -> LeaveVisit | None:
        """The newest row of a visit; one that is not resolved comes first."""
        ...

    async def unresolved(self, bookings: Collection[str]) -> Sequence[LeaveVisit]:
        """Rows of these visits that are not resolved."""
        ...

    async def propose(self, proposed: Mapping[BookingId, Sequence[Equivalent]]) -> None:
        """Keep what was proposed for visits that are open."""
        ...

    async def choose(
        self, booking_id: BookingId, choice: Choice, *, now: Millis
    ) -> LeaveVisit | None:
        """Choose for a visit if it is open; its row afterwards, with the choice.

        None: there is no row of it.
        """
        ...

    async def put_choice(
        self, booking_id: BookingId, choice: Choice, *, now: Millis
    ) -> None:
        """Record how far the choice with this token was carried out."""
        ...

    async def reopen(self, booking_id: BookingId, token: str, *, now: Millis) -> None:
        """Open rows again: the chosen time was taken, and is proposed no more."""
        ...

    async def resolve(
        self,
        booking_id: BookingId,
        how: Resolution,
        *,
        now: Millis,
        token: str | None = None,
    ) -> bool:
        """Resolve the rows of a visit; whether there were any.

        Those that are chosen only if the choice has this token; without one those
        that are open.
        """
        ...

    async def withdraw(self, time_off_id: TimeOffId, *, now: Millis) -> None:
        """The leave was given back: its open rows are resolved."""
        ...

    async def due(
        self, *, chosen_before: Millis, seen_before: Millis, limit: int
    ) -> Sequence[LeaveVisit]:
        """Rows whose choice was not carried out, and open ones to be looked at again.

        ``seen_before``: those that were looked at last before this instant.
        """
        ...

    async def seen(self, rows: Sequence[LeaveVisit], *, now: Millis) -> None:
        """Record that the calendars were asked about these open rows."""
        ...

    async def told(self, bookings: Collection[str]) -> Mapping[str, ToldOf]:
        """How far the messages about these visits came.

        A visit whose loss no worker has told of yet is left out.
        """
        ...


class ChooseLinks(Protocol):
    """Reads the secrets of links of messages."""

    async def read(self, secret: str) -> ChooseLink | None:
        """What a link is for; None if it is none of ours. Raises Unavailable."""
        ...


class LeavePorts(Struct, frozen=True):
    """What a gateway needs."""

    queue: LeaveQueue
    links: ChooseLinks
