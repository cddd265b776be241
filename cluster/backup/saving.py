"""Making a backup while the server runs.

Derived data are read before their source: SQL and records, then snapshots, then the
journal, so that the journal in the backup reaches at least as far as every position in
it. Whatever SQL lacks is in the restored journal, and the projector adds it.

All journals are saved up to one instant, for a visit and its room may be in two of
them: what followed from a record that is not in the backup is not in it either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy.exc import DBAPIError

from actors.domain.calendar.snapshot import decode
from actors.domain.ids import Millis, ShardId
from actors.errors import JournalCorrupt, SchedulingError
from actors.ports import Journal
from cluster.backup.homes import CalendarHomes
from cluster.backup.manifest import (
    ANCHORS,
    CALENDARS,
    DOCUMENTS,
    FORMAT,
    PEOPLE,
    RECORDS,
    SECRETS,
    TABLES,
    Manifest,
    SavedShard,
    Section,
    write_manifest,
)
from cluster.backup.parts import CalendarLine, FileLine, RecordLine, SectionWriter
from cluster.backup.places import BlobStore
from cluster.clock import SystemClock
from cluster.site.data_folder import Layout
from cluster.site.site import Site, documents_of, existing_site
from cluster.site.stores import Snapshots, open_journal, open_snapshots
from cluster.site.version import version_text
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from persistence import codec
from persistence.audit.following import JOURNAL_SOURCE
from persistence.files.blobs.folder import UNFINISHED
from persistence.journal.scan import first_seq
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS as SCHEMA_OF_RECORDS
from persistence.sql.engine import open_engine, reason_of
from persistence.sql.migrating import migrate
from persistence.sql.schema import Schema
from persistence.sql.table_dump import (
    one_instant,
    rows_of,
)

T = TypeVar("T")
Say = Callable[[str], None]
"""Called with progress messages for the terminal."""

READ_BATCH = 2_000
PROVIDERS_BATCH = 50
PIECE_BYTES = 1024 * 1024
"""Documents are copied in pieces of this size, in bytes."""
OFFSETS = "projection_offset"
AUDIT_SOURCES = "audit_source"
AUDIT_ANCHORS = "audit_anchor"
"""What was anchored last: not saved, for the files are saved before it."""


class Backup:
    """One backup of one site; reads only."""

    def __init__(
        self,
        site: Site,
        place: BlobStore,
        say: Say,
        *,
        layout_now: Callable[[], Layout] | None = None,
    ) -> None:
        """``layout_now`` looks up the site's layout; it may block."""
        self._layout_now = layout_now or (
            lambda: existing_site(site.folder.path).layout
        )
        self._site = site
        self._place = place
        self._say = say
        self._sections: list[Section] = []
        self._projected: dict[str, int] = {}
        self._audited: dict[str, int] = {}
        self._positions: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._homes = CalendarHomes()
        self._until = Millis(0)
        """The instant up to which journals are saved."""
        self._ends: dict[str, int] = {}
        """What each journal had before: saved in any case."""

    async def run(self, *, with_secrets: bool) -> Manifest:
        """Make the backup; returns the manifest, which was written last.

        Raises:
            Obstacle: the place is in use or cannot be written, a store does not answer,
            the site's layout changed meanwhile, or a calendar is between two shards.
            The place then holds no backup.
        """
        began = _now_text()
        await self._place.begin(msgspec.json.encode({"begun_at": began}))
        journal = open_journal(self._site.stores)
        snapshots = open_snapshots(self._site.stores)
        try:
            # Before the trail that they are to prove: none may be newer than it.
            anchors = self._site.audit_anchors
            await self._save_paths(ANCHORS, anchors, _files_below(anchors))
            await self._save_tables()
            for shard in sorted(await journal.shards()):
                await self._save_calendars(snapshots, shard)
            await self._save_files(with_secrets=with_secrets)
            shards = {}
            await self._look_at_ends(journal)
            for shard in sorted(await journal.shards()):
                shards[str(shard)] = await self._save_records(journal, shard)
        except (SchedulingError, JournalCorrupt, DBAPIError) as error:
            raise Obstacle(
                f"The backup cannot be made: {reason_of(error)}",
                "See `slotcast status` and `slotcast journal verify`; then start the "
                "backup again, in another place.",
                code=FOUND_A_PROBLEM,
            ) from error
        finally:
            await snapshots.close()
            await journal.close()
        return await self._finish(began, shards, with_secrets=with_secrets)

    async def _finish(
        self, began: str, shards: dict[str, SavedShard], *, with_secrets: bool
    ) -> Manifest:
        if await asyncio.to_thread(self._layout_now) != self._site.layout:
            raise Obstacle(
                "The site's layout changed while the backup was made (a calendar was "
                "isolated, or the shards' number changed).",
                "Start the backup again, in another place.",
                code=FOUND_A_PROBLEM,
            )
        self._homes.check()
        manifest = Manifest(
            format=FORMAT,
            made_at=began,
            version=version_text(),
            revision=READ_MODEL.newest_revision(),
            layout=self._site.layout,
            shards=shards,
            columns=_columns(READ_MODEL) | _columns(SCHEMA_OF_RECORDS),
            sections=tuple(self._sections),
            has_secrets=with_secrets,
            records_revision=SCHEMA_OF_RECORDS.newest_revision(),
        )
        await write_manifest(self._place, manifest)
        return manifest

    # --- SQL -----------------------------------------------------------------------

    async def _save_tables(self) -> None:
        await self._save_schema(self._site.database_url, TABLES, READ_MODEL)
        self._tell(TABLES, "rows")
        # A site that has not been started since it was upgraded has no records yet.
        await migrate(self._site.records_url, SCHEMA_OF_RECORDS)
        await self._save_schema(self._site.records_url, PEOPLE, SCHEMA_OF_RECORDS)
        self._tell(PEOPLE, "rows")

    async def _save_schema(self, url: str, kind: str, schema: Schema) -> None:
        """All rows of a schema, as of one instant."""
        engine = open_engine(url, "reader")
        try:
            async with one_instant(engine) as connection:
                for table in schema.table_names():
                    writer = SectionWriter(self._place, kind, table)
                    async for rows in rows_of(connection, schema, table):
                        for row in rows if table != AUDIT_ANCHORS else ():
                            await writer.add(row)
                            if schema is READ_MODEL:
                                self._note_offset(table, row)
                            elif table == AUDIT_SOURCES:
                                self._note_audited(row)
                    await self._keep(writer)
        finally:
            await engine.dispose()

    def _note_offset(self, table: str, row: list[object]) -> None:
        if table == OFFSETS:
            told = dict(zip(READ_MODEL.column_names(table), row, strict=True))
            self._projected[str(told["shard"])] = int(str(told["seq"]))

    def _note_audited(self, row: list[object]) -> None:
        told = dict(
            zip(SCHEMA_OF_RECORDS.column_names(AUDIT_SOURCES), row, strict=True)
        )
        source = str(told["source"])
        if source.startswith(JOURNAL_SOURCE):
            shard = source.removeprefix(JOURNAL_SOURCE)
            self._audited[shard] = int(str(told["position"]))

    # --- calendars at rest ---------------------------------------------------------

    async def _save_calendars(self, snapshots: Snapshots, shard: ShardId) -> None:
        # First: every calendar read after it is at least as new.
        self._positions[shard] = await snapshots.position(shard)
        epoch, policy = 0, self._site.settings.policy
        writer = SectionWriter(self._place, CALENDARS, shard)
        for some in _some(await snapshots.providers(shard), PROVIDERS_BATCH):
            stored = await snapshots.load(shard, some)
            for provider, calendar in stored.items():
                at_rest = decode(calendar.blob, policy)
                epoch = max(epoch, at_rest.epoch)
                self._homes.at_rest(shard, calendar.seq, at_rest)
                await writer.add(CalendarLine(provider, calendar.seq, calendar.blob))
        self._epochs[shard] = epoch
        await self._keep(writer)

    # --- the journal ---------------------------------------------------------------

    async def _look_at_ends(self, journal: Journal) -> None:
        """Find the instant of the newest record of all shards."""
        for shard in await journal.shards():
            last = self._ends[shard] = await journal.last_seq(shard)
            for record in await journal.read(shard, max(0, last - 1), 1):
                self._until = max(self._until, record.event.at)

    async def _save_records(self, journal: Journal, shard: ShardId) -> SavedShard:
        last = await journal.last_seq(shard)
        position = self._positions.get(shard, 0)
        projected = self._projected.get(shard, 0)
        needed = max(min(position, projected, last - 1), 0)
        audited = self._audited.get(shard, 0)
        wanted = max(position, projected, audited, self._ends.get(shard, 0))
        seq = first = await self._start(journal, shard, needed, audited)
        epoch = self._epochs.get(shard, 0)
        writer = SectionWriter(self._place, RECORDS, shard)
        while seq < last:
            for record in await journal.read(shard, seq, min(READ_BATCH, last - seq)):
                if record.seq > wanted and record.event.at > self._until:
                    last = seq
                    break
                event = codec.encode(record.event)
                await writer.add(RecordLine(record.seq, record.epoch, event))
                self._homes.record(shard, record)
                seq, epoch = record.seq, max(epoch, record.epoch)
        section = await self._keep(writer)
        self._say(f"{shard}: {section.lines:,} records up to {seq:,}")
        return SavedShard(first + 1, seq, epoch, position, projected)

    async def _start(
        self, journal: Journal, shard: ShardId, needed: int, audited: int
    ) -> int:
        """The seq before the first record to save; 0 if none was trimmed."""
        retained = await first_seq(journal, shard) - 1
        if not retained:
            return 0
        # If more was trimmed since SQL and snapshots were read, this read fails, and
        # so does the backup.
        await journal.read(shard, needed, 1)
        # What was trimmed before the audit trail reached it is a gap there already.
        return max(retained, min(needed, audited))

    # --- files ---------------------------------------------------------------------

    async def _save_files(self, *, with_secrets: bool) -> None:
        folder = self._site.folder
        documents = documents_of(self._site.settings, folder)
        found = _files_below(documents)
        whole = [path for path in found if path.parent.name != UNFINISHED]
        await self._save_paths(DOCUMENTS, documents, whole)
        if with_secrets:
            secrets = folder.token_key_file.parent
            await self._save_paths(SECRETS, secrets, _files_below(secrets))

    async def _save_paths(self, kind: str, base: Path, paths: Iterable[Path]) -> None:
        writer = SectionWriter(self._place, kind, "files")
        for path in paths:
            name = path.relative_to(base).as_posix()
            with suppress(FileNotFoundError):  # removed since the folder was listed
                for offset, data in _pieces(path):
                    await writer.add(FileLine(name, offset, data))
        await self._keep(writer)

    async def _keep(self, writer: SectionWriter) -> Section:
        section = await writer.finish()
        self._sections.append(section)
        return section

    def _tell(self, kind: str, what: str) -> None:
        count = sum(one.lines for one in self._sections if one.kind == kind)
        self._say(f"{kind}: {count:,} {what}")


def _columns(schema: Schema) -> dict[str, list[str]]:
    return {name: schema.column_names(name) for name in schema.table_names()}


def _files_below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """A file in pieces; an empty file has an empty one."""
    with path.open("rb") as file:
        offset, data = 0, file.read(PIECE_BYTES)
        yield offset, data
        while data:
            offset += len(data)
            if data := file.read(PIECE_BYTES):
                yield offset, data


def _some(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _now_text() -> str:
    now = SystemClock().now() / 1000
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
