"""Durable bookings per second on Redis and MariaDB, beside the plain server.

    python -m loadtests.bench.services --redis redis://… --mariadb mysql+asyncmy://…/{}
        [--slow-redis URL] [--slow-mariadb URL] [--seconds 5] [--json FILE]

The servers are given, private and empty; ``{}`` stands for the name of a database, of
which ``bench_plain`` and ``bench_ours0`` … ``bench_ours2`` must exist. The slow URLs
lead to the same servers through a proxy that adds a delay. ``tests.benchmarks`` starts
all of that. Every booking takes a slot of its own, spread over 64 providers or all of
one; 1, 32 and 256 are in flight; closed loop. The plain server gets the number of
workers and connections with which it is fastest here.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop

from loadtests.bench.bookings import (
    PATIENTS,
    PROVIDERS,
    Take,
    closed_loop,
    plain_taker,
    register,
    rest_taker,
)
from loadtests.bench.servers import Server, plain_sql_server, slotcast_server
from loadtests.wire.http_client import HttpClient
from loadtests.workload.region import run_slotcast, tokens

IN_FLIGHT = (1, 32, 256)
TUNINGS = ((1, 8), (1, 16), (1, 32), (2, 8), (2, 16), (2, 32))
"""(workers, connections each) that are tried for the plain server."""
TUNE_AT = 32
HOT = PROVIDERS - 1
HOT_FROM_DAY = 60
"""Days from now to the hot provider's slots, beyond those of the spread load."""


class Slots:
    """Distinct free slots of five minutes, of all providers or of the hot one."""

    def __init__(self, *, hot: bool) -> None:
        day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._first = day + timedelta(days=HOT_FROM_DAY if hot else 2)
        self._hot = hot
        self._next = 0

    def take(self) -> tuple[int, str, str]:
        """The next slot: its number, provider and start."""
        number = self._next
        self._next += 1
        at, provider = (number, HOT) if self._hot else divmod(number, PROVIDERS)
        start = self._first + timedelta(minutes=5 * at)
        return number, f"prv_bench{provider:03d}", start.strftime("%Y-%m-%dT%H:%M:%SZ")


async def matrix(take: Take, seconds: float) -> dict[str, Any]:
    """Measure spread and hot load at each number in flight."""
    found: dict[str, Any] = {}
    for name, hot in (("spread", False), ("hot", True)):
        slots = Slots(hot=hot)
        await closed_loop(take, slots, 32, min(1.5, seconds))  # warm up
        found[name] = {
            str(n): await closed_loop(take, slots, n, seconds) for n in IN_FLIGHT
        }
    return found


# --- the plain server -----------------------------------------------------------------


@asynccontextmanager
async def _plain(url: str, tuning: tuple[int, int]) -> AsyncIterator[Take]:
    async with plain_sql_server(url, PROVIDERS, *tuning) as server:
        client = HttpClient(server.url, max(IN_FLIGHT), timeout_s=120)
        yield plain_taker(client)
        await client.close()


async def tuned(url: str, seconds: float) -> tuple[tuple[int, int], dict[str, int]]:
    """The number of workers and connections with which the plain server is fastest."""
    rates: dict[tuple[int, int], int] = {}
    for tuning in TUNINGS:
        async with _plain(url, tuning) as take:
            slots = Slots(hot=False)
            await closed_loop(take, slots, 32, 1)
            found = await closed_loop(take, slots, TUNE_AT, seconds)
            rates[tuning] = found["per_second"]
    best = max(rates, key=lambda tuning: rates[tuning])
    return best, {f"{w} workers x {c}": rate for (w, c), rate in rates.items()}


# --- Slotcast -------------------------------------------------------------------------


