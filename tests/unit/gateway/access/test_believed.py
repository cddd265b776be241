"""What a gateway believes for a while, and forgets."""

from __future__ import annotations

from gateway.access.believed import Believed


class _Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_value_is_believed_for_its_time_and_no_longer() -> None:
    """At the end of the time it is asked for again; ``at`` counts from earlier."""
    clock = _Clock()
    believed = Believed[str, int](5.0, 10, clock)
    believed.put("a", 1)
    believed.put("b", 2, at=97.0)
    clock.seconds = 101.9
    assert (believed.get("a"), believed.get("b")) == (1, 2)
    clock.seconds = 102.0
    assert (believed.get("a"), believed.get("b")) == (1, None)
    clock.seconds = 105.0
    assert believed.get("a") is None


def test_what_has_changed_is_forgotten() -> None:
    """Also a key that was never told."""
    believed = Believed[str, int](5.0, 10, _Clock())
    believed.put("a", 1)
    believed.forget("a")
    believed.forget("b")
    assert believed.get("a") is None
    believed.put("a", 2)
    believed.clear()
    assert believed.get("a") is None


def test_the_key_told_longest_ago_makes_room() -> None:
    """One that is told again counts as new; the bound holds."""
    believed = Believed[str, int](5.0, 2, _Clock())
    believed.put("a", 1)
    believed.put("b", 2)
    believed.put("a", 3)
    believed.put("c", 4)
    assert [believed.get(key) for key in "abc"] == [3, None, 4]
