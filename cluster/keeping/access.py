"""Access of a command, or of the keeper, to the shards of a running cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cluster.keeping.operations import Operations
from cluster.keeping.turns import FileTurn, Turn
from cluster.site.site import Site
from cluster.wiring.calendars import joined_ray, shard_spec

if TYPE_CHECKING:
    from cluster.keeping.ray_actors import RayActors

TURN_FILE = "moving.lock"


def turn_of(site: Site) -> Turn:
    """The mutual exclusion for moving shards: one process of the site at a time."""
    if site.settings.journal_is_redis:
        from cluster.keeping.lease_turn import LeaseTurn

        return LeaseTurn(site.settings.journal, site.settings.site)
    return FileTurn(site.folder.path / TURN_FILE)


@asynccontextmanager
async def open_operations(site: Site) -> AsyncIterator[Operations]:
    """Open the operations on the shards of this site's cluster.

    Raises:
        Obstacle: it does not run, or cannot be reached.
    """
    async with open_actors(site) as actors:
        yield Operations(actors, turn_of(site))


@asynccontextmanager
async def open_actors(site: Site) -> AsyncIterator[RayActors]:
    """The shards' processes, as a driver of the cluster's Ray. Raises Obstacle."""
    async with joined_ray(site):
        from cluster.keeping.ray_actors import RayActors

        actors = RayActors(shard_spec(site))
        try:
            yield actors
        finally:
            actors.close()
