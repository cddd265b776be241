"""Budgets: the limits of a scenario. A broken budget is reported as a sentence."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.load.tally import Tally

PATH = Path(__file__).parents[1] / "budgets.toml"
NOT_ASKED = frozenset({"booked", "visit"})
"""Names that are counted but are not requests."""
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0}


class BudgetUnreadable(ValueError):
    """``budgets.toml`` is incomplete or has an unknown key."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one scenario."""

    failures_share: float = 0.0
    """Share of requests that may fail; a calendar's refusal is not a failure."""
    gaps: int = 0
    """How many gaps watchers may find in their topics."""
    latency: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Name → percentile → milliseconds."""
    at_least: Mapping[str, int] = field(default_factory=dict)
    """Name → minimum count, so that a run that does nothing cannot pass."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One budget and whether it was kept."""

    what: str
    budget: str
    measured: str
    kept: bool
    sentence: str


def read_budgets(scenario: str, path: Path = PATH) -> Budgets:
    """The budgets of a scenario. Raises BudgetUnreadable."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    if scenario not in document:
        raise BudgetUnreadable(f"{path.name} has no budgets for {scenario}")
    return budgets_of(scenario, document[scenario])


def budgets_of(scenario: str, table: Mapping[str, Any]) -> Budgets:
    """One table of the file. Raises BudgetUnreadable for an unknown name."""
    unknown = set(table) - {"failures_share", "gaps", "latency", "at_least"}
    latency = table.get("latency", {})
    unknown |= {p for limits in latency.values() for p in limits} - set(PERCENTILES)
    if unknown:
        raise BudgetUnreadable(f"{scenario}: unknown budgets {sorted(unknown)}")
    return Budgets(
        failures_share=float(table.get("failures_share", 0.0)),
        gaps=int(table.get("gaps", 0)),
        latency=latency,
        at_least=table.get("at_least", {}),
    )


def judge(scenario: str, budgets: Budgets, tally: Tally) -> list[Verdict]:
    """The verdict on each budget of a run."""
    verdicts = [_failures(scenario, budgets, tally), _gaps(scenario, budgets, tally)]
    for name, limits in budgets.latency.items():
        for percentile, limit in limits.items():
            verdicts.append(_latency(scenario, tally, name, percentile, limit))
    for name, least in budgets.at_least.items():
        count = tally.whole(name).count
        verdicts.append(
            Verdict(
                f"{name}, count",
                f"at least {least:,}",
                f"{count:,}",
                count >= least,
                f"{scenario}: {name} happened {count:,} times, "
                f"the budget requires at least {least:,}.",
            )
        )
    return verdicts


def _latency(
    scenario: str, tally: Tally, name: str, percentile: str, limit: float
) -> Verdict:
    what = f"{name} {percentile}"
    measured = tally.whole(name).percentile(PERCENTILES[percentile])
    if measured is None:
        sentence = f"{scenario}: {name} was never measured, its budget is {ms(limit)}."
        return Verdict(what, ms(limit), "never measured", kept=False, sentence=sentence)
    return Verdict(
        what,
        ms(limit),
        ms(measured),
        measured <= limit,
        f"{scenario}: {what} was {ms(measured)}, the budget is {ms(limit)}.",
    )


def _failures(scenario: str, budgets: Budgets, tally: Tally) -> Verdict:
    failed = sum(tally.whole(name).failed for name in tally.names)
    asked = sum(tally.whole(name).count for name in tally.names if is_asked(name))
    share = failed / max(1, asked)
    allowed = budgets.failures_share
    return Verdict(
        "failures",
        percent(allowed),
        f"{percent(share)} ({failed:,})",
        share <= allowed,
        f"{scenario}: {failed:,} requests failed, {percent(share)} of all, "
        f"the budget is {percent(allowed)}.",
    )


def _gaps(scenario: str, budgets: Budgets, tally: Tally) -> Verdict:
    found = tally.whole("live: gap").count
    return Verdict(
        "gaps",
        f"{budgets.gaps:,}",
        f"{found:,}",
        found <= budgets.gaps,
        f"{scenario}: watchers found {found:,} gaps, the budget is {budgets.gaps:,}.",
    )


def is_asked(name: str) -> bool:
    """Whether a name counts requests, which may fail.

    The many frames that watchers receive would dilute the share of failures.
    """
    return name == "live: connect" or not (
        name.startswith("live: ") or name in NOT_ASKED
    )


def ms(value: float) -> str:
    """Milliseconds as text."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.3g} %"
