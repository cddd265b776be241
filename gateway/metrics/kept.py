"""How old is the oldest of what is kept for a time, as Prometheus metrics.

An age above the days of the settings says that retention does not come to its end.
Every gateway reports the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.ports import Clock
from care.privacy.ports import RetainedRows
from gateway.metrics.fresh import Fresh

FRESH_S: Final = 60.0
"""Seconds between two looks: what is kept for days changes slowly."""


class KeptCollector(Collector):
    """The ages; ``refresh`` them before collecting."""

    def __init__(self, kept: RetainedRows, clock: Clock) -> None:
        self._clock = clock
        self._fresh = Fresh(kept.oldest, FRESH_S)

    async def refresh(self) -> None:
        """Look, unless that was done a moment ago. Raises nothing."""
        await self._fresh.refresh()

    def collect(self) -> Iterable[Metric]:
        """The ages as last refreshed; none if the stores do not answer."""
        ages = GaugeMetricFamily(
            "slotcast_kept_oldest_seconds",
            "Age of the oldest row that retention will remove.",
            labels=["table"],
        )
        now = self._clock.now()
        for table, at in (self._fresh.found or {}).items():
            ages.add_metric([table], max(0, now - at) / 1000)
        yield ages