async def _ours(
    seconds: float, redis: str, mariadb: str, *, number: int, audit: bool
) -> dict[str, Any]:
    """One run of Slotcast on a site and a database of its own."""
    site = {
        "SLOTCAST_JOURNAL": redis,
        "SLOTCAST_DATABASE": mariadb.format(f"bench_ours{number}"),
        "SLOTCAST_SITE": f"bench{number}",
    }
    os.environ.update(site)  # for tokens and ``slotcast verify``
    async with slotcast_server(None, **site) as server:
        os.environ["SLOTCAST_DATA"] = str(server.data)
        await register(server)
        found = await matrix(await _ours_taker(server), seconds)
        if audit:
            status, text = await run_slotcast("verify", "--json")
            found["audit"] = "ok" if status == 0 else text[:300]
    return found


async def _ours_taker(server: Server) -> Take:
    named = await tokens("patient", [f"pat_bench{n}" for n in range(PATIENTS)])
    client = HttpClient(server.url, max(IN_FLIGHT), timeout_s=120)
    return rest_taker(client, list(named.values()))


# --- comparison -----------------------------------------------------------------------


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure every server on every case, one after the other."""
    seconds = options.seconds
    plain_url = options.mariadb.format("bench_plain")
    best, rates = await tuned(plain_url, min(3.0, seconds))
    found: dict[str, Any] = {
        "seconds_each": seconds,
        "plain_tuning": {"workers": best[0], "connections": best[1], "tried": rates},
        "plain": {},
        "slotcast": {},
    }
    lines = {"direct": (options.redis, options.mariadb)}
    if options.slow_mariadb:
        lines["database_delayed"] = (options.redis, options.slow_mariadb)
    if options.slow_redis:
        lines["all_delayed"] = (options.slow_redis, options.slow_mariadb)
    for number, (name, (redis, mariadb)) in enumerate(lines.items()):
        if name != "all_delayed":
            async with _plain(mariadb.format("bench_plain"), best) as take:
                found["plain"][name] = await matrix(take, seconds)
        found["slotcast"][name] = await _ours(
            seconds, redis, mariadb, number=number, audit=name == "direct"
        )
    found["ratios"] = ratios(found)
    return found


def ratios(found: dict[str, Any]) -> dict[str, Any]:
    """Slotcast's rate divided by the plain server's, for each case that both ran."""
    told: dict[str, Any] = {}
    for name, ours in found["slotcast"].items():
        plain = found["plain"]["database_delayed" if "delayed" in name else "direct"]
        told[name] = {
            spread: {
                n: round(
                    ours[spread][n]["per_second"]
                    / max(1, plain[spread][n]["per_second"]),
                    1,
                )
                for n in ours[spread]
            }
            for spread in ("spread", "hot")
        }
    return told


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def markdown(found: dict[str, Any]) -> str:
    """The figures as a table for a page."""
    head = ["", "in flight", "plain", "p50 / p99 ms", "Slotcast", "p50 / p99 ms", "×"]
    rows = [_row(head), _row(["---"] * len(head))]
    for name, ours in found["slotcast"].items():
        plain = found["plain"].get(name)
        for spread in ("spread", "hot"):
            for n, mine in ours[spread].items():
                theirs = plain[spread][n] if plain else None
                rows.append(
                    _row(
                        [
                            f"{name.replace('_', ' ')}, {spread}",
                            n,
                            *_pair(theirs),
                            *_pair(mine),
                            str(found["ratios"][name][spread][n]),
                        ]
                    )
                )
    return "\n".join(rows) + "\n"


def _pair(one: dict[str, Any] | None) -> tuple[str, str]:
    if one is None:
        return "", ""
    return (
        f"{one['per_second']:,}/s",
        f"{one['ms']['p50']:.0f} / {one['ms']['p99']:.0f}",
    )


def main() -> None:
    """Measure and print; write JSON and the table if a file was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--mariadb", required=True)
    parser.add_argument("--slow-redis", default="")
    parser.add_argument("--slow-mariadb", default="")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = uvloop.run(measure(options))
    text = json.dumps(found, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")
        options.json.with_suffix(".md").write_text(markdown(found))


if __name__ == "__main__":
    main()
