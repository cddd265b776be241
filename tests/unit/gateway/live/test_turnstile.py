"""New connections are admitted one by one: at the rate, or faster when idle."""

from __future__ import annotations

from random import Random

import pytest

from gateway.live.transport.admission import A_TURN, Admission, Admit


def a_turnstile(rate: float = 500.0, patience_s: float = 8.0) -> Admission:
    return Admission(rate, Random(1), patience_s)


def let_in(admission: Admission, turns_s: float, until: float) -> float:
    """When the last one went in, with a turn of the loop every ``turns_s``."""
    now = 0.0
    while admission.waiting and now < until:
        now += turns_s
        admission.let_in(now)
    return now


def test_a_few_go_in_at_once_and_the_rest_waits() -> None:
    """The burst is a tenth of a second's worth; waiting connections go first."""
    admission = a_turnstile()
    verdicts = [admission.arrive(0.0) for _ in range(60)]
    assert verdicts == [Admit.ENTER] * 50 + [Admit.WAIT] * 10
    assert admission.arrive(1.0) is Admit.WAIT
    assert admission.waiting == 11


def test_who_would_wait_too_long_is_refused() -> None:
    """As many wait as go in during eight seconds at the rate, and no more."""
    admission = a_turnstile()
    verdicts = [admission.arrive(0.0) for _ in range(10_000)]
    assert verdicts.count(Admit.WAIT) == admission.room == 4_000
    assert verdicts.count(Admit.REFUSE) == 10_000 - 4_050
    assert admission.tally.refused == 10_000 - 4_050


def test_a_busy_process_lets_in_the_rate() -> None:
    """Turns of 80 ms, five times as long as sixteen connections take."""
    admission = a_turnstile()
    for _ in range(4_000):
        admission.arrive(0.0)
    took_s = let_in(admission, 0.08, until=60.0)
    assert 7.0 < took_s <= 8.1


def test_a_calm_process_lets_in_what_it_can() -> None:
    """Turns of 8 ms: the storm is over in a quarter of the time."""
    admission = a_turnstile()
    for _ in range(4_000):
        admission.arrive(0.0)
    assert let_in(admission, 0.008, until=60.0) < 2.1


@pytest.mark.parametrize("idle_s", [0.001, 1.0, 3_600.0])
def test_one_turn_is_bounded(idle_s: float) -> None:
    """After any pause, a turn admits no more than the burst or A_TURN."""
    admission = a_turnstile()
    for _ in range(1_000):
        admission.arrive(0.0)
    assert A_TURN <= admission.let_in(idle_s) <= 50


def test_who_gives_up_makes_room() -> None:
    """Their place is taken by the next."""
    admission = a_turnstile(rate=1.0)
    verdicts = [admission.arrive(0.0) for _ in range(10)]
    assert verdicts[-1] is Admit.REFUSE
    admission.gave_up()
    assert admission.arrive(0.0) is Admit.WAIT


def test_without_a_rate_all_go_in() -> None:
    """0 lifts the cap."""
    admission = a_turnstile(rate=0.0)
    assert {admission.arrive(0.0) for _ in range(10_000)} == {Admit.ENTER}


def test_refused_ones_are_spread() -> None:
    """Whole seconds, none of which has many more than its share."""
    admission = a_turnstile()
    seconds = [admission.come_again_s() for _ in range(8_000)]
    assert set(seconds) == set(range(1, 9))
    assert max(seconds.count(second) for second in set(seconds)) < 1_200


def test_a_clock_that_stands_still_does_no_harm() -> None:
    """Nor one that goes back."""
    admission = a_turnstile(rate=10.0)
    assert admission.arrive(5.0) is Admit.ENTER
    assert admission.arrive(4.0) is Admit.WAIT
    assert admission.let_in(3.0) == 1
