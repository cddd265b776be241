"""A real Redis killed, frozen and fought over: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.errors import Fenced, JournalUnavailable, OutcomeUnknown
from persistence.journal.redis.journal import RedisJournal
from persistence.redis.server import inspect_server
from tests.crash.redis_load import Writer, must_be_whole, race
from tests.fixtures.events import tiny
from tests.fixtures.redis_proxy import RedisProxy
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import opened, with_layout

SHARDS = [ShardId(f"s{number:04d}") for number in range(4)]
SHARD = SHARDS[0]
DEADLINE_S = 60.0
SHORT_S = 1.5
"""Of a Redis that does not answer; ample for one that does, on a busy machine."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    made = RedisServer(tmp_path / "redis")
    made.start()
    yield made
    made.stop()


async def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_killed_under_load(server: RedisServer) -> None:
    """kill -9 of Redis, again and again: all that was acknowledged is there, once."""
    journal = RedisJournal(server.url, await with_layout(server))
    writers = [Writer(journal, shard) for shard in SHARDS]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.run(stop))
        for _ in range(4):
            goals = [len(writer.acknowledged) + 150 for writer in writers]
            await _until(
                lambda goals=goals: all(  # type: ignore[misc]
                    len(writer.acknowledged) >= goal
                    for writer, goal in zip(writers, goals, strict=True)
                )
            )
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        stop.set()
    for writer in writers:
        count = await must_be_whole(journal, writer)
        assert count >= len(writer.acknowledged) >= 600
    await journal.close()


async def test_frozen_for_longer_than_we_wait(server: RedisServer) -> None:
    """A stopped Redis blocks no caller; when it goes on, nothing is there twice."""
    journal = RedisJournal(server.url, await with_layout(server), answer_s=SHORT_S)
    writers = [Writer(journal, shard) for shard in SHARDS]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.run(stop))
        await _until(lambda: all(len(writer.acknowledged) > 20 for writer in writers))
        server.freeze()
        await _until(lambda: all(writer.doubts for writer in writers))
        server.thaw()
        goals = {writer.shard: len(writer.acknowledged) + 20 for writer in writers}
        await _until(
            lambda: all(
                len(writer.acknowledged) >= goals[writer.shard] for writer in writers
            )
        )
        stop.set()
    for writer in writers:
        await must_be_whole(journal, writer)
    await journal.close()


async def test_nothing_hangs_on_a_frozen_redis(server: RedisServer) -> None:
    """Every call ends by itself, and says what is known."""
    journal = RedisJournal(server.url, await with_layout(server), answer_s=SHORT_S)
    sealed = await journal.seal(SHARD)
    server.freeze()
    with pytest.raises(OutcomeUnknown):
        await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
    for call in (
        journal.check(SHARD, sealed.epoch),
        journal.last_seq(SHARD),
        journal.read(SHARD, 0, 10),
        journal.seal(SHARD),
    ):
        with pytest.raises(JournalUnavailable):
            await call
    server.thaw()
    assert (await journal.seal(SHARD)).last_seq in {0, 1}
    await journal.close()


async def test_a_redis_that_is_down_is_told_at_once(server: RedisServer) -> None:
    """Nothing was sent, so the outcome is known: nothing happened."""
    journal = RedisJournal(server.url, await with_layout(server))
    sealed = await journal.seal(SHARD)
    server.kill()
    await asyncio.sleep(0.05)  # the end of the connection is told by the loop
    with pytest.raises(JournalUnavailable):
        await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
    server.start()
    assert await journal.append(SHARD, sealed.epoch, 0, [tiny(1)]) == 1
    await journal.close()


async def test_of_two_owners_one_wins(server: RedisServer) -> None:
    """However they race, the newest epoch owns the shard, and no other writes."""
    site = await with_layout(server)
    journals = [RedisJournal(server.url, site) for _ in range(3)]
    for round_ in range(20):
        shard = ShardId(f"race{round_}")
        outcomes = await race(list(journals), shard)
        assert outcomes[-1] == "owner"
        last = await journals[0].last_seq(shard)
        records = await journals[0].read(shard, 0, 10)
        assert [one.seq for one in records] == list(range(1, last + 1))
        for journal in journals:
            for epoch in (1, 2):
                with pytest.raises(Fenced):
                    await journal.append(shard, epoch, last, [tiny(99)])
                with pytest.raises(Fenced):
                    await journal.check(shard, epoch)
    for journal in journals:
        await journal.close()


async def test_a_write_on_its_way_is_shut_out_by_the_next_owner(
    server: RedisServer,
) -> None:
    """An append held up in the network arrives after a new owner: it does nothing."""
    site = await with_layout(server)
    async with (
        opened(server.url, site) as successor,
        RedisProxy(server) as proxy,
        opened(proxy.url, site, answer_s=SHORT_S) as zombie,
    ):
        sealed = await zombie.seal(SHARD)
        assert await zombie.append(SHARD, sealed.epoch, 0, [tiny(1)]) == 1
        proxy.held = asyncio.Event()
        proxy.cut_before = b"_append"
        with pytest.raises(OutcomeUnknown):
            await zombie.append(SHARD, sealed.epoch, 1, [tiny(2)])
        newer = await successor.seal(SHARD)
        assert newer.last_seq == 1
        proxy.held.set()
        assert await successor.append(SHARD, newer.epoch, 1, [tiny(3)]) == 2
        with pytest.raises(Fenced):
            await zombie.check(SHARD, sealed.epoch)
        records = await successor.read(SHARD, 0, 10)
        assert [record.event.version for record in records] == [1, 3]


async def test_a_demoted_primary_confirms_nothing(
    server: RedisServer, redis_server: RedisServer
) -> None:
    """A primary that was made a replica answers neither writes nor checks."""
    journal = RedisJournal(server.url, await with_layout(server))
    sealed = await journal.seal(SHARD)
    server.ask("REPLICAOF", "127.0.0.1", redis_server.port)
    for call in (
        journal.append(SHARD, sealed.epoch, 0, [tiny(1)]),
        journal.check(SHARD, sealed.epoch),
        journal.seal(SHARD),
    ):
        with pytest.raises(JournalUnavailable):
            await call
    server.ask("REPLICAOF", "NO", "ONE")
    await journal.close()


async def test_replicas_of_an_old_redis_are_refused(
    server: RedisServer, tmp_path: Path
) -> None:
    """Without WAITAOF it is unknown what a replica has: not started, not served."""
    if b"waitaof" in server.ask("COMMAND", "INFO", "WAITAOF"):
        return  # a newer Redis: its replicas are tested elsewhere
    journal = RedisJournal(server.url, await with_layout(server))
    await journal.seal(SHARD)
    with RedisServer(tmp_path / "replica", replica_of=server):
        await _until(lambda: b"connected_slaves:1" in server.ask("INFO"))
        for replicas in (0, 1):
            (worst, *_) = await inspect_server(server.url, replicas)
            assert worst.severity == "refuse"
            assert "on disk" in worst.sentence
            assert "7.2" in worst.remedy
        with pytest.raises(JournalUnavailable, match=r"7\.2"):
            await journal.seal(SHARD)
    await journal.close()
