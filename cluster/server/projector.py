"""The projector's process: it writes the read model behind the journal.

It also trims the journal, since it knows what is projected.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from actors.domain.ids import Millis
from actors.errors import SchedulingError
from actors.ports import Journal, SnapshotStore
from cluster.clock import SystemClock
from cluster.server.auditing import Auditing, Reached
from cluster.site.site import Site
from cluster.site.stores import open_journal, open_snapshots
from cluster.wiring.background import Damaged, migrated, pause
from cluster.wiring.shared import wakeups_of
from persistence.journal.recent import RecentRecords
from persistence.readmodel.projection.claim_purge import ClaimPurge
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.sqlite import SqliteProjectionStore
from persistence.readmodel.projection.store import StoreUnavailable
from persistence.readmodel.rebuilding.from_calendars import (
    RebuildImpossible,
    SnapshotSeeds,
)
from persistence.readmodel.rebuilding.rebuild import rebuild
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.damage import SqliteFile
from persistence.sql.engine import is_sqlite, open_engine, sqlite_file

log = logging.getLogger(__name__)


LOOK_FOR_DAMAGE_S = 1.0
DAMAGED_AGAIN_S = 1.0
"""Pause before a new file is created: a bad disk may damage that one, too."""
TRIM_EVERY_S = 60.0
"""Interval of trimming records that both snapshots and read model have."""
PRESSED = 0.8
"""Journal pressure from which records go before their time: room for new bookings
is worth more than a second way to restore old ones."""
CATCH_UP_S = 4.0
"""Seconds a stopping projector spends on catching up."""


async def follow_journal(site: Site) -> None:
    """Project until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await project_until(site, stop)


async def project_until(site: Site, stop: asyncio.Event) -> None:
    """Project until told to stop; a damaged read model is rebuilt."""
    file = sqlite_file(site.database_url)
    while not stop.is_set():
        if file is not None and file.is_marked:
            aside = file.put_aside(SystemClock().now())
            log.error("ALARM: the read model is damaged; it is now %s", aside)
        try:
            await _project(site, file, stop)
        except* Damaged:
            await pause(stop, DAMAGED_AGAIN_S)


async def _project(site: Site, file: SqliteFile | None, stop: asyncio.Event) -> None:
    """Project until told to stop, or until the read model is found to be damaged.

    Raises:
        Damaged: alone, or in a group.
    """
    url = site.database_url
    if not await migrated(url, READ_MODEL, stop, file):
        return
    if file is not None and file.is_to_be_made_anew:
        await _make_anew(site, file, stop)
    journal = open_journal(site.stores)
    snapshots = open_snapshots(site.stores)
    on_sqlite = is_sqlite(url)
    # One connection to SQLite checkpoints: the store's; see persistence/sql/engine.py.
    engine = open_engine(url, "writer" if on_sqlite else "projector")
    store = SqliteProjectionStore(url) if on_sqlite else SqlProjectionStore(engine)
    projector = Projector(
        journal,
        store,
        SystemClock(),
        cell_minutes=site.settings.cell_minutes,
        lanes=store.lanes,
    )
    log.info("projector begins")
    try:
        keep_ms = site.settings.journal_retention_hours * 3_600_000
        projector.recent = RecentRecords()
        audit = Auditing(site, journal, store, engine, projector.recent)
        trimmer = Trimmer(journal, snapshots, store, keep_ms, audit.reached)
        beside: list[Chore] = [ClaimPurge(engine, site.settings.cell_minutes), audit]
        if file is not None:
            beside.append(DamageWatch(file))
        if site.settings.trim_journal:
            beside.append(trimmer)
        await _follow(site, projector, beside, stop)
    finally:
        await journal.close()
        await snapshots.close()
        await store.close()
        await engine.dispose()
        log.info("projector ends, %d records projected", projector.projected)


async def _follow(
    site: Site,
    projector: Projector,
    beside: Sequence[Chore],
    stop: asyncio.Event,
) -> None:
    async with wakeups_of(site) as wakeups:
        projector.wakeups = wakeups
        async with asyncio.TaskGroup() as tasks:
            for chore in beside:
                tasks.create_task(chore.run(stop))
            await projector.run(stop)
        await _catch_up(projector)


async def _make_anew(site: Site, file: SqliteFile, stop: asyncio.Event) -> None:
    """Fill the new file from journal and snapshots.

    If told to stop, leave it for the next start.

    Notices are not sent again: the rebuild marks them as sent.
    """
    engine = open_engine(site.database_url, "upkeep")
    journal, snapshots = open_journal(site.stores), open_snapshots(site.stores)
    try:
        work = rebuild(
            journal,
            engine,
            SystemClock(),
            seeds=SnapshotSeeds(snapshots, site.settings.policy),
            cell_minutes=site.settings.cell_minutes,
        )
        making = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({making, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if making.done():
            making.result()
            file.is_anew()
            log.warning("the read model has been made again")
        else:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
    except RebuildImpossible:
        file.is_anew()
        log.exception("ALARM: the read model cannot be made again")
    except (StoreUnavailable, DBAPIError) as error:
        if file.is_marked:
            raise Damaged from error
        raise
    finally:
        await journal.close()
        await snapshots.close()
        await engine.dispose()


async def _catch_up(projector: Projector) -> None:
    """Project what is already durable, so that the next start finds nothing to do."""
    try:
        async with asyncio.timeout(CATCH_UP_S):
            while await projector.step():
                pass
    except (TimeoutError, StoreUnavailable, SchedulingError) as error:
        log.info("stops before it has caught up: %r", error)


class Chore(Protocol):
    """Periodic work beside projecting."""

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat it until told to stop."""
        ...


class DamageWatch:
    """Looks for the mark that a process sets when it finds the read model damaged."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def run(self, stop: asyncio.Event) -> None:
        """Raises Damaged."""
        while not stop.is_set():
            if self._file.is_marked:
                raise Damaged
            await pause(stop, LOOK_FOR_DAMAGE_S)


class Trimmer:
    """Trims journal records that both snapshots and read model have."""

    def __init__(
        self,
        journal: Journal,
        snapshots: SnapshotStore,
        store: SqlProjectionStore,
        keep_ms: int,
        audited_to: Reached | None = None,
    ) -> None:
        self._audited_to = audited_to
        self._journal = journal
        self._snapshots = snapshots
        self._store = store
        self._keep_ms = keep_ms

    async def run(self, stop: asyncio.Event) -> None:
        """Trim periodically, until told to stop."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(TRIM_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                try:
                    await self.trim(SystemClock().now())
                except (SchedulingError, StoreUnavailable) as error:
                    log.warning("nothing trimmed: %s", error)

    async def trim(self, now: Millis) -> None:
        """Trim every shard up to what both have, if old enough or room is short."""
        short = self._journal.pressure() >= PRESSED
        before = None if short else Millis(now - self._keep_ms)
        audited = await self._audited_to() if self._audited_to is not None else None
        for shard, offset in (await self._store.shard_offsets()).items():
            try:
                upto = min(offset.seq, await self._snapshots.position(shard))
                if audited is not None:
                    upto = min(upto, audited.get(shard, 0))
                if upto > 0:
                    await self._journal.trim(shard, upto, before)
            except (
                SchedulingError
            ) as error:  # one shard's failure must not stop the rest
                log.warning("nothing of %s is trimmed: %s", shard, error)
