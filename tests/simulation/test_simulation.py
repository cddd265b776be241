"""Thousands of histories with faults; each promise is judged in each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.people import ATTEMPT_MS
from tests.simulation.runs import broken, fingerprints, regression_seeds
from tests.simulation.world import BACK_MS, LATE_MS, SKEWS_MS, World

ROOT = Path(__file__).resolve().parents[2]
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "1000"))
PART = max(100, SEEDS // 100)
"""Seeds of one test: small enough for all processes of a run to end together."""
PROCESSES = 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count() or 1
"""Beside other tests one process is enough: they have the other processors."""
CHUNK = 25


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(PROCESSES) as executor:
        yield executor


def _told(found: list[tuple[int, str]]) -> str:
    return "\n".join(
        f"python -m tests.simulation --seed {seed}\n  {violation[:500]}"
        for seed, violation in found[:3]
    )


def test_what_was_found_once_stays_mended() -> None:
    """Seeds that once broke a promise keep it now."""
    found = broken(regression_seeds())
    assert not found, _told(found)


def test_the_clock_is_set_back_by_less_than_messages_are_late() -> None:
    """An attempt that outlives its key is past its deadline by any clock."""
    world = World(0)
    for _ in range(9):
        world.step_clock(-40_000)
    assert world.skew == -BACK_MS
    assert ATTEMPT_MS + BACK_MS + max(SKEWS_MS) - min(SKEWS_MS) < max(LATE_MS)


def test_a_seed_is_a_history() -> None:
    """The same seed does the same things twice, and another seed does others."""
    once = fingerprints(range(8))
    assert once == fingerprints(range(8))
    assert len(set(once)) == len(once)


def test_a_seed_is_the_same_history_in_every_process() -> None:
    """No order of a set, no address and no hash of a string decides anything."""
    program = "from tests.simulation.runs import *; print(fingerprints(range(20)))"
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_every_promise_is_kept(pool: ProcessPoolExecutor, first: int) -> None:
    """Whatever crashes, is late, lost, doubled or full: the promises hold."""
    last = min(first + PART, SEEDS)
    chunks = [range(at, min(at + CHUNK, last)) for at in range(first, last, CHUNK)]
    found = [pair for bad in pool.map(broken, chunks) for pair in bad]
    assert not found, _told(found)
