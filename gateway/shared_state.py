"""The state shared between gateways: its background work, health and metrics.

Each part runs in the background, and a failing part is restarted: none of them can
stop the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from care.sharing import Standing
from gateway.access.rate_budgets import Settlement
from gateway.access.revocations import RevokedTokens
from gateway.calendars.hold_exchange import HoldExchange
from gateway.calendars.hot_pages import LastShown, PageShelf
from gateway.config import GatewayConfig, GatewayPorts
from gateway.transport.endless import kept_going

log = structlog.get_logger("slotcast.gateway")


class Shared(Collector):
    """One per gateway process."""

    def __init__(self, ports: GatewayPorts, config: GatewayConfig) -> None:
        self._ports = ports
        self.revoked = RevokedTokens(ports.clock)
        self.settlement = (
            Settlement(ports.budgets, config.token_keys[0])
            if ports.budgets is not None and config.rate_limited
            else None
        )
        self.hold_exchange = (
            HoldExchange(ports.holds, config.token_keys[0])
            if ports.holds is not None
            else None
        )
        self.last_shown = (
            LastShown(ports.pages, ports.clock, config.stale_after_s)
            if ports.pages is not None
            else None
        )
        self.shelves: dict[str, PageShelf] = {}
        if self.last_shown is not None:
            self.shelves["last_shown"] = self.last_shown.shelf
        ports.registry.register(self)

    async def run(self) -> None:
        """All work in the background, until cancelled."""
        jobs: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        if self.settlement is not None:
            jobs.append(("rate_limits", self.settlement.run))
        if self.hold_exchange is not None:
            jobs.append(("shared_holds", self.hold_exchange.run))
        if self._ports.revocations is not None:
            jobs.append(("revocations", self._follow_revocations))
        if self.last_shown is not None:
            jobs.append(("hot_pages", self.last_shown.run))
        async with asyncio.TaskGroup() as tasks:
            for name, job in jobs:
                tasks.create_task(kept_going(name, job))

    def standings(self) -> dict[str, Standing]:
        """The health of each shared part."""
        ports = self._ports
        found: dict[str, Standing] = {}
        if self.settlement is not None:
            found["rate_limits"] = _explained(
                self.settlement.store.standing(), "each gateway limits by itself"
            )
        if ports.holds is not None:
            found["holds"] = _explained(
                ports.holds.standing(), "each gateway counts the holds it saw placed"
            )
        if ports.revocations is not None:
            found["revocations"] = ports.revocations.standing()
        if ports.pages is not None:
            found["hot_pages"] = _explained(
                ports.pages.standing(), "every page is asked of its calendar"
            )
        return found

    def collect(self) -> Iterable[Metric]:
        """Its Prometheus metrics."""
        up = GaugeMetricFamily(
            "slotcast_shared_up", "What gateways share can be reached.", labels=["part"]
        )
        for part, standing in self.standings().items():
            up.add_metric([part], float(standing.ok))
        yield up
        yield GaugeMetricFamily(
            "slotcast_revocations_known", "Revocations in force.", len(self.revoked)
        )
        if self.settlement is not None:
            tally = self.settlement.tally
            for name, text, value in (
                ("settlements", "Settlements of rate limits.", tally.settlements),
                ("buckets_settled", "Buckets in them.", tally.buckets),
                (
                    "buckets_untold",
                    "Buckets whose spending was not shared.",
                    tally.untold,
                ),
            ):
                yield CounterMetricFamily(f"slotcast_rate_{name}", text, value)
        if self.hold_exchange is not None:
            text = "Holds that other gateways were not told of."
            untold = self.hold_exchange.untold
            yield CounterMetricFamily("slotcast_holds_untold", text, untold)
        yield from self._pages()

    def _pages(self) -> Iterable[Metric]:
        for name, text in (
            ("kept", "Hot pages written."),
            ("found", "Hot pages used."),
            ("missed", "Hot pages wanted that were not there or not current."),
            ("away", "Requests for hot pages that the store did not answer."),
        ):
            family = CounterMetricFamily(f"slotcast_pages_{name}", text, labels=["use"])
            for use, shelf in self.shelves.items():
                family.add_metric([use], getattr(shelf.tally, name))
            yield family

    async def _follow_revocations(self) -> None:
        assert self._ports.revocations is not None
        await self._ports.revocations.follow(self.revoked.learn)


def _explained(standing: Standing, meanwhile: str) -> Standing:
    if standing.ok:
        return standing
    return Standing(ok=False, detail=f"{standing.detail}; meanwhile {meanwhile}")
