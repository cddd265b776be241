"""The journal in memory, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.events import Event
from actors.errors import Fenced, JournalCorrupt, JournalFull
from actors.ports import Record, Sealed

BYTES_PER_EVENT = 200
"""Bytes an event counts for in the budget."""


class _Log(Struct, gc=False):
    epoch: int
    first: int
    records: list[Record]

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1


class MemoryJournal:
    """``actors.ports.Journal`` in memory; it lives as long as the object.

    Several activations of a shard may share one object: the fence is the same as in
    files. ``close`` keeps the records, so that a test can restart on them.
    """

    def __init__(self, *, budget_bytes: int = 0) -> None:
        """``budget_bytes`` 0 means no limit."""
        self._budget = budget_bytes
        self._logs: dict[ShardId, _Log] = {}

    async def seal(self, shard: ShardId) -> Sealed:
        """Open for writing under the next epoch; see the port."""
        log = self._logs.setdefault(shard, _Log(0, 1, []))
        log.epoch += 1
        return Sealed(log.epoch, log.last)

    async def append(
        self, shard: ShardId, epoch: int, expected_seq: int, events: Sequence[Event]
    ) -> int:
        """Keep events; see the port."""
        await self.check(shard, epoch)
        log = self._logs[shard]
        if expected_seq != log.last:
            raise Fenced(f"shard {shard} ends at seq {log.last}, not {expected_seq}")
        if self._budget and self._used(len(events)) > self._budget:
            raise JournalFull("the journal has reached its budget", retry_after_s=10.0)
        log.records.extend(
            Record(seq, epoch, event)
            for seq, event in enumerate(events, expected_seq + 1)
        )
        return log.last

    async def check(self, shard: ShardId, epoch: int) -> None:
        """Check that ``epoch`` still owns the shard; see the port."""
        newest = self._logs[shard].epoch if shard in self._logs else 0
        if epoch != newest or epoch == 0:
            raise Fenced(f"shard {shard}: epoch {epoch} is superseded by {newest}")

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        """Records after ``after_seq``; see the port."""
        log = self._logs.get(shard)
        if log is None or after_seq >= log.last or limit < 1:
            return []
        start = after_seq + 1 - log.first
        if start < 0:
            raise JournalCorrupt(f"shard {shard}: seq {after_seq + 1} was trimmed")
        return log.records[start : start + limit]

    async def last_seq(self, shard: ShardId) -> int:
        """The last seq; see the port."""
        return self._logs[shard].last if shard in self._logs else 0

    async def trim(
        self, shard: ShardId, upto_seq: int, before: Millis | None = None
    ) -> None:
        """Drop records up to ``upto_seq``, but never the last one."""
        log = self._logs.get(shard)
        if log is not None:
            gone = min(upto_seq, log.last - 1) - log.first + 1
            if before is not None:
                young = (
                    index
                    for index, record in enumerate(log.records)
                    if record.event.at >= before
                )
                gone = min(gone, next(young, gone))
            if gone > 0:
                del log.records[:gone]
                log.first += gone

    async def shards(self) -> Sequence[ShardId]:
        """Shards that were sealed."""
        return sorted(self._logs)

    def pressure(self) -> float:
        """Used fraction of the budget."""
        return min(self._used(0) / self._budget, 1.0) if self._budget else 0.0

    async def close(self) -> None:
        """Nothing to release."""

    def _used(self, more: int) -> int:
        kept = sum(len(log.records) for log in self._logs.values())
        return (kept + more) * BYTES_PER_EVENT
