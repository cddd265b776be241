"""Imported busy times as Prometheus metrics: how many calendars, how many fail.

Every gateway reports the same numbers. They are counted in SQL at most every
``FRESH_S``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.ports import Clock
from care.busy.ports import BusyCalendars
from gateway.metrics.fresh import Fresh

FRESH_S: Final = 30.0
"""Seconds between two counts."""


class BusyCollector(Collector):
    """Counts of doctors' own calendars; ``refresh`` them before collecting."""

    def __init__(self, calendars: BusyCalendars, clock: Clock) -> None:
        self._clock = clock
        self._fresh = Fresh(calendars.counts, FRESH_S)

    async def refresh(self) -> None:
        """Count, unless the counts are fresh. Raises nothing."""
        await self._fresh.refresh()

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
        counts = self._fresh.found
        if counts is not None:
            calendars.add_metric([], counts.calendars)
            failing.add_metric([], counts.failing)
            oldest = counts.oldest_read_at
            late_ms = 0 if oldest is None else max(0, self._clock.now() - oldest)
            age.add_metric([], late_ms / 1000)
        yield from (calendars, failing, age)
