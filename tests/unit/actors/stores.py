"""Stores that fail as a test says: a journal and snapshots in memory."""

import asyncio
from collections.abc import Mapping, Sequence

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.events import Event
from actors.errors import Fenced
from actors.ports import Record, Sealed, StoredCalendar


class FaultyJournal:
    """Keeps records of one shard; ``faults`` are raised by the next appends.

    A fault in ``faults_after`` is raised after the append became durable. While
    ``gate`` is clear, appends wait.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.epoch = 0
        self.faults: list[Exception] = []
        self.faults_after: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.appending = asyncio.Event()
        self.checks = 0
        self.full = 0.0
        self.down: Exception | None = None

    async def seal(self, shard: ShardId) -> Sealed:
        if self.down is not None:
            raise self.down
        self.epoch += 1
        return Sealed(self.epoch, len(self.records))

    async def append(
        self, shard: ShardId, epoch: int, expected_seq: int, events: Sequence[Event]
    ) -> int:
        self.appending.set()
        await self.gate.wait()
        if epoch != self.epoch or expected_seq != len(self.records):
            raise Fenced
        if self.faults:
            raise self.faults.pop(0)
        for event in events:
            self.records.append(Record(len(self.records) + 1, epoch, event))
        if self.faults_after:
            raise self.faults_after.pop(0)
        return len(self.records)

    async def check(self, shard: ShardId, epoch: int) -> None:
        self.checks += 1
        if epoch != self.epoch:
            raise Fenced

    async def read(
        self, shard: ShardId, after_seq: int, limit: int
    ) -> Sequence[Record]:
        return self.records[after_seq : after_seq + limit]

    async def last_seq(self, shard: ShardId) -> int:
        return len(self.records)

    async def trim(
        self, shard: ShardId, upto_seq: int, before: Millis | None = None
    ) -> None:
        raise NotImplementedError

    async def shards(self) -> Sequence[ShardId]:
        return []

    def pressure(self) -> float:
        return self.full

    async def close(self) -> None:
        return None


class FaultySnapshots:
    """Keeps calendars of one shard; ``faults`` are raised by the next saves."""

    def __init__(self) -> None:
        self.calendars: dict[ProviderId, StoredCalendar] = {}
        self.at = 0
        self.loads: list[list[ProviderId]] = []
        self.faults: list[Exception] = []

    async def position(self, shard: ShardId) -> int:
        return self.at

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        self.loads.append(list(providers))
        return {one: self.calendars[one] for one in providers if one in self.calendars}

    async def save(
        self, shard: ShardId, epoch: int, calendars: Mapping[ProviderId, StoredCalendar]
    ) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.calendars.update(calendars)

    async def advance(self, shard: ShardId, epoch: int, position: int) -> None:
        self.at = position

    async def close(self) -> None:
        return None
