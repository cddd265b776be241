"""What every journal promises: run on the memory twin, files and a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import Millis, ShardId
from actors.errors import Fenced, JournalCorrupt, JournalFull
from actors.ports import Journal
from persistence.journal.files.journal import FileJournal
from persistence.journal.files.wal import Limits
from persistence.journal.memory import MemoryJournal
from persistence.journal.redis.journal import RedisJournal
from tests.fixtures.events import booked, one_of_each, tiny
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.redis_sites import used_memory, with_layout

SHARD = ShardId("s0000")
OTHER = ShardId("prv_0001")
SMALL = Limits(segment_bytes=2048, grow_bytes=1024)


@pytest.fixture(params=["memory", "file", "redis"])
async def journal(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Journal]:
    made: Journal
    if request.param == "memory":
        made = MemoryJournal()
    elif request.param == "file":
        made = FileJournal(tmp_path / "journal", limits=SMALL, keep_free_bytes=0)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        made = RedisJournal(server.url, await with_layout(server))
    yield made
    await made.close()


async def _filled(journal: Journal, count: int) -> int:
    sealed = await journal.seal(SHARD)
    seq = sealed.last_seq
    for number in range(seq + 1, seq + count + 1):
        seq = await journal.append(SHARD, sealed.epoch, seq, [booked(number)])
    return sealed.epoch


async def test_a_new_journal_is_empty(journal: Journal) -> None:
    """Before anything was written there is no shard, no record and no end."""
    assert list(await journal.shards()) == []
    assert await journal.last_seq(SHARD) == 0
    assert list(await journal.read(SHARD, 0, 10)) == []


async def test_seal_counts_epochs(journal: Journal) -> None:
    """Each seal is a new epoch, and says where the journal ends."""
    first = await journal.seal(SHARD)
    assert (first.epoch, first.last_seq) == (1, 0)
    await journal.append(SHARD, 1, 0, [tiny(1), tiny(2)])
    second = await journal.seal(SHARD)
    assert (second.epoch, second.last_seq) == (2, 2)


async def test_what_was_appended_is_read(journal: Journal) -> None:
    """Every event type comes back equal, in order, with its seq and epoch."""
    events = list(one_of_each().values())
    await journal.seal(SHARD)
    assert await journal.append(SHARD, 1, 0, events) == len(events)
    await journal.seal(SHARD)
    assert await journal.append(SHARD, 2, len(events), [tiny(1)]) == len(events) + 1
    records = await journal.read(SHARD, 0, 1000)
    assert [record.event for record in records] == [*events, tiny(1)]
    assert [record.seq for record in records] == list(range(1, len(events) + 2))
    assert [record.epoch for record in records] == [1] * len(events) + [2]


async def test_read_after_and_limit(journal: Journal) -> None:
    """Any window of the records can be read, batches and segments notwithstanding."""
    await journal.seal(SHARD)
    seq = 0
    for size in (1, 5, 2, 9, 30, 1):
        batch = [tiny(seq + number) for number in range(1, size + 1)]
        seq = await journal.append(SHARD, 1, seq, batch)
    for after in range(seq + 2):
        for limit in (0, 1, 2, 7, 100):
            seqs = [record.seq for record in await journal.read(SHARD, after, limit)]
            assert seqs == list(range(after + 1, min(after + limit, seq) + 1))


async def test_an_older_epoch_is_fenced(journal: Journal) -> None:
    """After a seal an older epoch can neither append nor pass the ownership check."""
    await _filled(journal, 1)
    await journal.check(SHARD, 1)
    await journal.seal(SHARD)
    with pytest.raises(Fenced):
        await journal.append(SHARD, 1, 1, [tiny(2)])
    with pytest.raises(Fenced):
        await journal.check(SHARD, 1)
    await journal.check(SHARD, 2)
    assert await journal.last_seq(SHARD) == 1


@pytest.mark.parametrize("epoch", [0, 1, 2])
async def test_nobody_writes_without_a_seal(journal: Journal, epoch: int) -> None:
    """An epoch that was never sealed owns nothing."""
    with pytest.raises(Fenced):
        await journal.append(SHARD, epoch, 0, [tiny(1)])
    with pytest.raises(Fenced):
        await journal.check(SHARD, epoch)


@pytest.mark.parametrize("expected", [0, 1, 3, 4])
async def test_the_expected_seq_must_be_the_end(
    journal: Journal, expected: int
) -> None:
    """An append that does not continue the journal is refused and leaves no trace."""
    await _filled(journal, 2)
    with pytest.raises(Fenced):
        await journal.append(SHARD, 1, expected, [tiny(9)])
    assert await journal.append(SHARD, 1, 2, [tiny(3)]) == 3


async def test_an_empty_append_is_a_check(journal: Journal) -> None:
    """Nothing to write is durable at once, for the owner only."""
    await _filled(journal, 2)
    assert await journal.append(SHARD, 1, 2, []) == 2
    await journal.seal(SHARD)
    with pytest.raises(Fenced):
        await journal.append(SHARD, 1, 2, [])


async def test_trim_forgets_the_past_only(journal: Journal) -> None:
    """Trimmed records are refused loudly; all later ones and the fence stay."""
    epoch = await _filled(journal, 100)
    await journal.trim(SHARD, 60)
    assert [r.seq for r in await journal.read(SHARD, 60, 100)] == list(range(61, 101))
    with pytest.raises(JournalCorrupt, match="trimmed"):
        await journal.read(SHARD, 0, 10)
    await journal.trim(SHARD, 1000)
    assert await journal.last_seq(SHARD) == 100
    assert await journal.append(SHARD, epoch, 100, [tiny(101)]) == 101
    assert (await journal.seal(SHARD)).last_seq == 101


async def test_shards_are_apart(journal: Journal) -> None:
    """Each shard has its own seqs and epochs."""
    await _filled(journal, 3)
    await journal.seal(OTHER)
    await journal.seal(OTHER)
    assert await journal.append(OTHER, 2, 0, [tiny(1)]) == 1
    assert await journal.last_seq(SHARD) == 3
    assert sorted(await journal.shards()) == sorted([SHARD, OTHER])


@pytest.mark.parametrize("kind", ["memory", "file", "redis"])
async def test_a_budget_fills_up(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    """Pressure rises to 1, then appends are refused, and nothing was written."""
    budget = 40_000
    journal: Journal
    if kind == "memory":
        journal = MemoryJournal(budget_bytes=budget)
    elif kind == "file":
        journal = FileJournal(
            tmp_path, limits=SMALL, budget_bytes=budget, keep_free_bytes=0
        )
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        site = await with_layout(server)
        budget += await used_memory(server)
        journal = RedisJournal(server.url, site, budget_bytes=budget)
    with pytest.raises(JournalFull, match="budget"):
        await _filled(journal, 1000)
    seq = await journal.last_seq(SHARD)
    assert 50 < seq < 500
    assert await journal.append(SHARD, 1, seq, []) == seq
    await journal.close()


async def test_trim_keeps_what_is_too_young(journal: Journal) -> None:
    """Records decided at or after ``before`` stay, however far snapshots have come."""
    await _filled(journal, 200)
    records = await journal.read(SHARD, 0, 1)
    await journal.trim(SHARD, 150, Millis(records[0].event.at))
    assert (await journal.read(SHARD, 0, 1))[0].seq == 1
    await journal.trim(SHARD, 150, Millis(2**60))
    with pytest.raises(JournalCorrupt, match="trimmed"):
        await journal.read(SHARD, 0, 1)
