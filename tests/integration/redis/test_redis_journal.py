"""The journal in Redis beyond the common contract: what is lost, full, old or apart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.errors import (
    Fenced,
    JournalCorrupt,
    JournalFull,
    JournalUnavailable,
)
from actors.ports import Record, StoredCalendar
from persistence.journal.redis.journal import RedisJournal
from persistence.redis.client import RedisStore
from persistence.redis.keys import SiteKeys
from persistence.redis.layout import RedisLayout
from persistence.snapshots.files import SnapshotCorrupt
from persistence.snapshots.redis import RedisSnapshots
from tests.fixtures.events import booked, tiny
from tests.fixtures.redis_proxy import RedisProxy
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import new_site, opened, with_layout

SHARD = ShardId("s0000")
OTHER = ShardId("s0001")


async def _epochs(journal: RedisJournal, per_epoch: int, epochs: int) -> int:
    """So many epochs of so many events each; the last seq."""
    seq = 0
    for _ in range(epochs):
        sealed = await journal.seal(SHARD)
        assert sealed.last_seq == seq
        batch = [booked(seq + number) for number in range(1, per_epoch + 1)]
        seq = await journal.append(SHARD, sealed.epoch, seq, batch)
        await journal.seal(SHARD)  # an epoch that writes nothing
    return seq


async def _fill(journal: RedisJournal, epoch: int) -> None:
    """Batches of 50, until it is refused."""
    seq = 0
    while True:
        batch = [booked(seq + n, "x" * 5000) for n in range(1, 51)]
        seq = await journal.append(SHARD, epoch, seq, batch)


async def test_nothing_is_begun_without_the_layout(redis_server: RedisServer) -> None:
    """An empty Redis may be one that lost its data: sealing it is refused, loudly."""
    async with opened(redis_server.url, new_site()) as journal:
        with pytest.raises(JournalUnavailable, match=r"layout.*Restore it"):
            await journal.seal(SHARD)
        assert list(await journal.shards()) == []


async def test_a_stream_that_is_gone_is_not_begun_anew(
    journal: RedisJournal, raw: RedisStore, site: str
) -> None:
    """A shard that had a journal and has none is refused, by any process."""
    await _epochs(journal, 3, 1)
    await raw.ask("DEL", SiteKeys(site).of(SHARD).stream)
    await raw.ask("DEL", SiteKeys(site).of(SHARD).epochs)
    other = RedisJournal(f"redis://{raw.place.split()[-1]}/0", site)
    for one in (journal, other):
        with pytest.raises(JournalCorrupt, match=r"gone.*backup"):
            await one.seal(SHARD)
    await other.close()


async def test_a_journal_that_went_back_is_refused(tmp_path: Path) -> None:
    """A process that saw more than the journal now has does not go on with it."""
    with RedisServer(tmp_path / "redis") as server:
        site = await with_layout(server)
        async with opened(server.url, site) as journal:
            sealed = await journal.seal(SHARD)
            seq = await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
            log = next((tmp_path / "redis" / "appendonlydir").glob("*.incr.aof"))
            size = log.stat().st_size
            await journal.append(SHARD, sealed.epoch, seq, [tiny(2)])
            server.kill()
            with log.open("r+b") as file:
                file.truncate(size)
            server.start()
            with pytest.raises(JournalCorrupt, match="ends earlier"):
                await journal.seal(SHARD)


async def test_functions_come_back_by_themselves(
    journal: RedisJournal, raw: RedisStore
) -> None:
    """FUNCTION FLUSH in the middle changes nothing for who writes."""
    sealed = await journal.seal(SHARD)
    await raw.ask("FUNCTION", "FLUSH")
    assert await journal.append(SHARD, sealed.epoch, 0, [tiny(1)]) == 1
    await raw.ask("FUNCTION", "FLUSH")
    await journal.check(SHARD, sealed.epoch)


async def test_any_window_over_many_epochs(journal: RedisJournal) -> None:
    """A new reader, and one that follows, see the same records of every epoch."""
    last = await _epochs(journal, 7, 5)
    follower: list[Record] = []
    while records := await journal.read(SHARD, len(follower), 3):
        follower += records
    assert [record.seq for record in follower] == list(range(1, last + 1))
    assert [record.epoch for record in follower] == [
        1 + 2 * (seq // 7) for seq in range(last)
    ]
    for after in range(last + 1):
        assert list(await journal.read(SHARD, after, 4)) == follower[after : after + 4]


async def test_trimming_takes_the_epochs_along(
    journal: RedisJournal, raw: RedisStore, site: str
) -> None:
    """What is left is read as before; epochs that hold nothing any more are gone."""
    last = await _epochs(journal, 10, 20)
    await journal.trim(SHARD, 155)
    assert [r.seq for r in await journal.read(SHARD, 155, 999)] == list(
        range(156, last + 1)
    )
    epochs = await raw.ask("ZCARD", SiteKeys(site).of(SHARD).epochs)
    assert epochs <= 12
    with pytest.raises(JournalCorrupt, match="trimmed"):
        await journal.read(SHARD, 154, 1)


async def test_trimming_stops_at_the_instant(journal: RedisJournal) -> None:
    """Among records of one chunk only those before the instant go."""
    sealed = await journal.seal(SHARD)
    events = [
        type(tiny(n))(
            provider_id=tiny(n).provider_id,
            at=Millis(n),
            version=n,
            until=tiny(n).until,
        )
        for n in range(1, 101)
    ]
    await journal.append(SHARD, sealed.epoch, 0, events)
    await journal.trim(SHARD, 90, Millis(41))
    assert (await journal.read(SHARD, 40, 1))[0].seq == 41
    with pytest.raises(JournalCorrupt, match="trimmed"):
        await journal.read(SHARD, 39, 1)


async def test_damage_is_told(
    journal: RedisJournal, raw: RedisStore, site: str
) -> None:
    """A record that is not what was written, or is missing, is never returned."""
    sealed = await journal.seal(SHARD)
    await journal.append(SHARD, sealed.epoch, 0, [tiny(1), tiny(2)])
    stream = SiteKeys(site).of(SHARD).stream
    ((_, (_, data)),) = await raw.ask("XRANGE", stream, "1-2", "1-2")
    await raw.ask("XADD", stream, "1-3", "e", data)
    with pytest.raises(JournalCorrupt, match="1-3 is damaged"):
        await journal.read(SHARD, 0, 10)
    await raw.ask("XDEL", stream, "1-2")
    with pytest.raises(JournalCorrupt, match="seq 2 is missing"):
        await journal.read(SHARD, 0, 10)


async def test_news_wake_who_waits(journal: RedisJournal) -> None:
    """At once if there are some; when they come; or nothing, after the time."""
    for shard in (SHARD, OTHER):
        await journal.seal(shard)
    await journal.append(OTHER, 1, 0, [tiny(1)])
    assert await journal.wait_for_news({SHARD: 0, OTHER: 0}, 5.0) == {OTHER}
    assert not await journal.wait_for_news({SHARD: 0, OTHER: 1}, 0.02)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(journal.wait_for_news({SHARD: 0, OTHER: 1}, 20.0))
        await asyncio.sleep(0)
        await journal.append(SHARD, 1, 0, [tiny(1)])
    assert waiting.result() == {SHARD}
    gone = asyncio.get_running_loop().create_task(
        journal.wait_for_news({SHARD: 1}, 20.0)
    )
    await asyncio.sleep(0.05)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert await journal.wait_for_news({SHARD: 0}, 1.0) == {SHARD}


async def test_a_backup_is_put_back(redis_server: RedisServer, site: str) -> None:
    """Records come back at their places, a trimmed beginning included."""
    source = RedisJournal(redis_server.url, site)
    last = await _epochs(source, 5, 4)
    records = list(await source.read(SHARD, 7, 100))
    target = RedisJournal(redis_server.url, await with_layout(redis_server))
    assert await target.restore(SHARD, records[:6]) == 13
    with pytest.raises(Fenced):
        await target.restore(SHARD, records[:6])
    assert await target.restore(SHARD, records[6:]) == last
    assert list(await target.read(SHARD, 7, 100)) == records
    sealed = await target.seal(SHARD)
    assert (sealed.epoch, sealed.last_seq) == (records[-1].epoch + 1, last)
    for one in (source, target):
        await one.close()


async def test_full_memory_refuses_before_anything_is_written(tmp_path: Path) -> None:
    """Out of memory: appends are refused; opening, checking and trimming go on."""
    with RedisServer(tmp_path / "redis", maxmemory="8mb") as server:
        journal = RedisJournal(server.url, await with_layout(server))
        sealed = await journal.seal(SHARD)
        with pytest.raises(JournalFull, match="full"):
            await _fill(journal, sealed.epoch)
        seq = await journal.last_seq(SHARD)
        assert seq > 0
        assert seq % 50 == 0
        await journal.check(SHARD, sealed.epoch)
        sealed = await journal.seal(SHARD)
        assert sealed.last_seq == seq
        assert journal.pressure() > 0.9
        await journal.trim(SHARD, seq - 10)
        assert await journal.append(SHARD, sealed.epoch, seq, [tiny(1)]) == seq + 1
        await journal.close()


async def test_a_full_redis_lets_snapshots_make_room(tmp_path: Path) -> None:
    """Only what snapshots have is trimmed: if they needed room, full would be for ever.

    Done here by hand, as the shard and the trimmer do it by themselves.
    """
    with RedisServer(tmp_path / "redis", maxmemory="8mb") as server:
        site = await with_layout(server)
        journal = RedisJournal(server.url, site)
        snapshots = RedisSnapshots(server.url, site)
        sealed = await journal.seal(SHARD)
        with pytest.raises(JournalFull, match="full"):
            await _fill(journal, sealed.epoch)
        seq = await journal.last_seq(SHARD)
        server.ask("CONFIG", "SET", "maxmemory", "6mb")  # not a byte is left
        ana = ProviderId("prv_ana")
        await snapshots.save(
            SHARD, sealed.epoch, {ana: StoredCalendar(seq, b"x" * 500)}
        )
        await snapshots.advance(SHARD, sealed.epoch, seq)
        await journal.trim(SHARD, await snapshots.position(SHARD))
        assert (await snapshots.load(SHARD, [ana]))[ana].seq == seq
        assert await journal.append(SHARD, sealed.epoch, seq, [tiny(1)]) == seq + 1
        await snapshots.close()
        await journal.close()


async def test_a_lost_reply_is_looked_up(redis_server: RedisServer, site: str) -> None:
    """The append was done and only its answer was lost: it is confirmed, once."""
    async with RedisProxy(redis_server) as proxy:
        journal = RedisJournal(proxy.url, site)
        sealed = await journal.seal(SHARD)
        proxy.cut_after = b"_append"
        assert await journal.append(SHARD, sealed.epoch, 0, [tiny(1), tiny(2)]) == 2
        assert await journal.append(SHARD, sealed.epoch, 2, [tiny(3)]) == 3
        records = await journal.read(SHARD, 0, 10)
        assert [record.event.version for record in records] == [1, 2, 3]
        proxy.cut_after = b"_check"
        with pytest.raises(JournalUnavailable):
            await journal.check(SHARD, sealed.epoch)
        await journal.close()


async def test_settings_changed_under_us_stop_the_next_seal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What breaks the promise is named in the log, and nothing is acknowledged."""
    with RedisServer(tmp_path / "redis") as server:
        journal = RedisJournal(server.url, await with_layout(server))
        sealed = await journal.seal(SHARD)
        server.ask("CONFIG", "SET", "appendfsync", "everysec")
        with pytest.raises(JournalUnavailable, match="appendfsync everysec"):
            await journal.seal(SHARD)
        assert "appendfsync everysec" in caplog.text
        with pytest.raises(JournalUnavailable, match="appendfsync everysec"):
            await journal.append(SHARD, sealed.epoch, 0, [tiny(1)])
        server.ask("CONFIG", "SET", "appendfsync", "always")
        sealed = await journal.seal(SHARD)
        assert await journal.append(SHARD, sealed.epoch, 0, [tiny(1)]) == 1
        await journal.close()


