"""From a change to its sight: timed from who got it, for those who were there."""

from loadtests.swarm import sights as module
from loadtests.swarm.sights import Sights

BOOKED = ("slots/prv_1/consult/2026-W49", "2026-12-01T09:00:00Z", "booked")
FREE = (*BOOKED[:2], "free")


def noted() -> tuple[Sights, list[float]]:
    seen: list[float] = []
    return Sights(lambda ms: seen.append(round(ms, 3))), seen


def test_a_sight_after_the_answer_is_timed() -> None:
    sights, seen = noted()
    sights.asked(BOOKED)
    sights.happened(BOOKED, asked=10.0)
    sights.seen(BOOKED, 10.004, since=5.0)
    assert seen == [4.0]


def test_a_sight_before_the_answer_waits_for_it() -> None:
    sights, seen = noted()
    sights.asked(BOOKED)
    sights.seen(BOOKED, 10.004, since=5.0)
    assert seen == []
    sights.happened(BOOKED, asked=10.0)
    assert seen == [4.0]


def test_of_many_who_ask_the_winner_counts() -> None:
    sights, seen = noted()
    for _ in range(3):
        sights.asked(BOOKED)
    sights.refused(BOOKED)
    sights.seen(BOOKED, 10.030, since=5.0)
    sights.happened(BOOKED, asked=10.020)
    sights.refused(BOOKED)
    sights.seen(BOOKED, 10.031, since=5.0)
    assert seen == [10.0, 11.0]


def test_a_change_that_nobody_here_asked_for_is_not_timed() -> None:
    sights, seen = noted()
    sights.seen(BOOKED, 10.0, since=5.0)
    sights.asked(BOOKED)
    sights.seen(BOOKED, 10.1, since=5.0)
    sights.refused(BOOKED)
    assert seen == []


def test_who_was_away_when_it_was_asked_for_sees_no_change() -> None:
    """A resume brings what was missed: that is no time from change to sight."""
    sights, seen = noted()
    sights.asked(BOOKED)
    sights.seen(BOOKED, 12.0, since=11.0)
    sights.happened(BOOKED, asked=10.0)
    sights.seen(BOOKED, 13.0, since=12.5)
    assert seen == []


def test_a_slot_that_changes_again_is_timed_anew() -> None:
    sights, seen = noted()
    for key, asked in ((BOOKED, 10.0), (FREE, 20.0), (BOOKED, 30.0)):
        sights.asked(key)
        sights.seen(key, asked + 0.002, since=5.0)
        sights.happened(key, asked)
    assert seen == [2.0, 2.0, 2.0]


def test_memory_is_bounded() -> None:
    """The oldest change is forgotten."""
    sights, seen = noted()
    sights.asked(BOOKED)
    sights.happened(BOOKED, asked=10.0)
    for number in range(module.KEPT_MAX):
        sights.asked((BOOKED[0], f"start {number}", "booked"))
    sights.seen(BOOKED, 10.1, since=5.0)
    assert seen == []
