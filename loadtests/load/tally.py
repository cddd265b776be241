"""How long things took, second by second, in buckets that processes can add up.

A bucket is two per cent wide, so percentiles are right to a hundredth and a run of any
length takes little memory. What is counted without a time (a gap, say) has no bucket.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEAST_MS = 0.01
PER_E = 50
"""Buckets for each factor of e."""


def bucket_of(ms: float) -> int:
    """The bucket of a time in milliseconds."""
    return 0 if ms <= LEAST_MS else int(math.log(ms / LEAST_MS) * PER_E)


def ms_of(bucket: int) -> float:
    """The middle of a bucket, in milliseconds."""
    return LEAST_MS * math.exp((bucket + 0.5) / PER_E)


@dataclass(slots=True)
class Timing:
    """What one thing took: of one second, or of a whole run."""

    count: int = 0
    failed: int = 0
    max_ms: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def took(self, ms: float | None, *, failed: bool = False) -> None:
        """Count one; ``None`` for what has no length."""
        self.count += 1
        self.failed += failed
        if ms is not None:
            self.buckets[bucket_of(ms)] += 1
            self.max_ms = max(self.max_ms, ms)

    def add(self, other: Timing) -> None:
        """Add another's counts to these."""
        self.count += other.count
        self.failed += other.failed
        self.max_ms = max(self.max_ms, other.max_ms)
        self.buckets.update(other.buckets)

    def percentile(self, p: float) -> float | None:
        """Milliseconds that ``p`` per cent stayed within; None if nothing was timed."""
        timed = self.buckets.total()
        if not timed:
            return None
        rank, passed = max(1, math.ceil(timed * p / 100)), 0
        for bucket in sorted(self.buckets):
            passed += self.buckets[bucket]
            if passed >= rank:
                return min(ms_of(bucket), self.max_ms)
        return self.max_ms

    def document(self) -> dict[str, Any]:
        """As JSON or a message between processes."""
        return {
            "count": self.count,
            "failed": self.failed,
            "max_ms": round(self.max_ms, 3),
            "buckets": {str(b): n for b, n in self.buckets.items()},
        }


def timing_of(document: Mapping[str, Any]) -> Timing:
    """A timing from what ``document`` made of it."""
    buckets = Counter({int(b): n for b, n in document["buckets"].items()})
    return Timing(document["count"], document["failed"], document["max_ms"], buckets)


def timing_of_many(ms: Sequence[float], untimed: int) -> Timing:
    """A timing of many values at once, some 50 times as fast as one by one."""
    if not ms:
        return Timing(count=untimed)
    values = np.maximum(np.asarray(ms, dtype=np.float64), LEAST_MS)
    buckets = (np.log(values / LEAST_MS) * PER_E).astype(np.int64)
    found, counts = np.unique(buckets, return_counts=True)
    counter = Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    return Timing(len(ms) + untimed, 0, float(values.max()), counter)


class Tally:
    """Timings by name and second, and how often each outcome came."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[int, Timing]] = {}
        self.outcomes: dict[str, Counter[str]] = {}

    def took(
        self, name: str, ms: float | None, second: int, *, failed: bool = False
    ) -> None:
        """Count one of a name."""
        by_second = self.seconds.get(name)
        if by_second is None:
            by_second = self.seconds[name] = {}
        timing = by_second.get(second)
        if timing is None:
            timing = by_second[second] = Timing()
        timing.took(ms, failed=failed)

    def add_timing(self, name: str, second: int, timing: Timing) -> None:
        """Count many of a name."""
        self.seconds.setdefault(name, {}).setdefault(second, Timing()).add(timing)

    def ended(self, name: str, outcome: str) -> None:
        """Count how something ended: ``201``, ``slot_unavailable``."""
        self.outcomes.setdefault(name, Counter())[outcome] += 1

    def drain(self) -> dict[str, Any]:
        """What was counted since the last time, for another process to add."""
        drained = self.document()
        self.seconds, self.outcomes = {}, {}
        return drained

    def document(self) -> dict[str, Any]:
        """Everything, as JSON or a message."""
        return {
            "seconds": {
                name: {str(second): one.document() for second, one in by.items()}
                for name, by in self.seconds.items()
            },
            "outcomes": {name: dict(codes) for name, codes in self.outcomes.items()},
        }

    def add(self, document: Mapping[str, Any]) -> None:
        """Add what another tally drained."""
        for name, by in document["seconds"].items():
            mine = self.seconds.setdefault(name, {})
            for second, one in by.items():
                mine.setdefault(int(second), Timing()).add(timing_of(one))
        for name, codes in document["outcomes"].items():
            self.outcomes.setdefault(name, Counter()).update(codes)

    def whole(self, name: str) -> Timing:
        """One name over the whole run."""
        return joined(self.seconds.get(name, {}).values())

    @property
    def names(self) -> list[str]:
        """All that was counted, in order of the alphabet."""
        return sorted(self.seconds)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last second with anything in it."""
        seconds = [second for by in self.seconds.values() for second in by]
        return (min(seconds), max(seconds)) if seconds else (0, 0)


def joined(timings: Iterable[Timing]) -> Timing:
    """Several timings as one."""
    whole = Timing()
    for one in timings:
        whole.add(one)
    return whole
