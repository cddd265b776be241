"""A Redis that lost data, mislaid them, or belongs to another generation by now."""

from __future__ import annotations

import asyncio

import pytest

from actors.domain.ids import ShardId
from actors.domain.rules import Policy
from actors.errors import Fenced, JournalCorrupt
from actors.hosting.mailbox import Mailbox
from actors.shard.limits import ShardLimits
from cluster.clock import SystemClock
from persistence.journal.redis.journal import RedisJournal
from persistence.redis.client import RedisStore
from persistence.redis.keys import SiteKeys
from persistence.redis.layout import RedisLayout
from persistence.snapshots.redis import RedisSnapshots
from tests.fixtures.events import tiny
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import LAYOUT

SHARD = ShardId("s0000")


async def test_who_serves_does_not_take_lost_data_for_a_new_owner(
    journal: RedisJournal, raw: RedisStore, site: str
) -> None:
    """A Redis that went back under a serving shard is told from another owner.

    A fenced owner ends for good; a fresh process, that knows nothing of what was
    durable, would go on with what is left.
    """
    keys = SiteKeys(site)
    sealed = await journal.seal(SHARD)
    seq = await journal.append(SHARD, sealed.epoch, 0, [tiny(1), tiny(2)])
    before = await raw.ask("DUMP", keys.of(SHARD).stream)
    seq = await journal.append(SHARD, sealed.epoch, seq, [tiny(3)])
    now = await raw.ask("DUMP", keys.of(SHARD).stream)
    await raw.ask("RESTORE", keys.of(SHARD).stream, 0, before, "REPLACE")
    with pytest.raises(JournalCorrupt, match="ends earlier"):
        await journal.append(SHARD, sealed.epoch, seq, [tiny(4)])
    with pytest.raises(JournalCorrupt, match="ends earlier"):
        await journal.append(SHARD, sealed.epoch, seq, [])
    await raw.ask("RESTORE", keys.of(SHARD).stream, 0, now, "REPLACE")
    assert await journal.append(SHARD, sealed.epoch, seq, [tiny(4)]) == 4


async def test_a_shard_goes_on_by_itself_when_redis_has_its_data_again(
    redis_server: RedisServer, journal: RedisJournal, raw: RedisStore, site: str
) -> None:
    """An empty Redis in the journal's place stops a shard; it waits for the data."""
    limits = ShardLimits(check_ms=50, retry_ms=5, retry_max_ms=20)
    snapshots = RedisSnapshots(redis_server.url, site)
    box = Mailbox(SHARD, journal, snapshots, SystemClock(), Policy(), limits)
    fenced: list[str] = []
    box.on_fenced = lambda: fenced.append("left")
    await box.open()
    names = await raw.ask("KEYS", f"{site}:*")
    kept = [(name, await raw.ask("DUMP", name)) for name in names]
    await raw.ask("DEL", *names)
    async with asyncio.timeout(60):
        while box.state == "open":  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        for name, dump in kept:
            await raw.ask("RESTORE", name, 0, dump)
        await box.open()
    assert not fenced
    await box.close()
    await snapshots.close()


async def test_a_generation_that_was_left_is_not_opened_again(
    redis_server: RedisServer, journal: RedisJournal, site: str
) -> None:
    """An owner that missed the resharding cannot write to the old layout."""
    await journal.seal(SHARD)
    layout = RedisLayout(redis_server.url, site)
    assert await layout.replace(LAYOUT, b'{"format":1,"generation":2,"isolated":{}}')
    await layout.close()
    with pytest.raises(Fenced):
        await journal.seal(SHARD)
    new = RedisJournal(redis_server.url, site, generation=2)
    assert (await new.seal(SHARD)).epoch == 1
    await new.close()
