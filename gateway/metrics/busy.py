"""Imported busy times as Prometheus metrics: how many calendars, how many fail.

Every gateway reports the same numbers. They are counted in SQL at most every
``FRESH_S``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.ports import Clock
from care.busy.ports import BusyCalendars, BusyCounts

FRESH_S: Final = 30.0
"""Seconds between two counts."""
TIMEOUT_S: Final = 1.0


class BusyCollector(Collector):
    """Counts of doctors' own calendars; ``refresh`` them before collecting."""

    def __init__(self, calendars: BusyCalendars, clock: Clock) -> None:
        self._calendars = calendars
        self._clock = clock
        self._at = float("-inf")
        self._asking = asyncio.Lock()
        self._counts: BusyCounts | None = None

    async def refresh(self) -> None:
        """Count, unless the counts are fresh. Raises nothing."""
        async with self._asking:
            if monotonic() - self._at < FRESH_S:
                return
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self._counts = await self._calendars.counts()
            except Exception:  # noqa: BLE001 - whatever SQL says, it does not answer
                self._counts = None
            self._at = monotonic()

    def collect(self) -> Iterable[Metric]:
        """The counts as last refreshed; none if the store does not answer."""
        calendars = GaugeMetricFamily(
            "slotcast_busy_calendars", "Doctors' own calendars that are imported."
        )
        failing = GaugeMetricFamily(
            "slotcast_busy_calendars_failing",
            "Of these, those whose last attempt failed; their time off is kept.",
        )
        age = GaugeMetricFamily(
            "slotcast_busy_calendars_age_seconds",
            "How long ago the calendar that was not read for longest was read.",
        )
        counts = self._counts
        if counts is not None:
            calendars.add_metric([], counts.calendars)
            failing.add_metric([], counts.failing)
            oldest = counts.oldest_read_at
            late_ms = 0 if oldest is None else max(0, self._clock.now() - oldest)
            age.add_metric([], late_ms / 1000)
        yield from (calendars, failing, age)
