"""The search as Prometheus metrics: size, age, and how often calendars are asked."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.directory.roster.hearing import Hearing


class RosterCollector(Collector):
    """The roster of this gateway and the next starts in it."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing

    def collect(self) -> Iterable[Metric]:
        """The present counts."""
        live, tally = self._hearing.live, self._hearing.tally
        roster = live.roster
        gauges = (
            ("providers", "Providers in memory.", 0 if roster is None else len(roster)),
            ("rows", "Rows in memory, dead ones too.", roster.size if roster else 0),
            ("words", "Distinct words.", len(roster.words) if roster else 0),
            ("bytes", "Memory of columns and names.", roster.nbytes if roster else 0),
            ("starts_waiting", "Calendars to be asked.", self._hearing.waiting()),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"slotcast_search_{name}", text, value)
        yield GaugeMetricFamily(
            "slotcast_search_age_seconds",
            "Since the stores last said what had changed; +Inf if they never did.",
            live.age_s(),
        )
        counters = (
            ("builds", "Times all providers were read.", live.builds),
            ("updates", "Changed providers taken over.", live.updates),
            ("starts_heard", "Changes of next starts from feeds.", tally.heard),
            (
                "questions",
                "Questions to shards, each of many.",
                tally.questions,
            ),
            ("starts_asked", "Calendars asked for next starts.", tally.asked),
            ("starts_verified", "Of these, for a search or a list.", tally.verified),
            ("starts_later", "Of these, later than was known.", tally.later),
            ("starts_unanswered", "Not answered in time.", tally.unanswered),
        )
        for name, text, count in counters:
            yield CounterMetricFamily(f"slotcast_search_{name}", text, count)
