"""Bookings, cancellations and watchers for a while, with a fault every 20 seconds.

    python -m tests.faults.soak [--minutes 20] [--seed 7] [--record]

Ends in the one check (checking.py). Report and plot go to ``--out``; ``--record`` puts
them into docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests.histogram import percentiles
from loadtests.workload.history import FAIL, OK, History
from loadtests.workload.plan import Plan
from tests.benchmarks.__main__ import commit, machine
from tests.faults import menu
from tests.faults.checking import Findings
from tests.faults.loads import Load, World
from tests.faults.menu import Menu
from tests.faults.reporting import Struck, plot, seconds_of, series, summary
from tests.faults.sites import Site
from tests.fixtures.server import ROOT

EVERY_S = 20.0
CALM_S = 10.0
"""Without faults at the beginning, and at the end before the check."""
RECORDS = ROOT / "docs" / "benchmarks"


class Soak:
    """One soak of one site."""

    def __init__(self, world: World, chosen: Menu, seed: int) -> None:
        self._world = world
        self._menu = chosen
        self._dice = random.Random(seed)
        self._bag: list[str] = []
        self.struck: list[Struck] = []
        self.findings = Findings()
        self.began = self.ended = 0.0

    async def run(self, minutes: float) -> None:
        """Load, faults, calm, check. Problems are in ``findings``."""
        try:
            async with self._world.load() as load:
                self.began = time.monotonic()
                await self._storm(load, self.began + minutes * 60 - CALM_S)
                await asyncio.to_thread(self._menu.repair)
                await asyncio.sleep(max(0.0, self.began + minutes * 60 - self._now()))
                self.ended = self._now()
                self._say("stopped; checking")
        except AssertionError as error:
            self.findings.problems += str(error).splitlines() or ["an assertion failed"]
        self.ended = self.ended or self._now()

    def _now(self) -> float:
        return time.monotonic()

    async def _storm(self, load: Load, until: float) -> None:
        await asyncio.sleep(CALM_S)
        while self._now() < until:
            due = self._now() + EVERY_S
            await self._strike()
            await asyncio.sleep(max(0.0, min(due, until) - self._now()))
            self._progress(load)

    async def _strike(self) -> None:
        self._bag = self._bag or list(self._menu.bag(self._dice))
        name = self._bag.pop()
        one = Struck(round(self._now() - self.began, 2), name)
        self.struck.append(one)
        began = self._now()
        try:
            one.detail = await asyncio.to_thread(self._menu.strikes[name], self._dice)
        except Exception as error:  # noqa: BLE001 -- a fault that fails is a finding
            one.error = f"{type(error).__name__}: {error}"
            self.findings.note(f"fault {name} could not be done: {one.error}"[:600])
            await asyncio.to_thread(self._menu.repair)
        one.seconds = round(self._now() - began, 2)
        self._say(f"{one.at:6.0f} s  {name} ({one.detail or one.error[:200]})")

    def _progress(self, load: Load) -> None:
        since = self._now() - EVERY_S
        recent = []
        for one in reversed(load.work.history.operations):
            if one.invoked < since - 60:
                break
            if one.done is not None and one.done > since and one.outcome in (OK, FAIL):
                recent.append(one.done - one.invoked)
        told = percentiles(recent)
        self._say(
            f"           {len(recent) / EVERY_S:5.0f} answers/s, p50 "
            f"{told.get('p50', 0):.0f} ms, p99 {told.get('p99', 0):.0f} ms, attempts "
            f"{dict(sorted(load.work.statuses.items()))}, complaints "
            f"{len(load.work.history.complaints)}"
        )

    @staticmethod
    def _say(words: str) -> None:
        sys.stdout.write(words + "\n")
        sys.stdout.flush()

    def report(self, title: str, seed: int, numbers: dict[str, Any]) -> dict[str, Any]:
        """Everything as one document."""
        history = self._world.history
        return {
            "title": title,
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit(),
            "machine": machine(),
            "seed": seed,
            "plan": asdict(self._world.plan),
            "passed": not self.findings.problems,
            "problems": self.findings.problems,
            "checked": numbers,
            "summary": summary(history, self.began, self.ended),
            "faults": [asdict(one) for one in self.struck],
            "series": series(seconds_of(history, self.began, self.ended)),
        }


@contextmanager
def _single(folder: Path) -> Iterator[tuple[Site, Menu, str]]:
    from tests.faults.one_server import open_one_server

    with open_one_server(folder) as single:
        yield (
            single.site,
            menu.of_one_server(single),
            "One server, Redis and MariaDB",
        )


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[Site, Menu, str]]:
    from tests.faults.menu_cluster import of_three_nodes
    from tests.faults.three_nodes import open_three_nodes

    with open_three_nodes(folder) as nodes:
        yield (
            nodes.site,
            of_three_nodes(nodes),
            "Three nodes, Redis and MariaDB",
        )


GROUNDS = {"cluster": _cluster, "server": _single}


def main() -> int:
    """Soak; 0 when the check was clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", choices=GROUNDS, default=next(iter(GROUNDS)))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=100.0, help="wishes a second")
    parser.add_argument("--out", type=Path, default=Path("var/soak"))
    parser.add_argument("--record", action="store_true", help="in docs/benchmarks/")
    chosen = parser.parse_args()
    out: Path = RECORDS if chosen.record else chosen.out
    out.mkdir(parents=True, exist_ok=True)
    plan = Plan(providers=16, patients=24, days=10, rate=chosen.rate, timeout_s=8)
    sys.stdout.write(f"seed {chosen.seed}, {chosen.minutes:g} minutes\n")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        site, faults, title = stack.enter_context(GROUNDS[chosen.on](folder))
        history = History(out / "history.jsonl" if not chosen.record else None)
        world = World(site, plan, history)
        soak = Soak(world, faults, chosen.seed)
        asyncio.run(soak.run(chosen.minutes))
        history.close()
        report = soak.report(title, chosen.seed, world.numbers)
    name = f"{report['date']}-soak" if chosen.record else "soak"
    (out / f"{name}.json").write_text(json.dumps(report) + "\n")
    plot(report, out / f"{name}.svg")
    for problem in report["problems"]:
        sys.stdout.write(f"  {problem}\n")
    sys.stdout.write(json.dumps(report["summary"]) + "\n")
    verdict = "clean" if report["passed"] else "NOT clean"
    sys.stdout.write(f"{verdict}; report and plot: {out / name}.json, .svg\n")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
