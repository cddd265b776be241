"""What a soak was like: counts, a series by the second, and a plot of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.histogram import percentiles
from loadtests.workload.history import FAIL, INFO, OK, History

ON_TIME_S = (1.0, 5.0)
"""A wish answered within so many seconds counts as answered on time."""


@dataclass
class Struck:
    """One fault as it happened."""

    at: float
    """Seconds since the beginning."""
    name: str
    detail: str = ""
    seconds: float = 0.0
    """Until it was repaired."""
    error: str = ""


@dataclass
class Second:
    """One second of the soak."""

    ok: int = 0
    refused: int = 0
    unavailable: int = 0
    lost: int = 0
    p50: float | None = None
    p99: float | None = None


def seconds_of(history: History, began: float, ended: float) -> list[Second]:
    """The series: answers by the second in which they came."""
    found = [Second() for _ in range(int(ended - began) + 1)]
    took: dict[int, list[float]] = defaultdict(list)
    for one in history.operations:
        if one.done is None or not 0 <= (at := int(one.done - began)) < len(found):
            continue
        found[at].ok += one.outcome == OK
        found[at].refused += one.outcome == FAIL
        if one.outcome in (OK, FAIL):
            took[at].append(one.done - one.invoked)
    for sample in history.samples:
        if 0 <= (at := int(sample.at - began)) < len(found):
            found[at].lost += sample.status == 0
            found[at].unavailable += sample.status == 503
    for at, times in took.items():
        told = percentiles(times)
        found[at].p50, found[at].p99 = told["p50"], told["p99"]
    return found


def summary(history: History, began: float, ended: float) -> dict[str, Any]:
    """The whole in figures; latencies include every time a wish had to come again."""
    answered = [one for one in history.operations if one.outcome in (OK, FAIL)]
    took = [(one.done or 0.0) - one.invoked for one in answered]
    attempts = Counter(sample.status for sample in history.samples)
    total = max(1, len(history.operations))
    return {
        "seconds": round(ended - began, 1),
        "wishes": len(history.operations),
        "acknowledged": sum(one.outcome == OK for one in answered),
        "refused": sum(one.outcome == FAIL for one in answered),
        "unanswered": sum(one.outcome == INFO for one in history.operations),
        "attempts": {str(status): n for status, n in sorted(attempts.items())},
        "wish_ms": percentiles(took),
        "answered_within": {
            f"{limit:g} s": round(sum(t <= limit for t in took) / total, 5)
            for limit in ON_TIME_S
        },
    }


def series(seconds: Sequence[Second]) -> dict[str, list[Any]]:
    """The seconds as columns."""
    names = ("ok", "refused", "unavailable", "lost", "p50", "p99")
    return {name: [getattr(one, name) for one in seconds] for name in names}


def plot(report: dict[str, Any], path: Path) -> None:
    """Throughput, latency, availability and faults over time, as SVG or PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "soak"  # the same report is the same file
    from matplotlib import pyplot as plt

    minutes = [at / 60 for at in range(len(report["series"]["ok"]))]
    names = sorted({one["name"] for one in report["faults"]})
    heights = [3, 3, 1.4, 0.5 + 0.28 * len(names)]
    figure, panels = plt.subplots(
        4, 1, figsize=(13, 10.5), sharex=True, height_ratios=heights
    )
    _throughput(panels[0], minutes, report["series"])
    _latency(panels[1], minutes, report["series"])
    _availability(panels[2], minutes, report["series"])
    _faults(panels[3], names, report["faults"])
    for panel in panels:
        panel.grid(visible=True, axis="x", alpha=0.25)
        panel.margins(x=0.005)
    told = report["summary"]
    verdict = "clean" if report["passed"] else "FAILED"
    figure.suptitle(
        f"{report['title']}: {len(report['faults'])} faults in "
        f"{told['seconds'] / 60:.0f} minutes, {told['acknowledged']:,} wishes "
        f"acknowledged, check: {verdict}",
        fontsize=13,
    )
    panels[3].set_xlabel("minutes")
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _throughput(panel: Any, minutes: list[float], columns: dict[str, Any]) -> None:
    panel.plot(minutes, columns["ok"], color="#1b7837", lw=1, label="acknowledged")
    panel.plot(minutes, columns["refused"], color="#888888", lw=0.8, label="slot taken")
    for name, color, label in (
        ("unavailable", "#d95f02", "503, come again"),
        ("lost", "#7b3294", "connection lost"),
    ):
        panel.plot(minutes, columns[name], color=color, lw=1, label=label)
    panel.set_ylabel("answers a second")
    panel.set_ylim(bottom=0)
    _legend(panel, 4)


def _legend(panel: Any, columns: int) -> None:
    """Above the panel, where it hides nothing."""
    where = (1.0, 1.0)
    panel.legend(
        loc="lower right",
        bbox_to_anchor=where,
        ncols=columns,
        fontsize=9,
        frameon=False,
    )


def _latency(panel: Any, minutes: list[float], columns: dict[str, Any]) -> None:
    for name, color in (("p99", "#b2182b"), ("p50", "#2166ac")):
        values = [float("nan") if v is None else v for v in columns[name]]
        panel.plot(minutes, values, color=color, lw=1, label=name)
    panel.set_yscale("log")
    panel.set_ylabel("wish to answer, ms\n(with repeats)")
    _legend(panel, 2)


def _availability(panel: Any, minutes: list[float], columns: dict[str, Any]) -> None:
    share = []
    for ok, refused, away, lost in zip(
        *(columns[n] for n in ("ok", "refused", "unavailable", "lost")), strict=True
    ):
        answered, asked = ok + refused, ok + refused + away + lost
        share.append(100 * answered / asked if asked else float("nan"))
    panel.fill_between(minutes, share, color="#74add1", step="mid")
    panel.set_ylim(0, 104)
    panel.set_yticks([0, 50, 100])
    panel.set_ylabel("answered\nattempts, %")


def _faults(panel: Any, names: list[str], faults: list[dict[str, Any]]) -> None:
    rows = {name: row for row, name in enumerate(names)}
    for one in faults:
        row, at = rows[one["name"]], one["at"] / 60
        panel.plot([at], [row], marker="|", ms=11, mew=2, color="#333333")
        panel.barh(
            row, max(one["seconds"], 0.5) / 60, left=at, height=0.5, color="#f46d43"
        )
    panel.set_yticks(range(len(names)), names, fontsize=9)
    panel.set_ylim(-0.7, len(names) - 0.3)
