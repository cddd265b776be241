"""The long poll of one shard."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from msgspec import ValidationError

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.changes import FeedBatch
from actors.errors import ShardAsleep, Unavailable
from gateway.config import LiveSettings
from gateway.live.feeds.feed import ShardFeed, backoff_s
from gateway.live.topics.hub import FORGET_MS, Hub
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import (
    NOW,
    SHARD,
    WEEK,
    a_change,
    a_hub,
    a_view,
    read,
    watch,
)


class _Link:
    """A shard that says what the test tells it to, then stays silent."""

    def __init__(self, *replies: FeedBatch | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[int, int, int]] = []
        self.silent = asyncio.Event()

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        assert shard == SHARD
        self.asked.append((epoch, number, wait_ms))
        if not self.replies:
            self.silent.set()
            await asyncio.Event().wait()
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


async def _run(link: _Link, hub: Hub) -> ShardFeed:
    feed = ShardFeed(SHARD, link, hub, SteppedClock(NOW), LiveSettings(), Random(1))
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(feed.run())
        await link.silent.wait()
        task.cancel()
    return feed


async def test_the_cursor_moves_with_what_was_believed() -> None:
    """Each poll goes on where the last reply ended; a failed one is repeated."""
    hub = a_hub()
    link = _Link(
        FeedBatch(1, 0, 0, reset=True),
        FeedBatch(1, 1, 1, [a_change(6, "h")], more=True),
        Unavailable("down"),
        FeedBatch(1, 2, 2, [a_change(7, "b")]),
    )
    watch(hub)
    read(hub, a_view(5))
    await _run(link, hub)
    assert [asked[:2] for asked in link.asked] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (1, 1),
        (1, 2),
    ]
    assert hub.seqs() == {SHARD: 2}


async def test_waits_are_random_around_ten_seconds() -> None:
    """Polls of many gateways do not march in step."""
    link = _Link(*(FeedBatch(1, n, n, [a_change(n, "h")]) for n in range(1, 30)))
    hub = a_hub()
    watch(hub)
    await _run(link, hub)
    waits = {wait for _, _, wait in link.asked}
    assert len(waits) > 20
    assert all(7_000 <= wait <= 13_000 for wait in waits)


async def test_a_replaced_owner_is_not_heard() -> None:
    """Its replies count as failures: the feed is deaf, and says so."""
    link = _Link(FeedBatch(2, 0, 0, reset=True), FeedBatch(1, 9, 9, reset=True))
    hub = a_hub()
    feed = await _run(link, hub)
    assert hub.cursor(SHARD).epoch == 2
    assert feed.silent_s() > 0


@pytest.mark.parametrize("failures", [1, 3, 50])
def test_backoff_is_bounded(failures: int) -> None:
    """Pauses grow, are random, and never longer than five seconds."""
    random = Random(2)
    pauses = [backoff_s(failures, random) for _ in range(50)]
    assert len(set(pauses)) > 10
    assert 0.05 <= min(pauses) <= max(pauses) <= 5.0


async def _until_it_ends(link: _Link, hub: Hub) -> None:
    feed = ShardFeed(SHARD, link, hub, SteppedClock(NOW), LiveSettings(), Random(1))
    async with asyncio.timeout(60):
        await feed.run()


async def test_the_feed_of_a_shard_that_went_to_sleep_ends() -> None:
    """Nothing happens there, so nothing is missed, and health is good."""
    link = _Link(FeedBatch(1, 0, 0, reset=True), ShardAsleep())
    await _until_it_ends(link, a_hub())
    assert len(link.asked) == 2


async def test_a_watched_shard_that_sleeps_is_asked_on() -> None:
    """A watched shard that wakes is followed; one that cannot wake is unhealthy."""
    hub = a_hub()
    watcher, _ = watch(hub)
    link = _Link(ShardAsleep(), ShardAsleep(), FeedBatch(1, 1, 1), ShardAsleep())
    feeding = asyncio.ensure_future(_until_it_ends(link, hub))
    async with asyncio.timeout(60):
        while hub.seqs() != {SHARD: 1}:  # noqa: ASYNC110 - a condition
            await asyncio.sleep(0.005)
    hub.unsubscribe(watcher, WEEK.wire, NOW)
    hub.tick(Millis(NOW + FORGET_MS))
    await feeding
    assert not link.replies


async def test_a_reply_that_cannot_be_read_is_skipped_and_made_good() -> None:
    """The feed goes on behind it, and what it may have told of is read again."""
    hub = a_hub()
    _, writer = watch(hub)
    link = _Link(
        FeedBatch(1, 0, 0, reset=True),
        FeedBatch(1, 1, 1, [a_change(6, "h")]),
        ValidationError("a change of an unknown kind"),
        FeedBatch(1, 3, 3, reset=True),
    )
    read(hub, a_view(5))
    await _run(link, hub)
    assert [asked[:2] for asked in link.asked] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (0, 0),
        (1, 3),
    ]
    read(hub, a_view(8, "bb"))
    assert writer.page[-1]["version"] == 8


async def test_a_change_that_the_hub_cannot_take_is_made_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A defect of ours in one change: the feed goes on, and topics are read again."""
    hub = a_hub()
    watch(hub)
    link = _Link(
        FeedBatch(1, 0, 0, reset=True),
        FeedBatch(1, 1, 1, [a_change(6, "h")]),
        FeedBatch(1, 1, 1, reset=True),
    )

    def fails(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(hub, "_changes", fails)
    await _run(link, hub)
    assert [asked[:2] for asked in link.asked][2:] == [(0, 0), (1, 1)]
    assert hub.tally.feed_resets == 2


async def test_an_unwatched_shard_is_left_alone_until_its_first_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its changes gather; its first topic wakes the feed, one of another does not."""
    monkeypatch.setattr("gateway.live.feeds.feed._UNWATCHED_S", 3600)
    hub = a_hub()
    link = _Link(FeedBatch(1, 0, 0, reset=True))
    feed = ShardFeed(SHARD, link, hub, SteppedClock(NOW), LiveSettings(), Random(1))
    following = asyncio.ensure_future(feed.run())

    async def turn(times: int = 20) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    await turn()
    feed.look()
    await turn()
    assert len(link.asked) == 1
    watch(hub)
    await turn()
    assert len(link.asked) == 1
    feed.look()
    async with asyncio.timeout(60):
        await link.silent.wait()
    following.cancel()
