"""All benchmarks, one after the other, each in a process of its own.

    python -m tests.benchmarks [--only NAME …] [--record docs/benchmarks/NAME.json]

Prints one JSON document with the machine, the commit and every figure; ``--record``
also writes it, and draws the rows of the live side beside it (plots.py). Run it on a
quiet machine: nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

BENCHMARKS = {
    "calendar": ["tests.benchmarks.bench_calendar", "--json"],
    "accounts": ["tests.benchmarks.bench_accounts", "--json"],
    "gateway": ["tests.benchmarks.bench_gateway", "--json"],
    "journal": ["tests.benchmarks.bench_journal", "--json"],
    "notices": ["tests.benchmarks.bench_notices", "--json"],
    "projection": ["tests.benchmarks.bench_projection", "--json"],
    "search": ["tests.benchmarks.bench_search", "--json"],
    "scale": ["tests.benchmarks.bench_scale", "--json"],
    "redis": ["tests.benchmarks.bench_redis", "--json"],
    "start": ["loadtests.bench.start", "--json"],
    "idle": ["loadtests.bench.idle", "--json"],
    "shared": ["tests.benchmarks.bench_shared", "--json"],
    "fanout": ["tests.benchmarks.bench_fanout"],
    "sight": ["tests.benchmarks.bench_sight"],
    "hot": ["tests.benchmarks.bench_hot"],
    "memory": ["tests.benchmarks.bench_memory"],
    "stalled": ["tests.benchmarks.bench_stalled"],
    "storm": ["tests.benchmarks.bench_storm"],
    "peak": ["tests.benchmarks.bench_peak"],
    "growth": ["tests.benchmarks.bench_growth"],
    "hold": ["tests.benchmarks.bench_hold"],
    "bookings": ["loadtests.bench.bookings"],
    "services": ["tests.benchmarks.bench_services"],
    "searches": ["tests.benchmarks.bench_searches"],
}


def processor() -> str:
    """The processor's own name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit, with a plus where the tree has changes."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def measured(arguments: list[str]) -> Any:
    """One benchmark's JSON."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        if "--json" not in arguments:
            arguments = [*arguments, "--json", str(out)]
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            return {"failed": done.returncode}
        return json.loads(out.read_text() if out.exists() else done.stdout)


def main() -> int:
    """Measure; 1 if a benchmark did not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=None)
    parser.add_argument("--record", type=Path, default=None)
    options = parser.parse_args()
    found: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "command": "make bench",
        "machine": machine(),
    }
    for name in options.only or BENCHMARKS:
        began = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        found[name] = measured(list(BENCHMARKS[name]))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    text = json.dumps(found, indent=2)
    print(text)
    if options.record is not None:
        options.record.write_text(text + "\n")
        from tests.benchmarks.plots import draw

        draw(options.record)
    return int(any(isinstance(f, dict) and "failed" in f for f in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
