"""A start ends when readiness agrees, and does not wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.ports import ShardLinks, ShardStatus
from care.readmodel import ProjectionProgress
from cluster.server import readiness
from cluster.server.readiness import until_ready
from gateway.metrics.metrics import ShardAccounts
from gateway.system.health import Health
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate

A = ShardId("s0000")


class OpeningShard:
    """A shard that answers from its n-th status on; the read model answers always."""

    def __init__(self, opens_after: int) -> None:
        self.asked, self.opens_after = 0, opens_after

    def shards(self) -> Sequence[ShardId]:
        return [A]

    async def status(self, shard: ShardId) -> ShardStatus:
        self.asked += 1
        if self.asked <= self.opens_after:
            raise Unavailable
        return ShardStatus(shard, 1, 1, 0, 0, 0, 0, 0, 0, 0)

    async def offsets(self) -> Mapping[ShardId, int]:
        return {}

    async def conflicts(self) -> int:
        return 0


def _health(shard: OpeningShard) -> Health:
    world: Any = shard
    return Health(
        ShardAccounts(cast(ShardLinks, world), cast(ProjectionProgress, world))
    )


async def test_a_look_from_before_the_shards_opened_does_not_stand() -> None:
    """The control is the first look: without a new one it stays for a second."""
    health = _health(OpeningShard(opens_after=1))
    assert not (await health.readiness()).ready
    assert not (await health.readiness()).ready  # the same look
    await until_ready(health)
    assert (await health.readiness()).ready


async def test_a_shard_that_opens_later_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each try asks the shards again."""
    monkeypatch.setattr(readiness, "ASKED_EVERY_S", 0.0)
    shard = OpeningShard(opens_after=20)
    await until_ready(_health(shard))
    assert shard.asked == 21


async def test_the_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that never opens does not keep the server from starting."""
    monkeypatch.setattr(readiness, "ASKED_EVERY_S", 0.0)
    monkeypatch.setattr(readiness, "WITHIN_S", 0.01)
    health = _health(OpeningShard(opens_after=10**9))
    await until_ready(health)
    assert not (await health.readiness()).ready


async def test_tables_that_another_process_makes_are_waited_for(
    tmp_path: Path,
) -> None:
    """A server that says it is ready refuses nothing for want of its tables."""
    url = f"sqlite:///{tmp_path}/records.db"
    waiting = asyncio.create_task(
        until_ready(_health(OpeningShard(0)), [(url, RECORDS)])
    )
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done, "there are no tables yet"
    await migrate(url, RECORDS)
    await waiting


async def test_a_database_that_is_away_is_not_waited_for() -> None:
    """Bookings go on without it; the bound of the wait is a minute."""
    away = "mysql+asyncmy://user@127.0.0.1:1/none"
    async with asyncio.timeout(20):
        await until_ready(_health(OpeningShard(0)), [(away, RECORDS)])
