"""A failover to a real replica, however far behind, loses nothing acknowledged.

Needs a Redis of 7.2 or newer, or Valkey: put its program into SLOTCAST_TEST_REDIS72,
else there is nothing in here. What the code does with the counts is tested with any
Redis in tests/integration/redis/test_redis_copies.py.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from actors.domain.ids import ShardId
from actors.errors import JournalUnavailable, OutcomeUnknown
from persistence.journal.redis.journal import RedisJournal
from persistence.redis.server import inspect_server
from tests.crash.redis_load import Writer, must_be_whole
from tests.fixtures.events import tiny
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import with_layout

PROGRAM = os.environ.get("SLOTCAST_TEST_REDIS72", "")
SHARD = ShardId("s0000")
DEADLINE_S = 60.0


class Pair:
    """A primary and a replica that follows it."""

    def __init__(self, folder: Path) -> None:
        self.primary = RedisServer(folder / "primary", program=PROGRAM)
        self.replica = RedisServer(
            folder / "replica", program=PROGRAM, replica_of=self.primary
        )

    async def start(self) -> None:
        """Both, until the one follows the other."""
        self.primary.start()
        self.replica.start()
        await until(lambda: b"state=online" in self.primary.ask("INFO", "replication"))

    def stop(self) -> None:
        """Both."""
        self.replica.stop()
        self.primary.stop()


async def until(met: Callable[[], bool]) -> None:
    """Wait for it, but not for ever."""
    deadline = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(tmp_path)
    await made.start()
    yield made
    made.stop()


async def _failover_under_load(pair: Pair) -> None:
    """The primary dies while it writes; the replica has all that was acknowledged."""
    assert await inspect_server(pair.primary.url, 1) == []
    site = await with_layout(pair.primary, replicas=1)
    journal = RedisJournal(pair.primary.url, site, replicas=1)
    writer = Writer(journal, SHARD)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(stop))
        await until(lambda: len(writer.acknowledged) > 300)
        await asyncio.to_thread(pair.primary.kill)
        stop.set()
    await journal.close()
    await asyncio.to_thread(pair.replica.kill)  # and what it has is on its own disk
    pair.replica.config.pop("replicaof")
    await asyncio.to_thread(pair.replica.start)
    promoted = RedisJournal(pair.replica.url, site)
    sealed = await promoted.seal(SHARD)
    assert sealed.last_seq >= max(writer.acknowledged)
    assert await must_be_whole(promoted, writer) == sealed.last_seq
    await promoted.close()


async def _lagging_replica(pair: Pair) -> None:
    """A frozen replica stops acknowledgements; with it promoted, none is missing."""
    site = await with_layout(pair.primary, replicas=1)
    journal = RedisJournal(pair.primary.url, site, replicas=1)
    sealed = await journal.seal(SHARD)
    seq = await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
    pair.replica.freeze()
    with pytest.raises(OutcomeUnknown, match="0 of 1"):
        await journal.append(SHARD, sealed.epoch, seq, [tiny(2)])
    with pytest.raises(JournalUnavailable, match="0 of 1"):
        await journal.check(SHARD, sealed.epoch)
    reader = RedisJournal(pair.primary.url, site, replicas=1)
    with pytest.raises(JournalUnavailable, match="0 of 1"):
        await reader.read(SHARD, 0, 10)
    await reader.close()
    pair.replica.thaw()
    pair.primary.kill()
    pair.replica.ask("REPLICAOF", "NO", "ONE")
    promoted = RedisJournal(pair.replica.url, site)
    assert (await promoted.seal(SHARD)).last_seq in {1, 2}
    await promoted.close()
    await journal.close()


async def _isolated_primary(pair: Pair) -> None:
    """The old primary, cut off while another was promoted, confirms nothing more."""
    site = await with_layout(pair.primary, replicas=1)
    journal = RedisJournal(pair.primary.url, site, replicas=1)
    sealed = await journal.seal(SHARD)
    pair.replica.ask("REPLICAOF", "NO", "ONE")
    promoted = RedisJournal(pair.replica.url, site)
    newer = await promoted.seal(SHARD)
    assert await promoted.append(SHARD, newer.epoch, 0, [tiny(1)]) == 1
    with pytest.raises(JournalUnavailable, match="0 of 1"):
        await journal.check(SHARD, sealed.epoch)
    with pytest.raises(OutcomeUnknown, match="0 of 1"):
        await journal.append(SHARD, sealed.epoch, 0, [tiny(2)])
    with pytest.raises(JournalUnavailable, match="SLOTCAST_JOURNAL_REPLICAS is 1"):
        await journal.seal(SHARD)
    assert [one.event.version for one in await promoted.read(SHARD, 0, 9)] == [1]
    await promoted.close()
    await journal.close()


if PROGRAM:
    test_failover_under_load = _failover_under_load
    test_lagging_replica = _lagging_replica
    test_isolated_primary = _isolated_primary
