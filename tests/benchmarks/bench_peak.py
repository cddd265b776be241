"""Bookings at the published national peak, 333 a second, with 10,000 watchers.

    python -m tests.benchmarks.bench_peak [--json FILE]

The rate is fixed and waits for no answer; a booking's time counts from when it was due.
Twice, each on a fresh server: over 1,000 providers, so that a booking is seen by ten
watchers, and over 100, so that it is seen by a hundred. Every booking takes a slot of
its own in a week that is watched. Told by the second: answers and their time, and the
time from a booking to its sight.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from loadtests.crowd.processes import Crowds
from loadtests.histogram import percentiles
from tests.benchmarks.bench_hot import newest, until_all_have
from tests.benchmarks.bench_sight import answers, changed, spread_over, warm
from tests.benchmarks.changing import Change, Changer
from tests.benchmarks.gauging import say, spent, tell
from tests.benchmarks.live_site import LiveSite, live_site
from tests.benchmarks.sights import joined

PROVIDERS = (1_000, 100)
ON_TIME_S = 2.0


def answered(changes: list[Change], began: float, seconds: int) -> dict[str, list[Any]]:
    """Answers and their milliseconds, by the second in which they were due."""
    bins: list[list[float]] = [[] for _ in range(seconds)]
    for one in changes:
        place = int(one.due - began)
        if 0 <= place < seconds:
            bins[place].append(one.answered - one.due)
    told = [percentiles(each) for each in bins]
    return {
        "answers": [len(each) for each in bins],
        **{name: [one.get(name) for one in told] for name in ("p50", "p99", "max")},
    }


def measure(
    site: LiveSite, watchers: int, rate: float, seconds: float
) -> dict[str, Any]:
    """So many providers as the site has."""
    plan = [[topic] for topic in site.topics()]
    with Crowds(site.live, watchers, plan=plan) as crowds:
        say(f"{watchers} watchers in {crowds.connected_s:.1f} s")
        changer = Changer(site, site.providers, only_books=True)
        warm(changer, rate / 4)
        crowds.ask("reset")
        began, used = time.monotonic(), spent(site.gateways)
        changes = asyncio.run(changed(changer, rate, seconds))
        used = spent(site.gateways) - used
        calm = until_all_have(crowds, newest(changes))
        delivered = crowds.deliveries()
        counts = crowds.counts()
    sights = joined(changes, delivered, spread_over(site.topics(), watchers))
    late = sum(one.answered - one.due > ON_TIME_S for one in changes)
    return {
        "watchers": watchers,
        "providers": len(site.providers),
        "bookings_a_second": rate,
        "seconds": seconds,
        "crowd": counts,
        "answers": dict(changer.statuses),
        "answered_late": late + changer.statuses["unanswered"],
        "asked_again": changer.asked_again,
        "answer_ms": answers(changes),
        "gateway_cores": round(used / seconds, 3),
        "sight": sights.summary(),
        "everybody_had_the_last": calm,
        "series": {
            "answers": answered(changes, began, int(seconds)),
            "sights": sights.by_second(began, int(seconds)),
        },
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--providers", type=int, nargs="+", default=list(PROVIDERS))
    parser.add_argument("--rate", type=float, default=333.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    found = {}
    for providers in chosen.providers:
        with live_site(providers) as site:
            found[f"providers_{providers}"] = measure(
                site, chosen.watchers, chosen.rate, chosen.seconds
            )
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
