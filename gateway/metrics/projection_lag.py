"""The read model's lag, also while it does not answer. Pure.

Shards report the end of the journal, the read model its projected position. While it
does not answer, its last position is used: the true one can only be slightly ahead.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.domain.ids import ShardId

SAMPLES_MAX = 512
"""Remembered instants per shard; beyond, every second one is dropped."""


class ProjectionLag:
    """The journal's ends and the read model's offsets, as reported over time."""

    def __init__(self) -> None:
        self._ends: dict[ShardId, list[tuple[float, int]]] = {}
        self._projected: dict[ShardId, int] | None = None
        self._away_since: float | None = None
        self._now = 0.0

    def note(
        self,
        now: float,
        ends: Mapping[ShardId, int],
        projected: Mapping[ShardId, int] | None,
    ) -> None:
        """Record a report of ``now`` (seconds, monotonic); None: SQL did not answer."""
        self._now = now
        if projected is not None:
            self._projected = dict(projected)
            self._away_since = None
        elif self._away_since is None:
            self._away_since = now
        for shard, end in ends.items():
            self._sample(shard, end)

    def _sample(self, shard: ShardId, end: int) -> None:
        samples = self._ends.setdefault(shard, [])
        reached = (self._projected or {}).get(shard, 0)
        while samples and samples[0][1] <= reached:
            del samples[0]
        if end > reached and (not samples or samples[-1][1] < end):
            samples.append((self._now, end))
        if len(samples) > SAMPLES_MAX:
            del samples[1::2]

    def events(self) -> dict[ShardId, int]:
        """Durable events that are not shown yet, by shard; empty without a report."""
        if self._projected is None:
            return {}
        return {
            shard: max(0, samples[-1][1] - self._projected.get(shard, 0))
            if samples
            else 0
            for shard, samples in self._ends.items()
        }

    def seconds(self) -> dict[ShardId, float]:
        """Age of the oldest waiting event in seconds, by shard; 0 if none waits."""
        if self._projected is None:
            return {}
        return {
            shard: self._now - samples[0][0] if samples else 0.0
            for shard, samples in self._ends.items()
        }

    @property
    def away_s(self) -> float | None:
        """For how long SQL has not answered; None if it does."""
        return None if self._away_since is None else self._now - self._away_since
