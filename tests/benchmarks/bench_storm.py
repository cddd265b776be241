"""10,000 watchers are cut off at once and come back, while changes go on.

    python -m tests.benchmarks.bench_storm [--watchers 10000] [--json FILE]

Three times: ``resume`` asks for what follows the last version each had, all at once, as
fast as the server lets them; ``jittered`` is the same with a random wait, as a client
of ours has; ``snapshot`` asks from a version that is no longer remembered. Told: when
the last was answered and when the last had a first frame, handshakes refused on the
way, how the server resumed them, what it encoded, what it asked the shards beyond the
changes and the round that verifies feeds, and how long those waited who made the
changes. Afterwards all are at the newest version.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.crowd.processes import Crowds
from tests.benchmarks.bench_hot import newest, until_all_have
from tests.benchmarks.bench_sight import answers, warm
from tests.benchmarks.changing import Change, Changer
from tests.benchmarks.gauging import grown, metrics, say, spent, tell
from tests.benchmarks.live_site import LiveSite, live_site

AWAY_S = 1.0
"""They are away for so long, so that there is something to resume."""
LONGEST_S = 180.0
"""Changes end by themselves after so long, whatever happens."""
AFTER_S = 2.0
"""Changes go on for so long after the last was back."""
ALL = 1_000_000
STORMS: dict[str, dict[str, Any]] = {
    "resume": {"since": "last", "at_once": ALL},
    "jittered": {"since": "last", "at_once": ALL, "jitter_s": 5.0},
    "snapshot": {"since": "old", "at_once": ALL},
}
COUNTS = {
    "deltas_encoded": "slotcast_live_deltas_encoded_total",
    "snapshots_encoded": "slotcast_live_snapshots_encoded_total",
    "topic_reads": "slotcast_live_reads_total",
    "position_reads": "slotcast_live_position_reads_total",
    "shard_requests": "slotcast_courier_requests_total",
    "search_questions": "slotcast_search_questions_total",
}


@dataclass
class Changing:
    """Changes beside the storm, in a thread of their own, until told to stop."""

    changer: Changer
    rate: float

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Changing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        run = self.changer.run(self.rate, LONGEST_S, self._stop.is_set)
        asyncio.run(run)


def storm(
    site: LiveSite, crowds: Crowds, changer: Changer, kind: str, rate: float
) -> dict[str, Any]:
    """One storm."""
    before, made = metrics(site.url), changer.statuses.total()
    with Changing(changer, rate):
        time.sleep(1.0)
        crowds.ask("drop")
        time.sleep(AWAY_S)
        used, began = spent(site.gateways), time.monotonic()
        told = crowds.ask(f"rejoin {json.dumps(STORMS[kind])}")
        used = spent(site.gateways) - used
        time.sleep(AFTER_S)
    changes = changer.take()
    calm = until_all_have(crowds, newest(changes))
    after = metrics(site.url)
    made = changer.statuses.total() - made
    grew = {name: grown(before, after, key) for name, key in COUNTS.items()}
    say(f"{kind}: {max(one['answered_at'] for one in told) - began:.2f} s")
    return {
        **_times(crowds, told, began),
        "gateway_cpu_s": round(used, 2),
        "changes": len(changes),
        "changes_asked": made,
        "answer_ms": answers(changes),
        **grew,
        "shard_requests_of_resumes": grew["shard_requests"]
        - made
        - grew["position_reads"]
        - grew["search_questions"],  # the roster follows the changes, storm or not
        "resumes": _by_label(before, after, "slotcast_live_resumes_total"),
        "positions_shown": _positions(site, changes),
        "everybody_had_the_last": calm,
    }


def _times(crowds: Crowds, told: list[dict[str, Any]], began: float) -> dict[str, Any]:
    report = crowds.ask("report")
    return {
        "back": sum(one["answered"] for one in report),
        "all_resumed_s": round(max(one["answered_at"] for one in told) - began, 3),
        "last_first_frame_s": round(max(one["shown_at"] for one in report) - began, 3),
        "failed": sum(one["failed"] for one in told),
        "why": [why for one in told for why in one["why"]],
        "tried_again": sum(one["again"] for one in told),
        "refused_handshakes": sum(one["refused"] for one in told),
    }


def _by_label(
    before: dict[str, float], after: dict[str, float], name: str
) -> dict[str, float]:
    return {
        key.partition('"')[2].rstrip('"}'): value - before.get(key, 0.0)
        for key, value in after.items()
        if key.startswith(name + "{")
    }


def _positions(site: LiveSite, changes: list[Change]) -> int:
    """How many (topic, version) there were to show: no more snapshots are due."""
    return len(site.providers) + len({(one.topic, one.version) for one in changes})


def measure(
    site: LiveSite, watchers: int, rate: float, kinds: list[str]
) -> dict[str, Any]:
    """The row."""
    plan = [[topic] for topic in site.topics()]
    with Crowds(site.live, watchers, plan=plan) as crowds:
        say(f"{watchers} watchers in {crowds.connected_s:.1f} s")
        changer = Changer(site, site.providers)
        warm(changer, 4 * rate)
        found = {kind: storm(site, crowds, changer, kind, rate) for kind in kinds}
        counts = crowds.counts()
    return {
        "watchers": watchers,
        "providers": len(site.providers),
        "changes_a_second": rate,
        "connected_s": crowds.connected_s,
        "answers": dict(changer.statuses),
        "crowd": counts,
        "storms": found,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--providers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--kinds", nargs="+", choices=STORMS, default=list(STORMS))
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    with live_site(chosen.providers) as site:
        found = measure(site, chosen.watchers, chosen.rate, chosen.kinds)
    tell(found, chosen.json)


if __name__ == "__main__":
    main()
