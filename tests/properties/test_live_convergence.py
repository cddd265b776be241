"""Snapshot plus deltas equals a fresh snapshot, whatever happens on the way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.live.feeds.warm_start import WarmStart
from persistence.shared.memory import MemoryPages
from tests.fakes.clocks import SteppedClock
from tests.properties.live_world import LiveWorld, run_world


@pytest.mark.parametrize("block", range(8))
def test_every_watcher_converges(block: int) -> None:
    """After lost, late and doubled polls, resets, restarts and stalls, all agree."""
    for seed in range(block * 50, block * 50 + 50):
        try:
            run_world(seed, steps=250)
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


def test_the_worlds_see_everything_that_can_go_wrong() -> None:
    """The property is not empty: every way to be brought up to date was used."""
    seen = {"ring": 0, "snapshot": 0, "none": 0}
    conflations = healed = resets = 0
    for seed in range(40):
        tally = run_world(seed, steps=250).hub.tally
        for how in seen:
            seen[how] += tally.resumes[how]
        conflations += tally.conflations
        healed += tally.gaps_healed
        resets += tally.feed_resets
    assert min(*seen.values(), conflations, healed, resets) > 0


def test_pages_for_other_gateways_are_what_their_position_says() -> None:
    """Whatever is held back, read or suspected when they are taken."""
    looked = held = 0
    for seed in range(40):
        world = LiveWorld(seed)
        ports: Any = SimpleNamespace(clock=SteppedClock(world.now))
        warm_start = WarmStart(ports, MemoryPages(), world.hub)
        pages: dict[tuple[object, ...], dict[int, str]] = {}
        for _ in range(250):
            world.step()
            for shard in world.shards.values():
                for provider, calendar in shard.calendars.items():
                    at = provider, shard.epoch, calendar.version
                    pages[at] = dict(calendar.slots)
            for board in world.hub.index.boards.values():
                held += bool(board.pending)
                stands = warm_start._stands(board)
                if stands is not None:
                    looked += 1
                    name = board.name.provider_id, stands.epoch, stands.version
                    assert board.rows == pages[name], f"seed {seed}: {name}"
    assert min(looked, held) > 0
