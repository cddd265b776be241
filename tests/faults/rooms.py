"""Visits with rooms on three nodes, while shards, gateways and workers are killed.

    python -m tests.faults.rooms [--seconds 60] [--rate 200] [--every 4] [--out FILE]

A Redis, a MariaDB and three nodes of this machine; one process after another gets
kill -9. Then everything must agree within ``SETTLE_S``: what people were told with the
calendars by REST (loadtests/workload/rooms.py), and ``slotcast verify``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests.wire.arguments import positive_seconds
from loadtests.workload.rooms import RoomLoad, RoomPlan
from tests.benchmarks.__main__ import commit, machine
from tests.faults.sites import Site
from tests.fixtures.cluster import ClusterOnOneMachine
from tests.fixtures.mariadb import MariaDbServer
from tests.fixtures.redis_server import RedisServer

ROLES = ("shard", "gateway", "worker")
SETTLE_S = 60.0
"""How long after the last fault everything may take to agree."""
HOLD_S = "5"
"""Rooms of a killed gateway are soon in doubt."""


class Killing:
    """kill -9 of one process of a cluster after another."""

    def __init__(
        self, cluster: ClusterOnOneMachine, nodes: Sequence[str], seed: int
    ) -> None:
        self._cluster = cluster
        self._nodes = nodes
        self._dice = random.Random(seed)
        self.killed: Counter[str] = Counter()

    async def run(self, every_s: float, roles: Sequence[str] = ROLES) -> None:
        """Until cancelled: one of each role in turn."""
        while True:
            for role in roles:
                await asyncio.sleep(every_s)
                await asyncio.to_thread(self.kill, role)

    def kill(self, role: str) -> bool:
        """Kill a process of a role, if there is one just now."""
        found = [pid for node in self._nodes for pid in self._pids(node, role)]
        if not found:
            return False
        try:
            os.kill(self._dice.choice(sorted(found)), signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.killed[role] += 1
        return True

    def _pids(self, node: str, role: str) -> list[int]:
        return self._cluster.nodes[node].pids(role)


async def settled(load: RoomLoad, *, frees: bool = True) -> list[str]:
    """What does not agree after ``SETTLE_S``, or as soon as all does.

    ``frees``: with what a killed gateway held, which ends with its hold.
    """
    until = time.monotonic() + SETTLE_S
    while True:
        problems = await load.audit()
        if not problems and not (frees and await load.held()):
            return []
        if time.monotonic() > until:
            return problems or ["slots are held still"]
        await asyncio.sleep(0.5)


async def kill_each(load: RoomLoad, killing: Killing, between: int) -> None:
    """A process of each role, with so many acknowledged requests around each."""
    async with asyncio.timeout(len(ROLES) * SETTLE_S):
        for role in ROLES:
            await _more(load, between)
            while not await asyncio.to_thread(killing.kill, role):  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # it is just being started again
        await _more(load, between)


async def _more(load: RoomLoad, count: int) -> None:
    goal = load.told.done.total() + count
    while load.told.done.total() < goal:  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0.05)


@contextmanager
def three_nodes(folder: Path) -> Iterator[ClusterOnOneMachine]:
    """Started, and thrown away with the block."""
    with (
        RedisServer(folder / "redis") as redis,
        MariaDbServer(folder / "mariadb") as mariadb,
    ):
        mariadb.create_database("rooms")
        with ClusterOnOneMachine(
            folder / "nodes",
            SLOTCAST_JOURNAL=redis.url,
            SLOTCAST_DATABASE=mariadb.url("rooms"),
            SLOTCAST_SITE="rooms",
            SLOTCAST_HOLD_SECONDS=HOLD_S,
        ) as cluster:
            cluster.start()
            cluster.wait_ready()
            yield cluster
            cluster.stop()


async def run(cluster: ClusterOnOneMachine, chosen: argparse.Namespace) -> Any:
    """Load, kills, audit; the report."""
    site = Site(cluster.gateway_urls, cluster.head.settings)
    admin = site.tokens("admin", ["adm_rooms"])["adm_rooms"]
    plan = RoomPlan(rate=chosen.rate, seed=chosen.seed)
    load = RoomLoad(site.urls, plan, admin)
    killing = Killing(cluster, list(cluster.nodes), chosen.seed)
    try:
        await load.open()
        tokens = site.tokens("patient", plan.people)
        strikes = None
        if chosen.every:
            strikes = asyncio.create_task(killing.run(chosen.every))
        began = datetime.now(UTC)
        await load.run(tokens, chosen.seconds, asyncio.Event())
        if strikes is not None:
            strikes.cancel()
            await asyncio.wait([strikes])
        ended = time.monotonic()
        problems = await settled(load)
        settled_s = time.monotonic() - ended
    finally:
        await load.close()
    verdict = await asyncio.to_thread(cluster.json, "verify", node="n2")
    return {
        "what": "visits with rooms on three nodes, processes killed",
        "began": began.strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "commit": commit(),
        "rate": chosen.rate,
        "every_s": chosen.every,
        "killed": dict(killing.killed),
        **load.told.figures(),
        "visits": len(load.told.visits),
        "settled_s": round(settled_s, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "verify": {name: verdict[name] for name in ("events", "bookings", "claims")},
        "problems": problems + verdict["problems"],
    }


def main() -> int:
    """Run and report; 1 if anything does not agree."""
    made = argparse.ArgumentParser(
        prog="python -m tests.faults.rooms", description=__doc__
    )
    made.add_argument("--seconds", type=positive_seconds, default=60.0)
    made.add_argument("--rate", type=positive_seconds, default=200.0)
    made.add_argument("--every", type=float, default=4.0, help="0: nothing is killed")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--out", type=Path)
    chosen = made.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="slotcast-rooms-") as folder,
        three_nodes(Path(folder)) as cluster,
    ):
        report = asyncio.run(run(cluster, chosen))
    text = json.dumps(report, indent=2) + "\n"
    if chosen.out is not None:
        chosen.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
