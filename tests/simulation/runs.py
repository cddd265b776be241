"""Runs of many seeds: what is broken, in which, and how the story went."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable
from pathlib import Path

from tests.simulation.judging import judge
from tests.simulation.kernel import Violation
from tests.simulation.mutants import mutated
from tests.simulation.world import World

REGRESSIONS = Path(__file__).with_name("regressions.txt")


def regression_seeds() -> list[int]:
    """Seeds that once found something; a line is a seed and what it found."""
    lines = REGRESSIONS.read_text("utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def lived(seed: int) -> tuple[str, World]:
    """What was broken in this seed ("" if nothing), and the world it happened in."""
    world = World(seed)
    try:
        world.run()
        judge(world)
    except Violation as violation:
        return str(violation) or "violation", world
    except Exception as error:  # noqa: BLE001 - the code under test may fail anyhow
        return f"{type(error).__name__}: {error}", world
    return "", world


def broken(seeds: Iterable[int], mutant: str = "") -> list[tuple[int, str]]:
    """The seeds among these that break a promise, and which."""
    quiet = logging.root.manager.disable
    # Simulated disasters are not news, and a world is full of cycles: collecting
    # them one by one would cost a fifth of the time.
    logging.disable(logging.CRITICAL)
    gc.disable()
    found = []
    try:
        with mutated(mutant):
            for seed in seeds:
                violation, _ = lived(seed)
                if violation:
                    found.append((seed, violation))
    finally:
        logging.disable(quiet)
        gc.enable()
        gc.collect()
    return found


def fingerprints(seeds: Iterable[int]) -> list[int]:
    """A number for each seed that stands for all that happened in it."""
    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return [lived(seed)[1].kernel.fingerprint() for seed in seeds]
    finally:
        logging.disable(quiet)
