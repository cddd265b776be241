"""Plots of a run as SVG for embedding into a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from matplotlib.axes import Axes

from loadtests.histogram import Timing, ms_of
from loadtests.load.budgets import ms as spoken
from loadtests.load.outcome import Outcome
from loadtests.load.watching import cores
from loadtests.plots import BLUE, CYCLE, GREEN, GREY, ORANGE, panels, plain, styled, svg

SIGHT = "live: change to sight"
NOT_REQUESTS = frozenset({"booked", "visit"})
LINES_MAX = 5
"""How many names the latency plot shows: those with most requests."""

Draw = Callable[[Axes, Outcome], None]


def plots(outcome: Outcome) -> list[tuple[str, str]]:
    """Title and SVG of each plot for which the run has data."""
    is_ours = any(sample.server_rss for sample in outcome.samples)
    wanted: list[tuple[str, Draw, bool]] = [
        ("Requests per second", _throughput, bool(_asked(outcome))),
        ("Latency, p50 and p99 of each second", _latency, bool(_asked(outcome))),
        ("From a change to its sight", _sights, bool(_sight(outcome).buckets)),
        ("Bookings", _bookings, bool(outcome.bookings_per_second)),
        ("Events sent to watchers", _live, bool(_events(outcome))),
        ("Processor time", _cpu, len(outcome.samples) > 1),
        ("The server's memory", _memory, is_ours and len(outcome.samples) > 1),
    ]
    return [(title, drawn(draw, outcome)) for title, draw, has in wanted if has]


def drawn(draw: Draw, outcome: Outcome) -> str:
    """One plot as SVG."""
    with styled(draw.__name__):
        figure, (axes,) = panels(size=(5.8, 2.7))
        draw(axes, outcome)
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return svg(figure, draw.__name__)


def _asked(outcome: Outcome) -> list[str]:
    """Names of requests, the most frequent first."""
    names = [
        name
        for name in outcome.tally.names
        if not name.startswith("live: ") and name not in NOT_REQUESTS
    ]
    return sorted(names, key=lambda name: -outcome.tally.whole(name).count)


def _events(outcome: Outcome) -> list[str]:
    shown = ["live: connect", "live: first paint", "live: resume"]
    shown += ["live: conflated", "live: snapshot again", "live: gap"]
    return [name for name in shown if name in outcome.tally.seconds]


def _sight(outcome: Outcome) -> Timing:
    return outcome.tally.whole(SIGHT)


def _run(outcome: Outcome) -> tuple[int, range]:
    first, last = outcome.tally.span
    return first, range(first, last + 1)


def _counts(outcome: Outcome, names: Iterable[str]) -> tuple[list[int], list[int]]:
    first, seconds = _run(outcome)
    rows = [outcome.tally.seconds.get(name, {}) for name in names]
    empty = Timing()
    counts = [sum(row.get(s, empty).count for row in rows) for s in seconds]
    return [s - first for s in seconds], counts


def _throughput(axes: Axes, outcome: Outcome) -> None:
    names = _asked(outcome)
    for name in names[:LINES_MAX]:
        axes.plot(*_counts(outcome, [name]), label=name)
    if len(names) > 1:
        axes.plot(*_counts(outcome, names), label="all", color=GREY, linestyle=":")
    _timeline(axes, outcome, "requests per second")
    axes.set_ylim(bottom=0)


def _latency(axes: Axes, outcome: Outcome) -> None:
    first, _ = _run(outcome)
    for number, name in enumerate(_asked(outcome)[:LINES_MAX]):
        by_second = sorted(outcome.tally.seconds[name].items())
        for p, style in ((50, "-"), (99, ":")):
            at = [second - first for second, _ in by_second]
            ms = [timing.percentile(p) or math.nan for _, timing in by_second]
            label = name if p == 50 else None
            axes.plot(
                at,
                ms,
                style,
                color=CYCLE[number],
                label=label,
                marker=".",
                markersize=3,
            )
    plain(axes.yaxis)
    _timeline(axes, outcome, "ms (p50 solid, p99 dotted)")


def _sights(axes: Axes, outcome: Outcome) -> None:
    whole = _sight(outcome)
    buckets = sorted(whole.buckets)
    grouped: dict[int, int] = {}
    for bucket in buckets:
        grouped[bucket // 5] = grouped.get(bucket // 5, 0) + whole.buckets[bucket]
    total = whole.buckets.total()
    left = [ms_of(group * 5) for group in grouped]
    width = [ms_of(group * 5 + 5) - ms_of(group * 5) for group in grouped]
    shares = [100 * count / total for count in grouped.values()]
    axes.bar(left, shares, width, align="edge", color=BLUE, alpha=0.75)
    plain(axes.xaxis)
    for p, colour in ((50, GREEN), (99, ORANGE)):
        ms = whole.percentile(p) or 0.0
        axes.axvline(ms, color=colour, label=f"p{p} {spoken(ms)}")
    axes.set_xlabel(f"ms; {total:,} sights")
    axes.set_ylabel("% of sights")


def _bookings(axes: Axes, outcome: Outcome) -> None:
    at, counts = _counts(outcome, ["booked"])
    axes.bar(at, counts, width=1.0, color=BLUE, alpha=0.6)
    above: Any = axes.twinx()
    sums, so_far = [], 0
    for count in counts:
        so_far += count
        sums.append(so_far)
    above.plot(at, sums, color=ORANGE)
    above.set_ylabel("total so far", color=ORANGE)
    above.grid(visible=False)
    above.set_ylim(bottom=0)
    if outcome.plan.slots:
        above.axhline(outcome.plan.slots, color=GREEN, linestyle=":")
        above.annotate(
            f"{outcome.plan.slots:,} slots",
            (at[0], outcome.plan.slots),
            color=GREEN,
            va="bottom",
        )
        above.set_ylim(top=1.15 * max(outcome.plan.slots, so_far))
    _timeline(axes, outcome, "bookings per second")


def _live(axes: Axes, outcome: Outcome) -> None:
    for name in _events(outcome):
        axes.plot(*_counts(outcome, [name]), label=name.removeprefix("live: "))
    _timeline(axes, outcome, "events per second")
    axes.set_ylim(bottom=0)


def _cpu(axes: Axes, outcome: Outcome) -> None:
    first, _ = _run(outcome)
    for whose, name in (("server_cpu_s", "server"), ("locust_cpu_s", "Locust")):
        used = cores(outcome.samples, whose)
        if not any(use for _, use in used):
            continue  # a server given by --url cannot be measured
        axes.plot([at - first for at, _ in used], [use for _, use in used], label=name)
    _timeline(axes, outcome, "cores")
    axes.set_ylim(bottom=0)


def _memory(axes: Axes, outcome: Outcome) -> None:
    first, _ = _run(outcome)
    at = [sample.at - first for sample in outcome.samples]
    axes.plot(at, [sample.server_rss / 2**20 for sample in outcome.samples])
    _timeline(axes, outcome, "MiB, sum of processes")
    axes.set_ylim(bottom=0)


def _timeline(axes: Axes, outcome: Outcome, what: str) -> None:
    """The axes of a plot over time, with the scenario's key moment marked."""
    first, last = outcome.tally.span
    axes.set_xlim(0, max(1, last - first))
    axes.set_xlabel("seconds")
    axes.set_ylabel(what)
    opening = outcome.facts.get("notes", {}).get("opening")
    if opening:
        axes.axvline(opening["at"] - first, color=GREY, linestyle="--", linewidth=1)
