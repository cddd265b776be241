"""A shard's counters: plain numbers that can be sent between processes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from actors.domain.messages.events import Event, HoldExpired
from actors.domain.messages.refusals import Refusal
from actors.ports import ShardReply, Trouble

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds, included, of the buckets of ShardStatus.batch_sizes."""

APPEND_SECONDS = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02),
    *(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
"""Upper bounds, included, of the buckets of ShardStatus.append_seconds."""


class Buckets:
    """A histogram over fixed bounds, with one bucket for all above them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def quantile(self, share: float) -> float:
        """The upper bound of the bucket that holds this share; 0 if empty."""
        wanted = share * sum(self.counts)
        if not wanted:
            return 0.0
        seen = 0
        for count, bound in zip(self.counts, self._bounds, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return self._bounds[-1]


class ShardCounters:
    """Counts of one shard since its process began; they survive a re-opening."""

    def __init__(self) -> None:
        self.commands = 0
        self.reads = 0
        self.batches = 0
        self.events = 0
        self.expiries = 0
        self.snapshots = 0
        self.refusals: Counter[str] = Counter()
        self.batch_sizes = Buckets(BATCH_SIZES)
        self.append_seconds = Buckets(APPEND_SECONDS)

    def count(
        self,
        replies: Sequence[ShardReply],
        reads: int,
        events: Sequence[Event],
    ) -> None:
        """Count a batch that was committed."""
        self.reads += reads
        self.commands += len(replies) - reads
        self.batches += 1
        self.events += len(events)
        self.expiries += sum(type(event) is HoldExpired for event in events)
        self.batch_sizes.add(len(replies))
        for reply in replies:
            if isinstance(reply, Refusal | Trouble):
                self.refusals[reply.code.value] += 1
