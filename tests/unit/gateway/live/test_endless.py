"""The live side goes on, whatever fails in it; shards that sleep are not deaf."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from actors.domain.ids import ShardId
from actors.domain.messages.changes import FeedBatch
from actors.errors import ShardAsleep
from gateway.transport import endless
from tests.fakes.api import slot
from tests.fakes.live_api import LiveApi, open_live_api

WEEK = "slots/prv_1/consult/2026-W33"


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.005)


async def test_work_that_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is cancelled."""
    monkeypatch.setattr(endless, "AGAIN_S", 0.0)
    rounds = 0
    third = asyncio.Event()

    async def fails() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            third.set()
            await asyncio.Event().wait()
        raise RuntimeError("a defect")

    going = asyncio.ensure_future(endless.kept_going("work", fails))
    async with asyncio.timeout(60):
        await third.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert going.cancelled()
    assert rounds == 3


async def _hears_of_a_booking(api: LiveApi) -> bool:
    async with api.client() as client:
        await client.send("subscribe", topics=[WEEK])
        await client.until("snapshot")
        answer = await api.api.client.post(
            "/v1/bookings", json=slot(), headers=api.api.patient()
        )
        assert answer.status_code == 201
        return bool((await client.until("delta"))["slots"])


def _once(function: Any) -> Any:
    """The function, whose first call fails."""
    faults = iter([RuntimeError("a defect")])

    def failing(*arguments: Any) -> Any:
        for fault in faults:
            raise fault
        return function(*arguments)

    return failing


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("hub", "loaded"),
        ("hub", "begin_read"),
        ("hub", "take_wanted"),
        ("hub", "on_feed"),
        ("hub", "tick"),
        ("delivery", "release"),
    ],
)
async def test_a_defect_in_one_round_ends_nobodys_service(
    part: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read, the batch or the second is done again, and the topic is current."""
    monkeypatch.setattr(endless, "AGAIN_S", 0.0)
    async with open_live_api() as api:
        hub = api.live.hub
        broken = hub if part == "hub" else hub.delivery
        monkeypatch.setattr(broken, name, _once(getattr(broken, name)))
        assert await _hears_of_a_booking(api)
        assert not api.live.health()


async def test_a_shard_that_sleeps_is_not_followed_and_not_deaf(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its feed ends, nothing of it is kept, and it is followed once it is active."""
    async with open_live_api() as api:
        live, links = api.live, api.api.links
        shards, poll = list(links.shards()), links.poll
        await until(lambda: set(live._feeds) == set(shards))
        asleep = {shards[0]}

        async def sleepy(
            shard: ShardId, epoch: int, number: int, wait_ms: int
        ) -> FeedBatch:
            if shard in asleep:
                raise ShardAsleep
            return await poll(shard, epoch, number, min(wait_ms, 20))

        monkeypatch.setattr(links, "poll", sleepy)
        monkeypatch.setattr(
            links, "shards", lambda: [s for s in shards if s not in asleep]
        )
        for shard in shards:  # the polls that wait
            links.mailbox(shard)._tell_news()
        await until(lambda: shards[0] not in live._feeds)
        assert shards[0] not in live.hub.index.shards
        assert not live.health()
        asleep.clear()
        live._keep_feeds()
        await until(lambda: shards[0] in live.hub.seqs())
        assert set(live._feeds) == set(shards)
