"""Watched lists as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.directory.lists.watched import WatchedLists


class ListsCollector(Collector):
    """The lists that this gateway keeps current."""

    def __init__(self, watched: WatchedLists) -> None:
        self._watched = watched

    def collect(self) -> Iterable[Metric]:
        """The present counts."""
        watched = self._watched
        for name, text, value in (
            ("lists", "Watched lists that are kept current.", len(watched.lists)),
            ("list_members", "Providers that are a member of any.", watched.members()),
            ("lists_waiting", "Lists to be drawn again.", watched.waiting()),
        ):
            yield GaugeMetricFamily(f"slotcast_search_{name}", text, value)
        for name, text, count in (
            ("lists_drawn", "Times that a list was drawn.", watched.drawn),
            ("list_members_asked", "Calendars asked for lists.", watched.asked),
        ):
            yield CounterMetricFamily(f"slotcast_search_{name}", text, count)
