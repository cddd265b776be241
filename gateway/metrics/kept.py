"""How old is the oldest of what is kept for a time, as Prometheus metrics.

An age above the days of the settings says that retention does not come to its end.
Every gateway reports the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.domain.ids import Millis
from actors.ports import Clock
from care.privacy.ports import RetainedRows

FRESH_S: Final = 60.0
"""Seconds between two looks: what is kept for days changes slowly."""
TIMEOUT_S: Final = 1.0


class KeptCollector(Collector):
    """The ages; ``refresh`` them before collecting."""

    def __init__(self, kept: RetainedRows, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._at = float("-inf")
        self._asking = asyncio.Lock()
        self._oldest: Mapping[str, Millis] = {}

    async def refresh(self) -> None:
        """Look, unless that was done a moment ago. Raises nothing."""
        async with self._asking:
            if monotonic() - self._at < FRESH_S:
                return
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self._oldest = await self._kept.oldest()
            except Exception:  # noqa: BLE001 - whatever SQL says, it does not answer
                self._oldest = {}
            self._at = monotonic()

    def collect(self) -> Iterable[Metric]:
        """The ages as last refreshed; none if the stores do not answer."""
        ages = GaugeMetricFamily(
            "slotcast_kept_oldest_seconds",
            "Age of the oldest row that retention will remove.",
            labels=["table"],
        )
        now = self._clock.now()
        for table, at in self._oldest.items():
            ages.add_metric([table], max(0, now - at) / 1000)
        yield ages
