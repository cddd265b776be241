"""A gateway watches the read model without being asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.ports import ShardLinks, ShardStatus
from care.readmodel import ProjectionProgress
from gateway.metrics import metrics
from gateway.metrics.metrics import ShardAccounts

A = ShardId("s0000")


class World:
    """One shard that works on, and a read model that may be away."""

    def __init__(self) -> None:
        self.end = 10
        self.away = False
        self.looked = asyncio.Event()

    def shards(self) -> Sequence[ShardId]:
        return [A]

    async def status(self, shard: ShardId) -> ShardStatus:
        return ShardStatus(shard, 1, 1, self.end, 0, 0, 0, 0, 0, 0)

    async def offsets(self) -> Mapping[ShardId, int]:
        self.looked.set()
        if self.away:
            raise Unavailable
        return {A: 10}

    async def conflicts(self) -> int:
        return 0


async def test_the_lag_is_known_when_the_read_model_goes_away_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lag is shown although metrics and readiness were never read before."""
    monkeypatch.setattr(metrics, "FOLLOW_S", 0.01)
    monkeypatch.setattr(metrics, "_FRESH_S", 0.0)
    world: Any = World()
    accounts = ShardAccounts(cast(ShardLinks, world), cast(ProjectionProgress, world))
    following = asyncio.ensure_future(accounts.follow())
    async with asyncio.timeout(60):
        await world.looked.wait()
        world.away, world.end = True, 25
        while accounts.lag.events() != {A: 15}:
            world.looked.clear()
            await world.looked.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert accounts.lag.away_s is not None
