"""What the show shows is what was measured: times, counts and bars."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from loadtests.blink.room import GATEWAY_WATCHERS_MAX, TooManyWatchers, room_for
from loadtests.blink.view import BAR_WIDTH, BARS, Show, Sight, bar, bars, screen

TOPIC = "slots/prv_blink/consult/2026-W49"


def a_sight(*seen_ms: float, expected: int = 4) -> Sight:
    return Sight(1, "Mon 09:00 booked", 2.5, seen_ms, expected)


def a_show(*sights: Sight) -> Show:
    return Show(TOPIC, 4, 30, connected=4, sights=list(sights))


def test_first_median_and_last() -> None:
    """In whatever order they were told."""
    sight = a_sight(30.0, 3.0, 70.0, 20.0)
    assert (sight.first_ms, sight.median_ms, sight.last_ms) == (3.0, 25.0, 70.0)
    assert sight.is_whole
    assert "first    3.0, half   25.0, the last   70.0 ms   4 of 4" in sight.line()


def test_a_change_that_somebody_missed_is_no_success() -> None:
    """Nor is a show during which a watcher was lost."""
    assert a_show(a_sight(1, 2, 3, 4)).went_well
    assert not a_show(a_sight(1, 2, 3, 4), a_sight(1, 2, 3)).went_well
    lossy = a_show(a_sight(1, 2, 3, 4))
    lossy.lost, lossy.connected = 1, 3
    assert not lossy.went_well
    assert not a_sight().is_whole


def test_the_summary_is_of_all_changes() -> None:
    """Medians over changes, the worst, and how many were seen by all."""
    show = a_show(a_sight(1, 2, 3, 40), a_sight(1, 2, 3, 90), a_sight(1, 2, 60))
    assert show.summary().startswith("2 of 3 changes were seen by all 4. ")
    assert "after 60.0 ms (median), 90.0 ms at worst" in show.summary()


@given(st.lists(st.floats(0.01, 5_000), min_size=1, max_size=300))
def test_bars_hold_everybody_once(seen: list[float]) -> None:
    """Every time is in the bar whose step it falls into; no more bars than planned."""
    found = bars(seen)
    assert sum(count for _, count in found) == len(seen)
    assert len(found) <= BARS + 1
    ends = [end for end, _ in found]
    assert ends == sorted(ends)
    step = ends[0]
    for index, (_, count) in enumerate(found):
        assert count == sum(index <= one / step < index + 1 for one in seen)


@pytest.mark.parametrize(
    ("count", "most", "shown"),
    [(0, 10, ""), (10, 10, "█" * BAR_WIDTH), (1, 100_000, "▏"), (5, 10, "█" * 22)],
)
def test_a_bar_is_as_long_as_its_count(count: int, most: int, shown: str) -> None:
    """And the smallest count is still there."""
    assert bar(count, most) == shown


def test_the_screen_has_all_of_it() -> None:
    """Before the first change and after it."""

    def drawn(show: Show) -> str:
        console = Console(file=io.StringIO(), width=100)
        console.print(screen(show))
        text = console.file
        assert isinstance(text, io.StringIO)
        return text.getvalue()

    assert "4 of 4 watchers" in drawn(a_show())
    text = drawn(a_show(a_sight(3.0, 20.0, 30.0, 70.0)))
    for word in ("Mon 09:00 booked", "2.5 ms", "3.0 ms", "25.0 ms", "70.0 ms", "█"):
        assert word in text


def test_more_than_a_gateway_holds_is_refused() -> None:
    """Before anything is started."""
    with pytest.raises(TooManyWatchers):
        room_for(GATEWAY_WATCHERS_MAX + 1)
    assert room_for(100) == 2
