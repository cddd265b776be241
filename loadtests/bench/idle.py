"""What an unused server costs: processor time, memory and wake-ups by process.

    python -m loadtests.bench.idle --json [--seconds 60] [--starts 2]

One machine, the demo region, the default number of shards. The last of ``--starts`` is
measured (a first start seeds), and the seconds of each start to ``/readyz`` are told.
Memory is PSS: shared pages count in parts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from loadtests.bench.servers import Server, slotcast_server

SETTLE_S = 20.0
"""Seconds between the first 200 of ``/readyz`` and the measurement: caches fill, and
what runs once after a start is over."""
MIB = 1024 * 1024
NAMES = (
    ("ray::RuntimeEnvAgent", "runtime-environment agent"),
    ("ray::DashboardAgent", "dashboard agent"),
    ("ray::", "shard"),
    ("raylet/raylet", "raylet"),
    ("gcs_server", "gcs_server"),
    (" project", "projector"),
    (" work", "worker"),
    (" serve", "gateway"),
)
"""Words of a command line, and the process that has them."""


def name_of(command: str) -> str:
    """The process's name in the figures."""
    return next((name for words, name in NAMES if words in command), "other")


def _wakes(process: psutil.Process) -> int:
    """Voluntary context switches of all threads so far."""
    found = 0
    for status in Path(f"/proc/{process.pid}/task").glob("*/status"):
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                found += int(line.split()[1])
    return found


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _measured(server: Server, seconds: float) -> dict[str, Any]:
    await asyncio.sleep(SETTLE_S)
    root = psutil.Process(server.process.pid)
    processes = [root, *root.children(recursive=True)]
    before = [(_processor_s(one), _wakes(one)) for one in processes]
    machine, began = psutil.cpu_times(), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    rows: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for process, (processor_s, wakes) in zip(processes, before, strict=True):
        row = rows[name_of(" ".join(process.cmdline()))]
        row["percent_of_a_core"] += (_processor_s(process) - processor_s) / took * 100
        row["pss_mib"] += process.memory_full_info().pss / MIB
        row["wakes_per_s"] += (_wakes(process) - wakes) / took
        row["threads"] += process.num_threads()
    total: dict[str, float] = defaultdict(float)
    for row in rows.values():
        for figure, value in row.items():
            total[figure] += value
            row[figure] = round(value, 2)
    now = psutil.cpu_times()
    busy = sum(
        getattr(now, part) - getattr(machine, part)
        for part in ("user", "nice", "system")
    )
    return {
        "processes": len(processes),
        "total": {figure: round(value, 2) for figure, value in total.items()},
        "by_process": {name: dict(row) for name, row in sorted(rows.items())},
        "foreign_cores": round(busy / took - total["percent_of_a_core"] / 100, 2),
    }


async def measure(seconds: float, starts: int) -> dict[str, Any]:
    """Start this often on one folder, and measure the last time."""
    folder = Path(tempfile.mkdtemp(prefix="slotcast-idle-"))
    took = []
    found: dict[str, Any] = {}
    try:
        for number in range(starts):
            async with slotcast_server(folder, SLOTCAST_SEED="demo") as server:
                took.append(round(server.start_seconds, 2))
                if number == starts - 1:
                    found = await _measured(server, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"start_seconds": took, **found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--starts", type=int, default=2)
    asked = parser.parse_args()
    found = asyncio.run(measure(asked.seconds, asked.starts))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
