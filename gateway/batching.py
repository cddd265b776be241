"""Requests that arrive while a call to a shard is in flight travel in the next one.

A call to a shard costs the same with one request as with a hundred, so there is one
call in flight per shard and gateway, and everything that arrives meanwhile waits,
bounded. An unknown outcome is retried with the same commands, hence the same keys,
until their deadlines: the calendar gives it one effect.

``RequestQueue`` decides, without a clock or a wait of its own; ``Courier`` carries.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.answers import NextFreeView, Reply
from actors.domain.commands import (
    CommandBase,
    RegisterProvider,
    SetAvailability,
)
from actors.domain.errors import Refusal, RefusalCode
from actors.domain.ids import Minute, ProviderId, ShardId
from actors.domain.reads import ReadNextFree, ReadPositions
from actors.errors import CalendarRecovering, JournalFull, Overloaded, Unavailable
from actors.ports import (
    Calendars,
    Clock,
    Request,
    ShardLinks,
    ShardReply,
    Trouble,
    TroubleCode,
)

_RETRIED = frozenset({TroubleCode.RECOVERING, TroubleCode.UNKNOWN})

_CHANCE = random.SystemRandom()


class BatchingLimits(Struct, frozen=True):
    """Bounds of one gateway's queue to one shard."""

    waiting_max: int = 8192
    """Requests waiting; more are refused as Overloaded: 2 s of work of a shard."""
    batch_max: int = 256
    batch_bytes: int = 64 * 1024
    """A call below about 100 KiB travels inline; larger ones take a slow path."""
    call_ms: int = 6000
    """How long a call may take before its outcome counts as unknown."""
    command_ms: int = 10_000
    """The patience for a command that carries no deadline."""
    read_ms: int = 5000
    """How long a read is tried."""
    backoff_ms: int = 20
    backoff_max_ms: int = 250
    """The pause after a lost call doubles from the first to the second, jittered."""


class Ticket:
    """A request on its way, and who waits for it."""

    __slots__ = ("deadline", "future", "request", "weight")

    def __init__(
        self, request: Request, deadline: int, future: asyncio.Future[Reply]
    ) -> None:
        self.request = request
        self.deadline = deadline
        self.future = future
        self.weight = weight_of(request)


def weight_of(request: Request) -> int:
    """About how many bytes a request takes; estimated, for encoding costs more."""
    if isinstance(request, SetAvailability | RegisterProvider):
        return 4096
    if isinstance(request, ReadNextFree | ReadPositions):
        return 32 + 48 * len(request.provider_ids)
    return 240


class RequestQueue:
    """What waits for one shard and what is in flight; at most one call at a time.

    The owner must send what ``next_batch`` returns and report how it ended, with
    ``replied`` or ``lost``. Instants are Millis.
    """

    def __init__(self, limits: BatchingLimits, jitter: Callable[[], float]) -> None:
        self._limits = limits
        self._jitter = jitter
        self._waiting: deque[Ticket] = deque()
        self._in_flight: list[Ticket] = []
        self._losses = 0
        self._not_before = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    @property
    def is_calling(self) -> bool:
        """Whether a call is in flight."""
        return bool(self._in_flight)

    def offer(self, ticket: Ticket) -> None:
        """Let a request wait. Raises Overloaded if too many do."""
        if len(self._waiting) >= self._limits.waiting_max:
            raise Overloaded
        self._waiting.append(ticket)

    def next_batch(self, now: int) -> Sequence[Ticket]:
        """What to send now; empty if a call is in flight, or nothing may be sent."""
        if self._in_flight or self.pause_ms(now):
            return ()
        batch: list[Ticket] = []
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
        # A longer one than we ever ask for means that the clock was set back.
        return pause if pause <= self._limits.backoff_max_ms else 0

    def replied(self, replies: Sequence[ShardReply], now: int) -> None:
        """The call came back: answer whom it answers; the rest is sent again."""
        batch, self._in_flight = self._in_flight, []
        again = [
            ticket
            for ticket, reply in zip(batch, replies, strict=True)
            if not ticket.future.done() and not _settle(ticket, reply, now)
        ]
        if again:
            self._retry(again, now)
        else:
            self._losses = 0
            self._not_before = 0

    def lost(self, now: int) -> None:
        """It is unknown what became of the call: its requests are sent again."""
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
        """Answer everybody who still waits: unavailable."""
        for ticket in (*self._in_flight, *self._waiting):
            if not ticket.future.done():
                ticket.future.set_exception(Unavailable("the gateway is stopping"))
        self._waiting.clear()
        self._in_flight = []

    def _retry(self, tickets: Sequence[Ticket], now: int) -> None:
        """Put tickets back in front, in order, and wait a little, jittered."""
        self._waiting.extendleft(reversed(tickets))
        ceiling = min(
            self._limits.backoff_max_ms, self._limits.backoff_ms << self._losses
        )
        self._losses = min(self._losses + 1, 16)
        self._not_before = now + max(1, int(ceiling * (0.5 + self._jitter() / 2)))


def _settle(ticket: Ticket, reply: ShardReply, now: int) -> bool:
    """Give the reply to whom it is for; False if the request must be sent again."""
    if isinstance(reply, Trouble):
        if reply.code in _RETRIED and now < ticket.deadline:
            return False
        ticket.future.set_exception(_error_of(reply))
    elif isinstance(reply, Refusal) and reply.code is RefusalCode.DEADLINE_PASSED:
        ticket.future.set_exception(Unavailable("too late; retry with the same key"))
    else:
        ticket.future.set_result(reply)
    return True


