"""``slotcast keep``: the process that places the site's shards.

It runs only on the head. Without it everything running continues; nothing is created,
moved or drained until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path

from actors.domain.ids import ShardId
from actors.domain.zone_data import EDITION
from cluster.keeping.access import turn_of
from cluster.keeping.keeper import Keeper
from cluster.own_ray.folder import raylet_socket
from cluster.own_ray.raylet import end_soon, joined, until_gone
from cluster.server.projector import project_until
from cluster.site.site import Site, existing_site
from cluster.terminal.alongside import alongside
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.wiring.calendars import fixed_shards, shard_spec
from persistence.shared.lease import RedisLease, while_holding

log = logging.getLogger(__name__)


def keep_shards(site: Site, ray_folder: Path) -> int:
    """Keep the shards until told to stop, or until this node's Ray is gone."""
    with joined(site):
        return asyncio.run(_keep(site, raylet_socket(ray_folder)))


async def _keep(site: Site, raylet: Path) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    log.info("keeper begins", extra={"tzdata": EDITION})
    async with (
        alongside(_work(site, stop)) as working,
        alongside(until_gone(raylet)) as lost,
    ):
        await asyncio.wait({working, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            end_soon()
        if working.done():
            await working
    log.info("keeper ends")
    return 0 if stop.is_set() else FOUND_A_PROBLEM


async def _work(site: Site, stop: asyncio.Event) -> None:
    from cluster.keeping.ray_actors import RayActors

    actors = RayActors(shard_spec(site))
    try:
        await Keeper(actors, _ShardsNow(site), turn_of(site)).run(stop)
    finally:
        actors.close()


class _ShardsNow:
    """The site's shards by its present layout; isolating a calendar adds one."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self) -> Sequence[ShardId]:
        """Shards of the last readable layout."""
        try:
            path = self._site.folder.path
            self._site = await asyncio.to_thread(existing_site, path)
        except Obstacle as obstacle:
            log.info("the layout cannot be read now: %s", obstacle.wrong)
        return fixed_shards(self._site)


async def project_in_turn(site: Site) -> None:
    """Project whenever this process holds the lease, until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    url = site.settings.shared_redis
    if not url:
        await project_until(site, stop)
        return
    lease = RedisLease(
        url, site.settings.site, "projector", f"{os.getpid()}-{secrets.token_hex(8)}"
    )

    async def work(halt: asyncio.Event) -> None:
        log.info("this node projects")
        await project_until(site, halt)

    log.info("projector stands by")
    try:
        await while_holding(lease, work, stop)
    finally:
        await lease.close()
