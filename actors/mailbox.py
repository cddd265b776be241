"""The mailbox: one shard's asyncio shell.

Requests wait here, bounded, and are decided in batches, one batch at a time: while
the journal writes one, the next collects. A batch is decided and applied without an
``await`` in between, which is all the locking there is; so everything that touches
the shard runs in one task, ``_drive``, on one event loop.

When the journal does not say "durable", all memory is dropped and read again: only
the journal knows what happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

from actors.calls import (
    CLOSED,
    DOWN,
    FULL,
    LEFT,
    OPENING,
    OVERLOADED,
    UNKNOWN,
    Call,
)
from actors.domain.changes import FeedBatch
from actors.domain.events import Event
from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.rules import Policy
from actors.errors import (
    CalendarRecovering,
    Fenced,
    JournalCorrupt,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
)
from actors.limits import Limits
from actors.ports import (
    Clock,
    Journal,
    Record,
    Request,
    ShardReply,
    ShardStatus,
    SnapshotStore,
    Trouble,
)
from actors.shard import Shard
from actors.snapshotting import Snapshotter
from actors.status import status_of

_LOG = logging.getLogger("slotcast.shard")
_T = TypeVar("_T")

_TICK_S = 1.0
"""The longest sleep while something is due later: the clock may be set."""


class Mailbox:
    """One shard, open for requests. ``start`` it, and ``close`` it.

    ``on_unknown`` is called when an append's outcome is unknown, before the shard
    opens anew; ``on_fenced`` when another owner took the shard, which is final.
    """

    def __init__(
        self,
        shard: ShardId,
        journal: Journal,
        snapshots: SnapshotStore,
        clock: Clock,
        policy: Policy,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.shard = Shard(shard, policy, self.limits)
        self.state = "opening"
        self.on_unknown: Callable[[], None] | None = None
        self.on_fenced: Callable[[], None] | None = None
        self._journal = journal
        self._snapshots = snapshots
        self._clock = clock
        self._calls: deque[Call] = deque()
        self._waiting = 0
        self._flying: Sequence[Call] = ()
        self._refusing: Trouble | None = None
        self._closing = False
        self._closed = asyncio.Event()
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self._snapshotter: Snapshotter | None = None
        self._opened_at = Millis(0)
        self._held = 0
        self._used_at = clock.now()
        self._fault: Exception | None = None

    # --- what others call ------------------------------------------------------

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
        call = Call(requests, future)
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
        """For how long nobody has asked anything; 0 while somebody waits."""
        return 0 if self._waiting or self._flying else now - self._used_at

    def status(self) -> ShardStatus:
        """The shard's own account."""
        return status_of(self.shard, self.state, self._waiting, self._opened_at)

    async def close(self) -> None:
        """Finish what is in flight, store what changed, stop; within ``close_ms``."""
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
        """Tell those who wait, and whether to open again. Memory is dropped."""
        self.shard.abandon()
        self.state = "opening"
        flying, self._flying = self._flying, ()
        if isinstance(fault, Fenced | JournalCorrupt):
            self._fault = fault
            _LOG.error("shard %s ends: %r", self.shard.shard, fault)
            self._answer_all(flying, UNKNOWN)
            self._stop("left" if isinstance(fault, Fenced) else "corrupt", LEFT)
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
            if isinstance(fault, OutcomeUnknown) and self.on_unknown is not None:
                self.on_unknown()
        return True

    def _stop(self, state: str, trouble: Trouble) -> None:
        self.state = state
        self._refusing = trouble
        self._answer_all((*self._flying, *self._calls), trouble)
        self._calls.clear()
        self._tell_news()

    def _answer_all(self, calls: Iterable[Call], trouble: Trouble) -> None:
        for call in calls:
            call.answer([trouble] * len(call.requests))

    async def _open(self) -> None:
        """Seal, then read where the snapshots end and what follows them."""
        shard, journal = self.shard, self._journal
        patience = self.limits.open_ms
        if self._held:  # somebody may have taken over while the journal was silent
            await self._within(journal.check(shard.shard, self._held))
            self._held = 0
        sealed = await self._within(journal.seal(shard.shard), patience)
        position = await self._within(self._snapshots.position(shard.shard), patience)
        self._held = sealed.epoch
        shard.opened(sealed.epoch, sealed.last_seq, position, ())
        self._must_be_journaled(position)
        # The last record is always read: time must not go back behind it.
        reached = min(position, max(0, sealed.last_seq - 1))
        while reached < sealed.last_seq:
            records: Sequence[Record] = await self._within(
                journal.read(shard.shard, reached, self.limits.tail_chunk), patience
            )
            if not records:
                raise JournalCorrupt(f"no record after {reached} of {sealed.last_seq}")
            shard.residents.keep_tail(records)
            reached = records[-1].seq
        now = self._clock.now()
        since = Millis(now - 4 * shard.policy.hold_ms)
        await self._load(shard.residents.lately_held(since))
        self._snapshotter = Snapshotter(
            shard, self._snapshots, self._load, self._wake.set, now
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
            await snapshotter.step(self._clock.now())
        await snapshotter.finish(self._clock.now())

    async def _sleep(self) -> None:
        """Until somebody asks, or something is due."""
        now = self._clock.now()
        wakeup = self.shard.next_wakeup(now)
        pause_s = _TICK_S
        if self._journal.pressure() >= self.limits.full_for_bookings:
            pause_s = _TICK_S  # nothing of the shard's own is written just now
        elif wakeup is not None:
            pause_s = min(max(wakeup - now, 0) / 1000, _TICK_S)
        elif not self.shard.residents.unsaved:
            pause_s = 15 * _TICK_S
        self._wake.clear()
        if self._closing:
            return
        alarm = asyncio.get_running_loop().call_later(pause_s, self._wake.set)
        await self._wake.wait()
        alarm.cancel()

    def _take(self) -> list[Call]:
        """The calls of the next batch; those given up meanwhile are left out."""
        taken: list[Call] = []
        room = self.limits.batch_max
        while self._calls and (not taken or len(self._calls[0].requests) <= room):
            call = self._calls.popleft()
            self._waiting -= len(call.requests)
            if not call.future.done():
                taken.append(call)
                room -= len(call.requests)
        return taken

    async def _turn(self, calls: Sequence[Call]) -> None:
        """One batch: decide, journal, apply, publish; then answer."""
        shard, journal = self.shard, self._journal
        self._flying = calls
        for call in calls:  # whoever gives up from now on will not be left out
            call.begun = True
        requests = [request for call in calls for request in call.requests]
        await self._load(shard.missing(requests))
        now = self._clock.now()
        if requests:
            self._used_at = now
        batch = shard.begin(requests, now, journal.pressure())
        seq = shard.last_seq
        if batch.events:
            seq = await self._append(batch.events)
        elif batch.must_check:
            await self._within(journal.check(shard.shard, shard.epoch))
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
        shard = self.shard
        began = perf_counter()
        seq = await self._within(
            self._journal.append(shard.shard, shard.epoch, shard.last_seq, events)
        )
        shard.tally.append_seconds.add(perf_counter() - began)
        return seq

    async def _load(self, providers: Iterable[ProviderId]) -> None:
        """Bring calendars into memory, some at a time."""
        wanted = sorted(providers)
        for start in range(0, len(wanted), self.limits.load_chunk):
            chunk = wanted[start : start + self.limits.load_chunk]
            stored = await self._within(self._snapshots.load(self.shard.shard, chunk))
            for provider in chunk:
                calendar = stored.get(provider)
                if calendar is not None:
                    self._must_be_journaled(calendar.seq)
                self.shard.adopt(provider, calendar)

    def _must_be_journaled(self, seq: int) -> None:
        """Snapshots that know more than the journal belong to another journal."""
        last_seq = self.shard.last_seq
        if seq > last_seq:
            raise JournalCorrupt(
                f"a snapshot is at {seq}, but the journal ends at {last_seq}"
            )

    async def _within(self, asked: Coroutine[Any, Any, _T], patience_ms: int = 0) -> _T:
        """The outcome of a call to a store, if it comes in time.

        A store that is late is not cancelled: its write may still happen, and the
        next seal shuts it out.

        Raises:
            JournalUnavailable: it did not answer in time.
        """
        task = asyncio.get_running_loop().create_task(asked)
        patience_s = (patience_ms or self.limits.append_ms) / 1000
        done, _ = await asyncio.wait({task}, timeout=patience_s)
        if not done:
            task.add_done_callback(self._note_late)
            raise JournalUnavailable
        return task.result()

    def _tell_news(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _note_late(self, task: asyncio.Task[Any]) -> None:
        """An answer that nobody waited for. Unknown is unknown, however late."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            _LOG.warning("a late store call failed: %r", fault)
        if isinstance(fault, OutcomeUnknown) and self.on_unknown is not None:
            self.on_unknown()
