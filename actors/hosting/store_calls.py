"""One shard's calls to its journal and snapshots: each bounded, each outcome known.

Opening reads where the snapshots end and what the journal says after them. While the
shard serves, ``look`` notices in time that another process owns it, or that the
journal is silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

from actors.domain.ids import Millis, ProviderId
from actors.domain.messages.events import Event
from actors.errors import JournalCorrupt, JournalUnavailable, OutcomeUnknown
from actors.ports import Clock, Journal, Record, SnapshotStore
from actors.shard.shard import Shard

_LOG = logging.getLogger("slotcast.shard")
_T = TypeVar("_T")


class StoreCalls:
    """The stores of one shard. ``on_unknown``: a late call's outcome is unknown."""

    def __init__(
        self,
        shard: Shard,
        journal: Journal,
        snapshots: SnapshotStore,
        clock: Clock,
        on_unknown: Callable[[], None],
    ) -> None:
        self.journal = journal
        self.snapshots = snapshots
        self._shard = shard
        self._clock = clock
        self._on_unknown = on_unknown
        self._held = 0
        self._checking = False
        self._heard_at = 0.0
        self._looked_at = 0.0

    async def warm(self) -> None:
        """Connect and read something, so that ``open`` finds open connections.

        What was read is dropped, and failures are ignored: ``open`` will meet them.
        """
        shard = self._shard.shard
        with suppress(Exception):
            await self.within(self.snapshots.position(shard))
            await self.within(self.journal.last_seq(shard))

    async def open(self) -> Millis:
        """Seal, then read where the snapshots end and what follows them."""
        shard, journal = self._shard, self.journal
        patience = shard.limits.open_ms
        if (
            self._checking
        ):  # another owner may have taken over while the journal was silent
            await self.within(journal.check(shard.shard, self._held))
            self._checking = False
        sealed = await self.within(journal.seal(shard.shard), patience)
        while sealed.epoch <= shard.epoch_to_beat:  # a calendar is to come in
            sealed = await self.within(journal.seal(shard.shard), patience)
        self._heard()
        position = await self.within(self.snapshots.position(shard.shard), patience)
        self._held, self._checking = sealed.epoch, True
        shard.opened(sealed.epoch, sealed.last_seq, position, ())
        self._must_be_journaled(position)
        # The last record is always read: time must not go back behind it.
        reached = min(position, max(0, sealed.last_seq - 1))
        while reached < sealed.last_seq:
            records: Sequence[Record] = await self.within(
                journal.read(shard.shard, reached, shard.limits.tail_chunk), patience
            )
            if not records:
                raise JournalCorrupt(f"no record after {reached} of {sealed.last_seq}")
            shard.residents.keep_tail(records)
            reached = records[-1].seq
        now = self._clock.now()
        since = Millis(now - 4 * shard.policy.hold_ms)
        await self.load(shard.residents.lately_held(since))
        return now

    async def load(self, providers: Iterable[ProviderId]) -> None:
        """Bring calendars into memory, some at a time."""
        wanted = sorted(providers)
        chunk_max = self._shard.limits.load_chunk
        for start in range(0, len(wanted), chunk_max):
            chunk = wanted[start : start + chunk_max]
            stored = await self.within(self.snapshots.load(self._shard.shard, chunk))
            for provider in chunk:
                calendar = stored.get(provider)
                if calendar is not None:
                    self._must_be_journaled(calendar.seq)
                self._shard.adopt(provider, calendar)

    async def append(self, events: Sequence[Event]) -> int:
        """Make a batch durable; the journal's new end."""
        shard = self._shard
        began = perf_counter()
        seq = await self.within(
            self.journal.append(shard.shard, shard.epoch, shard.last_seq, events)
        )
        self._heard()
        shard.tally.append_seconds.add(perf_counter() - began)
        return seq

    async def check(self) -> None:
        """Return if the journal says that this process still owns the shard.

        Raises:
            Fenced: it is not.
            JournalUnavailable: no answer in time.
        """
        await self.within(self.journal.check(self._shard.shard, self._held))
        self._heard()

    async def look(self) -> None:
        """``check``, if the journal's last answer is old; tolerates some silence.

        Raises:
            Fenced: another process owns the shard.
            JournalUnavailable: the journal has been silent for ``append_ms``.
        """
        if self.look_due_s() > 0:
            return
        self._looked_at = self._now()
        limits = self._shard.limits
        try:
            await self.within(
                self.journal.check(self._shard.shard, self._held), limits.look_ms
            )
        except JournalUnavailable:
            if (self._now() - self._heard_at) * 1000 >= limits.append_ms:
                raise
        else:
            self._heard()

    def look_due_s(self) -> float:
        """In how many seconds ``look`` has something to do; 0 if now."""
        limits, now = self._shard.limits, self._now()
        silent = self._heard_at + limits.check_ms / 1000 - now
        looked = self._looked_at + limits.check_ms / 5000 - now
        return max(0.0, silent, looked)

    async def within(self, asked: Coroutine[Any, Any, _T], patience_ms: int = 0) -> _T:
        """The outcome of a call to a store, if it comes in time.

        A store that is late is not cancelled: its write may still happen, and the
        next seal fences it.

        Raises:
            JournalUnavailable: it did not answer in time.
        """
        task = asyncio.get_running_loop().create_task(asked)
        patience_s = (patience_ms or self._shard.limits.append_ms) / 1000
        done, _ = await asyncio.wait({task}, timeout=patience_s)
        if not done:
            task.add_done_callback(self._note_late)
            raise JournalUnavailable
        return task.result()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _heard(self) -> None:
        self._heard_at = self._now()

    def _must_be_journaled(self, seq: int) -> None:
        """Snapshots that know more than the journal belong to another journal."""
        last_seq = self._shard.last_seq
        if seq > last_seq:
            raise JournalCorrupt(
                f"a snapshot is at {seq}, but the journal ends at {last_seq}"
            )

    def _note_late(self, task: asyncio.Task[Any]) -> None:
        """An answer after its deadline. An unknown outcome stays unknown."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            _LOG.warning("a late store call failed: %r", fault)
        if isinstance(fault, OutcomeUnknown):
            self._on_unknown()
