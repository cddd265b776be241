"""A gateway's Prometheus metrics, on its own registry.

Counters of this process are updated as events happen. The status of shards and of the
projection is fetched on demand, at most once a second, and a shard that does not answer
is shown as down instead of delaying the page.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable

import structlog
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from actors.domain.ids import ShardId
from actors.errors import SchedulingError
from actors.ports import ShardLinks, ShardStatus
from actors.shard.counters import APPEND_SECONDS, BATCH_SIZES
from care.readmodel import ProjectionProgress
from gateway.metrics.projection_lag import ProjectionLag

log = structlog.get_logger("slotcast.gateway")

_SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_FRESH_S: Final = 1.0
FOLLOW_S: Final = 10.0
"""Interval at which a gateway checks the read model's lag by itself."""
_STATUS_TIMEOUT_S: Final = 0.5


class GatewayMetrics:
    """Requests, commands and refusals of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Histogram(
            "slotcast_http_request_seconds",
            "Time to answer a request, by route template and status.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._commands = Histogram(
            "slotcast_command_seconds",
            "Time from a command to its durable answer.",
            ("command",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._refusals = Counter(
            "slotcast_refusals",
            "Error answers by code of the wire.",
            ("code",),
            registry=registry,
        )
        self.in_flight = Gauge(
            "slotcast_http_requests_in_flight",
            "Requests being answered.",
            registry=registry,
        )
        self._by_request: dict[tuple[str, str, int], Histogram] = {}
        self._by_command: dict[str, Histogram] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. ``route`` is a template: the number of labels is bounded."""
        key = (method, route, status)
        child = self._by_request.get(key)
        if child is None:
            child = self._requests.labels(method, route, str(status))
            self._by_request[key] = child
        child.observe(seconds)

    def command(self, name: str, seconds: float) -> None:
        """Count a command that was answered or abandoned."""
        child = self._by_command.get(name)
        if child is None:
            child = self._by_command[name] = self._commands.labels(name)
        child.observe(seconds)

    def refused(self, code: str) -> None:
        """Count an error answer by its code."""
        self._refusals.labels(code).inc()


class ShardAccounts:
    """The newest status of every shard, at most a second old."""

    def __init__(self, links: ShardLinks, progress: ProjectionProgress) -> None:
        self._links = links
        self._progress = progress
        self._at = float("-inf")
        self._asking = asyncio.Lock()
        self.statuses: dict[ShardId, ShardStatus] = {}
        self.missing: tuple[ShardId, ...] = ()
        self.projected: dict[ShardId, int] | None = None
        """The last projected seq by shard; None if the read model does not answer."""
        self.lag = ProjectionLag()
        """The read model's lag; kept while it does not answer."""
        self.conflicts = 0

    async def refresh(self) -> None:
        """Query all shards and the read model, unless the status is fresh."""
        async with self._asking:
            if monotonic() - self._at < _FRESH_S:
                return
            shards = tuple(self._links.shards())
            found = await asyncio.gather(*(self._status(shard) for shard in shards))
            self.statuses = {
                status.shard: status for status in found if status is not None
            }
            # A shard that became passive meanwhile is not reported as down.
            active = self._links.shards()
            self.missing = tuple(
                s for s in shards if s in active and s not in self.statuses
            )
            await self._ask_projection()
            self._at = monotonic()
            ends = {shard: one.last_seq for shard, one in self.statuses.items()}
            self.lag.note(self._at, ends, self.projected)

    def expire(self) -> None:
        """Ask again at the next refresh: the shards have just opened, say."""
        self._at = float("-inf")

    def damaged(self) -> Sequence[ShardId]:
        """Shards that say that their journal is damaged."""
        return [one.shard for one in self.statuses.values() if one.state == "corrupt"]

    async def follow(self) -> None:
        """Query the shards and the read model periodically, until cancelled.

        While the read model does not answer, its lag can only be derived from earlier
        answers, so it is queried even without a scrape.
        """
        while True:
            try:
                await self.refresh()
            except Exception:
                log.exception("the shards' accounts are not followed")
            await asyncio.sleep(FOLLOW_S)

    async def _status(self, shard: ShardId) -> ShardStatus | None:
        try:
            async with asyncio.timeout(_STATUS_TIMEOUT_S):
                return await self._links.status(shard)
        except (TimeoutError, SchedulingError):
            return None

    async def _ask_projection(self) -> None:
        try:
            async with asyncio.timeout(_STATUS_TIMEOUT_S):
                self.projected = dict(await self._progress.offsets())
                self.conflicts = await self._progress.conflicts()
        except Exception:  # noqa: BLE001 - whatever SQL says, bookings go on
            self.projected = None


@runtime_checkable
class Batching(Protocol):
    """The counts of a courier."""

    @property
    def tally(self) -> Any:
        """Its counts: calls, requests, lost_calls, overloaded."""
        ...

    def waiting(self) -> int:
        """Requests waiting or in flight."""
        ...


