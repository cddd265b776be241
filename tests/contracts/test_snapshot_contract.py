"""What every snapshot store promises: on the memory twin, files and a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import ProviderId, ShardId
from actors.errors import Fenced
from actors.ports import SnapshotStore, StoredCalendar
from persistence.snapshots.files import FileSnapshots
from persistence.snapshots.memory import MemorySnapshots
from persistence.snapshots.redis import RedisSnapshots
from tests.fixtures.redis_sites import new_site

SHARD = ShardId("s0000")


def _provider(number: int) -> ProviderId:
    return ProviderId(f"prv_{number}")


@pytest.fixture(params=["memory", "file", "redis"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SnapshotStore]:
    made: SnapshotStore
    if request.param == "memory":
        made = MemorySnapshots()
    elif request.param == "file":
        made = FileSnapshots(tmp_path)
    else:
        server = request.getfixturevalue("redis_server")
        made = RedisSnapshots(server.url, new_site())
    yield made
    await made.close()


async def test_nothing_is_stored_at_first(store: SnapshotStore) -> None:
    """An unknown shard is at position 0 and has no calendars."""
    assert await store.position(SHARD) == 0
    assert await store.load(SHARD, [_provider(1)]) == {}


async def test_what_was_saved_is_loaded(store: SnapshotStore) -> None:
    """Calendars come back byte by byte; those never stored are missing."""
    saved = {_provider(n): StoredCalendar(n, bytes([n % 256]) * n) for n in range(1200)}
    await store.save(SHARD, 1, saved)
    assert await store.load(SHARD, [*saved, _provider(5000)]) == saved
    await store.save(SHARD, 1, {_provider(3): StoredCalendar(9, b"new")})
    assert await store.load(SHARD, [_provider(3)]) == {
        _provider(3): StoredCalendar(9, b"new")
    }


async def test_the_position_moves_forward(store: SnapshotStore) -> None:
    """The position is the highest that was set."""
    await store.advance(SHARD, 1, 10)
    await store.advance(SHARD, 1, 7)
    assert await store.position(SHARD) == 10
    await store.advance(SHARD, 2, 12)
    assert await store.position(SHARD) == 12
    assert await store.position(ShardId("s0001")) == 0


async def test_an_older_epoch_is_fenced(store: SnapshotStore) -> None:
    """Once a newer epoch has stored something, an older one can change nothing."""
    await store.save(SHARD, 2, {_provider(1): StoredCalendar(5, b"mine")})
    with pytest.raises(Fenced):
        await store.save(SHARD, 1, {_provider(1): StoredCalendar(4, b"old")})
    with pytest.raises(Fenced):
        await store.advance(SHARD, 1, 99)
    assert await store.position(SHARD) == 0
    stored = await store.load(SHARD, [_provider(1)])
    assert stored[_provider(1)].blob == b"mine"


async def test_a_calendar_may_be_ahead_of_the_position(store: SnapshotStore) -> None:
    """Saving does not move the position."""
    await store.save(SHARD, 1, {_provider(1): StoredCalendar(50, b"x")})
    assert await store.position(SHARD) == 0
