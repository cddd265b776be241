"""Virtual time and chance: the only clock and the only dice of a simulated run.

Everything that happens is a step at an instant; steps at one instant happen in the
order in which they were asked for. One seed decides every delay and every fault, so
the same seed is the same history, on any machine.
"""

from __future__ import annotations

import heapq
import random
import zlib
from collections.abc import Callable
from typing import Any


class Violation(AssertionError):
    """A promise was broken; the message says which and how."""


class Kernel:
    """The scheduler of a run: an instant, a heap of steps, a seeded generator."""

    def __init__(self, seed: int, start_ms: int) -> None:
        self.seed = seed
        self.now = start_ms
        self.start = start_ms
        self.rng = random.Random(seed)
        self.trace: list[tuple[Any, ...]] = []
        self.steps = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._asked = 0

    def after(self, delay_ms: int, step: Callable[..., None], *args: Any) -> None:
        """Let ``step(*args)`` happen ``delay_ms`` from now."""
        self._asked += 1
        heapq.heappush(self._heap, (self.now + delay_ms, self._asked, step, args))

    def note(self, *what: Any) -> None:
        """Write down what happened, for people and for the hash of the run."""
        self.trace.append((self.now - self.start, *what))

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due before ``until_ms``; then it is that."""
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            self.now, _, step, args = heapq.heappop(heap)
            self.steps += 1
            step(*args)
        self.now = max(self.now, until_ms)

    def chance(self, probability: float) -> bool:
        """True with this probability; never draws when it is nought."""
        return probability > 0 and self.rng.random() < probability

    def fingerprint(self) -> int:
        """A number that two runs share only if the same things happened in them."""
        total = 0
        for line in self.trace:
            total = zlib.crc32(repr(line).encode(), total)
        return total

    def told(self, last: int = 400) -> str:
        """The trace as text, its last lines."""
        lines = [
            f"{at / 1000:9.3f}s  {' '.join(map(str, rest))}"
            for at, *rest in self.trace[-last:]
        ]
        return "\n".join(lines)
