"""Latencies: percentiles of values, and mergeable histograms.

A histogram's bucket is two per cent wide, so its percentiles are accurate to one
per cent, a run of any length takes little memory, and those of processes can be added.
Events that are counted without a time (a gap, say) have no bucket.
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
"""Buckets per factor of e."""


def rank_of(p: float, count: int) -> int:
    """The rank, from 1, of the ``p``-th percentile among this many values."""
    return max(1, math.ceil(count * p / 100))


def percentiles(seconds: Values) -> dict[str, float]:
    """Milliseconds at the usual percentiles and the maximum; empty without values.

    A percentile is a measured value (nearest rank), not an interpolated one.
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
    """The timings of one name, for one second or a whole run."""

    count: int = 0
    failed: int = 0
    max_ms: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def took(self, ms: float | None, *, failed: bool = False) -> None:
        """Count one event; ``None`` if it has no duration."""
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
        """The ``p``-th percentile in milliseconds; None if nothing was timed."""
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
        """A document for JSON or a message between processes."""
        return {
            "count": self.count,
            "failed": self.failed,
            "max_ms": round(self.max_ms, 3),
            "buckets": {str(b): n for b, n in self.buckets.items()},
        }


def timing_of(document: Mapping[str, Any]) -> Timing:
    """The timing that ``document`` describes."""
    buckets = Counter({int(b): n for b, n in document["buckets"].items()})
    return Timing(document["count"], document["failed"], document["max_ms"], buckets)


def timing_of_many(ms: Sequence[float], untimed: int) -> Timing:
    """A timing of many values at once, about 50 times as fast as one by one."""
    # Imported here: numpy is only in the development requirements.
    import numpy as np

    if not ms:
        return Timing(count=untimed)
    values = np.maximum(np.asarray(ms, dtype=np.float64), LEAST_MS)
    buckets = (np.log(values / LEAST_MS) * PER_E).astype(np.int64)
    found, counts = np.unique(buckets, return_counts=True)
    counter = Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    return Timing(len(ms) + untimed, 0, float(values.max()), counter)


def joined(timings: Iterable[Timing]) -> Timing:
    """The sum of several timings."""
    whole = Timing()
    for one in timings:
        whole.add(one)
    return whole
