"""Journals of inactive generations: kept until ``--forget-old``."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from sqlalchemy import delete, select

from actors.placement import generation_of
from actors.ports import Clock
from cluster.moving.resharding import OnProgress
from cluster.site.site import Site
from cluster.site.stores import open_journal
from cluster.terminal.obstacle import Obstacle
from persistence.readmodel import tables as t
from persistence.readmodel.projection.lags import lag
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import StoreUnavailable
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate

_NUMBERED = re.compile(r"(?:journal|snapshots)-g(\d+)", re.ASCII)


async def forget_other_generations(site: Site) -> int:
    """Remove them; returns the number of folders or keys. Needs the folder's lock."""
    in_force = site.layout.generation
    if site.stores.in_redis:
        from persistence.journal.redis.generations import forget_generations

        settings = site.settings
        return await forget_generations(settings.journal, settings.site, but=in_force)
    return await asyncio.to_thread(_forget_folders, site, in_force)


def _forget_folders(site: Site, in_force: int) -> int:
    folder = site.folder
    gone = [
        path
        for path in folder.path.iterdir()
        if (match := _NUMBERED.fullmatch(path.name)) and int(match[1]) != in_force
    ]
    if in_force != 1:  # the first generation's folders stay, empty
        gone += [*_inside(folder.journal_of(1)), *_inside(folder.snapshots_of(1))]
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(gone)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def catch_up(site: Site, clock: Clock, on_progress: OnProgress) -> None:
    """Project the active journals to their end.

    Before the switch, since only the old journals hold history and notices; after it,
    to file every calendar's rows under its new shard.

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
    asyncio.run(migrate(site.database_url, READ_MODEL))


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
                    "Repair the read model first (slotcast "
                    "projection status); the journals are unchanged.",
                )
    finally:
        await engine.dispose()
        await journal.close()


async def forget_old_offsets(site: Site) -> int:
    """Delete the projection offsets of older generations.

    Returns the number of shards.
    """
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