class CourierCollector(Collector):
    """The batching of commands on their way to shards."""

    def __init__(self, courier: Batching) -> None:
        self._courier = courier

    def collect(self) -> Iterable[Metric]:
        """The current counts."""
        tally = self._courier.tally
        for name, text, value in (
            ("calls", "Calls to shards.", tally.calls),
            ("requests", "Requests that travelled in them.", tally.requests),
            ("lost_calls", "Calls with an unknown outcome.", tally.lost_calls),
            ("overloaded", "Requests refused: too many waiting.", tally.overloaded),
        ):
            yield CounterMetricFamily(f"slotcast_courier_{name}", text, value)
        yield GaugeMetricFamily(
            "slotcast_courier_waiting",
            "Requests waiting for a shard or in flight.",
            self._courier.waiting(),
        )


_SHARD_GAUGES: Final = {
    "epoch": "Epoch: number of the shard's present ownership.",
    "last_seq": "Durable end of the journal.",
    "snapshot_position": "Up to where snapshots reach.",
    "calendars": "Calendars in memory.",
    "mailbox": "Requests waiting in the shard.",
    "memory_bytes": "Memory of the shard's process.",
    "journal_pressure": "Used fraction of the journal's size limit, 0 to 1.",
    "clock_doubted": "1 while nothing is decided: the machine's clock made a step.",
    "clock_ahead_ms": "How far the journal is ahead of the machine's clock.",
    "fsync_p50_ms": "Journal append with sync, median.",
    "fsync_p99_ms": "Journal append with sync, 99th percentile.",
}
_SHARD_COUNTERS: Final = {
    "commands": "Commands decided; by batches it is the mean batch size.",
    "batches": "Journal appends.",
}


class ShardCollector(Collector):
    """The status of shards and projection; refresh it before collecting."""

    def __init__(self, accounts: ShardAccounts) -> None:
        self._accounts = accounts

    def collect(self) -> Iterable[Metric]:
        """The status as last refreshed."""
        accounts = self._accounts
        up = GaugeMetricFamily("slotcast_shard_up", "It answers.", labels=["shard"])
        for shard in accounts.statuses:
            up.add_metric([shard], 1)
        for shard in accounts.missing:
            up.add_metric([shard], 0)
        yield up
        for name, text in _SHARD_GAUGES.items():
            gauge = GaugeMetricFamily(f"slotcast_shard_{name}", text, labels=["shard"])
            yield self._filled(gauge, name)
        for name, text in _SHARD_COUNTERS.items():
            counter = CounterMetricFamily(
                f"slotcast_shard_{name}", text, labels=["shard"]
            )
            yield self._filled(counter, name)
        yield self._refusals()
        yield from self._histograms()
        yield from self._projection()

    def _filled(
        self, family: GaugeMetricFamily | CounterMetricFamily, name: str
    ) -> Metric:
        for shard, status in self._accounts.statuses.items():
            family.add_metric([shard], float(getattr(status, name)))
        return family

    def _refusals(self) -> Metric:
        refusals = CounterMetricFamily(
            "slotcast_shard_refusals",
            "Refusals and errors of the shard itself, by its own codes.",
            labels=["shard", "code"],
        )
        for shard, status in self._accounts.statuses.items():
            for code, count in status.refusals.items():
                refusals.add_metric([shard, code], count)
        return refusals

    def _histograms(self) -> Iterable[Metric]:
        sizes = HistogramMetricFamily(
            "slotcast_shard_batch_size", "Requests decided together.", labels=["shard"]
        )
        appends = HistogramMetricFamily(
            "slotcast_journal_append_seconds",
            "One journal append, write and sync.",
            labels=["shard"],
        )
        for shard, status in self._accounts.statuses.items():
            if status.batch_sizes:
                requests = float(status.commands + status.reads)
                sizes.add_metric(
                    [shard], _cumulated(BATCH_SIZES, status.batch_sizes), requests
                )
            if status.append_seconds:
                appends.add_metric(
                    [shard],
                    _cumulated(APPEND_SECONDS, status.append_seconds),
                    status.append_seconds_sum,
                )
        yield sizes
        yield appends

    def _projection(self) -> Iterable[Metric]:
        accounts = self._accounts
        yield GaugeMetricFamily(
            "slotcast_projection_up",
            "The read model answers.",
            float(accounts.projected is not None),
        )
        lag = GaugeMetricFamily(
            "slotcast_projection_lag_events",
            "Durable events that the read model does not show yet.",
            labels=["shard"],
        )
        for shard, events in accounts.lag.events().items():
            lag.add_metric([shard], events)
        yield lag
        waits = GaugeMetricFamily(
            "slotcast_projection_lag_seconds",
            "For how long the oldest of them was seen to wait.",
            labels=["shard"],
        )
        for shard, seconds in accounts.lag.seconds().items():
            waits.add_metric([shard], seconds)
        yield waits
        yield GaugeMetricFamily(
            "slotcast_projection_conflicts",
            "Events parked because a claim was taken: must be 0.",
            accounts.conflicts,
        )


def _cumulated(
    bounds: Sequence[float], counts: Sequence[int]
) -> list[tuple[str, float]]:
    """Counts per bucket as Prometheus wants them: each with all below it."""
    running = itertools.accumulate(counts)
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return [(name, float(n)) for name, n in zip(names, running, strict=True)]
