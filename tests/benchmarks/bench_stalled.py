"""One watcher in a hundred stops reading: what they hold, and what the others feel.

    python -m tests.benchmarks.bench_stalled [--watchers 10000] [--json FILE]

Every watcher has one of 99 topics but one in a hundred, which has all of them and a
receive buffer as small as a phone's network: when it stops reading, the bytes pile up
in the server. Three parts of one run: all read; one in a hundred does not, and none is
disconnected yet (that takes 15 s without a byte taken); they read again and must come
to the newest version. Memory is that of the gateway's process and of the kernel's
side of its connections (``ss -tm``); what the gateway's memory grew by in the first
part, when all read, is told beside it and taken off.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.crowd.processes import Crowds
from tests.benchmarks.bench_hot import newest, until_all_have
from tests.benchmarks.bench_sight import phase, spread_over, warm
from tests.benchmarks.changing import Change, Changer
from tests.benchmarks.gauging import grown, kernel, metrics, own_memory, say, tell
from tests.benchmarks.live_site import LiveSite, live_site
from tests.benchmarks.sights import Sights

EVERY = 100
_MEMORY = re.compile(r"skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+)")


def held_by_kernel(url: str) -> dict[str, int]:
    """Bytes in the buffers of a server's connections, its own ends only."""
    port = urlsplit(url).port
    command = ["ss", "-tmnH", "state", "established", f"sport = :{port}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    each = [sum(map(int, found)) for found in _MEMORY.findall(told)]
    return {"connections": len(each), "bytes": sum(each)}


def state(site: LiveSite) -> dict[str, int]:
    """What the server holds now."""
    held = held_by_kernel(site.url)
    return {
        **{name: own_memory(site.gateways[0])[name] for name in ("rss", "pss")},
        "socket_buffers": held["bytes"],
        "buffers_of_the_machine": kernel()["buffers"],
    }


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """By how much each has grown."""
    return {name: after[name] - before[name] for name in before}


def each(usual: dict[str, int], grew: dict[str, int], stalled: int) -> dict[str, float]:
    """KiB for each stalled reader, in the process and in its connections' buffers."""

    def kib(size: int) -> float:
        return round(size / 1024 / max(1, stalled), 1)

    rss, buffers = grew["rss"], grew["socket_buffers"]
    return {
        "rss": kib(rss),
        "socket_buffers": kib(buffers),
        "in_all": kib(rss + buffers),
        "in_all_beyond_usual": kib(rss - usual["rss"] + buffers),
    }


class Row:
    """The parts of the run."""

    def __init__(self, site: LiveSite, crowds: Crowds, rate: float) -> None:
        self._site = site
        self._crowds = crowds
        self._rate = rate
        self.changer = Changer(site, site.providers)
        # The stalled watch all topics, and what they receive is not kept.
        topics = site.topics()
        self._watchers = spread_over(topics, crowds.sockets)
        del self._watchers[topics[-1]]

    def part(self, seconds: float) -> tuple[list[Change], Sights, dict[str, int]]:
        """Change for a while; what was seen, and by what the server grew."""
        before = state(self._site)
        changes, sights = phase(
            self._crowds, self.changer, self._watchers, self._rate, seconds
        )
        return changes, sights, difference(before, state(self._site))


def measure(
    site: LiveSite, watchers: int, rate: float, seconds: float
) -> dict[str, Any]:
    """The row; one in as many stalls as there are providers."""
    topics = site.topics()
    every = len(topics)
    plan = [*([one] for one in topics[:-1]), topics]
    with Crowds(site.live, watchers, "--small", str(every), plan=plan) as crowds:
        say(f"{watchers} watchers in {crowds.connected_s:.1f} s")
        row = Row(site, crowds, rate)
        warm(row.changer, rate)
        _, before, usual = row.part(seconds)
        stalled = sum(one["stalled"] for one in crowds.ask(f"stall {every}"))
        counts = metrics(site.url)
        changes, during, grew = row.part(seconds)
        paused = metrics(site.url)["slotcast_live_watchers_paused"]
        crowds.ask(f"read {every}")
        calm = until_all_have(crowds, newest(changes))
        after = metrics(site.url)
        told = crowds.counts()
    return {
        "watchers": watchers,
        "stalled": stalled,
        "changes_a_second": rate,
        "seconds": seconds,
        "crowd": told,
        "answers": dict(row.changer.statuses),
        "paused_in_the_server": paused,
        "grew_while_all_read": usual,
        "grew_while_some_stalled": grew,
        "kib_each_stalled": each(usual, grew, stalled),
        "others_before": before.summary(),
        "others_during": during.summary(),
        "quantiles_ms": {"before": before.quantiles(), "during": during.quantiles()},
        "conflations": grown(counts, after, "slotcast_live_conflations_total"),
        "closed_by_the_server": grown(counts, after, "slotcast_live_closes_total"),
        "everybody_had_the_last": calm,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    with live_site(EVERY) as site:
        found = measure(site, chosen.watchers, chosen.rate, chosen.seconds)
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
