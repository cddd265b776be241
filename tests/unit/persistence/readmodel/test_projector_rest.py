"""The projector at rest: woken by a journal that tells, not hurried by lies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from actors.domain.ids import ShardId
from care.sharing import OUTBOX
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection import resting
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.resting import Rest, TellsNews
from persistence.shared.memory import LocalWakeups
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal

LONGER = (0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1)
SPINS = 1_000


class Telling(StoryJournal):
    """A journal that rings, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.bell = asyncio.Event()
        self.waits: list[dict[ShardId, int]] = []
        self.bounds: list[float] = []
        self.reads = 0
        self.lies = False

    async def wait_for_news(
        self, positions: Mapping[ShardId, int], timeout_s: float
    ) -> frozenset[ShardId]:
        self.waits.append(dict(positions))
        self.bounds.append(timeout_s)
        if self.lies:
            assert len(self.waits) < SPINS, "it spins"
            return frozenset(positions)
        await self.bell.wait()
        self.bell.clear()
        return frozenset(positions)

    async def shards(self) -> list[ShardId]:
        self.reads += 1
        return list(await super().shards())


async def until(holds: object) -> None:
    async with asyncio.timeout(60):
        while not holds():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_journal_that_tells_is_waited_for_and_not_polled() -> None:
    """At rest the journal is asked nothing; a ring brings the projector back at once,
    and a stop ends the wait."""
    story, journal, twin = Story(), Telling(), MemoryReadModel()
    assert isinstance(journal, TellsNews)
    journal.tell(SHARD, story.booked(1))
    projector, stop = Projector(journal, twin, FixedClock()), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(projector.run(stop))
        await until(lambda: journal.waits)
        assert journal.waits == [{SHARD: 1}]
        asked = journal.reads
        await asyncio.sleep(0.05)
        assert journal.reads == asked
        journal.tell(SHARD, story.booked(2, NINE + 60))
        journal.bell.set()
        await until(lambda: len(twin.appointments) == 2)
        await until(lambda: len(journal.waits) == 2)
        stop.set()


async def test_each_follower_says_how_long_it_waits_at_most() -> None:
    """The audit trail looks less often of itself, and is woken as the projector is."""
    journal, stop = Telling(), asyncio.Event()
    for rest in (Rest(journal), Rest(journal, 5.0)):
        journal.bell.set()
        await rest.pause(stop, {SHARD: 1})
    assert journal.bounds == [1.0, 5.0]


async def test_rings_for_nothing_do_not_make_it_spin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A journal that always rings is followed as rarely as one that never does: after
    each ring without work there is a pause, longer and longer."""
    story, journal, twin = Story(), Telling(), MemoryReadModel()
    journal.tell(SHARD, story.booked(1))
    journal.lies = True
    projector, stop = Projector(journal, twin, FixedClock()), asyncio.Event()
    paused: list[float] = []

    async def noted(_stop: asyncio.Event, seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == len(LONGER):
            stop.set()
        await asyncio.sleep(0)

    monkeypatch.setattr(resting, "pause", noted)
    async with asyncio.timeout(60):
        await projector.run(stop)
    assert paused == pytest.approx(LONGER)
    assert len(journal.waits) <= len(paused) + 1


async def test_notices_ring_for_whoever_sends_them() -> None:
    """One ring after a batch with notices, none after one without."""
    story, journal, twin = Story(), StoryJournal(), MemoryReadModel()
    projector = Projector(journal, twin, FixedClock())
    bell = projector.wakeups = LocalWakeups()
    journal.tell(SHARD, story.booked(1))
    await projector.step()
    assert await bell.wait(OUTBOX, 0.01)
    await projector.step()
    assert not await bell.wait(OUTBOX, 0.01)
