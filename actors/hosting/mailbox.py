"""The mailbox: one shard's asyncio shell.

Requests wait here, bounded, and are decided in batches, one batch at a time: while
the journal writes one, the next collects. A batch is decided and applied without an
``await`` in between, which is all the locking there is; so everything that touches
the shard runs in one task, ``_drive``, on one event loop.

When the journal does not say "durable", all memory is dropped and read again: only
the journal knows what happened. One file because that task is one thing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import perf_counter

from msgspec.structs import replace

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.changes import FeedBatch
from actors.domain.messages.events import Event
from actors.domain.rules import Policy
from actors.errors import (
    CalendarRecovering,
    Fenced,
    JournalCorrupt,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
)
from actors.hosting.snapshotting import Snapshotter
from actors.hosting.store_calls import StoreCalls
from actors.ports import (
    Journal,
    Request,
    ShardReply,
    ShardStatus,
    SnapshotStore,
    SteadyClock,
    Trouble,
    TroubleCode,
)
from actors.shard.clock_watch import ClockReading, ClockWatch
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from actors.shard.status import status_of

CLOSED = Trouble(TroubleCode.RECOVERING, "the shard has been closed")
LEFT = Trouble(TroubleCode.RECOVERING, "another process owns the shard now")
UNKNOWN = Trouble(TroubleCode.UNKNOWN, "the outcome is not known; use the same key")
OPENING = Trouble(TroubleCode.RECOVERING, "the shard is being recovered")
DOWN = Trouble(TroubleCode.JOURNAL_DOWN, "the journal does not answer", 2.0)
FULL = Trouble(TroubleCode.JOURNAL_FULL, "the journal is full", 30.0)
DAMAGED = Trouble(
    TroubleCode.JOURNAL_DOWN,
    "the journal of this shard is damaged and must be restored by an operator; other "
    "calendars go on",
    60.0,
)
OVERLOADED = Trouble(TroubleCode.OVERLOADED, "too much is waiting")


class PendingCall:
    """Requests that came together, and are decided together."""

    __slots__ = ("begun", "future", "requests")

    def __init__(
        self, requests: Sequence[Request], future: asyncio.Future[list[ShardReply]]
    ) -> None:
        self.requests = requests
        self.future = future
        self.begun = False

    def answer(self, replies: list[ShardReply]) -> None:
        """Answer, unless the caller has stopped waiting."""
        if not self.future.done():
            self.future.set_result(replies)


_LOG = logging.getLogger("slotcast.shard")

JOURNAL_AHEAD = (
    "the journal is ahead of the machine's clock: set the clock right, or if it is "
    "right run slotcast journal trust-clock"
)
_FLUSHES = 3
"""Rounds of snapshots in a flush: each has less to store than the one before."""
_TICK_S = 1.0
"""The longest sleep while something is due later: the clock may be set."""


class Mailbox:
    """One shard, open for requests. ``start`` it, and ``close`` it.

    ``on_unknown`` is called when an append's outcome is unknown, before the shard
    opens again; ``on_fenced`` when another owner took the shard, which is final.
    """

    def __init__(
        self,
        shard: ShardId,
        journal: Journal,
        snapshots: SnapshotStore,
        clock: SteadyClock,
        policy: Policy,
        limits: ShardLimits | None = None,
    ) -> None:
        self.limits = limits or ShardLimits()
        self.shard = Shard(shard, policy, self.limits)
        self.state = "opening"
        self.on_unknown: Callable[[], None] | None = None
        self.on_fenced: Callable[[], None] | None = None
        self._stores = StoreCalls(self.shard, journal, snapshots, clock, self._unknown)
        self._clock = clock
        self._watch = ClockWatch()
        self._alarm = ""
        self._may_lower = False
        self._calls: deque[PendingCall] = deque()
        self._waiting = 0
        self._flying: Sequence[PendingCall] = ()
        self._refusing: Trouble | None = None
        self._closing = False
        self._storing = True
        self._closed = asyncio.Event()
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self._snapshotter: Snapshotter | None = None
        self._opened_at = Millis(0)
        self._used_at = clock.now()
        self._fault: Exception | None = None

    # --- called by other tasks ------------------------------------------------------

    def start(self) -> None:
        """Begin to open, in a task of its own; requests wait for it, bounded."""
        if self._driver is None:
            self._driver = asyncio.get_running_loop().create_task(self._drive())

    async def open(self) -> None:
        """Start, and wait until requests are answered.

        Raises:
            JournalCorrupt: the shard cannot be opened.
            Fenced: another owner took it meanwhile.
        """
        self.start()
        while self.state == "opening":
            await self._news.wait()
        if self._fault is not None:
            raise self._fault

    async def execute(self, requests: Sequence[Request]) -> list[ShardReply]:
        """One reply per request, in order; Trouble where there is no answer."""
        if self._refusing is not None:
            return [self._refusing] * len(requests)
        if self._waiting and self._waiting + len(requests) > self.limits.mailbox_max:
            return [OVERLOADED] * len(requests)
        future: asyncio.Future[list[ShardReply]]
        future = asyncio.get_running_loop().create_future()
        call = PendingCall(requests, future)
        self._calls.append(call)
        self._waiting += len(requests)
        self._wake.set()
        try:
            async with asyncio.timeout(self.limits.answer_ms / 1000):
                return await future
        except TimeoutError:
            return [UNKNOWN if call.begun else OPENING] * len(requests)

    async def poll(self, epoch: int, number: int, wait_ms: int) -> FeedBatch:
        """Changes after the cursor; see ``Feed.poll``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                while self.state == "opening" or (
                    self.state == "open"
                    and not self.shard.feed.has_after(epoch, number)
                ):
                    await self._news.wait()
        if self.state != "open":
            raise CalendarRecovering
        return self.shard.feed.since(epoch, number, self.limits.poll_bytes)

    def idle_ms(self, now: Millis) -> int:
        """Time since the last request; 0 while requests wait."""
        return 0 if self._waiting or self._flying else now - self._used_at

    def status(self) -> ShardStatus:
        """The shard's status."""
        status = status_of(self.shard, self.state, self._waiting, self._opened_at)
        watch = self._watch
        return replace(
            status,
            journal_pressure=self._stores.journal.pressure(),
            clock_doubted=watch.doubts,
            clock_doubt=self._alarm if watch.doubts else "",
            clock_ahead_ms=watch.ahead_ms if watch.is_behind_journal else 0,
        )

    async def warm(self) -> None:
        """Connect to the stores, before ``start``; never fails."""
        await self._stores.warm()

    async def flush(self) -> int:
        """Store changes while serving.

        Returns the number of events a successor replays.

        Bounded by ``flush_ms``: the rest is read from the journal.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limits.flush_ms / 1000):
                for _ in range(_FLUSHES):
                    if self.state != "open" or self._tail() <= self.limits.tail_short:
                        break
                    assert self._snapshotter is not None
                    await self._snapshotter.flush()
        return self._tail()

    def _tail(self) -> int:
        return max(0, self.shard.last_seq - self.shard.residents.position)

    async def confirm(self) -> None:
        """Check with the journal which process owns the shard; also when closed.

        Raises:
            Fenced: a successor has opened it.
            JournalUnavailable: it cannot be asked.
        """
        await self._stores.check()

    async def close(self, *, store: bool = True) -> None:
        """Finish requests in flight, store changes, stop; within ``close_ms``.

        Without ``store`` changes are left to the journal: for a hand-off, where every
        millisecond is a pause.
        """
        self._storing = store
        self._refusing = self._refusing or CLOSED
        self._closing = True
        self._closed.set()
        self._wake.set()
        if self._driver is not None:
            await asyncio.wait({self._driver}, timeout=self.limits.close_ms / 1000)
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
        self._stop("closed", CLOSED)

    # --- the one task that touches the shard -----------------------------------

    async def _drive(self) -> None:
        pause_ms = self.limits.retry_ms
        while not self._closing:
            opened_at = perf_counter()
            try:
                await self._open()
                await self._serve()
            except Exception as fault:  # noqa: BLE001 - any fault ends in recovery
                if self._recovers_from(fault):
                    if perf_counter() - opened_at > 2 * self.limits.append_ms / 1000:
                        pause_ms = self.limits.retry_ms
                    await self._pause(pause_ms)
                    pause_ms = min(2 * pause_ms, self.limits.retry_max_ms)
                else:
                    return

    async def _pause(self, pause_ms: int) -> None:
        """Wait before opening again, unless it is time to close."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_ms / 1000):
                await self._closed.wait()

    def _recovers_from(self, fault: Exception) -> bool:
        """Drop the memory and answer waiting calls; whether to open again."""
        self.shard.abandon()
        self.state = "opening"
        flying, self._flying = self._flying, ()
        if isinstance(fault, Fenced | JournalCorrupt):
            self._fault = fault
            _LOG.error("shard %s ends: %r", self.shard.shard, fault)
            self._answer_all(flying, UNKNOWN)
            if isinstance(fault, Fenced):
                self._stop("left", LEFT)
            else:
                self._stop("corrupt", DAMAGED)
            if isinstance(fault, Fenced) and self.on_fenced is not None:
                self.on_fenced()
            return False
        _LOG.warning("shard %s recovers from %r", self.shard.shard, fault)
        if isinstance(fault, JournalFull):
            self._answer_all(flying, FULL)
        elif isinstance(fault, JournalUnavailable | OSError):
            self._refusing = self._refusing or DOWN
            self._answer_all((*flying, *self._calls), DOWN)
        else:
            self._answer_all(flying, UNKNOWN)
            if isinstance(fault, OutcomeUnknown):
                self._unknown()
        return True

    def _unknown(self) -> None:
        if self.on_unknown is not None:
            self.on_unknown()

    def _stop(self, state: str, trouble: Trouble) -> None:
        self.state = state
        self._refusing = trouble
        self._answer_all((*self._flying, *self._calls), trouble)
        self._calls.clear()
        self._waiting, self._flying = 0, ()
        self._tell_news()

    def _answer_all(self, calls: Iterable[PendingCall], trouble: Trouble) -> None:
        for call in calls:
            call.answer([trouble] * len(call.requests))

    async def _open(self) -> None:
        now = await self._stores.open()
        self._snapshotter = Snapshotter(
            self.shard,
            self._stores.snapshots,
            self._stores.load,
            self._wake.set,
            self._clock.steady(),
        )
        self._opened_at = now
        self.state = "open"
        if not self._closing:
            self._refusing = None
        self._tell_news()

    async def _serve(self) -> None:
        snapshotter = self._snapshotter
        assert snapshotter is not None
        while not self._closing or self._calls:
            if not self._calls and not snapshotter.has_work:
                await self._sleep()
            await self._turn(self._take())
            await snapshotter.step(self._clock.steady(), self._time().now)
        await snapshotter.finish(self._clock.steady(), everything=self._storing)

    def _time(self) -> ClockReading:
        """The shard's time; logs changes of the clock's state."""
        wall = self._clock.now()
        floor = self.shard.residents.floor(wall)
        time = self._watch.see(wall, self._clock.steady(), floor)
        self._may_lower = time.may_lower
        alarm = time.doubt
        if not alarm and self._watch.is_behind_journal:
            alarm = JOURNAL_AHEAD
        if alarm != self._alarm:
            self._alarm = alarm
            shard, ahead_s = self.shard.shard, self._watch.ahead_ms // 1000
            if time.doubt:
                _LOG.error("shard %s decides nothing: %s", shard, alarm)
            elif alarm:
                _LOG.error("shard %s: %s (by %d s)", shard, alarm, ahead_s)
            else:
                _LOG.warning("shard %s goes by the machine's clock again", shard)
        return time

    async def _sleep(self) -> None:
        """Wait until a request arrives, or something is due."""
        time = self._time()
        now = time.now
        wakeup = self.shard.next_wakeup(now)
        pause_s = _TICK_S
        if time.doubt or self._watch.is_behind_journal:
            pause_s = _TICK_S  # the clock may be corrected at any moment
        elif self._stores.journal.pressure() >= self.limits.full_for_bookings:
            pause_s = _TICK_S  # no periodic work can be written now
        elif wakeup is not None:
            pause_s = min(max(wakeup - now, 0) / 1000, _TICK_S)
        elif not self.shard.residents.unsaved:
            pause_s = 15 * _TICK_S
        pause_s = min(pause_s, self._stores.look_due_s())
        self._wake.clear()
        if self._closing:
            return
        alarm = asyncio.get_running_loop().call_later(pause_s, self._wake.set)
        await self._wake.wait()
        alarm.cancel()

    def _take(self) -> list[PendingCall]:
        """The calls of the next batch; those given up meanwhile are left out."""
        taken: list[PendingCall] = []
        room = self.limits.batch_max
        while self._calls and (not taken or len(self._calls[0].requests) <= room):
            call = self._calls.popleft()
            self._waiting -= len(call.requests)
            if not call.future.done():
                taken.append(call)
                room -= len(call.requests)
        return taken

    async def _turn(self, calls: Sequence[PendingCall]) -> None:
        """One batch: decide, journal, apply, publish; then answer."""
        shard = self.shard
        self._flying = calls
        for call in calls:  # a caller that gives up from now on is decided all the same
            call.begun = True
        requests = [request for call in calls for request in call.requests]
        missing = shard.missing(requests, may_lower=self._may_lower)
        await self._stores.load(missing)
        time = self._time()
        if requests:
            self._used_at = time.wall
        batch = shard.begin(requests, time, self._stores.journal.pressure())
        seq = shard.last_seq
        if batch.events:
            seq = await self._append(batch.events)
        elif batch.must_check:
            await self._stores.check()
        else:
            await self._stores.look()
        number = shard.feed.number
        replies = shard.commit(batch, seq)
        self._flying = ()
        place = 0
        for call in calls:
            until = place + len(call.requests)
            call.answer(replies[place:until])
            place = until
        if shard.feed.number != number:
            self._tell_news()
        for fault in batch.faults:
            _LOG.error("shard %s could not answer", shard.shard, exc_info=fault)

    async def _append(self, events: Sequence[Event]) -> int:
        return await self._stores.append(events)

    def _tell_news(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
