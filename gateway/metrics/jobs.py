"""Background jobs as Prometheus metrics: waiting, overdue and dead ones.

Every gateway reports the same numbers, since all share one queue; they are counted in
SQL at most every ``FRESH_S``, and a store that does not answer does not delay the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.ports import Clock
from care.jobs.ports import JobSource
from gateway.metrics.fresh import Fresh

FRESH_S: Final = 10.0
"""Seconds between two counts: counting reads an index of all jobs."""


class JobCollector(Collector):
    """Counts of the queue; ``refresh`` them before collecting."""

    def __init__(self, queue: JobSource, clock: Clock) -> None:
        self._clock = clock
        self._fresh = Fresh(lambda: queue.counts(clock.now()), FRESH_S)

    async def refresh(self) -> None:
        """Count, unless the counts are fresh. Raises nothing."""
        await self._fresh.refresh()

    def collect(self) -> Iterable[Metric]:
        """The counts as last refreshed; if the store does not answer, only ``up`` 0."""
        counts = self._fresh.found
        yield GaugeMetricFamily(
            "slotcast_jobs_up",
            "The store of background jobs answers.",
            float(counts is not None),
        )
        waiting = GaugeMetricFamily(
            "slotcast_jobs_waiting", "Jobs to be run, now or later."
        )
        dead = GaugeMetricFamily(
            "slotcast_jobs_dead", "Jobs given up after all their attempts."
        )
        overdue = GaugeMetricFamily(
            "slotcast_jobs_overdue_seconds", "For how long the oldest due job waits."
        )
        if counts is not None:
            waiting.add_metric([], counts.waiting)
            dead.add_metric([], counts.dead)
            due = counts.oldest_due_at
            late_ms = 0 if due is None else max(0, self._clock.now() - due)
            overdue.add_metric([], late_ms / 1000)
        yield from (waiting, dead, overdue)
