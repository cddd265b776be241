"""18,000 watchers on one gateway process, 30,000 on two, held for ten minutes.

    python -m tests.benchmarks.bench_hold [--minutes 10] [--parts one two] [--json FILE]

Nothing changes meanwhile: what the gateway does is heartbeats, pings and their pongs.
Told: who was lost, heartbeats received, and every few seconds the processor time and
resident memory of the gateway's processes. ``one`` is ``slotcast serve``; ``two`` is a
node with two gateways on one port and a Redis of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import psutil

from loadtests.crowd.processes import Crowds
from tests.benchmarks.bench_hot import newest, until_all_have
from tests.benchmarks.bench_sight import changed
from tests.benchmarks.changing import Changer
from tests.benchmarks.gauging import own_cpu_s, own_memory, say, tell
from tests.benchmarks.live_site import LiveSite, live_site

PROVIDERS = 100
SETTLE_S = 10.0
SAMPLE_S = 5.0
EMPTY_S = 10.0
"""Before the first watcher, to tell what the watchers cost."""
HEARTBEAT_S = 20.0
PARTS = {"one": 1, "two": 2}
WATCHERS = {"one": 18_000, "two": 30_000}


def sampled(pids: list[int], seconds: float) -> dict[str, list[Any]]:
    """Cores used and resident memory of each process, every few seconds."""
    began = time.monotonic()
    found: dict[str, list[Any]] = {"at": [], "cores": [], "rss": []}
    at, used = began, [own_cpu_s(pid) for pid in pids]
    while at < began + seconds:
        time.sleep(min(SAMPLE_S, max(0.05, began + seconds - at)))
        now, uses = time.monotonic(), [own_cpu_s(pid) for pid in pids]
        found["at"].append(round(now - began, 1))
        found["cores"].append(
            [round((b - a) / (now - at), 4) for a, b in zip(used, uses, strict=True)]
        )
        found["rss"].append([own_memory(pid)["rss"] for pid in pids])
        at, used = now, uses
    return found


def cores_of(series: dict[str, list[Any]]) -> float:
    """Used by all processes together, on average."""
    cores = [float(sum(each)) for each in series["cores"]]
    return sum(cores) / len(cores)


def measure(site: LiveSite, watchers: int, minutes: float) -> dict[str, Any]:
    """One part of the row."""
    seconds = 60 * minutes
    time.sleep(SETTLE_S)
    empty = sampled(site.gateways, min(seconds, EMPTY_S))
    plan = [[topic] for topic in site.topics()]
    with Crowds(site.live, watchers, plan=plan) as crowds:
        say(f"{watchers} watchers in {crowds.connected_s:.1f} s")
        time.sleep(SETTLE_S)
        crowds.ask("reset")
        files = [psutil.Process(pid).num_fds() for pid in site.gateways]
        series = sampled(site.gateways, seconds)
        counts = crowds.counts()
        changer = Changer(site, site.providers)
        changes = asyncio.run(changed(changer, 20.0, len(site.providers) / 20))
        calm = until_all_have(crowds, newest(changes))
    mean = cores_of(series)
    return {
        "gateways": len(site.gateways),
        "watchers": watchers,
        "minutes": minutes,
        "connected_s": crowds.connected_s,
        "open_files": files,
        "crowd": counts,
        "heartbeats_due": round(watchers * seconds / HEARTBEAT_S),
        "idle_cores_without_watchers": round(cores_of(empty), 4),
        "idle_cores": round(mean, 4),
        "idle_cores_per_10000": round(1e4 * mean / watchers, 4),
        "rss_mib_first": [round(one / 2**20, 1) for one in series["rss"][0]],
        "rss_mib_last": [round(one / 2**20, 1) for one in series["rss"][-1]],
        "a_change_to_all_at_the_end": calm,
        "series": series,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--watchers", type=int, default=0, help="in each part")
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    found = {}
    for part in chosen.parts:
        with live_site(PROVIDERS, gateways=PARTS[part]) as site:
            watchers = chosen.watchers or WATCHERS[part]
            found[part] = measure(site, watchers, chosen.minutes)
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
