"""How long a whole server takes to start: few providers, many, and after a kill.

    python -m loadtests.bench.start --json

From the command to the first 200 of ``/readyz``, on folders that hold 100 and 10,000
providers; the imported list of practices is generated.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from loadtests.bench.servers import slotcast_server
from loadtests.workload.region import run_slotcast

SIZES = (100, 10_000)
PROVIDERS_PER_CLINIC = 10
COLUMNS = 27


def write_practices(path: Path, practices: int) -> None:
    """A list of practices in the format that ``slotcast import practices`` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        for number in range(practices):
            row = [""] * COLUMNS
            row[0], row[1] = f"X{number:05d}", f"PRACTICE {number}"
            row[4], row[6], row[9] = f"{number} HIGH STREET", "BENCHFORD", "BE1 1BE"
            row[10], row[12], row[17] = "20000101", "A", "01234 567890"
            writer.writerow(row)


async def fill(folder: Path, providers: int) -> None:
    """A data folder with this many providers."""
    practices = folder.parent / f"practices-{providers}.csv"
    write_practices(practices, providers // PROVIDERS_PER_CLINIC)
    os.environ["SLOTCAST_DATA"], os.environ["SLOTCAST_SEED"] = str(folder), "none"
    per_clinic = ("--providers-per-clinic", str(PROVIDERS_PER_CLINIC))
    status, text = await run_slotcast(
        "import", "practices", str(practices), *per_clinic
    )
    if status != 0:
        raise RuntimeError(text)


async def measure() -> dict[str, Any]:
    """Start-up of each size: twice, the second after a clean stop."""
    found: dict[str, Any] = {}
    root = Path(tempfile.mkdtemp(prefix="slotcast-start-"))
    try:
        for providers in SIZES:
            folder = root / str(providers)
            await fill(folder, providers)
            seconds = []
            for _ in range(2):
                async with slotcast_server(folder) as server:
                    seconds.append(round(server.start_seconds, 2))
            found[f"start_seconds_{providers}_providers"] = seconds
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.parse_args()
    print(json.dumps(asyncio.run(measure()), indent=2))


if __name__ == "__main__":
    main()
