"""Snapshot plus deltas equals a fresh snapshot, whatever happens on the way."""

from __future__ import annotations

import pytest

from tests.properties.live_world import run_world


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
