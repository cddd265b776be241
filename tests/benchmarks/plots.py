"""Draws the live rows from their JSON; a plot can be drawn again from what was kept.

    python -m tests.benchmarks.plots docs/benchmarks/NAME.json [--only sight …]

Writes ``NAME-sight.svg`` and so on beside it, one for each row that the file has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.plots import CYCLE, goal, named, panels, plain, styled

Row = dict[str, Any]
P50, P99 = "p50", "p99"


def distribution(axes: Axes, quantiles: list[list[float]], label: str) -> None:
    """Which share saw within how many milliseconds."""
    shares = [100 * share for share, _ in quantiles]
    axes.plot([at for _, at in quantiles], shares, label=label, drawstyle="default")
    plain(axes.xaxis)
    axes.set_ylim(0, 101)


def fanout(row: Row) -> Figure:
    """Three servers beside each other: the processor's time, and the last watcher."""
    figure, (cost, last) = panels(1, 2)
    for number, server in enumerate(("slotcast", "nchan", "starlette")):
        found = {
            int(name.rpartition("_")[2]): one
            for name, one in row.items()
            if name.startswith(server)
        }
        at = [place + 0.27 * (number - 1) for place in range(len(found))]
        costs = [one["cpu_us_per_message"] for one in found.values()]
        times = [one["last_received_ms"][P50] for one in found.values()]
        for axes, heights in ((cost, costs), (last, times)):
            axes.bar(at, heights, 0.25, label=server, color=CYCLE[number])
            axes.set_xticks(range(len(found)), [f"{count:,}" for count in found])
    named(cost, "sockets", "µs of the processor a message")
    named(last, "sockets", "ms until the last has it (p50)")
    return figure


def sight(row: Row) -> Figure:
    """The distribution of change to sight."""
    figure, (axes,) = panels(1)
    distribution(axes, row["quantiles_ms"], "change to sight")
    goal(axes, 5, "goal for half, 5 ms", upright=True)
    goal(axes, 25, "goal for 99 %, 25 ms", upright=True)
    told = row["sight"]["ms"]
    title = (
        f"{row['watchers']:,} watchers, {row['changes_a_second']:g} changes a second: "
        f"p50 {told[P50]} ms, p99 {told[P99]} ms"
    )
    named(axes, "milliseconds", "% of sights", title)
    return figure


def hot(row: Row) -> Figure:
    """Frames, what they bring, and the age of the newest, by the second."""
    figure, (rates, ages) = panels(2)
    series = row["series"]
    seconds = range(len(series["frames"]))
    rates.plot(seconds, series["frames"], label="frames delivered")
    rates.plot(seconds, series["covered"], label="changes that they brought")
    title = (
        f"{row['changes_a_second']['made']:g} changes a second on {row['topics']} "
        f"topics, {row['watchers']:,} watchers"
    )
    named(rates, "second", "a second", title)
    rates.set_ylim(bottom=0)
    for name in (P50, P99):
        ages.plot(seconds, series[name], label=name)
    ages.set_ylim(bottom=0)
    named(ages, "second", "age of the newest change, ms")
    return figure


def memory(row: Row) -> Figure:
    """Resident memory over watchers."""
    figure, (axes,) = panels(1)
    for name, server in row.items():
        samples = server["samples"]
        first = samples[0]["rss"]
        axes.plot(
            [one["watchers"] for one in samples],
            [(one["rss"] - first) / 2**20 for one in samples],
            marker="o",
            label=f"{name}: {server['kib_each']['rss']} KiB each",
        )
    named(axes, "watchers", "MiB more than at the first step")
    return figure


def stalled(row: Row) -> Figure:
    """What the others saw, before and during."""
    figure, (axes,) = panels(1)
    for name, quantiles in row["quantiles_ms"].items():
        told = row[f"others_{name}"]["ms"]
        distribution(axes, quantiles, f"{name}: p50 {told[P50]}, p99 {told[P99]} ms")
    title = (
        f"{row['stalled']} of {row['watchers']:,} stop reading: "
        f"{row['kib_each_stalled']['in_all']} KiB each"
    )
    named(axes, "milliseconds from change to sight of the others", "% of sights", title)
    return figure


def storm(row: Row) -> Figure:
    """How long each storm took, and what the server spent on it."""
    figure, (times, work) = panels(1, 2)
    kinds = list(row["storms"])
    storms = row["storms"].values()
    times.bar(kinds, [one["all_resumed_s"] for one in storms], color=CYCLE)
    goal(times, 8, "goal, 8 s")
    title = f"{row['watchers']:,} cut off at once"
    named(times, "", "seconds until the last was resumed", title)
    width = 0.25
    for number, name in enumerate(
        ("changes", "snapshots_encoded", "shard_requests_of_resumes")
    ):
        places = [place + (number - 1) * width for place in range(len(kinds))]
        label = name.replace("_", " ")
        work.bar(places, [one[name] for one in storms], width, label=label)
    work.set_xticks(range(len(kinds)), kinds)
    named(work, "", "number")
    return figure


