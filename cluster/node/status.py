"""The state of a cluster, collected on any of its nodes in bounded time.

Every source is queried separately and may fail: Ray for nodes and shards, Redis for
gateways, journal and read model for their positions. A source that did not answer is
named under ``troubles``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from actors.domain.ids import ShardId
from actors.errors import SchedulingError
from actors.ports import ShardStatus
from care.readmodel import ShardLag
from cluster.clock import SystemClock
from cluster.keeping.survey import Survey
from cluster.node.journal_health import WELL, JournalHealth, journal_health
from cluster.own_ray.raylet import head_answers
from cluster.site.run_file import read_record
from cluster.site.site import Site
from cluster.site.stores import open_journal
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.calendars import fixed_shards, joined_ray, shard_spec, site_placing
from persistence.readmodel.projection.store import StoreUnavailable
from persistence.readmodel.rebuilding.rebuild import status as projection_status
from persistence.shared.presence import (
    GatewayLine,
    RedisPresence,
    WorkerLine,
    WorkerPresence,
)
from persistence.sql.engine import open_engine

T = TypeVar("T")

SOURCE_S = 8.0
"""Timeout of one source in seconds; all are queried concurrently."""


class ClusterStatus(Struct):
    """The collected state."""

    survey: Survey | None = None
    shards: Sequence[ShardStatus] = ()
    journal: JournalHealth | None = None
    gateways: Sequence[GatewayLine] = ()
    workers: Sequence[WorkerLine] = ()
    lags: Sequence[ShardLag] = ()
    troubles: list[str] = []

    def editions(self) -> dict[str, set[str]]:
        """The edition of the time zone database that each node computes with."""
        told = [(one.node, one.tzdata) for one in self.shards]
        told += [(line.node, line.tzdata) for line in self.gateways]
        found: dict[str, set[str]] = {}
        for node, edition in told:
            if edition:
                found.setdefault(node, set()).add(edition)
        return found

    @property
    def is_well(self) -> bool:
        """Whether everything answered, every shard is open, and can be written to."""
        opened = all(one.state == "open" for one in self.shards)
        sound = self.journal is None or self.journal.state == WELL
        return opened and sound and not self.troubles


async def cluster_status(site: Site) -> ClusterStatus:
    """Query every source. A source that does not answer raises nothing."""
    found = ClusterStatus()
    await asyncio.gather(
        _ask(found, "Ray", _from_ray(site, found)),
        _ask(found, "gateways", _from_redis(site, found)),
        _ask(found, "workers", _workers_of_redis(site, found)),
        _ask(found, "journal", _from_journal(site, found)),
        _ask(found, "journal and read model", _from_stores(site, found)),
    )
    found.troubles += edition_troubles(found.editions())
    return found


def edition_troubles(editions: Mapping[str, set[str]]) -> list[str]:
    """The warning if nodes have different time zone databases; else ""."""
    if len(set().union(*editions.values())) < 2:  # noqa: PLR2004 - two differ
        return []
    told = ", ".join(
        f"{node or 'unnamed'}: {' and '.join(sorted(editions[node]))}"
        for node in sorted(editions)
    )
    return [
        f"nodes have different editions of the time zone database ({told}), so that "
        "opening hours may mean different instants; install the same tzdata package "
        "on all of them"
    ]


async def _ask(found: ClusterStatus, what: str, work: Awaitable[None]) -> None:
    try:
        await asyncio.wait_for(work, SOURCE_S)
    except TimeoutError:
        found.troubles.append(f"{what}: no answer within {SOURCE_S:.0f} s")
    except Obstacle as obstacle:
        found.troubles.append(f"{what}: {obstacle.wrong}")
    except (SchedulingError, StoreUnavailable, OSError) as error:
        found.troubles.append(f"{what}: {error}")


async def _from_ray(site: Site, found: ClusterStatus) -> None:
    record = read_record(site.folder.run_file) if site.folder.is_locked() else None
    if record is None or not record.node_host:
        found.troubles.append("no node of the cluster runs on this data folder")
        return
    if not await head_answers(record.ray_address):
        found.troubles.append(
            f"the head at {record.ray_address} is away: shards and gateways that live "
            "go on; nothing is restarted or moved until it is back"
        )
        return
    async with joined_ray(site):
        from actors.remote.links import RayLinks
        from cluster.keeping.ray_actors import RayActors

        actors = RayActors(shard_spec(site))
        try:
            found.survey = await actors.survey()
        finally:
            actors.close()
        links = RayLinks(site_placing(site), fixed_shards(site))
        try:
            told = (_status(links.status(one), one) for one in links.shards())
            found.shards = await asyncio.gather(*told)
        finally:
            await links.close()


async def _status(asked: Awaitable[ShardStatus], shard: ShardId) -> ShardStatus:
    try:
        return await asked
    except SchedulingError:
        nothing = (0, 0, 0, 0, 0, 0, 0, 0, 0)
        return ShardStatus(shard, *nothing, state="silent")


async def _from_redis(site: Site, found: ClusterStatus) -> None:
    if not site.settings.shared_redis:
        return
    presence = RedisPresence(site.settings.shared_redis, site.settings.site)
    try:
        found.gateways = await presence.current(SystemClock().now())
    finally:
        await presence.close()


async def _workers_of_redis(site: Site, found: ClusterStatus) -> None:
    if not site.settings.shared_redis:
        return
    presence = WorkerPresence(site.settings.shared_redis, site.settings.site)
    try:
        found.workers = await presence.current(SystemClock().now())
    finally:
        await presence.close()


async def _from_journal(site: Site, found: ClusterStatus) -> None:
    found.journal = await journal_health(site)


async def _from_stores(site: Site, found: ClusterStatus) -> None:
    journal, engine = (
        open_journal(site.stores),
        open_engine(site.database_url, "reader"),
    )
    try:
        found.lags = await projection_status(journal, engine)
    finally:
        await journal.close()
        await engine.dispose()
