"""Changes name slots only of calendars that gateways show, and nothing is missed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.messages.changes import CalendarChange
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from gateway.config import LiveSettings
from gateway.live.topics.hub import FORGET_MS
from tests.properties.followed_world import FollowedWorld, run_followed
from tests.unit.actors import practice as p


class _SilentShard(Shard):
    """Takes a calendar that is not known to be followed for one without watchers."""

    def _changes(self, batch: Any, seq: int) -> list[CalendarChange]:
        changes = super()._changes(batch, seq)
        return [replace(change, reread=False) for change in changes]


@pytest.mark.parametrize("block", range(4))
def test_watchers_converge_whatever_the_shard_believes(block: int) -> None:
    """After crashes, reconnects and minutes without verification all clients agree."""
    for seed in range(block * 25, block * 25 + 25):
        try:
            run_followed(seed, steps=200)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


def test_the_worlds_have_both_kinds_of_changes() -> None:
    """The property is not empty: slots of topics were named, and were not."""
    worlds = [run_followed(seed, steps=200) for seed in range(20)]
    assert sum(world.named for world in worlds) > 100
    assert sum(world.unnamed for world in worlds) > 20


def test_a_change_that_asks_for_no_read_is_noticed() -> None:
    """Control: where such a change does not ask for a read, some client differs."""
    with pytest.raises(AssertionError, match="differs"):
        _run_silent(25)


def _run_silent(seeds: int) -> None:
    for seed in range(seeds):
        run_followed(seed, steps=200, kind=_SilentShard)


def test_slots_are_worked_out_for_calendars_that_are_shown() -> None:
    """A booking names its slot once a gateway has read the week, and not before."""
    world = FollowedWorld(1)
    world.ask(p.book("a"))
    world.ask(p.slots(), p.book("b", 1))
    world.view(world.watched_week(p.ANA))
    world.ask(p.book("c", 2))
    feed = world.shard.feed
    changes = feed.since(feed.epoch, feed.number - 3, 10_000).changes
    assert [change.reread for change in changes] == [True, True, False]
    assert [len(change.slots) for change in changes] == [0, 0, 1]
    assert [len(change.bookings) for change in changes] == [1, 1, 1]


def test_an_unwatched_topic_can_be_resumed_for_as_long_as_it_is_kept() -> None:
    """The shard remembers longer than a gateway keeps a topic after verifying it."""
    verify_ms = 1.2 * 1000 * LiveSettings().verify_s
    assert ShardLimits().watched_ms > FORGET_MS + verify_ms