def hold(row: Row) -> Figure:
    """Cores and memory over the minutes."""
    figure, (cores, sizes) = panels(2)
    for (name, part), colour in zip(row.items(), CYCLE, strict=False):
        minutes = [at / 60 for at in part["series"]["at"]]
        share = [1e6 * sum(each) / part["watchers"] for each in part["series"]["cores"]]
        label = f"{name}: {part['watchers']:,} watchers, {part['crowd']['lost']} lost"
        cores.plot(minutes, share, color=colour, label=label)
        for number in range(part["gateways"]):
            mib = [each[number] / 2**20 for each in part["series"]["rss"]]
            sizes.plot(minutes, mib, color=colour, label=f"{name}, {number + 1}")
    goal(cores, 5, "goal")
    cores.set_ylim(bottom=0)
    named(cores, "minutes", "% of a core per 10,000")
    sizes.set_ylim(bottom=0)
    named(sizes, "minutes", "resident MiB of a gateway")
    return figure


def peak(row: Row) -> Figure:
    """Answers and sights by the second, a column for each number of providers."""
    figure, found = panels(2, len(row))
    for column, one in enumerate(row.values()):
        above, below = found[column], found[len(row) + column]
        for axes, series, what in (
            (above, one["series"]["answers"], "answer"),
            (below, one["series"]["sights"], "change to sight"),
        ):
            for name in (P50, P99, "max"):
                axes.plot(range(len(series[name])), series[name], label=name)
            plain(axes.yaxis)
            named(axes, "second", f"{what}, ms")
        goal(above, 100, "goal for 99 %, 100 ms")
        above.set_title(
            f"{one['bookings_a_second']:g} bookings a second, {one['providers']:,} "
            f"providers: p99 {one['answer_ms'][P99]} ms"
        )
    return figure


def growth(row: Row) -> Figure:
    """Cost of a message and of a watcher, over watchers and over providers."""
    figure, found = panels(2, 2)
    for column, (axes_names, x) in enumerate(
        ((("watchers", "two"), "watchers"), (("providers",), "providers"))
    ):
        for name in axes_names:
            points = row.get(name, [])
            numbers = [one["n"] for one in points]
            label = "two gateways" if name == "two" else "one gateway"
            for line, key in ((0, "us_per_message"), (1, "idle_us_per_watcher_second")):
                axes = found[2 * line + column]
                axes.plot(numbers, [p[key] for p in points], marker="o", label=label)
                axes.set_xscale("log")
        named(found[column], x, "µs a message")
        named(found[2 + column], x, "µs a second and watcher, idle")
    for axes in found:
        axes.set_ylim(bottom=0)
    return figure


def searches(row: Row) -> Figure:
    """Bookings without and with searches beside them, and searches of each kind."""
    figure, (booked, found) = panels(1, 2)
    load = row["load"]
    windows = {
        "alone": load["bookings_alone"],
        "beside searches": load["both"]["bookings"],
        "alone again": load["bookings_alone_again"],
    }
    kinds = load["both"]["searches"]["kinds"]
    for axes, all_ms in (
        (booked, {name: one["ms"] for name, one in windows.items()}),
        (found, {name: one["ms"] for name, one in kinds.items()}),
    ):
        for number, percentile in enumerate((P50, P99)):
            places = [place + 0.4 * (number - 0.5) for place in range(len(all_ms))]
            heights = [ms[percentile] for ms in all_ms.values()]
            axes.barh(places, heights, 0.4, label=percentile, color=CYCLE[number])
        axes.set_yticks(range(len(all_ms)), list(all_ms))
        axes.invert_yaxis()
    goal(found, 50, "goal for 99 %, 50 ms", upright=True)
    rate = load["both"]["bookings"]["per_second"]
    named(booked, "ms of a booking", "", f"{rate} bookings a second")
    title = f"searches over {row['providers']:,} providers"
    named(found, "ms of a search, bookings beside it", "", title)
    return figure


ROWS: dict[str, Callable[[Row], Figure]] = {
    "fanout": fanout,
    "sight": sight,
    "hot": hot,
    "memory": memory,
    "stalled": stalled,
    "storm": storm,
    "hold": hold,
    "peak": peak,
    "growth": growth,
    "searches": searches,
}


def draw(path: Path, only: list[str] | None = None) -> list[Path]:
    """A plot for each row that a file has; where they are."""
    found = json.loads(path.read_text())
    drawn = []
    for name, plot in ROWS.items():
        row = found.get(name)
        if row is None or "failed" in row or (only and name not in only):
            continue
        drawn.append(path.with_name(f"{path.stem}-{name}.svg"))
        with styled(name):
            plot(row).savefig(drawn[-1], metadata={"Date": None})
    return drawn


def main() -> None:
    """Draw, and say what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=None)
    chosen = parser.parse_args()
    for path in draw(chosen.file, chosen.only):
        print(path)


if __name__ == "__main__":
    main()
