"""The requests waiting for one shard and in flight to it; no clock, no I/O.

gateway/calendars/courier.py does the I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from actors.domain.messages.answers import Reply
from actors.domain.messages.commands import (
    AdoptCalendar,
    RegisterProvider,
    SetAvailability,
)
from actors.domain.messages.reads import ReadNextFree, ReadPositions, ReadSlots
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import (
    CalendarRecovering,
    JournalFull,
    Overloaded,
    Unavailable,
    VersionNotReached,
)
from actors.ports import Request, ShardReply, Trouble, TroubleCode

_RETRIED = frozenset({TroubleCode.RECOVERING, TroubleCode.UNKNOWN})


class BatchingLimits(Struct, frozen=True):
    """Bounds of one gateway's queue to one shard."""

    waiting_max: int = 8192
    """Requests waiting; more are refused as Overloaded: 2 s of work of a shard."""
    batch_max: int = 256
    batch_bytes: int = 64 * 1024
    """Maximum bytes of a call: below about 100 KiB Ray sends it inline, larger ones
    take a slow path."""
    call_ms: int = 6000
    """How long a call may take before its outcome counts as unknown."""
    command_ms: int = 10_000
    """Deadline of a command that carries none."""
    read_ms: int = 5000
    """How long a read is retried."""
    backoff_ms: int = 20
    backoff_max_ms: int = 250
    """Pause after a lost call: doubles from the first value to the second, with
    jitter."""


class Waiter(Protocol):
    """Receives a request's answer, once: a future, or a ``Pending``."""

    def done(self) -> bool:
        """True once it was answered or abandoned."""
        ...

    def set_result(self, result: Reply, /) -> None:
        """Give it the answer."""
        ...

    def set_exception(self, exception: BaseException, /) -> None:
        """Give it the error instead of an answer."""
        ...


class QueuedRequest:
    """A request in the queue or in flight, and the receiver of its answer."""

    __slots__ = ("deadline", "future", "hops", "request", "weight")

    def __init__(self, request: Request, deadline: int, future: Waiter) -> None:
        self.request = request
        self.deadline = deadline
        self.future = future
        self.weight = weight_of(request)
        self.hops = 0
        """How often it was forwarded."""


def weight_of(request: Request) -> int:
    """Estimated size of a request in bytes; encoding it would cost more."""
    if isinstance(request, SetAvailability | RegisterProvider):
        return 4096
    if isinstance(request, ReadNextFree | ReadPositions):
        return 32 + 48 * len(request.provider_ids)
    if isinstance(request, AdoptCalendar):
        return 240 + len(request.state)
    return 240


class RequestQueue:
    """The queue of one shard; at most one call is in flight.

    The owner must send what ``next_batch`` returns and report how it ended, with
    ``replied`` or ``lost``. Instants are Millis.
    """

    def __init__(self, limits: BatchingLimits, jitter: Callable[[], float]) -> None:
        self._limits = limits
        self._jitter = jitter
        self._waiting: deque[QueuedRequest] = deque()
        self._in_flight: list[QueuedRequest] = []
        self._losses = 0
        self._not_before = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    def offer(self, ticket: QueuedRequest) -> None:
        """Add a request. Raises Overloaded if the queue is full."""
        if len(self._waiting) >= self._limits.waiting_max:
            raise Overloaded
        self._waiting.append(ticket)

    def next_batch(self, now: int) -> Sequence[QueuedRequest]:
        """The next batch to send; empty if a call is in flight or a pause is due."""
        if self._in_flight or self.pause_ms(now):
            return ()
        batch: list[QueuedRequest] = []
        room = self._limits.batch_bytes
        waiting = self._waiting
        while waiting and len(batch) < self._limits.batch_max:
            ticket = waiting[0]
            if ticket.future.done():
                waiting.popleft()
                continue
            room -= ticket.weight
            if batch and room < 0:
                break
            batch.append(waiting.popleft())
        self._in_flight = batch
        return batch

    def pause_ms(self, now: int) -> int:
        """How long to wait before the next call may go out."""
        pause = max(0, self._not_before - now)
        # Longer than any pause: the clock was set back.
        return pause if pause <= self._limits.backoff_max_ms else 0

    def replied(
        self, replies: Sequence[ShardReply], now: int
    ) -> Sequence[tuple[QueuedRequest, Trouble]]:
        """Handle a reply: answer its requests; the rest are sent again.

        Returns the requests whose calendar has moved, for another shard's queue.
        """
        batch, self._in_flight = self._in_flight, []
        moved, again = [], []
        for ticket, reply in zip(batch, replies, strict=True):
            if ticket.future.done():
                continue
            if isinstance(reply, Trouble) and reply.code is TroubleCode.MOVED:
                moved.append((ticket, reply))
            elif not _settle(ticket, reply, now):
                again.append(ticket)
        if again:
            self._retry(again, now)
        else:
            self._losses = 0
            self._not_before = 0
        return moved

    def lost(self, now: int) -> None:
        """Handle a call with an unknown outcome: its requests are sent again."""
        batch, self._in_flight = self._in_flight, []
        self._retry(batch, now)

    def expire(self, now: int) -> None:
        """Give up on requests whose deadline has passed, in flight or waiting."""
        for tickets in (self._in_flight, self._waiting):
            for ticket in tickets:
                if ticket.deadline <= now and not ticket.future.done():
                    ticket.future.set_exception(
                        Unavailable("no answer in time; retry with the same key")
                    )
        while self._waiting and self._waiting[0].future.done():
            self._waiting.popleft()

    def close(self) -> None:
        """Answer every request that still waits with Unavailable."""
        for ticket in (*self._in_flight, *self._waiting):
            if not ticket.future.done():
                ticket.future.set_exception(Unavailable("the gateway is stopping"))
        self._waiting.clear()
        self._in_flight = []

    def _retry(self, tickets: Sequence[QueuedRequest], now: int) -> None:
        """Put tickets back at the front, in order, and pause with jitter."""
        self._waiting.extendleft(reversed(tickets))
        ceiling = min(
            self._limits.backoff_max_ms, self._limits.backoff_ms << self._losses
        )
        self._losses = min(self._losses + 1, 16)
        self._not_before = now + max(1, int(ceiling * (0.5 + self._jitter() / 2)))


def _settle(ticket: QueuedRequest, reply: ShardReply, now: int) -> bool:
    """Deliver a reply; False if the request must be sent again."""
    if isinstance(reply, Trouble):
        if reply.code in _RETRIED and now < ticket.deadline:
            return False
        ticket.future.set_exception(_error_of(reply))
    elif isinstance(reply, Refusal) and reply.code is RefusalCode.DEADLINE_PASSED:
        behind = isinstance(ticket.request, ReadSlots)
        ticket.future.set_exception(VersionNotReached() if behind else Unavailable())
    else:
        ticket.future.set_result(reply)
    return True


def _error_of(trouble: Trouble) -> Unavailable:
    """The error shown to a caller for a shard's error."""
    kinds: dict[TroubleCode, type[Unavailable]] = {
        TroubleCode.OVERLOADED: Overloaded,
        TroubleCode.JOURNAL_FULL: JournalFull,
        TroubleCode.RECOVERING: CalendarRecovering,
    }
    kind = kinds.get(trouble.code, Unavailable)
    return kind(trouble.detail, retry_after_s=trouble.retry_after_s)
