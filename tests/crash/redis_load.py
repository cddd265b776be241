"""Writers on a journal that never stop asking, and remember what was acknowledged."""

from __future__ import annotations

import asyncio

from actors.domain.ids import ShardId
from actors.errors import Fenced, JournalUnavailable, OutcomeUnknown
from actors.ports import Journal
from tests.fixtures.events import tiny

PAUSE_S = 0.01
READ_AT_ONCE = 2000


class Writer:
    """Owns one shard: on any doubt it opens the shard again, as a shard does."""

    def __init__(self, journal: Journal, shard: ShardId) -> None:
        self.shard = shard
        self.acknowledged: dict[int, int] = {}
        """Seq to the number of the event that was confirmed there."""
        self.doubts = 0
        """Appends with an unknown outcome."""
        self._journal = journal
        self._number = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Append until told to stop; batches of 1, 2, 3, 1 … events."""
        while not stop.is_set():
            try:
                sealed = await self._journal.seal(self.shard)
                known = max(self.acknowledged, default=0)
                assert sealed.last_seq >= known, "acknowledged, and gone"
                await self._append(sealed.epoch, sealed.last_seq, stop)
            except OutcomeUnknown:
                self.doubts += 1
            except JournalUnavailable:
                await asyncio.sleep(PAUSE_S)

    async def _append(self, epoch: int, seq: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            first = self._number + 1
            self._number += 1 + self._number % 3
            numbers = range(first, self._number + 1)
            after, seq = (
                seq,
                await self._journal.append(
                    self.shard, epoch, seq, [tiny(number) for number in numbers]
                ),
            )
            self.acknowledged.update(enumerate(numbers, after + 1))


async def must_be_whole(journal: Journal, writer: Writer) -> int:
    """Every acknowledged event is where it was confirmed, and none is there twice.

    The number of records.
    """
    found: list[int] = []
    while records := await journal.read(writer.shard, len(found), READ_AT_ONCE):
        assert [one.seq for one in records] == list(
            range(len(found) + 1, len(found) + len(records) + 1)
        )
        found += [one.event.version for one in records]
    assert len(set(found)) == len(found), "an event is there twice"
    assert found == sorted(found)
    for seq, number in writer.acknowledged.items():
        assert found[seq - 1] == number
    return len(found)


async def race(journals: list[Journal], shard: ShardId) -> list[str]:
    """Each opens the shard and appends at the same time; what became of each."""

    async def one(journal: Journal, number: int) -> tuple[int, str]:
        sealed = await journal.seal(shard)
        try:
            await journal.append(
                shard, sealed.epoch, sealed.last_seq, [tiny(sealed.last_seq + 1)]
            )
            await journal.check(shard, sealed.epoch)
        except Fenced:
            return sealed.epoch, "fenced"
        return sealed.epoch, "owner"

    outcomes = await asyncio.gather(*(one(j, n) for n, j in enumerate(journals)))
    return [outcome for _, outcome in sorted(outcomes)]
