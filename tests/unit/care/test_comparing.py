"""A share is compared with those of visits that were booked as long before."""

from __future__ import annotations

import pytest

from care.reports.answers import lead_figures, median_of
from care.reports.comparing import Tally, compared, merged


def test_a_sign_that_turns_is_noticed() -> None:
    """The published example: reminded people miss more visits, and fewer of those that
    were booked as long before."""
    reminded = {"4-6": Tally(1_000, 200), "31-60": Tally(9_000, 2_500)}
    others = {"0": Tally(12_000, 400), "4-6": Tally(5_000, 1_300)}
    others["31-60"] = Tally(8_000, 2_700)
    everything = merged((reminded, others))
    found = compared(reminded, everything)
    assert found.counted is not None
    assert found.counted == pytest.approx(0.27 - 4_400 / 25_000)
    # 6,000 visits of 4-6 days with -0.06, 17,000 of 31-60 with 2500/9000 - 0.3375.
    expected = (6_000 * -0.06 + 17_000 * (2_500 / 9_000 - 0.3375)) / 23_000
    assert found.alike == pytest.approx(expected)
    assert found.turns


def test_a_difference_that_stays_is_none_that_turns() -> None:
    """Fewer are missed in each interval, and in all of them."""
    group = {"0": Tally(100, 1), "1": Tally(100, 5)}
    everything = {"0": Tally(300, 30), "1": Tally(300, 60)}
    found = compared(group, everything)
    assert found.counted is not None
    assert found.counted < 0
    assert not found.turns


def test_no_common_lead_says_nothing() -> None:
    """Visits that were booked at different times before cannot be compared."""
    group = {"0": Tally(100, 1)}
    everything = {"0": Tally(100, 1), "1": Tally(100, 5)}
    found = compared(group, everything)
    assert found.alike is None
    assert not found.turns
    assert compared(everything, everything).counted is None


def test_figures_of_leads_are_those_of_the_sorted_list() -> None:
    """Median, mean, nine of ten and the longest, as counted by hand."""
    found = lead_figures({0: 5, 3: 3, 10: 1, 40: 1})
    assert found is not None
    assert (found.median, found.mean, found.p90, found.longest) == (1.5, 5.9, 10, 40)
    assert lead_figures({}) is None
    assert (median_of([3, 1, 9]), median_of([4, 2]), median_of([])) == (3, 3, None)
