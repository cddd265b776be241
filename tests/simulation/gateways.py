"""Gateways of the simulation: the real batching core, driven without an event loop.

A gateway keeps one call per shard in flight. A call may be lost, late or doubled on
its way there, and its reply on the way back; after ``call_ms`` it counts as lost.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from actors.domain.messages.commands import CommandBase
from actors.errors import Overloaded
from gateway.calendars.request_queue import BatchingLimits, QueuedRequest, RequestQueue
from tests.simulation.kernel import Kernel

LIMITS = BatchingLimits(
    waiting_max=64, batch_max=8, call_ms=2_500, read_ms=4_000, backoff_ms=20
)
TURN_MS = 300
"""How often a gateway looks for deadlines that passed, as the real one sweeps."""


class Promise:
    """What a ticket needs of a future: told once, and then done."""

    __slots__ = ("_done", "_told")

    def __init__(self, told: Callable[[Any], None]) -> None:
        self._told = told
        self._done = False

    def done(self) -> bool:
        """Whether an answer was given."""
        return self._done

    def set_result(self, reply: Any) -> None:
        """The answer."""
        self._done = True
        self._told(reply)

    def set_exception(self, error: BaseException) -> None:
        """503 on the wire: unknown, the same key may be tried again."""
        self._done = True
        self._told(None)


Carrier = Callable[[str, Sequence[Any], Callable[[Any], None]], None]
"""Shard, requests, what to do with the replies (or None for a lost call)."""


class SimGateway:
    """One gateway process: queues to shards, and calls in flight."""

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        carry: Carrier,
        shard_of: Callable[[str], str],
        clock: Callable[[], int],
    ) -> None:
        self.name = name
        self.alive = True
        self.birth = 0
        self._kernel = kernel
        self._carry = carry
        self._shard_of = shard_of
        self._clock = clock
        self._queues: dict[str, RequestQueue] = {}
        self._jitter = random.Random(kernel.rng.random()).random
        self._turning: set[str] = set()

    def crash(self) -> None:
        """The process dies: who waited hears nothing; it is back at once."""
        self._queues.clear()
        self._turning.clear()
        self.birth += 1
        self._kernel.note(self.name, "crashes")

    def ask_shared(self, request: Any, told: Callable[[Any], None]) -> None:
        """A question about several providers of one shard."""
        self._ask(self._shard_of(request.provider_ids[0]), request, told)

    def ask(self, request: Any, told: Callable[[Any], None]) -> None:
        """A request arrives from a person."""
        self._ask(self._shard_of(request.provider_id), request, told)

    def _ask(self, shard: str, request: Any, told: Callable[[Any], None]) -> None:
        birth = self.birth

        def told_if_alive(reply: Any) -> None:
            if birth == self.birth:
                told(reply)

        queue = self._queues.get(shard)
        if queue is None:
            queue = self._queues[shard] = RequestQueue(LIMITS, self._jitter)
        now = self._clock()
        if isinstance(request, CommandBase):
            deadline = request.deadline or now + LIMITS.command_ms
        else:
            deadline = now + LIMITS.read_ms
        promise: Any = Promise(told_if_alive)
        try:
            queue.offer(QueuedRequest(request, deadline, promise))
        except Overloaded:
            told(None)
            return
        self._turn(shard, queue)

    def _turn(self, shard: str, queue: RequestQueue) -> None:
        """Send what may be sent; come back while anything waits."""
        if self._queues.get(shard) is not queue:
            return
        now = self._clock()
        queue.expire(now)
        batch = queue.next_batch(now)
        if batch:
            self._call(shard, queue, batch)
        if len(queue) and shard not in self._turning:
            pause = min(TURN_MS, queue.pause_ms(now) or TURN_MS)
            self._turning.add(shard)
            self._kernel.after(pause, self._again, shard, queue)

    def _again(self, shard: str, queue: RequestQueue) -> None:
        if self._queues.get(shard) is queue:
            self._turning.discard(shard)
            self._turn(shard, queue)

    def _call(
        self, shard: str, queue: RequestQueue, batch: Sequence[QueuedRequest]
    ) -> None:
        open_call = [True]

        def replied(replies: Any) -> None:
            if not open_call[0] or self._queues.get(shard) is not queue:
                return
            open_call[0] = False
            if replies is None or len(replies) != len(batch):
                queue.lost(self._clock())
            else:
                queue.replied(replies, self._clock())
            self._turn(shard, queue)

        self._carry(shard, [ticket.request for ticket in batch], replied)
        self._kernel.after(LIMITS.call_ms, replied, None)
