"""Newcomers pass one by one: at the rate at least, faster when there is time."""

from __future__ import annotations

from random import Random

import pytest

from gateway.live.transport.admission import A_TURN, Turnstile, Verdict


def a_turnstile(rate: float = 500.0, patience_s: float = 8.0) -> Turnstile:
    return Turnstile(rate, Random(1), patience_s)


def let_in(turnstile: Turnstile, turns_s: float, until: float) -> float:
    """When the last one went in, with a turn of the loop every ``turns_s``."""
    now = 0.0
    while turnstile.waiting and now < until:
        now += turns_s
        turnstile.let_in(now)
    return now


def test_a_few_go_in_at_once_and_the_rest_waits() -> None:
    """The burst is a tenth of a second's worth; nobody overtakes those who wait."""
    turnstile = a_turnstile()
    verdicts = [turnstile.arrive(0.0) for _ in range(60)]
    assert verdicts == [Verdict.ENTER] * 50 + [Verdict.WAIT] * 10
    assert turnstile.arrive(1.0) is Verdict.WAIT
    assert turnstile.waiting == 11


def test_who_would_wait_too_long_is_refused() -> None:
    """As many wait as go in during eight seconds at the rate, and no more."""
    turnstile = a_turnstile()
    verdicts = [turnstile.arrive(0.0) for _ in range(10_000)]
    assert verdicts.count(Verdict.WAIT) == turnstile.room == 4_000
    assert verdicts.count(Verdict.REFUSE) == 10_000 - 4_050
    assert turnstile.tally.refused == 10_000 - 4_050


def test_a_busy_process_lets_in_the_rate() -> None:
    """Turns of 80 ms, five times as long as sixteen newcomers take."""
    turnstile = a_turnstile()
    for _ in range(4_000):
        turnstile.arrive(0.0)
    took_s = let_in(turnstile, 0.08, until=60.0)
    assert 7.0 < took_s <= 8.1


def test_a_calm_process_lets_in_what_it_can() -> None:
    """Turns of 8 ms: the storm is over in a quarter of the time."""
    turnstile = a_turnstile()
    for _ in range(4_000):
        turnstile.arrive(0.0)
    assert let_in(turnstile, 0.008, until=60.0) < 2.1


@pytest.mark.parametrize("idle_s", [0.001, 1.0, 3_600.0])
def test_one_turn_is_bounded(idle_s: float) -> None:
    """However long nobody came, a turn takes no more than burst or A_TURN."""
    turnstile = a_turnstile()
    for _ in range(1_000):
        turnstile.arrive(0.0)
    assert A_TURN <= turnstile.let_in(idle_s) <= 50


def test_who_gives_up_makes_room() -> None:
    """Their place is taken by the next."""
    turnstile = a_turnstile(rate=1.0)
    verdicts = [turnstile.arrive(0.0) for _ in range(10)]
    assert verdicts[-1] is Verdict.REFUSE
    turnstile.gave_up()
    assert turnstile.arrive(0.0) is Verdict.WAIT


def test_without_a_rate_all_go_in() -> None:
    """0 lifts the cap."""
    turnstile = a_turnstile(rate=0.0)
    assert {turnstile.arrive(0.0) for _ in range(10_000)} == {Verdict.ENTER}


def test_refused_ones_are_spread() -> None:
    """Whole seconds, none of which has many more than its share."""
    turnstile = a_turnstile()
    seconds = [turnstile.come_again_s() for _ in range(8_000)]
    assert set(seconds) == set(range(1, 9))
    assert max(seconds.count(second) for second in set(seconds)) < 1_200


def test_a_clock_that_stands_still_does_no_harm() -> None:
    """Nor one that goes back."""
    turnstile = a_turnstile(rate=10.0)
    assert turnstile.arrive(5.0) is Verdict.ENTER
    assert turnstile.arrive(4.0) is Verdict.WAIT
    assert turnstile.let_in(3.0) == 1
