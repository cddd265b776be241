"""Restoring a backup into an empty installation, and checking the history."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from actors.domain.ids import ProviderId, ShardId
from actors.errors import OwnershipError, SchedulingError
from actors.ports import Record, StoredCalendar
from cluster.backup.manifest import (
    ANCHORS,
    CALENDARS,
    DOCUMENTS,
    PEOPLE,
    RECORDS,
    SECRETS,
    TABLES,
    Manifest,
    Section,
    read_manifest,
)
from cluster.backup.parts import (
    CalendarLine,
    FileLine,
    RecordLine,
    check_section,
    lines_of,
)
from cluster.backup.places import BackupDamaged, BlobStore
from cluster.backup.saving import Say
from cluster.backup.target import Target, database_silent
from cluster.checks.verification import Verdict, Verification, is_of_groups
from cluster.clock import SystemClock
from cluster.site.settings import Settings
from cluster.site.site import Site, audit_anchors_of, documents_of
from cluster.site.stores import Snapshots, StoresConfig, open_journal, open_snapshots
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from persistence import codec
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.queries.progress import SqlProgress
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS as SCHEMA_OF_RECORDS
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from persistence.sql.schema import Schema
from persistence.sql.table_dump import put_rows

RECORDS_BATCH = 2_000
CALENDARS_BATCH = 50
ROWS_BATCH = 1_000


class JournalImport(Protocol):
    """Writes journals of an empty site, records keeping their seq and epoch."""

    async def write(self, shard: ShardId, records: Sequence[Record]) -> None:
        """Append records; they must follow those written before."""
        ...

    async def finish(self, shard: ShardId, epoch: int) -> None:
        """Make it durable; the shard's next owner gets a higher epoch."""
        ...

    async def close(self) -> None:
        """Release files and connections."""
        ...


class Restore:
    """One restore of one backup."""

    def __init__(self, settings: Settings, place: BlobStore, say: Say) -> None:
        self._target = Target(settings)
        self._place = place
        self._say = say

    async def run(self, *, again: bool) -> Verdict:
        """Check, write and verify; the site's layout is written last.

        Problems of the verdict are of visits and their rooms alone: the site is in
        force even so, and staff look after them.

        Raises:
            Obstacle: the backup is unfinished or damaged, or the target is not empty:
            nothing was changed. Or the history does not agree, or a store failed: the
            target then refuses to start.
        """
        manifest = await read_manifest(self._place)
        _check_fits(manifest)
        for section in manifest.sections:
            await check_section(self._place, section)
        self._say(f"the backup of {manifest.made_at} is whole")
        target = self._target
        settings = target.folder.check_matches(manifest.layout, target.settings)
        with target.folder.locked():
            if again:
                await target.clear()
            await target.check_empty()
            await target.mark(self._place.name)
            site = Site(settings, target.folder, manifest.layout)
            try:
                verdict = await self._write(site, manifest)
            except (DBAPIError, SchedulingError, OSError) as error:
                raise _refused(error) from error
            broken = [one for one in verdict.problems if not is_of_groups(one)]
            if broken:
                raise Obstacle(
                    "The restored history does not agree: " + "; ".join(broken[:3]),
                    "The site was not activated. Restore another backup.",
                    code=FOUND_A_PROBLEM,
                )
            await target.finish(manifest.layout, manifest.layout.made_on)
        return verdict

    async def _write(self, site: Site, manifest: Manifest) -> Verdict:
        await self._put_files(manifest)
        journal_import = open_import(site.stores)
        try:
            for section in manifest.of(RECORDS):
                await self._put_records(journal_import, manifest, section)
        finally:
            await journal_import.close()
        snapshots = open_snapshots(site.stores)
        try:
            for section in manifest.of(CALENDARS):
                await self._put_calendars(snapshots, manifest, section)
        finally:
            await snapshots.close()
        await self._put_tables(site, manifest)
        return await self._verified(site)

    # --- the journal -----------------------------------------------------------------

    async def _put_records(
        self, to: JournalImport, manifest: Manifest, section: Section
    ) -> None:
        shard = ShardId(section.name)
        saved = manifest.shards[section.name]
        records: list[Record] = []
        async for line in lines_of(self._place, section, RecordLine):
            records.append(Record(line.seq, line.epoch, codec.decode(line.event)))
            if len(records) >= RECORDS_BATCH:
                await to.write(shard, records)
                records = []
        if records:
            await to.write(shard, records)
        if section.lines:
            await to.finish(shard, saved.epoch)
        self._say(f"{shard}: {section.lines:,} records up to {saved.last_seq:,}")

    async def _put_calendars(
        self, to: Snapshots, manifest: Manifest, section: Section
    ) -> None:
        shard = ShardId(section.name)
        saved = manifest.shards[section.name]
        some: dict[ProviderId, StoredCalendar] = {}
        async for line in lines_of(self._place, section, CalendarLine):
            some[ProviderId(line.provider)] = StoredCalendar(line.seq, line.blob)
            if len(some) >= CALENDARS_BATCH:
                await to.save(shard, saved.epoch, some)
                some = {}
        if some:
            await to.save(shard, saved.epoch, some)
        if saved.snapshot_position:
            await to.advance(shard, saved.epoch, saved.snapshot_position)

    # --- SQL -------------------------------------------------------------------------

    async def _put_tables(self, site: Site, manifest: Manifest) -> None:
        if not site.settings.database:
            site.folder.read_model.mkdir(exist_ok=True)
        await self._put_schema(site.database_url, READ_MODEL, manifest, TABLES)
        await self._put_schema(site.records_url, SCHEMA_OF_RECORDS, manifest, PEOPLE)

    async def _put_schema(
        self, url: str, schema: Schema, manifest: Manifest, kind: str
    ) -> None:
        await migrate(url, schema)
        engine = open_engine(url, "writer")
        try:
            for section in manifest.of(kind):
                rows: list[list[object]] = []
                async for row in lines_of(self._place, section, list[object]):
                    rows.append(row)
                    if len(rows) >= ROWS_BATCH:
                        await put_rows(engine, schema, section.name, rows)
                        rows = []
                await put_rows(engine, schema, section.name, rows)
        except DBAPIError as error:
            raise database_silent(error) from error
        finally:
            await engine.dispose()
        count = sum(section.lines for section in manifest.of(kind))
        self._say(f"{kind}: {count:,} rows")

    # --- files -----------------------------------------------------------------------

    async def _put_files(self, manifest: Manifest) -> None:
        folder = self._target.folder
        goals = {
            DOCUMENTS: documents_of(self._target.settings, folder),
            SECRETS: folder.token_key_file.parent,
            ANCHORS: audit_anchors_of(self._target.settings, folder),
        }
        for kind, base in goals.items():
            for section in manifest.of(kind):
                async for line in lines_of(self._place, section, FileLine):
                    _put_piece(base, line)

    # --- the end ---------------------------------------------------------------------

    async def _verified(self, site: Site) -> Verdict:
        """Let SQL catch up with the journal, and compare everything."""
        journal, snapshots = open_journal(site.stores), open_snapshots(site.stores)
        projecting = open_engine(site.database_url, "upkeep")
        reading = open_engine(site.database_url, "reader")
        try:
            store, clock = SqlProjectionStore(projecting), SystemClock()
            policy = site.settings.policy
            cell_minutes = policy.cell_minutes
            projector = Projector(journal, store, clock, cell_minutes=cell_minutes)
            await _caught_up(projector.step)
            checker = Verification(journal, snapshots, reading, policy)
            return await checker.run(SqlProgress(reading), None)
        finally:
            await reading.dispose()
            await projecting.dispose()
            await snapshots.close()
            await journal.close()


