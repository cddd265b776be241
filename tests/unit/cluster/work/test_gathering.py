"""Calls that arrive together become one; each caller gets what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from actors.errors import Unavailable
from cluster.work.gathering import Gathered


async def test_calls_that_arrive_together_are_one() -> None:
    """Those that come while it is under way are the next one."""
    batches: list[list[int]] = []

    async def double(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        await asyncio.sleep(0)
        return [2 * one for one in items]

    gathered = Gathered(double)
    first = await asyncio.gather(*(gathered(one) for one in range(5)))
    assert first == [0, 2, 4, 6, 8]
    assert batches == [[0, 1, 2, 3, 4]]


async def test_an_item_that_breaks_breaks_itself_alone() -> None:
    """The others of its batch are done one by one."""

    async def check(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return list(items)

    gathered = Gathered(check)
    found = await asyncio.gather(
        *(gathered(one) for one in range(5)), return_exceptions=True
    )
    assert [one for one in found if isinstance(one, int)] == [0, 1, 2, 4]
    assert isinstance(found[3], ValueError)


async def test_a_store_that_is_away_is_asked_once() -> None:
    """All callers hear of it, and nothing is repeated one by one."""
    calls = 0

    async def away(_items: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise Unavailable("away")

    gathered = Gathered(away)
    found = await asyncio.gather(
        *(gathered(one) for one in range(5)), return_exceptions=True
    )
    assert all(isinstance(one, Unavailable) for one in found)
    assert calls == 1


async def test_a_leader_that_is_cancelled_lets_its_followers_go() -> None:
    """They fail, and are tried again, instead of waiting for ever."""

    async def endless(_items: Sequence[int]) -> list[int]:
        await asyncio.Event().wait()
        return []

    gathered = Gathered(endless)
    leader = asyncio.ensure_future(gathered(1))
    follower = asyncio.ensure_future(gathered(2))
    for _ in range(5):
        await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(Unavailable):
        await follower
    with pytest.raises(asyncio.CancelledError):
        await leader