def _error_of(trouble: Trouble) -> Unavailable:
    """The error a caller sees for a shard's trouble."""
    kinds: dict[TroubleCode, type[Unavailable]] = {
        TroubleCode.OVERLOADED: Overloaded,
        TroubleCode.JOURNAL_FULL: JournalFull,
        TroubleCode.RECOVERING: CalendarRecovering,
    }
    kind = kinds.get(trouble.code, Unavailable)
    return kind(trouble.detail, retry_after_s=trouble.retry_after_s)


class CourierTally(Struct):
    """What an operator's metrics read; ``requests`` counts retries again."""

    calls: int = 0
    requests: int = 0
    lost_calls: int = 0
    overloaded: int = 0


class Courier:
    """All calendars, over links to their shards: implements ``Calendars``.

    Must be used on one event loop, and closed.
    """

    def __init__(
        self,
        links: ShardLinks,
        clock: Clock,
        limits: BatchingLimits | None = None,
        jitter: Callable[[], float] = _CHANCE.random,
    ) -> None:
        self._links = links
        self._clock = clock
        self._limits = limits or BatchingLimits()
        self._jitter = jitter
        self._queues: dict[ShardId, RequestQueue] = {}
        self._senders: dict[ShardId, asyncio.Task[None]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self.tally = CourierTally()

    def waiting(self) -> int:
        """Requests waiting or in flight, over all shards."""
        return sum(len(queue) for queue in self._queues.values())

    async def ask(self, request: Request) -> Reply:
        """The answer to a command or a read; see ``Calendars.ask``."""
        if isinstance(request, ReadNextFree | ReadPositions):
            return await self._ask_shared(request)
        return await self._ask(self._links.shard_of(request.provider_id), request)

    async def close(self) -> None:
        """Answer everybody who waits with Unavailable and stop calling."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for queue in self._queues.values():
            queue.close()
        senders = list(self._senders.values())
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)

    async def _ask_shared(self, request: ReadNextFree | ReadPositions) -> Reply:
        """A question about several providers; on several shards it is divided."""
        parts = _by_shard(self._links, request)
        if len(parts) == 1:
            return await self._ask(next(iter(parts)), request)
        assert isinstance(request, ReadNextFree), "positions: see ask_many"
        asked = [self._ask(shard, part) for shard, part in parts.items()]
        starts: dict[ProviderId, Minute | None] = {}
        for view in await asyncio.gather(*asked):
            if isinstance(view, NextFreeView):
                starts.update(view.starts)
        return NextFreeView(starts)

    async def _ask(self, shard: ShardId, request: Request) -> Reply:
        if self._closed:
            raise Unavailable("the gateway is stopping")
        queue = self._queues.get(shard)
        if queue is None:
            queue = RequestQueue(self._limits, self._jitter)
            self._queues[shard] = queue
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        try:
            queue.offer(Ticket(request, self._deadline(request), future))
        except Overloaded:
            self.tally.overloaded += 1
            raise
        if shard not in self._senders:
            self._start_sender(shard, queue)
        return await future

    def _deadline(self, request: Request) -> int:
        now = self._clock.now()
        if isinstance(request, CommandBase):
            return request.deadline or now + self._limits.command_ms
        return now + self._limits.read_ms

    def _start_sender(self, shard: ShardId, queue: RequestQueue) -> None:
        loop = asyncio.get_running_loop()
        sender = loop.create_task(self._send(shard, queue))
        self._senders[shard] = sender
        if self._sweeper is None:
            self._sweeper = loop.call_later(0.05, self._sweep)

    async def _send(self, shard: ShardId, queue: RequestQueue) -> None:
        """Call until nothing waits; the task ends with the burst."""
        try:
            while len(queue):
                now = self._clock.now()
                queue.expire(now)
                batch = queue.next_batch(now)
                if batch:
                    await self._call(shard, queue, batch)
                elif len(queue):
                    await asyncio.sleep(queue.pause_ms(now) / 1000)
        except BaseException:
            queue.close()  # nobody may wait for a sender that is gone
            raise
        finally:
            del self._senders[shard]

    async def _call(
        self, shard: ShardId, queue: RequestQueue, batch: Sequence[Ticket]
    ) -> None:
        self.tally.calls += 1
        self.tally.requests += len(batch)
        requests = [ticket.request for ticket in batch]
        try:
            replies = await self._links.execute(
                shard, requests, self._limits.call_ms / 1000
            )
        except Unavailable:
            replies = ()
        if len(replies) == len(batch):
            queue.replied(replies, self._clock.now())
        else:
            self.tally.lost_calls += 1
            queue.lost(self._clock.now())

    def _sweep(self) -> None:
        """Deadlines pass while a call hangs, too."""
        self._sweeper = None
        now = self._clock.now()
        for queue in self._queues.values():
            queue.expire(now)
        if self._senders:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(0.05, self._sweep)


async def ask_many(
    calendars: Calendars, links: ShardLinks, request: ReadNextFree | ReadPositions
) -> Sequence[Reply]:
    """One reply per shard that the question's providers live on.

    For ReadNextFree ``Calendars.ask`` merges them itself; positions stay apart,
    for each shard has an epoch of its own.

    Raises:
        Unavailable: at least one shard gave no answer in time.
    """
    parts = _by_shard(links, request)
    asked = [calendars.ask(part) for part in parts.values()]
    return await asyncio.gather(*asked)


def _by_shard(
    links: ShardLinks, request: ReadNextFree | ReadPositions
) -> dict[ShardId, ReadNextFree | ReadPositions]:
    """The question, divided into one per shard."""
    shards: dict[ShardId, list[ProviderId]] = {}
    for provider in request.provider_ids:
        shards.setdefault(links.shard_of(provider), []).append(provider)
    return {
        shard: replace(request, provider_ids=tuple(providers))
        for shard, providers in shards.items()
    }
