"""Requests that a shard decides together, and the resulting events and replies."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.ids import ProviderId
from actors.domain.messages.commands import (
    BookMany,
    BookSlot,
    Command,
    ConfirmHold,
    PlaceHold,
    RescheduleBooking,
)
from actors.domain.messages.events import Event
from actors.domain.messages.reads import ReadNextFree, ReadPositions
from actors.ports import Request, ShardReply, Trouble, TroubleCode
from actors.shard.clock_watch import ClockReading
from actors.shard.limits import ShardLimits

CLOCK_RETRY_S = 10.0

SHARED = (ReadNextFree, ReadPositions)
"""Reads of several calendars."""
_BOOKINGS = (BookSlot, BookMany, ConfirmHold, RescheduleBooking)
"""Commands that fill the journal for good."""


def providers_of(request: Request) -> tuple[ProviderId, ...]:
    """The calendars a request needs."""
    if isinstance(request, SHARED):
        return request.provider_ids
    return (request.provider_id,)


class Batch:
    """Requests decided together. No reply may leave the shard before ``commit``."""

    def __init__(
        self, requests: Sequence[Request], time: ClockReading, pressure: float
    ) -> None:
        self.requests = requests
        self.time = time
        self.now = time.now
        """The shard's time, with which this batch is decided."""
        self.pressure = pressure
        self.events: list[Event] = []
        """The events to make durable, in this order."""
        self.replies: list[ShardReply | None] = [None] * len(requests)
        self.changed: dict[ProviderId, list[Event]] = {}
        self.judged = False
        """A reply refuses, repeats an answer, or says what only the owner knows."""
        self.faults: list[Exception] = []
        """Internal errors that single requests met; for the log."""

    @property
    def must_check(self) -> bool:
        """Whether the ownership must be checked with the journal."""
        return self.judged and not self.events

    def not_now(self) -> Trouble:
        """The answer to a command while the clock is not trusted."""
        return Trouble(TroubleCode.CLOCK, self.time.doubt, CLOCK_RETRY_S)

    def is_full_for(self, command: Command, limits: ShardLimits) -> bool:
        """Whether the journal is too full for this command."""
        if self.pressure < limits.full_for_holds:
            return False
        if isinstance(command, PlaceHold):
            return True
        return self.pressure >= limits.full_for_bookings and isinstance(
            command, _BOOKINGS
        )

    def faulty(self, fault: Exception) -> Trouble:
        """The answer to a request that met an internal error."""
        self.faults.append(fault)
        return Trouble(
            TroubleCode.FAULT,
            "internal error (logged)",
        )
