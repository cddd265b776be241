"""``python -m tests.simulation --seeds 5000 --jobs 2``: many histories, judged.

Prints how far it is and how fast; for each seed that breaks a promise, which one, and
at the end the story of the first. ``--seed N`` tells the story of one seed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.mutants import MUTANTS, mutated
from tests.simulation.runs import broken, lived, regression_seeds

CHUNK = 25
TRACE_LINES = 160


def _say(*lines: str, end: str = "\n") -> None:
    sys.stdout.write("\n".join(lines) + end)
    sys.stdout.flush()


def _chunks(seeds: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(seeds), CHUNK):
        yield seeds[start : start + CHUNK]


def _many(seeds: list[int], jobs: int, mutant: str) -> list[tuple[int, str]]:
    began = time.perf_counter()
    found: list[tuple[int, str]] = []
    done = 0
    chunks = list(_chunks(seeds))
    with ProcessPoolExecutor(jobs) as pool:
        answers = pool.map(broken, chunks, [mutant] * len(chunks))
        for chunk, bad in zip(chunks, answers, strict=True):
            done += len(chunk)
            found += bad
            for seed, violation in bad:
                _say(f"\nseed {seed}: {violation.splitlines()[0][:300]}")
            if sys.stdout.isatty() or done % 500 < CHUNK or done == len(seeds):
                speed = done / (time.perf_counter() - began)
                _say(
                    f"{done:,} of {len(seeds):,} seeds, {speed:.0f} a second, "
                    f"{len(found)} broken",
                    end="\r" if sys.stdout.isatty() else "\n",
                )
    _say("")
    return found


def _tell(seed: int, mutant: str, lines: int) -> int:
    logging.disable(logging.CRITICAL)
    with mutated(mutant):
        violation, world = lived(seed)
    _say(world.kernel.told(lines), violation or "nothing is broken")
    return 1 if violation else 0


def main() -> int:
    """Run the command; 1 if any seed breaks a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=5_000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="tell the story of one seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--mutant", default="", choices=("", *MUTANTS), help="take a guard out first"
    )
    given = parser.parse_args()
    if given.seed is not None:
        return _tell(given.seed, given.mutant, 1 << 30)
    seeds = [*regression_seeds(), *range(given.start, given.start + given.seeds)]
    found = _many(seeds, given.jobs, given.mutant)
    if not found:
        return 0
    first = found[0][0]
    _tell(first, given.mutant, TRACE_LINES)
    _say(f"all of it: python -m tests.simulation --seed {first}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
