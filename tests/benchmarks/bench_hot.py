"""500 changes a second on ten hot topics, a thousand watchers on each.

    python -m tests.benchmarks.bench_hot [--watchers 10000] [--json FILE]

Half a million deliveries a second would be due if each change travelled by itself: more
than two cores can write, so frames have to bring several changes. Told by the second:
frames delivered, changes they brought, and the age of the newest change of each frame
as it came; it must not grow. Afterwards all listeners have to be at the newest version.
Changes are bookings and cancellations over REST; how many a second were made is told.
The listeners' receive buffers are small, so that no backlog hides in them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np

from loadtests.crowd.processes import Crowds
from tests.benchmarks.bench_sight import answers, changed, spread_over, warm
from tests.benchmarks.changing import Change, Changer
from tests.benchmarks.gauging import grown, metrics, say, spent, tell
from tests.benchmarks.live_site import LiveSite, live_site
from tests.benchmarks.sights import joined

BUFFER_BYTES = 16 * 1024
"""Of each listener: where the listening processes cannot keep up, the server sees it
and brings more changes in a frame, instead of their kernel hoarding old frames."""
CALM_S = 30.0
"""Within so long after the last change all listeners have to have it."""


def newest(changes: list[Change]) -> dict[str, int]:
    """The last version of each topic."""
    return {
        one.topic: one.version
        for one in sorted(changes, key=lambda change: change.version)
    }


def behind(crowds: Crowds, versions: dict[str, int]) -> int:
    """How many listeners do not stand at the newest version of a topic of theirs."""
    stands = crowds.stands()
    return sum(
        count
        for topic, version in versions.items()
        for at, count in stands.get(topic, {}).items()
        if at < version
    )


def until_all_have(crowds: Crowds, versions: dict[str, int]) -> dict[str, Any]:
    """Wait until no listener is behind; how long it took, and how many still are."""
    began = time.monotonic()
    while (left := behind(crowds, versions)) and time.monotonic() < began + CALM_S:
        time.sleep(0.25)
    return {"seconds": round(time.monotonic() - began, 2), "behind": left}


def trend(series: list[float | None]) -> dict[str, Any]:
    """Whether it grows: the first and the last third, and milliseconds a second."""
    points = [(n, one) for n, one in enumerate(series) if one is not None]
    if len(points) < 3:
        return {}
    third = max(1, len(points) // 3)
    values = [one for _, one in points]
    slope = np.polyfit([n for n, _ in points], values, 1)[0]
    return {
        "first_third_ms": round(float(np.median(values[:third])), 2),
        "last_third_ms": round(float(np.median(values[-third:])), 2),
        "ms_per_second": round(float(slope), 3),
    }


def measure(
    site: LiveSite, watchers: int, rate: float, seconds: float
) -> dict[str, Any]:
    """The row."""
    plan = [[topic] for topic in site.topics()]
    words = ("--buffer", str(BUFFER_BYTES))
    with Crowds(site.live, watchers, *words, plan=plan) as crowds:
        say(f"{watchers} watchers in {crowds.connected_s:.1f} s")
        changer = Changer(site, site.providers)
        warm(changer, rate / 10)
        crowds.ask("reset")
        before, used = metrics(site.url), spent(site.gateways)
        began = time.monotonic()
        changes = asyncio.run(changed(changer, rate, seconds))
        took = max(one.answered for one in changes) - began
        used = spent(site.gateways) - used
        calm = until_all_have(crowds, newest(changes))
        after = metrics(site.url)
        delivered = crowds.deliveries()
        counts = crowds.counts()
    sights = joined(changes, delivered, spread_over(site.topics(), watchers))
    series = sights.by_second(began, int(seconds) + 1)
    encoded = grown(before, after, "slotcast_live_deltas_encoded_total")
    return {
        "watchers": watchers,
        "topics": len(site.providers),
        "changes_a_second": {"asked": rate, "made": round(len(changes) / took, 1)},
        "seconds": seconds,
        "crowd": counts,
        "answers": dict(changer.statuses),
        "answer_ms": answers(changes),
        "gateway_cores": round(used / took, 3),
        "sight": sights.summary(),
        "frames_a_second": round(sights.frames / took),
        "changes_shown_a_second": round(sights.covered / took),
        "deltas_encoded": encoded,
        "changes_per_delta": round(len(changes) / max(1.0, encoded), 2),
        "conflations": grown(before, after, "slotcast_live_conflations_total"),
        "age_of_newest": trend(series["p50"]),
        "everybody_had_the_last": calm,
        "series": series,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--topics", type=int, default=10)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    with live_site(chosen.topics) as site:
        found = measure(site, chosen.watchers, chosen.rate, chosen.seconds)
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
