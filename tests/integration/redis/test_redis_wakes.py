"""The journal in Redis wakes a projector that rests; a full Redis is as one away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from care.sharing import Spending
from persistence.journal.redis.journal import RedisJournal
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.resting import TellsNews
from persistence.redis.layout import RedisLayout
from persistence.redis.link import RedisAway
from persistence.shared.budgets import RedisBudgets
from persistence.shared.pages import RedisPages
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.story import NINE, SHARD, FixedClock, Story

SITE = "wakes"


async def test_an_idle_projector_is_woken_by_the_journal(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With polling out of the way an append is projected all the same, and at rest
    hardly anything is asked."""
    monkeypatch.setattr("persistence.readmodel.projection.resting.NEWS_S", 30.0)
    monkeypatch.setattr("persistence.readmodel.projection.resting.POLL_LEAST_S", 30.0)
    layout = RedisLayout(redis_server.url, SITE)
    await layout.create(b"{}")
    await layout.close()
    writing = RedisJournal(redis_server.url, SITE)
    reading = RedisJournal(redis_server.url, SITE)
    assert isinstance(reading, TellsNews)
    sealed = await writing.seal(SHARD)
    story, twin, stop = Story(), MemoryReadModel(), asyncio.Event()
    seq = await writing.append(SHARD, sealed.epoch, sealed.last_seq, [story.booked(0)])
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(Projector(reading, twin, FixedClock()).run(stop))
        for number in range(1, 4):
            while len(twin.appointments) < number:  # noqa: ASYNC110 - deadline above
                await asyncio.sleep(0.002)
            event = story.booked(number, NINE + 60 * number)
            seq = await writing.append(SHARD, sealed.epoch, seq, [event])
        stop.set()
    await writing.close()
    await reading.close()


async def fill(pages: RedisPages) -> None:
    for number in range(100):
        await pages.keep({f"p{number}": b"x" * 60_000}, 60)


async def test_a_full_redis_is_as_one_that_is_away(tmp_path: Path) -> None:
    """Writes are refused in time and told; what is there can still be read."""
    with RedisServer(tmp_path, maxmemory="3mb", appendonly="no") as redis:
        pages, budgets = RedisPages(redis.url, SITE), RedisBudgets(redis.url, SITE)
        await pages.keep({"a": b"kept"}, 60)
        with pytest.raises(RedisAway):
            await fill(pages)
        assert not pages.standing().ok
        with pytest.raises(RedisAway):
            await budgets.settle([Spending("k", 1, 0, 1.0, 1)])
        assert not budgets.standing().ok
        assert await pages.find(["a"]) == {"a": b"kept"}
        await pages.close()
        await budgets.close()
