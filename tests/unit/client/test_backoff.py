"""Clients come back at random times, within bounds that grow and are forgotten."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slotcast.client.backoff import TOLD_MAX_S, Backoff


def waits(backoff: Backoff, count: int) -> list[float]:
    return [backoff.lost(float(turn)) for turn in range(count)]


@given(seed=st.integers(0, 2**32), count=st.integers(1, 200))
def test_a_wait_is_between_the_floor_and_a_doubling_ceiling(
    seed: int, count: int
) -> None:
    """At least half a second; at most 0.5 s times two to the attempts, and 20 s."""
    for attempt, wait in enumerate(waits(Backoff(Random(seed)), count), 1):
        assert 0.5 <= wait <= min(20.0, 0.5 * 2.0 ** min(attempt, 50))


def test_nobody_comes_back_in_the_same_moment() -> None:
    """The first waits of a thousand clients are spread over the whole range."""
    first = sorted(Backoff(Random(seed)).lost(0.0) for seed in range(1_000))
    assert len(set(first)) == 1_000
    assert first[250] == pytest.approx(0.625, abs=0.05)
    assert first[750] == pytest.approx(0.875, abs=0.05)


@pytest.mark.parametrize(("held_s", "attempts"), [(59.9, 6), (60.0, 1), (600.0, 1)])
def test_a_minute_of_connection_counts_anew(held_s: float, attempts: int) -> None:
    """A connection that is lost sooner counts as one more attempt."""
    backoff = Backoff(Random(1))
    waits(backoff, 5)
    backoff.connected(100.0)
    backoff.lost(100.0 + held_s)
    assert backoff.attempts == attempts


def test_failed_tries_after_a_good_connection_still_grow() -> None:
    """The minute is that of the connection, not of the time it has been gone."""
    backoff = Backoff(Random(1))
    backoff.connected(0.0)
    for now in (100.0, 200.0, 300.0):
        backoff.lost(now)
    assert backoff.attempts == 3


@given(
    seed=st.integers(0, 2**32),
    low=st.integers(-5, 100_000),
    high=st.integers(-5, 100_000),
)
def test_a_server_that_says_when_is_believed_once(
    seed: int, low: int, high: int
) -> None:
    """Its range replaces ours for the next wait, whatever order it comes in."""
    backoff = Backoff(Random(seed))
    backoff.told((low, high))
    first, last = sorted((max(0, low), max(0, high)))
    assert first / 1000 <= backoff.lost(0.0) <= last / 1000
    assert 0.5 <= backoff.lost(1.0) <= 2.0


def test_no_server_makes_us_wait_for_ever() -> None:
    """A range of days is cut to minutes."""
    backoff = Backoff(Random(1))
    backoff.told((10**9, 10**9))
    assert backoff.lost(0.0) == TOLD_MAX_S
    assert backoff.lost(0.0, at_least_s=1e9) <= TOLD_MAX_S + 20.0


def test_a_range_is_forgotten_by_the_next_connection() -> None:
    """What a server said before we came back says nothing of the next loss."""
    backoff = Backoff(Random(1))
    backoff.told((100_000, 100_000))
    backoff.connected(0.0)
    assert backoff.lost(1.0) <= 1.0


def test_retry_after_is_waited_for_and_spread() -> None:
    """All who were turned away heard the same seconds: our own wait comes on top."""
    found = [Backoff(Random(seed)).lost(0.0, at_least_s=2.0) for seed in range(100)]
    assert min(found) >= 2.5
    assert max(found) <= 3.0
    assert len(set(found)) == 100


def test_bounds_that_cannot_be_are_refused() -> None:
    """A floor above the ceiling is a mistake of the caller."""
    with pytest.raises(ValueError, match="floor"):
        Backoff(Random(1), floor_s=2.0, ceiling_s=1.0)
