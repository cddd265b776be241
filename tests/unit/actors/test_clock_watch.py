"""A shard's time follows the machine's clock, but not wherever it goes."""

from __future__ import annotations

import pytest

from actors.domain.ids import Millis
from actors.shard.clock_watch import CONFIRM_MS, STEP_MS, ClockReading, ClockWatch

START = 1_800_000_000_000
DAY = 86_400_000


class Machine:
    """A clock that a test sets, and steady time; ``floor`` is the journal's."""

    def __init__(self, floor: int = 0) -> None:
        self.watch = ClockWatch()
        self.steady = 5_000
        self.error = 0
        self.floor = floor
        self.see()

    @property
    def right(self) -> int:
        return START + self.steady

    def see(self) -> ClockReading:
        wall = Millis(self.right + self.error)
        return self.watch.see(wall, Millis(self.steady), Millis(self.floor))

    def after(self, ms: int, *, every: int = 1_000) -> ClockReading:
        """Time goes on, and the clock is looked at now and then."""
        until = self.steady + ms
        while self.steady + every < until:
            self.steady += every
            self.see()
        self.steady = until
        return self.see()


def test_a_right_clock_is_the_time() -> None:
    """No doubt, no delay."""
    machine = Machine()
    reading = machine.after(3_600_000)
    assert (reading.now, reading.doubt) == (machine.right, "")


@pytest.mark.parametrize(
    "step", [400 * DAY, DAY, STEP_MS + 1, -STEP_MS - 1, -400 * DAY]
)
def test_a_clock_that_is_wrong_for_a_moment_is_not_believed(step: int) -> None:
    """While it is wrong nothing is decided, and afterwards nothing has happened."""
    machine = Machine()
    machine.error = step
    for _ in range(30):
        reading = machine.after(1_000)
        assert reading.doubt
        assert reading.now == machine.right
    machine.error = 0
    assert machine.after(1) == ClockReading(
        Millis(machine.right), Millis(machine.right)
    )


@pytest.mark.parametrize("step", [400 * DAY, -400 * DAY])
def test_a_step_that_stays_is_believed(step: int) -> None:
    """The clock was put right, and stays so for some minutes."""
    machine = Machine()
    machine.error = step
    machine.after(1)
    assert machine.after(CONFIRM_MS - 1).doubt
    reading = machine.after(1)
    assert (reading.now, reading.doubt) == (machine.right + step, "")


def test_a_clock_that_wanders_is_never_believed() -> None:
    """Each step begins the wait again."""
    machine = Machine()
    for number in range(20):
        machine.error += DAY
        assert machine.after(CONFIRM_MS // 2).doubt, number


@pytest.mark.parametrize("step", [STEP_MS, -STEP_MS, 500, -500])
@pytest.mark.parametrize("every", [1, 7, 1_000, 15_000])
def test_a_correction_changes_no_span_by_more_than_a_tenth(
    step: int, every: int
) -> None:
    """A hold lasts as long as was said, and the clock is reached in the end."""
    machine = Machine()
    machine.error = step
    last = machine.after(1).now
    for _ in range(20):
        now = machine.after(15_000, every=every).now
        assert 13_400 <= now - last <= 16_600
        last = now
    machine.after(12 * STEP_MS, every=15_000)
    assert machine.after(1).now == machine.right + step


def test_time_never_goes_back_behind_the_journal() -> None:
    """A journal an hour ahead is an alarm; time goes on from its newest instant."""
    machine = Machine(floor=START + 3_600_000)
    reading = machine.see()
    assert reading.now == machine.floor
    assert machine.watch.is_behind_journal
    reading = machine.after(60_000)
    assert reading.now - machine.floor >= 50_000, "a hold would last for an hour"


def test_a_journal_that_is_ahead_is_caught_up_with() -> None:
    """The shard's time is slower than the clock, until the clock has reached it."""
    machine = Machine(floor=START + 3_600_000)
    reading = machine.after(11 * 3_600_000, every=15_000)
    assert reading.now == machine.right
    assert not machine.watch.is_behind_journal


def test_a_clock_that_comes_back_shows_that_it_was_wrong() -> None:
    """What was journaled meanwhile may then be gone behind."""
    machine = Machine()
    machine.error = 3 * DAY
    machine.after(CONFIRM_MS + 60_000)
    machine.floor = machine.right + machine.error
    machine.error = 0
    reading = machine.after(1)
    assert reading.may_lower
    assert not reading.doubt
    machine.floor = machine.right
    reading = machine.after(1)
    assert (reading.now, reading.may_lower) == (machine.right, False)


def test_a_clock_set_back_for_the_first_time_may_not_lower_the_journal() -> None:
    """It may be the one that is wrong: only an operator can tell."""
    machine = Machine()
    machine.floor = START + 5_000
    machine.error = -3 * DAY
    reading = machine.after(CONFIRM_MS + 60_000)
    assert not reading.may_lower
    assert reading.now >= machine.floor
    assert machine.watch.is_behind_journal