def open_import(config: StoresConfig) -> JournalImport:
    """Where the journal of an empty site is written."""
    if config.in_redis:
        from persistence.journal.redis.restore import RedisJournalImport

        return RedisJournalImport(
            config.journal,
            config.site,
            generation=config.generation,
            replicas=config.replicas,
        )
    from persistence.journal.files.restore import FileJournalImport

    return FileJournalImport(Path(config.journal))


def _check_fits(manifest: Manifest) -> None:
    """Raises Obstacle if this version cannot restore the backup."""
    revisions = (
        (manifest.revision, READ_MODEL.newest_revision()),
        (
            manifest.records_revision or SCHEMA_OF_RECORDS.newest_revision(),
            SCHEMA_OF_RECORDS.newest_revision(),
        ),
    )
    for theirs, ours in revisions:
        if theirs != ours:
            raise Obstacle(
                f"The backup was made by Slotcast {manifest.version}, whose tables are "
                f"at revision {theirs}; this one's are at {ours}.",
                "Restore it with that version, then upgrade as usual.",
            )
    for section in manifest.of(RECORDS):
        saved = manifest.shards.get(section.name)
        if saved is None or section.lines != saved.last_seq - saved.first_seq + 1:
            raise BackupDamaged(
                f"The backup's journal of {section.name} does not match its manifest."
            )


async def _caught_up(step: Callable[[], Awaitable[int]]) -> None:
    while await step():
        pass


def _put_piece(base: Path, line: FileLine) -> None:
    """Write a piece of a file with mode 600."""
    name = PurePosixPath(line.path)
    if name.is_absolute() or ".." in name.parts:
        raise BackupDamaged(f"The backup names a file outside its folder: {line.path}.")
    path = base / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | (0 if line.offset else os.O_TRUNC)
    descriptor = os.open(path, flags, 0o600)
    try:
        os.pwrite(descriptor, line.data, line.offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(error: Exception) -> Obstacle:
    if isinstance(error, DBAPIError):
        return database_silent(error)
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, OwnershipError):
        reason = f"another process writes into it ({reason})"
    return Obstacle(
        f"The restore could not be finished: {reason}",
        "Remove the cause, then run the command again with --again.",
        code=FOUND_A_PROBLEM,
    )
