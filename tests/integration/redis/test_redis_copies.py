"""What counts with replicas: the acknowledgement waits for all of them, by count.

The server here is real, WAITAOF's answers are not (tests/fixtures/redis_proxy.py), so
that this runs with any Redis. With real replicas: tests/crash/test_real_replicas.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.domain.ids import ProviderId, ShardId
from actors.errors import JournalUnavailable, OutcomeUnknown
from actors.ports import StoredCalendar
from persistence.journal.redis.journal import RedisJournal
from persistence.redis.client import COPY_MS
from persistence.redis.layout import RedisLayout
from persistence.redis.server import inspect_server
from persistence.snapshots.redis import RedisSnapshots
from tests.fixtures.events import tiny
from tests.fixtures.redis_proxy import RedisProxy
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import new_site, with_layout

SHARD = ShardId("s0000")


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[RedisProxy]:
    async with RedisProxy(redis_server, replicas=2) as made:
        yield made


@pytest.fixture
async def journal(
    proxy: RedisProxy, redis_server: RedisServer
) -> AsyncIterator[RedisJournal]:
    made = RedisJournal(proxy.url, await with_layout(redis_server), replicas=2)
    yield made
    await made.close()


async def test_too_few_copies_are_never_acknowledged(
    proxy: RedisProxy, journal: RedisJournal
) -> None:
    """One replica of two has it: it must not be acknowledged as durable."""
    sealed = await journal.seal(SHARD)
    assert await journal.append(SHARD, sealed.epoch, 0, [tiny(1)]) == 1
    proxy.copies = 1
    with pytest.raises(OutcomeUnknown, match="1 of 2"):
        await journal.append(SHARD, sealed.epoch, 1, [tiny(2)])
    for call in (journal.check(SHARD, sealed.epoch), journal.seal(SHARD)):
        with pytest.raises(JournalUnavailable, match="1 of 2"):
            await call
    proxy.copies = 2
    assert (await journal.seal(SHARD)).last_seq == 2


async def test_every_write_waits_on_its_own_connection(
    proxy: RedisProxy, journal: RedisJournal
) -> None:
    """WAITAOF follows each write, for the disk here and on both replicas."""
    sealed = await journal.seal(SHARD)
    proxy.seen.clear()
    await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
    await journal.append(SHARD, sealed.epoch, 1, [])
    words = [command[0] for command in proxy.seen]
    once = [b"FCALL", *[b"WAITAOF"] * len(COPY_MS)]
    assert words == once * 2
    assert proxy.seen[1][1:3] == proxy.seen[-1][1:3] == [b"1", b"2"]


async def test_readers_see_what_all_replicas_have(
    proxy: RedisProxy, journal: RedisJournal, redis_server: RedisServer
) -> None:
    """A record that could still be lost is not told to the projector either."""
    sealed = await journal.seal(SHARD)
    await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
    reader = RedisJournal(proxy.url, journal._keys.site, replicas=2)
    proxy.copies = 1
    with pytest.raises(JournalUnavailable, match="1 of 2"):
        await reader.read(SHARD, 0, 10)
    with pytest.raises(JournalUnavailable, match="1 of 2"):
        await reader.last_seq(SHARD)
    proxy.copies = 2
    assert len(await reader.read(SHARD, 0, 10)) == 1
    proxy.copies = 1
    assert await reader.last_seq(SHARD) == 1  # known since the last question
    await reader.close()


async def test_a_lost_reply_counts_copies_too(
    proxy: RedisProxy, journal: RedisJournal
) -> None:
    """Found by its ids, an append is confirmed only when the replicas have it."""
    sealed = await journal.seal(SHARD)
    proxy.cut_after = b"_append"
    proxy.copies = 1
    with pytest.raises(OutcomeUnknown):
        await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
    proxy.copies = 2
    proxy.cut_after = b"_append"
    sealed = await journal.seal(SHARD)
    assert await journal.append(SHARD, sealed.epoch, 1, [tiny(2)]) == 2


async def test_snapshots_and_layout_are_copied_too(proxy: RedisProxy) -> None:
    """The journal is trimmed after snapshots, so they must be as durable."""
    site = new_site()
    snapshots = RedisSnapshots(proxy.url, site, replicas=2)
    layout = RedisLayout(proxy.url, site, replicas=2)
    proxy.copies = 1
    with pytest.raises(JournalUnavailable):
        await snapshots.save(SHARD, 1, {ProviderId("p"): StoredCalendar(1, b"x")})
    with pytest.raises(JournalUnavailable):
        await snapshots.advance(SHARD, 1, 1)
    with pytest.raises(JournalUnavailable):
        await layout.create(b"x")
    proxy.copies = 2
    await snapshots.advance(SHARD, 1, 1)
    await snapshots.close()
    await layout.close()


@pytest.mark.parametrize(
    ("attached", "configured", "said"),
    [(1, 2, "1 replicas that follow"), (2, 1, "2 replicas attached")],
)
async def test_the_number_of_replicas_must_be_right(
    redis_server: RedisServer, attached: int, configured: int, said: str
) -> None:
    """Fewer or more replicas than configured are refused, and the number named."""
    async with RedisProxy(redis_server, replicas=attached) as proxy:
        (worst, *_) = await inspect_server(proxy.url, configured)
        assert worst.severity == "refuse"
        assert said in worst.sentence
        site = await with_layout(redis_server)
        journal = RedisJournal(proxy.url, site, replicas=configured)
        with pytest.raises(JournalUnavailable, match=said):
            await journal.seal(SHARD)
        await journal.close()
        assert await inspect_server(proxy.url, attached) == []
