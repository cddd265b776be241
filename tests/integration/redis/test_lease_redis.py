"""The projector's lease: one works, another takes over, none takes a held lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from persistence.shared.lease import RedisLease, while_holding
from tests.fixtures.redis_server import RedisServer


@pytest.fixture
async def pair(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[RedisLease, RedisLease]]:
    site = f"lease-{request.node.name}"
    one = RedisLease(redis_server.url, site, "projector", "one", ttl_s=0.3)
    two = RedisLease(redis_server.url, site, "projector", "two", ttl_s=0.3)
    yield one, two
    await one.close()
    await two.close()


async def test_only_its_holder_renews_or_gives_back(
    pair: tuple[RedisLease, RedisLease],
) -> None:
    """A held lease is the holder's until it lapses or is given back by the holder."""
    one, two = pair
    assert await one.take()
    assert not await two.take()
    await two.give_back()
    assert not await two.take()
    assert await one.take()
    await one.give_back()
    assert await two.take()


async def test_a_silent_holder_is_followed_by_another(
    pair: tuple[RedisLease, RedisLease],
) -> None:
    """A lease that is not renewed lapses; the former holder has to stand by."""
    one, two = pair
    assert await one.take()
    taken = False
    async with asyncio.timeout(60):
        while not taken:
            taken = await two.take()
    assert not await one.take()


async def test_work_ends_when_the_lease_is_lost_and_goes_to_one_only(
    pair: tuple[RedisLease, RedisLease],
) -> None:
    """Two stand ready, one works; when it stops the other begins."""
    working: list[str] = []
    changed = asyncio.Condition()
    stops = {"one": asyncio.Event(), "two": asyncio.Event()}

    async def stand(lease: RedisLease, name: str) -> None:
        async def work(halt: asyncio.Event) -> None:
            async with changed:
                working.append(name)
                changed.notify_all()
            await halt.wait()
            working.remove(name)

        await while_holding(lease, work, stops[name], renew_s=0.05)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(stand(pair[0], "one"))
        tasks.create_task(stand(pair[1], "two"))
        async with changed:
            await changed.wait_for(lambda: working)
        (first,) = working
        stops[first].set()
        async with changed:
            await changed.wait_for(lambda: working and working != [first])
        (second,) = working
        assert second != first
        stops[second].set()
    assert working == []
