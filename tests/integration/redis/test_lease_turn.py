"""Turns by a lease: one at a time, given back, and lost by who dies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from actors.errors import Unavailable
from cluster.keeping.lease_turn import LeaseTurn
from persistence.shared.lease import RedisLease

if TYPE_CHECKING:
    from tests.fixtures.redis_server import RedisServer


async def test_one_moves_shards_at_a_time(redis_server: RedisServer) -> None:
    """Who comes second waits, and has its turn when the first is done."""
    turn = LeaseTurn(redis_server.url, "turns")
    done = asyncio.Event()

    async def second() -> None:
        async with turn.mine(10):
            assert done.is_set()

    async with turn.mine(0):
        with pytest.raises(Unavailable):
            async with turn.mine(0):
                pass
        waiting = asyncio.ensure_future(second())
        await asyncio.sleep(0)
        done.set()
    await waiting


async def test_turn_of_the_dead_comes_back(redis_server: RedisServer) -> None:
    """A lease that is not renewed runs out."""
    dead = RedisLease(redis_server.url, "ended", "moving", "x", ttl_s=0.5)
    assert await dead.take()
    await dead.close()
    async with LeaseTurn(redis_server.url, "ended").mine(5):
        pass
