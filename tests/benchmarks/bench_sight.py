"""From a change to its sight: 10,000 watchers, each on one of 100 providers.

    python -m tests.benchmarks.bench_sight [--watchers 10000] [--json FILE]

Bookings and cancellations over REST, 50 a second in turn over the providers, so each
change is seen by one watcher in a hundred. Told: the time from just before a change was
asked for until a watcher had its frame, over all watchers and changes, and the answers'
own time. The whole server, two listening processes and who makes the changes share the
machine.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from loadtests.crowd.processes import Crowds
from loadtests.histogram import percentiles
from tests.benchmarks.changing import Change, Changer
from tests.benchmarks.gauging import say, spent, tell
from tests.benchmarks.live_site import LiveSite, live_site
from tests.benchmarks.sights import Sights, joined

WARM_S = 3.0
LINGER_S = 0.5
"""After the last change: its frames are on their way."""


def spread_over(topics: list[str], watchers: int) -> dict[str, int]:
    """How many watch each topic when the n-th watches the n-th, round and round."""
    return dict(Counter(topics[n % len(topics)] for n in range(watchers)))


def answers(changes: list[Change]) -> dict[str, float]:
    """How long the answers took, from when they were due."""
    return percentiles([one.answered - one.due for one in changes])


async def changed(changer: Changer, rate: float, seconds: float) -> list[Change]:
    """Changes at a rate, and a moment for the last to be seen."""
    await changer.run(rate, seconds)
    await asyncio.sleep(LINGER_S)
    return changer.take()


def warm(changer: Changer, rate: float) -> None:
    """Some changes that do not count: connections are made, code has run."""
    asyncio.run(changed(changer, rate, WARM_S))
    changer.statuses.clear()


def phase(
    crowds: Crowds,
    changer: Changer,
    watchers: dict[str, int],
    rate: float,
    seconds: float,
) -> tuple[list[Change], Sights]:
    """Change for a while; the changes, and who saw them when."""
    crowds.ask("reset")
    changes = asyncio.run(changed(changer, rate, seconds))
    return changes, joined(changes, crowds.deliveries(), watchers)


def measure(
    site: LiveSite, watchers: int, rate: float, seconds: float
) -> dict[str, Any]:
    """The row."""
    plan = [[topic] for topic in site.topics()]
    with Crowds(site.live, watchers, plan=plan) as crowds:
        say(f"{watchers} watchers in {crowds.connected_s:.1f} s")
        changer = Changer(site, site.providers)
        warm(changer, rate)
        used = spent(site.gateways)
        spread = spread_over(site.topics(), watchers)
        changes, sights = phase(crowds, changer, spread, rate, seconds)
        used = spent(site.gateways) - used
        counts = crowds.counts()
    return {
        "watchers": watchers,
        "providers": len(site.providers),
        "changes_a_second": rate,
        "seconds": seconds,
        "crowd": counts,
        "connected_s": crowds.connected_s,
        "answers": dict(changer.statuses),
        "answer_ms": answers(changes),
        "gateway_cores": round(used / seconds, 3),
        "sight": sights.summary(),
        "quantiles_ms": sights.quantiles(),
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--providers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    with live_site(chosen.providers) as site:
        found = measure(site, chosen.watchers, chosen.rate, chosen.seconds)
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
