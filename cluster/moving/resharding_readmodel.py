"""The read model before and after a resharding: nothing of either journal is missed."""

from __future__ import annotations

import asyncio

from sqlalchemy import delete, select

from actors.placement import generation_of
from actors.ports import Clock
from cluster.moving.resharding import OnProgress
from cluster.site.site import Site
from cluster.site.stores import open_journal
from cluster.terminal.obstacle import Obstacle
from persistence.readmodel import tables as t
from persistence.readmodel.projection.projector import Projector, lag
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import StoreUnavailable
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate


async def catch_up(site: Site, clock: Clock, on_progress: OnProgress) -> None:
    """Project until the journals in force are at their end.

    Before the switch: history and notices come from the old journals alone. After it:
    every calendar's rows are filed under its new shard.

    Raises:
        Obstacle: the database does not answer, or a shard cannot be projected.
    """
    try:
        await asyncio.to_thread(_migrate, site)
        await _project(site, clock, on_progress)
    except (StoreUnavailable, OSError) as error:
        raise Obstacle(
            f"The read model's database does not answer: {error}",
            "Start it, or check SLOTCAST_DATABASE; then run the command again.",
        ) from error


def _migrate(site: Site) -> None:
    asyncio.run(migrate(site.database_url))


async def _project(site: Site, clock: Clock, on_progress: OnProgress) -> None:
    journal = open_journal(site.stores)
    engine = open_engine(site.database_url, role="upkeep")
    store = SqlProjectionStore(engine)
    cell_minutes = site.settings.cell_minutes
    projector = Projector(journal, store, clock, cell_minutes=cell_minutes)
    try:
        total = 0
        while True:
            did = await projector.step()
            here = set(await journal.shards())
            waiting = sum(
                one.events for one in await lag(journal, store) if one.shard in here
            )
            total = max(total, waiting)
            on_progress("projecting", total - waiting, total)
            if not waiting:
                return
            if not did:
                why = "; ".join(projector.refused.values()) or "it does not go on"
                raise Obstacle(
                    f"The read model cannot be brought up to date: {why}.",
                    "Mend that first (slotcast projection status); the journals are "
                    "untouched.",
                )
    finally:
        await engine.dispose()
        await journal.close()


async def forget_old_offsets(site: Site) -> int:
    """Forget how far older generations were projected; how many shards that were."""
    offsets = t.projection_offset
    engine = open_engine(site.database_url, role="upkeep")
    try:
        async with engine.begin() as connection:
            known = (await connection.scalars(select(offsets.c.shard))).all()
            old = [
                shard
                for shard in known
                if generation_of(shard) < site.layout.generation
            ]
            for shard in old:
                await connection.execute(
                    delete(offsets).where(offsets.c.shard == shard)
                )
            return len(old)
    finally:
        await engine.dispose()
