"""The read model's lag, in events and seconds, also while it is away."""

from __future__ import annotations

from actors.domain.ids import ShardId
from gateway.metrics.projection_lag import SAMPLES_MAX, ProjectionLag

A, B = ShardId("s0000"), ShardId("s0001")


def test_nothing_is_said_before_anything_is_known() -> None:
    """A gateway that never reached the read model claims no number."""
    lag = ProjectionLag()
    lag.note(5.0, {A: 10}, None)
    lag.note(7.5, {A: 12}, None)
    assert (lag.events(), lag.seconds(), lag.away_s) == ({}, {}, 2.5)


def test_it_grows_while_the_read_model_is_away_and_shrinks_after() -> None:
    """Events since the last known offset, and for how long the oldest has waited."""
    lag = ProjectionLag()
    lag.note(0.0, {A: 10, B: 4}, {A: 10, B: 4})
    assert (lag.events(), lag.seconds(), lag.away_s) == (
        {A: 0, B: 0},
        {A: 0, B: 0},
        None,
    )
    lag.note(10.0, {A: 30, B: 4}, None)
    lag.note(40.0, {A: 90, B: 5}, None)
    assert lag.events() == {A: 80, B: 1}
    assert lag.seconds() == {A: 30.0, B: 0.0}
    assert lag.away_s == 30.0, "since it was first asked in vain"
    lag.note(41.0, {A: 91, B: 5}, {A: 40, B: 4})
    assert lag.events() == {A: 51, B: 1}
    assert lag.seconds() == {A: 1.0, B: 1.0}  # A's first thirty are shown
    lag.note(42.0, {A: 91, B: 5}, {A: 91, B: 5})
    assert lag.seconds() == {A: 0, B: 0}
    answers = lag.away_s is None
    assert answers


def test_a_steady_stream_is_not_taken_for_a_growing_lag() -> None:
    """A projection that is a little behind all the time is a little behind."""
    lag = ProjectionLag()
    for second in range(100):
        lag.note(float(second), {A: 10 * second}, {A: 10 * second - 10})
    assert lag.seconds()[A] == 0.0
    assert lag.events()[A] == 10


def test_a_read_model_that_went_back_is_further_behind() -> None:
    """After a restored backup the lag is what must be projected again."""
    lag = ProjectionLag()
    lag.note(0.0, {A: 10}, {A: 10})
    lag.note(1.0, {A: 10}, {A: 3})
    assert lag.events() == {A: 7}


def test_memory_is_bounded_and_the_oldest_is_kept() -> None:
    """Days without SQL cost no more memory than an hour, and the lag stays right."""
    lag = ProjectionLag()
    lag.note(0.0, {A: 0}, {A: 0})
    for second in range(1, 5_000):
        lag.note(float(second), {A: second}, None)
    assert len(lag._ends[A]) <= SAMPLES_MAX
    assert lag.seconds()[A] == 4_998.0
    assert lag.events() == {A: 4_999}
