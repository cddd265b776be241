"""The SQL server is away for many minutes while people book; then it is back.

    python -m tests.faults.outage [--how frozen] [--minutes 10] [--out FILE]

``killed`` (kill -9), ``stopped`` (in good order) or ``frozen`` (SIGSTOP). Prints, as
JSON, what was booked meanwhile, what the lag came to, where it was shown, and how long
it took to catch up; ends in the one check (checking.py). ``make test`` has the same for
seconds (test_one_server.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from loadtests.workload.plan import Plan
from tests.benchmarks.__main__ import commit, machine
from tests.faults.loads import Load, World
from tests.faults.one_server import OneServer, open_one_server

LAG = "slotcast_projection_lag_events{"
LOOK_S = 15.0
CATCH_UP_S = 600.0
"""Given up after so long; the promise is a minute."""


async def lag(single: OneServer) -> float:
    """Events that the read model lacks, as the metrics say; -1 if they do not."""
    async with httpx.AsyncClient(timeout=20) as client:
        text = (await client.get(f"{single.server.url}/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith(LAG)]
    return sum(float(line.rpartition(" ")[2]) for line in lines) if lines else -1.0


async def shown(single: OneServer) -> dict[str, Any]:
    """What an operator sees just now."""
    async with httpx.AsyncClient(timeout=20) as client:
        ready = await client.get(f"{single.server.url}/readyz")
    done = await asyncio.to_thread(single.site.slotcast, "projection", "status")
    checks = ready.json().get("checks", {})
    return {
        "readyz": ready.status_code,
        "projection": {
            name: told for name, told in checks.items() if "projection" in name
        },
        "command": [done.returncode, (done.stdout + done.stderr)[-800:]],
        "metrics_lag": await lag(single),
    }


async def take_away(single: OneServer, how: str) -> None:
    """The SQL server is no more."""
    if how == "frozen":
        single.mariadb.freeze()
    elif how == "killed":
        await asyncio.to_thread(single.mariadb.kill)
    else:
        await asyncio.to_thread(single.mariadb.stop)


async def bring_back(single: OneServer, how: str) -> None:
    """The SQL server is back."""
    if how == "frozen":
        single.mariadb.thaw()
    else:
        await asyncio.to_thread(single.mariadb.start)


async def happen(
    single: OneServer, load: Load, how: str, minutes: float
) -> dict[str, Any]:
    """The outage, and what was seen of it."""
    await load.more(300)
    trouble = load.work.statuses[503] + load.work.statuses[0]
    before, began = load.done, time.monotonic()
    await take_away(single, how)
    found: dict[str, Any] = {"how": how, "minutes": minutes}
    while time.monotonic() < began + 60 * minutes:
        await asyncio.sleep(min(LOOK_S, 60 * minutes / 4))
        say(f"{time.monotonic() - began:5.0f} s  lag {await lag(single):.0f}")
    found["shown_at_the_end"] = await shown(single)
    found["acknowledged_meanwhile"] = load.done - before
    found["troubled_attempts_meanwhile"] = (
        load.work.statuses[503] + load.work.statuses[0] - trouble
    )
    await bring_back(single, how)
    back = time.monotonic()
    found["lag_when_back"] = await lag(single)
    while (left := await lag(single)) > 200 or left < 0:  # the load goes on
        assert time.monotonic() < back + CATCH_UP_S, f"still {left:.0f} behind"
        await asyncio.sleep(0.5)
    found["caught_up_s"] = round(time.monotonic() - back, 1)
    await load.more(300)
    return found


def say(words: str) -> None:
    """Print progress."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


async def measure(
    single: OneServer, plan: Plan, how: str, minutes: float
) -> dict[str, Any]:
    """All of it; raises AssertionError when a promise was broken."""
    world = World(single.site, plan)
    async with world.load() as load:
        found = await happen(single, load, how, minutes)
    return {**found, "checked": world.numbers}


def main() -> None:
    """Run it once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--how", choices=["frozen", "killed", "stopped"], nargs="+")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=100.0, help="wishes a second")
    parser.add_argument("--out", type=Path, default=None)
    chosen = parser.parse_args()
    plan = Plan(providers=16, patients=24, days=10, rate=chosen.rate, timeout_s=8)
    told: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "plan": asdict(plan),
        "outages": [],
    }
    for how in chosen.how or ["frozen"]:
        with (
            tempfile.TemporaryDirectory(prefix="outage-") as folder,
            open_one_server(Path(folder)) as single,
        ):
            found = asyncio.run(measure(single, plan, how, chosen.minutes))
        told["outages"].append(found)
    text = json.dumps(told, indent=2)
    sys.stdout.write(text + "\n")
    if chosen.out is not None:
        chosen.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
