"""Background snapshots: encoded between batches, stored while batches continue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from actors.domain.ids import Millis, ProviderId
from actors.errors import Fenced
from actors.ports import SnapshotStore, StoredCalendar
from actors.shard.shard import Shard

_LOG = logging.getLogger("slotcast.shard")

Loading = Callable[[Iterable[ProviderId]], Awaitable[None]]


class Snapshotter:
    """Runs the rounds of one opened shard; ``step`` is called between batches."""

    def __init__(
        self,
        shard: Shard,
        snapshots: SnapshotStore,
        load: Loading,
        wake: Callable[[], None],
        steady: Millis,
    ) -> None:
        self._shard = shard
        self._snapshots = snapshots
        self._load = load
        self._wake = wake
        self._writing: asyncio.Task[None] | None = None
        self._chunk: Mapping[ProviderId, StoredCalendar] = {}
        self._quiet_since = steady
        self._passivated_at = steady
        self._hurried = False
        self._ended = asyncio.Event()

    @property
    def has_work(self) -> bool:
        """Whether ``step`` would do something at once."""
        writing = self._writing
        if writing is not None:
            return writing.done()
        return self._hurried or self._shard.residents.is_saving

    async def flush(self) -> None:
        """Begin a round now, or after the one under way; return when one has ended."""
        ended, self._hurried = self._ended, True
        self._wake()
        await ended.wait()

    def _end_round(self, position: int) -> None:
        self._shard.residents.end_round(position)
        self._tell_flushers()

    def _tell_flushers(self) -> None:
        ended, self._ended = self._ended, asyncio.Event()
        ended.set()

    async def step(self, steady: Millis, now: Millis) -> None:
        """Store a few calendars, if it is time. Raises Fenced.

        Rounds go by ``steady`` time: a clock that is set stops none of them.
        """
        if self._writing is not None:
            if not self._writing.done():
                return
            self._settle(steady)
        residents = self._shard.residents
        if residents.is_saving:
            await self._go_on()
        elif self._is_due(steady):
            residents.begin_round(self._shard.last_seq)
            await self._go_on()
        else:
            self._passivate(steady, now)

    async def finish(self, steady: Millis, *, everything: bool = True) -> None:
        """Store all that is not stored yet, before closing. Raises Fenced.

        Or only end the write in flight: a successor should not meet it.
        """
        residents = self._shard.residents
        if not everything:
            if self._writing is not None:
                await asyncio.wait({self._writing})
            return
        while residents.unsaved or residents.is_saving:
            if self._writing is not None:
                await asyncio.wait({self._writing})
                if not self._settle(steady):
                    return
            elif residents.is_saving:
                await self._go_on()
            else:
                residents.begin_round(self._shard.last_seq)

    def _is_due(self, steady: Millis) -> bool:
        limits, shard = self._shard.limits, self._shard
        hurried, self._hurried = self._hurried, False
        if not shard.residents.unsaved:
            self._quiet_since = steady
            if hurried:
                self._tell_flushers()
            return False
        if hurried:
            return True
        waited = steady - self._quiet_since
        if waited >= limits.snapshot_ms:
            return True
        events = shard.last_seq - shard.residents.position
        return events >= limits.snapshot_events and waited >= limits.snapshot_gap_ms

    async def _go_on(self) -> None:
        """Begin to write the next chunk, or at the end of a round its position."""
        shard, residents = self._shard, self._shard.residents
        position = residents.round_position()
        if position is None:
            providers = residents.next_chunk(shard.limits.snapshot_chunk)
            await self._load(residents.missing(providers))
            bytes_max = shard.limits.snapshot_bytes
            self._chunk = residents.encoded(providers, shard.last_seq, bytes_max)
            if not self._chunk:
                return
            writing = self._snapshots.save(shard.shard, shard.epoch, self._chunk)
        else:
            writing = self._snapshots.advance(shard.shard, shard.epoch, position)
        self._writing = asyncio.get_running_loop().create_task(_awaited(writing))
        self._writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Task[None]) -> None:
        if not writing.cancelled():
            writing.exception()  # seen, even if the shard was abandoned meanwhile
        self._wake()

    def _settle(self, steady: Millis) -> bool:
        """Take note of a finished write; False if it failed."""
        writing, self._writing = self._writing, None
        chunk, self._chunk = self._chunk, {}
        assert writing is not None
        residents = self._shard.residents
        fault = writing.exception()
        if isinstance(fault, Fenced):
            raise fault
        if fault is not None:
            _LOG.error("snapshot of shard %s failed: %r", self._shard.shard, fault)
            self._end_round(residents.position)
            self._quiet_since = steady
            return False
        if chunk:
            residents.saved(chunk)
            self._shard.tally.snapshots += len(chunk)
        else:
            position = residents.round_position()
            assert position is not None
            self._end_round(position)
            self._quiet_since = steady
        return True

    def _passivate(self, steady: Millis, now: Millis) -> None:
        limits = self._shard.limits
        if steady - self._passivated_at >= limits.passivate_ms // 20:
            self._passivated_at = steady
            before = Millis(now - limits.passivate_ms)
            self._shard.residents.passivate(before, self._shard.watched())


async def _awaited(writing: Awaitable[None]) -> None:
    await writing
