"""Prometheus metrics of the live side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.domain.ids import ShardId
from gateway.live.topics.hub import Hub
from gateway.live.transport.admission import Admission


class LiveGauges(Collector):
    """Reads the hub's counters at each scrape."""

    def __init__(
        self,
        hub: Hub,
        silences: Callable[[], Mapping[ShardId, float]],
        admission: Admission,
    ) -> None:
        self._hub = hub
        self._admission = admission
        self._silences = silences

    def collect(self) -> Iterable[Metric]:
        """All families."""
        yield from self._gauges()
        yield from self._counters()
        yield from self._labelled()

    def _gauges(self) -> Iterable[Metric]:
        hub = self._hub
        boards = hub.index.boards.values()
        for name, text, value in (
            ("watchers", "Live connections.", len(hub.watchers)),
            ("topics", "Topics that are kept current.", len(boards)),
            (
                "subscriptions",
                "Watchers times their topics.",
                sum(len(board.watchers) + len(board.waiting) for board in boards),
            ),
            ("watchers_paused", "Watchers owed a state.", len(hub.delivery.paused)),
            ("topics_held", "Topics in their window.", len(hub.delivery.pace)),
            (
                "write_backlog_seconds",
                "Estimated time to write all waiting frames.",
                hub.delivery.pace.load.backlog_s,
            ),
            (
                "newcomers_waiting",
                "New connections waiting to be admitted.",
                self._admission.waiting,
            ),
        ):
            yield GaugeMetricFamily(f"slotcast_live_{name}", text, value)
        silence = GaugeMetricFamily(
            "slotcast_live_feed_silence_seconds",
            "Time since a shard's last successful poll; about 10 s is normal.",
            labels=["shard"],
        )
        for shard, seconds in self._silences().items():
            silence.add_metric([shard], seconds)
        yield silence

    def _counters(self) -> Iterable[Metric]:
        tally, encoder = self._hub.tally, self._hub.encoder
        for name, text, value in (
            ("deltas_encoded", "Deltas, once per topic and change.", encoder.deltas),
            ("snapshots_encoded", "Snapshots, once per position.", encoder.snapshots),
            ("frames_sent", "Topic frames given to watchers.", tally.frames_sent),
            ("bytes_sent", "Bytes of those frames.", tally.bytes_sent),
            ("conflations", "Missed frames merged into one state.", tally.conflations),
            ("gaps_healed", "Topics corrected by a read.", tally.gaps_healed),
            ("rereads", "Topics read again.", tally.rereads),
            ("reads", "Reads of topics from calendars or SQL.", tally.reads),
            ("position_reads", "Requests that verify feeds.", tally.position_reads),
            (
                "rights_ended",
                "Subscriptions that lost their right.",
                tally.rights_ended,
            ),
            ("feed_batches", "Replies of feeds.", tally.feed_batches),
            ("feed_resets", "Feeds that were reset.", tally.feed_resets),
            ("newcomers", "New connections admitted.", self._admission.tally.entered),
            (
                "newcomers_refused",
                "New connections refused with 503: too many were waiting.",
                self._admission.tally.refused,
            ),
            (
                "newcomers_shut_out",
                "New connections refused with 503: full or shutting down.",
                self._admission.tally.shut_out,
            ),
        ):
            yield CounterMetricFamily(f"slotcast_live_{name}", text, value)

    def _labelled(self) -> Iterable[Metric]:
        tally = self._hub.tally
        for name, text, label, counts in (
            ("resumes", "Subscriptions with a position.", "how", tally.resumes),
            ("refusals", "Errors on the socket.", "code", tally.refusals),
            ("closes", "Connections closed by the server.", "code", tally.closes),
        ):
            family = CounterMetricFamily(f"slotcast_live_{name}", text, labels=[label])
            for key, count in dict(counts).items():
                family.add_metric([str(key)], count)
            yield family