async def test_a_damaged_snapshot_is_told(
    redis_server: RedisServer, raw: RedisStore, site: str
) -> None:
    """A calendar or a position that was changed is refused, not used."""
    snapshots = RedisSnapshots(redis_server.url, site)
    provider = ProviderId("prv_1")
    await snapshots.save(SHARD, 1, {provider: StoredCalendar(5, b"calendar")})
    await snapshots.advance(SHARD, 1, 5)
    assert list(await snapshots.providers(SHARD)) == [provider]
    keys = SiteKeys(site).of(SHARD)
    value = await raw.ask("HGET", keys.calendars, provider)
    await raw.ask("HSET", keys.calendars, provider, value[:-1] + b"X")
    with pytest.raises(SnapshotCorrupt, match="prv_1 has changed"):
        await snapshots.load(SHARD, [provider])
    await raw.ask("HSET", keys.shelf, "position", b"7 123")
    with pytest.raises(SnapshotCorrupt, match="position"):
        await snapshots.position(SHARD)
    await snapshots.close()


async def test_the_layout_is_made_once(redis_server: RedisServer) -> None:
    """Of two who make it one does; it is replaced only from what it was."""
    layout = RedisLayout(redis_server.url, new_site())
    assert await layout.read() is None
    made = await asyncio.gather(layout.create(b"one"), layout.create(b"two"))
    assert sorted(made) == [False, True]
    found = await layout.read()
    assert found in {b"one", b"two"}
    assert not await layout.replace(b"three", b"four")
    assert await layout.replace(found or b"", b"four")
    assert await layout.read() == b"four"
    await layout.close()
