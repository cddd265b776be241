"""How many people there are: shapes, their steps, a clock that waits, and the scale."""

import pytest

from loadtests.load.curves import National, Plateau, Scale, Size, SlowClock, step
from loadtests.load.scenarios import SCENARIOS


def test_a_plateau_rises_in_a_line_and_stays() -> None:
    curve = Plateau(rise=0.2)
    assert [curve.share(at) for at in (0.0, 0.1, 0.2, 1.0)] == [0.0, 0.5, 1.0, 1.0]


def test_the_national_evening_is_a_wall_and_a_slow_decline() -> None:
    curve = National()
    shares = [curve.share(minute / 15) for minute in range(16)]
    peak = shares.index(max(shares))
    assert max(shares) == 1.0
    assert peak <= 3, "full within three minutes"
    assert shares[peak:] == sorted(shares[peak:], reverse=True)
    assert 0.3 < shares[-1] < 0.6


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda s: s.name)
def test_every_scenario_reaches_all_its_people(scenario: object) -> None:
    """And never more."""
    chosen = SCENARIOS[scenario.name]  # type: ignore[attr-defined]
    size = Size(chosen.users, chosen.seconds)
    most = [
        found.users
        for second in range(int(chosen.seconds))
        if (found := step(chosen.curve, size, second, have=0))
    ]
    assert max(most) == chosen.users
    assert min(most) >= 1


def test_a_step_goes_as_fast_as_the_curve() -> None:
    found = step(Plateau(rise=0.5), Size(1_000, 20), now=2.0, have=200)
    assert found is not None
    assert found.users == 300
    assert found.per_second == pytest.approx(100.0)


def test_after_the_end_there_is_no_step() -> None:
    assert step(Plateau(rise=0.5), Size(10, 20), now=20.0, have=10) is None


def test_who_is_behind_catches_up_within_a_second() -> None:
    """The last step of a rise is small by the clock, and may be most of the crowd."""
    found = step(Plateau(rise=0.5), Size(1_000, 20), now=9.99, have=400)
    assert found is not None
    assert found.per_second == pytest.approx(600.0)


def test_a_slow_start_makes_the_run_longer_not_emptier() -> None:
    """Sixty seconds without a user wanted count as one step."""
    clock = SlowClock(2.0)
    assert [clock.at(t) for t in (1.0, 2.0, 62.0, 63.0)] == [1.0, 2.0, 4.0, 5.0]


def test_a_run_waits_for_what_it_is_about() -> None:
    clock = SlowClock(2.0)
    clock.at(1.0)
    assert [clock.at(2.0, held=True), clock.at(3.0)] == [1.0, 2.0]


def test_a_clock_that_is_set_back_begins_anew() -> None:
    clock = SlowClock(2.0)
    clock.at(2.0)
    assert clock.at(0.5) == 0.5


def test_the_scale_is_said_in_figures() -> None:
    sentence = Scale(21_000, 400.0, 90.0).sentence()
    assert "21,000 visitors are 1 in 100 of 2,100,000" in sentence
    assert "10.0 times as fast" in sentence
    assert "400 bookings a minute, 2.0 % of 20,000" in sentence
    assert Scale(0, 0.0, 90.0).sentence() == "Scale: no users arrived."
