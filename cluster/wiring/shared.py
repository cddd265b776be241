"""Wires the state shared by gateways: over Redis, if there is one.

Without Redis a site has one gateway process: it limits locally, asks calendars for
every page, and reads revoked tokens from a file of the data folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct

from actors.ports import Clock
from care.sharing import (
    JOBS,
    OUTBOX,
    HotPages,
    RateBudgets,
    Revocations,
    SharedHolds,
    Wakeups,
)
from cluster.site.site import Site
from persistence.shared.budgets import RedisBudgets
from persistence.shared.holds import RedisHolds
from persistence.shared.pages import RedisPages
from persistence.shared.revocations_file import FileRevocations
from persistence.shared.revocations_redis import RedisRevocations
from persistence.shared.wakeups import RedisWakeups


class SharedPorts(Struct, frozen=True):
    """The ports of the shared state; None: state of this process alone."""

    revocations: Revocations
    budgets: RateBudgets | None = None
    holds: SharedHolds | None = None
    pages: HotPages | None = None


@asynccontextmanager
async def shared_ports(site: Site, clock: Clock) -> AsyncIterator[SharedPorts]:
    """The shared ports of a gateway; closed afterwards."""
    url, prefix = site.settings.shared_redis, site.settings.site
    async with AsyncExitStack() as opened:
        revocations = await opened.enter_async_context(revocations_of(site, clock))
        if not url:
            yield SharedPorts(revocations)
            return
        budgets, pages = RedisBudgets(url, prefix), RedisPages(url, prefix)
        holds = RedisHolds(url, prefix, clock)
        opened.push_async_callback(holds.close)
        opened.push_async_callback(budgets.close)
        opened.push_async_callback(pages.close)
        yield SharedPorts(revocations, budgets, holds, pages)


@asynccontextmanager
async def revocations_of(site: Site, clock: Clock) -> AsyncIterator[Revocations]:
    """The store of this site's revoked tokens; closed afterwards."""
    url = site.settings.shared_redis
    kept = FileRevocations(site.folder.path / "secrets" / "revocations.jsonl", clock)
    if not url:
        yield kept
        return
    revocations = RedisRevocations(url, site.settings.site, clock, kept)
    try:
        yield revocations
    finally:
        await revocations.close()


@asynccontextmanager
async def wakeups_of(site: Site) -> AsyncIterator[Wakeups | None]:
    """Wake-ups between this site's processes; None: they poll. Closed afterwards."""
    url = site.settings.shared_redis
    if not url:
        yield None
        return
    wakeups = RedisWakeups(url, site.settings.site, [OUTBOX, JOBS])
    try:
        yield wakeups
    finally:
        await wakeups.close()
