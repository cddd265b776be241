"""How long things took: percentiles of values, and histograms that add up.

A bucket of a histogram is two per cent wide, so its percentiles are right to a
hundredth, a run of any length takes little memory, and processes can add up theirs.
What is counted without a time (a gap, say) has no bucket.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Values = list[float] | np.ndarray[Any, Any]

PERCENTILES = (50, 90, 99, 99.9)
LEAST_MS = 0.01
PER_E = 50
"""Buckets for each factor of e."""


def rank_of(p: float, count: int) -> int:
    """The rank, from 1, of the ``p``-th percentile among this many values."""
    return max(1, math.ceil(count * p / 100))


def percentiles(seconds: Values) -> dict[str, float]:
    """Milliseconds at the usual percentiles, and the greatest; empty without values.

    A percentile is a value that was measured (nearest rank), none in between.
    """
    if not len(seconds):
        return {}
    ordered = seconds.copy()
    ordered.sort()
    found = {f"p{p:g}": ordered[rank_of(p, len(ordered)) - 1] for p in PERCENTILES}
    found["max"] = ordered[-1]
    return {name: round(1000 * float(value), 2) for name, value in found.items()}


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
        rank, passed = rank_of(p, timed), 0
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
    # Imported when it is used: what runs without the development set has no numpy.
    import numpy as np

    if not ms:
        return Timing(count=untimed)
    values = np.maximum(np.asarray(ms, dtype=np.float64), LEAST_MS)
    buckets = (np.log(values / LEAST_MS) * PER_E).astype(np.int64)
    found, counts = np.unique(buckets, return_counts=True)
    counter = Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    return Timing(len(ms) + untimed, 0, float(values.max()), counter)


def joined(timings: Iterable[Timing]) -> Timing:
    """Several timings as one."""
    whole = Timing()
    for one in timings:
        whole.add(one)
    return whole
