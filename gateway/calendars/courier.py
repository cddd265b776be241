"""Batching: requests that arrive while a call to a shard is in flight go into the next.

A call to a shard costs the same with one request as with a hundred, so there is one
call in flight per shard and gateway, and everything that arrives meanwhile waits,
bounded. An unknown outcome is retried with the same commands, hence the same keys,
until their deadlines: the calendar gives it one effect.

A shard that a calendar left names the calendar's new shard: the request is forwarded
there with the same key, and so are later ones. ``RequestQueue`` (request_queue.py)
decides, without a clock or I/O; ``Courier`` does the I/O.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import NextFreeView, NextStarts, Reply
from actors.domain.messages.commands import CommandBase
from actors.domain.messages.reads import ReadNextFree, ReadPositions
from actors.errors import CalendarRecovering, Overloaded, Unavailable
from actors.ports import (
    Clock,
    Request,
    ShardLinks,
    Trouble,
)
from gateway.calendars.continuations import Turns, pending_of
from gateway.calendars.request_queue import BatchingLimits, QueuedRequest, RequestQueue

_CHANCE = random.SystemRandom()
HOPS_MAX = 4
"""Maximum number of times a request is forwarded; more means a move is in progress."""

log = structlog.get_logger("slotcast.gateway")


class _MovedMeanwhile(CalendarRecovering):
    """One of several calendars has moved: divide the request again."""


class CourierTally(Struct):
    """Counts for the metrics; ``requests`` includes retries."""

    calls: int = 0
    requests: int = 0
    lost_calls: int = 0
    moved: int = 0
    """Requests forwarded to the shard their calendar moved to."""
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
        self._turns = Turns()
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
        """Answer every waiting request with Unavailable and stop calling."""
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
        for _ in range(HOPS_MAX + len(request.provider_ids)):
            try:
                return await self._ask_parts(request)
            except _MovedMeanwhile:  # the new shard is known now: divide again
                continue
        raise CalendarRecovering

    async def _ask_parts(self, request: ReadNextFree | ReadPositions) -> Reply:
        parts = by_shard(self._links, request)
        if len(parts) == 1:
            return await self._ask(next(iter(parts)), request)
        if isinstance(request, ReadPositions):
            raise CalendarRecovering("ask for positions shard by shard")
        asked = [self._ask(shard, part) for shard, part in parts.items()]
        starts: dict[ProviderId, Minute | None] = {}
        kinds: dict[ProviderId, VisitTypeId] = {}
        next_starts: dict[ProviderId, NextStarts] = {}
        positions: dict[ProviderId, tuple[int, int]] = {}
        for view in await asyncio.gather(*asked):
            if isinstance(view, NextFreeView):
                starts.update(view.starts)
                kinds.update(view.visit_types)
                next_starts.update(view.next_starts)
                positions.update(view.positions)
        return NextFreeView(starts, kinds, next_starts, positions)

    async def _ask(self, shard: ShardId, request: Request) -> Reply:
        if self._closed:
            raise Unavailable("the gateway is stopping")
        # Outside a task no future is needed: the reply resumes the coroutine itself.
        pending = pending_of(self._turns)
        if pending is not None:
            self._offer(shard, QueuedRequest(request, self._deadline(request), pending))
            return await pending
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._offer(shard, QueuedRequest(request, self._deadline(request), future))
        return await future

    def _offer(self, shard: ShardId, ticket: QueuedRequest) -> None:
        """Let a request wait for its shard. Raises Overloaded."""
        queue = self._queues.get(shard)
        if queue is None:
            queue = RequestQueue(self._limits, self._jitter)
            self._queues[shard] = queue
        try:
            queue.offer(ticket)
        except Overloaded:
            self.tally.overloaded += 1
            raise
        if shard not in self._senders:
            self._start_sender(shard, queue)

    def _send_on(self, ticket: QueuedRequest, trouble: Trouble) -> None:
        """Forward a request whose calendar has moved.

        The old shard has not executed it.
        """
        shard = ShardId(trouble.detail)
        self._links.moved(trouble.provider_id, shard)
        self.tally.moved += 1
        ticket.hops += 1
        if isinstance(ticket.request, ReadNextFree | ReadPositions):
            ticket.future.set_exception(_MovedMeanwhile())
        elif ticket.hops > HOPS_MAX:
            ticket.future.set_exception(CalendarRecovering())
        else:
            try:
                self._offer(shard, ticket)
            except Overloaded as error:
                ticket.future.set_exception(error)

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
            queue.close()  # a request must not wait for a sender that has ended
            raise
        finally:
            del self._senders[shard]
            if not len(queue):
                # Requests with invented ids must not each leave a queue behind.
                del self._queues[shard]

    async def _call(
        self, shard: ShardId, queue: RequestQueue, batch: Sequence[QueuedRequest]
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
        except Exception:
            # An unreadable reply leaves the outcome unknown: retry.
            log.exception("a shard's reply cannot be read", shard=shard)
            replies = ()
        if len(replies) == len(batch):
            for ticket, trouble in queue.replied(replies, self._clock.now()):
                self._send_on(ticket, trouble)
        else:
            self.tally.lost_calls += 1
            queue.lost(self._clock.now())

    def _sweep(self) -> None:
        """Answer requests whose deadline has passed, also while a call hangs."""
        self._sweeper = None
        now = self._clock.now()
        for queue in self._queues.values():
            queue.expire(now)  # removes none: its sender does, in a turn of its own
        if self._senders:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(0.05, self._sweep)


def by_shard(
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
