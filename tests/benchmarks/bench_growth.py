"""What a message and a watcher cost as watchers and providers grow in number.

    python -m tests.benchmarks.bench_growth [--axes watchers two providers]
        [--json FILE]

``watchers``: one gateway with 1,000 to 18,000 of them, all on one topic; ``two``:
30,000 on two gateways. ``providers``: 100 to 10,000 of them, with 10,000 watchers: half
on one topic that changes, half spread over all others, two topics each. One change a
second in all of them.

Told for each: processor time of the gateways while nothing changes, by watcher; and
for each delivered message what the changes took beyond that, and beyond what the same
changes took with a few watchers (booking, journal, encoding). So it is the cost of one
more watcher of a change.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.crowd.processes import Crowds, Plan
from tests.benchmarks.bench_sight import changed, warm
from tests.benchmarks.changing import Changer
from tests.benchmarks.gauging import say, spent, tell
from tests.benchmarks.live_site import LiveSite, live_site

FEW = 10
"""Watchers whose changes tell what a change costs by itself."""
WATCHERS = (1_000, 3_000, 10_000, 18_000)
TWO = (30_000,)
PROVIDERS = (100, 1_000, 10_000)
RATE = 1.0
SETTLE_S = 3.0
AXES = ("watchers", "two", "providers")


Point = dict[str, Any]


@dataclass
class Effort:
    """How long to look."""

    idle_s: float
    seconds: float


@dataclass
class Cost:
    """What the gateways spent: a second of idleness, and on the changes beyond it."""

    idle: float
    changes: float
    frames: int


def cost(
    site: LiveSite, changer: Changer, crowds: list[Crowds], effort: Effort
) -> Cost:
    """Idle for a while, then change for a while."""
    time.sleep(SETTLE_S)
    at, used = time.monotonic(), spent(site.gateways)
    time.sleep(effort.idle_s)
    idle = (spent(site.gateways) - used) / (time.monotonic() - at)
    for one in crowds:
        one.ask("reset")
    at, used = time.monotonic(), spent(site.gateways)
    asyncio.run(changed(changer, RATE, effort.seconds))
    used = spent(site.gateways) - used - idle * (time.monotonic() - at)
    return Cost(idle, used, sum(one.total("frames") for one in crowds))


def point(number: int, watchers: int, now: Cost, base: Cost) -> Point:
    """A point of the plot."""
    frames = now.frames - base.frames
    return {
        "n": number,
        "watchers": watchers,
        "messages": now.frames,
        "us_per_message": round(1e6 * (now.changes - base.changes) / max(1, frames), 2),
        "idle_cores": round(now.idle, 4),
        "idle_us_per_watcher_second": round(1e6 * now.idle / watchers, 2),
        "us_per_change_alone": round(1e6 * FEW * base.changes / max(1, base.frames)),
    }


def by_watchers(site: LiveSite, steps: list[int], effort: Effort) -> list[Point]:
    """More and more watchers on one topic."""
    found = []
    with ExitStack() as stack:
        plan = [[topic] for topic in site.topics()]
        changer = Changer(site, site.providers)
        crowds = [stack.enter_context(Crowds(site.live, FEW, plan=plan))]
        warm(changer, RATE)
        base = cost(site, changer, crowds, effort)
        for number, step in enumerate(steps, 1):
            there = sum(one.sockets for one in crowds)
            place = {"first": there, "first_source": 1 + 10 * number}
            made = Crowds(site.live, step - there, plan=plan, **place)
            crowds.append(stack.enter_context(made))
            now = cost(site, changer, crowds, effort)
            found.append(point(step, step, now, base))
            for name in ("joined", "lost"):
                found[-1][name] = sum(one.total(name) for one in crowds)
            say(f"{step} watchers: {found[-1]['us_per_message']} µs a message")
    return found


def half_spread(topics: list[str], watchers: int) -> Plan:
    """Half of the watchers on the first topic, half on two each of the others."""
    first, others = topics[0], topics[1:]
    plan = []
    for number in range(watchers):
        places = (number - 1) % len(others), number % len(others)
        pair = [others[place] for place in dict.fromkeys(places)]
        plan.append(pair if number % 2 else [first])
    return plan


def by_providers(
    site: LiveSite, steps: list[int], watchers: int, effort: Effort
) -> list[Point]:
    """More and more providers, as many watchers."""
    found = []
    changer = Changer(site, site.providers[:1])
    for step in steps:
        began = time.monotonic()
        asyncio.run(site.open(step))
        say(f"{step} providers in {time.monotonic() - began:.0f} s")
        with Crowds(site.live, FEW, plan=[site.topics()[:1]]) as crowd:
            warm(changer, RATE)
            base = cost(site, changer, [crowd], effort)
        plan = half_spread(site.topics(), watchers)
        with Crowds(site.live, watchers, plan=plan) as crowd:
            now = cost(site, changer, [crowd], effort)
            counts = crowd.counts()
        found.append(point(step, watchers, now, base))
        found[-1] |= {name: counts[name] for name in ("joined", "lost")}
        say(f"{step} providers: {found[-1]['us_per_message']} µs a message")
    return found


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """The axes that were chosen, each on a server of its own."""
    effort = Effort(chosen.idle, chosen.seconds)
    found: dict[str, Any] = {"changes_a_second": RATE}
    if "watchers" in chosen.axes:
        with live_site(1) as site:
            found["watchers"] = by_watchers(site, chosen.watchers, effort)
    if "two" in chosen.axes:
        with live_site(1, gateways=2) as site:
            found["two"] = by_watchers(site, chosen.two, effort)
    if "providers" in chosen.axes:
        with live_site(1) as site:
            found["providers"] = by_providers(
                site, chosen.providers, chosen.beside, effort
            )
    return found


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--watchers", type=int, nargs="+", default=list(WATCHERS))
    parser.add_argument("--two", type=int, nargs="+", default=list(TWO))
    parser.add_argument("--providers", type=int, nargs="+", default=list(PROVIDERS))
    parser.add_argument("--beside", type=int, default=10_000, help="watchers there")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    tell(measure(chosen), chosen.json)


if __name__ == "__main__":
    main()
