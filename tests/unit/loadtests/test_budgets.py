"""Budgets: a broken one is a plain sentence, a kept one is not, none is passed idly."""

from pathlib import Path

import pytest

from loadtests.load.budgets import (
    Budgets,
    BudgetUnreadable,
    Verdict,
    budgets_of,
    judge,
    read_budgets,
)
from loadtests.load.scenarios import SCENARIOS
from loadtests.load.tally import Tally


def a_tally(ms: float, *, failed: int = 0, gaps: int = 0) -> Tally:
    tally = Tally()
    for number in range(100):
        tally.took("booking", ms, number, failed=number < failed)
    for _ in range(gaps):
        tally.took("live: gap", None, 1)
    return tally


def broken(budgets: Budgets, tally: Tally) -> list[str]:
    return [v.sentence for v in judge("release", budgets, tally) if not v.kept]


BUDGETS = Budgets(latency={"booking": {"p99": 2_000.0}}, at_least={"booking": 50})


def test_a_broken_budget_is_a_plain_sentence() -> None:
    tally = a_tally(2_310.0)
    tally.seconds["booking"][0].max_ms = 2_310.0
    [sentence] = broken(BUDGETS, tally)
    assert sentence.startswith("release: booking p99 was 2,3")
    assert sentence.endswith(" ms, the budget is 2,000 ms.")


def test_a_kept_budget_is_silent() -> None:
    assert broken(BUDGETS, a_tally(1_900.0)) == []


def test_what_was_never_measured_breaks_its_budget() -> None:
    """A run without bookings is no fast run."""
    sentences = broken(BUDGETS, Tally())
    assert sentences == [
        "release: booking was never measured, its budget is 2,000 ms.",
        "release: booking happened 0 times, the budget requires at least 50.",
    ]


def test_failures_and_gaps_have_budgets_of_nothing() -> None:
    assert broken(BUDGETS, a_tally(5.0, failed=3, gaps=2)) == [
        "release: 3 requests failed, 3 % of all, the budget is 0 %.",
        "release: watchers found 2 gaps, the budget is 0.",
    ]


def test_thousands_who_saw_something_hide_no_failure() -> None:
    """The share of failures is of what was asked, not of what was seen."""
    tally = a_tally(5.0, failed=3)
    for _ in range(10_000):
        tally.took("live: change to sight", 3.0, 1)
    allowed = Budgets(failures_share=0.01)
    assert "3 requests failed, 3 % of all" in broken(allowed, tally)[0]


@pytest.mark.parametrize(
    "table",
    [{"latency": {"booking": {"p95": 1}}}, {"latencies": {}}, {"p99": 3}],
)
def test_a_budget_that_nobody_reads_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(BudgetUnreadable):
        budgets_of("release", table)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_budgets_that_ask_for_something(scenario: str) -> None:
    budgets = read_budgets(scenario)
    assert budgets.latency
    assert budgets.at_least


def test_a_scenario_without_budgets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "budgets.toml").write_text("[browse]\n")
    with pytest.raises(BudgetUnreadable):
        read_budgets("release", tmp_path / "budgets.toml")


def test_a_verdict_shows_both_figures() -> None:
    verdicts = {v.what: v for v in judge("release", BUDGETS, a_tally(12.0))}
    shown = verdicts["booking p99"]
    assert isinstance(shown, Verdict)
    assert (shown.budget, shown.kept) == ("2,000 ms", True)
    assert shown.measured.endswith(" ms")
