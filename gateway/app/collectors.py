"""Collectors of /metrics, and which of them are refreshed before a scrape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.config import GatewayPorts
from gateway.metrics.busy import BusyCollector
from gateway.metrics.jobs import JobCollector
from gateway.metrics.kept import KeptCollector
from gateway.metrics.metrics import (
    Batching,
    CourierCollector,
    ShardAccounts,
    ShardCollector,
)


def collected(
    ports: GatewayPorts, accounts: ShardAccounts
) -> list[Callable[[], Awaitable[None]]]:
    """Register the collectors of /metrics; returns those to refresh before a scrape."""
    register = ports.registry.register
    register(ShardCollector(accounts))
    if isinstance(ports.calendars, Batching):
        register(CourierCollector(ports.calendars))
    refreshed: list[Callable[[], Awaitable[None]]] = [accounts.refresh]
    if ports.jobs is not None:
        jobs = JobCollector(ports.jobs, ports.clock)
        register(jobs)
        refreshed.append(jobs.refresh)
    if ports.kept is not None:
        kept = KeptCollector(ports.kept, ports.clock)
        register(kept)
        refreshed.append(kept.refresh)
    if ports.busy is not None:
        busy = BusyCollector(ports.busy.calendars, ports.clock)
        register(busy)
        refreshed.append(busy.refresh)
    return refreshed
