"""Searches at a fixed rate, in turn at several gateways of one site.

    python -m loadtests.bench.searches --gateways URL URL --asked FILE [--rate 20]
        [--seconds 30] [--json FILE]

Each line of the file is a kind of search, a space and a path. The rate waits for no
answer: a search's time counts from when it was due. ``tests.benchmarks.bench_searches``
makes a site of 100,000 providers, and books there meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from loadtests.histogram import percentiles
from loadtests.wire.http_client import ConnectionLost, HttpClient

CONNECTIONS = 64
UNANSWERED = 0
"""The status of a search without an answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, and of which kind it is."""

    kind: str
    path: str


async def search_loop(
    gateways: Sequence[HttpClient],
    asked: Sequence[Asked],
    per_second: float,
    seconds: float,
) -> dict[str, Any]:
    """Search at a fixed rate; times by kind, statuses, and how many were not live."""
    took: dict[str, list[float]] = defaultdict(list)
    statuses: Counter[int] = Counter()
    stale = 0

    async def one(number: int, due: float) -> None:
        nonlocal stale
        search = asked[number % len(asked)]
        gateway = gateways[number % len(gateways)]
        try:
            answer = await gateway.ask("GET", search.path)
        except ConnectionLost:
            statuses[UNANSWERED] += 1
            return
        took[search.kind].append(time.perf_counter() - due)
        statuses[answer.status] += 1
        stale += answer.status == 200 and not answer.json()["live"]

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(number, due))
    every = [time_s for times in took.values() for time_s in times]
    return {
        "per_second": round(len(every) / (time.perf_counter() - began), 1),
        "ms": percentiles(every),
        "kinds": {
            kind: {"searches": len(times), "ms": percentiles(times)}
            for kind, times in sorted(took.items())
        },
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "not_live": stale,
    }


async def _measure(options: argparse.Namespace) -> dict[str, Any]:
    lines = options.asked.read_text(encoding="utf-8").splitlines()
    asked = [Asked(*line.split(" ", 1)) for line in lines if line.strip()]
    gateways = [HttpClient(url, CONNECTIONS) for url in options.gateways]
    try:
        return await search_loop(gateways, asked, options.rate, options.seconds)
    finally:
        for gateway in gateways:
            await gateway.close()


def main() -> None:
    """Measure, print, and write JSON if a file was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", nargs="+", required=True)
    parser.add_argument("--asked", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    text = json.dumps(uvloop.run(_measure(options)), indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
