"""The empty installation that a backup is restored into.

A mark is set before anything is written, and removed after the history checker has
passed: until then no server can start there. ``layout.json`` (in Redis: the site's
layout) is written last, and a site without it does not start.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from sqlalchemy.exc import DBAPIError

from actors.errors import SchedulingError
from cluster.site.data_folder import DataFolder, Layout, write_atomically
from cluster.site.settings import Settings
from cluster.site.site import records_url_of
from cluster.terminal.obstacle import Obstacle
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS as SCHEMA_OF_RECORDS
from persistence.sql.engine import is_missing_database, open_engine, reason_of
from persistence.sql.schema import Schema
from persistence.sql.table_dump import empty_tables, filled_tables

if TYPE_CHECKING:
    from persistence.redis.layout import RedisLayout

MARK = "restoring.json"
_NOT_OURS = frozenset({"lock", "run.json", "logs"})
"""Entries that an empty data folder may contain."""


class RestoreMark(Struct, frozen=True):
    """Identifies a restore: which backup, and a digest of the target addresses."""

    restoring: str
    targets: str


class Target:
    """The stores named by the settings that a restore writes into."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data)
        self.database_url = settings.database or self.folder.sqlite_url
        self.records_url = records_url_of(settings, self.folder)
        addresses = " ".join(
            (settings.journal, settings.site, self.database_url, self.records_url)
        )
        self._targets = sha256(addresses.encode()).hexdigest()
        self._mark = b""

    async def check_empty(self) -> None:
        """Return if all are empty. Raises Obstacle, naming what is not."""
        found = sorted(self._found_in_folder())
        if MARK in found:
            raise Obstacle(
                f"{self.folder.path} holds an unfinished restore.",
                "If no restore is running, run the command again with --again: it "
                "clears what that restore wrote, and begins again.",
            )
        if found:
            raise Obstacle(
                f"The data folder {self.folder.path} is not empty ({found[0]}, …).",
                "A backup is restored into an empty installation only: set "
                "SLOTCAST_DATA to a new folder.",
            )
        if self.settings.journal_is_redis and await self._shared() is not None:
            raise Obstacle(
                f"The journal's Redis holds a site {self.settings.site!r} already, or "
                "the rest of an unfinished restore.",
                "Set SLOTCAST_SITE to another prefix, or SLOTCAST_JOURNAL to an empty "
                "Redis.",
            )
        if filled := await self._filled():
            raise Obstacle(
                f"The database has rows already (in {', '.join(filled[:3])}).",
                "Set SLOTCAST_DATABASE and SLOTCAST_RECORDS to empty databases.",
            )

    async def mark(self, what: str) -> None:
        """Set the mark of a running restore. The caller holds the folder's lock."""
        self._mark = msgspec.json.encode(RestoreMark(what, self._targets))
        write_atomically(self.folder.path / MARK, self._mark)
        if self.settings.journal_is_redis:
            shelf = self._shelf()
            try:
                if not await shelf.create(self._mark):
                    raise Obstacle(
                        "Another restore into this Redis started at the same time.",
                        "Wait for it, or set SLOTCAST_SITE to another prefix.",
                    )
            finally:
                await shelf.close()

    async def finish(self, layout: Layout, made_on: str) -> None:
        """Activate the site: write the folder's layout, then the one in Redis."""
        self.folder.mark_seeded("restored")
        (self.folder.path / MARK).unlink()
        self.folder.make(self.settings, made_on, layout)
        if self.settings.journal_is_redis:
            shelf = self._shelf()
            try:
                if not await shelf.replace(self._mark, msgspec.json.encode(layout)):
                    raise Obstacle(
                        "Another process has started a site in this Redis meanwhile.",
                        "Stop it, and restore under another SLOTCAST_SITE.",
                    )
            finally:
                await shelf.close()

    async def clear(self) -> None:
        """Remove what an unfinished restore into these places wrote.

        Raises:
            Obstacle: there is no unfinished restore, or it had other targets.
        """
        try:
            mark = msgspec.json.decode(
                (self.folder.path / MARK).read_bytes(), type=RestoreMark
            )
        except (OSError, msgspec.MsgspecError) as error:
            raise Obstacle(
                f"There is no unfinished restore in {self.folder.path}.",
                "Leave --again out.",
            ) from error
        if mark.targets != self._targets:
            raise Obstacle(
                "The unfinished restore wrote into another journal or database than "
                "the settings now name.",
                "Set them as they were, or clear those places by hand.",
            )
        if self.settings.journal_is_redis:
            await self._clear_redis()
        await self._clear_databases()
        for entry in self.folder.path.iterdir():
            if entry.name not in {*_NOT_OURS, MARK}:
                await asyncio.to_thread(_remove, entry)
        (self.folder.path / MARK).unlink()

    def _found_in_folder(self) -> set[str]:
        path = self.folder.path
        if not path.exists():
            return set()
        if not path.is_dir():
            return {path.name}
        return {entry.name for entry in path.iterdir()} - _NOT_OURS

    async def _filled(self) -> list[str]:
        found: list[str] = []
        for url, schema in self._schemas():
            engine = open_engine(url, "reader")
            try:
                found += await filled_tables(engine, schema)
            except (SchedulingError, DBAPIError, OSError) as error:
                if not is_missing_database(error):
                    raise database_silent(error) from error
            finally:
                await engine.dispose()
        return found

    async def _clear_databases(self) -> None:
        for url, schema in self._schemas():
            engine = open_engine(url, "writer")
            try:
                await empty_tables(engine, schema)
            except (SchedulingError, DBAPIError, OSError) as error:
                if not is_missing_database(error):
                    raise database_silent(error) from error
            finally:
                await engine.dispose()

    def _schemas(self) -> list[tuple[str, Schema]]:
        """Which of the stores are on a server."""
        settings = self.settings
        found = []
        if settings.database:
            found.append((self.database_url, READ_MODEL))
        if settings.database or settings.records:
            found.append((self.records_url, SCHEMA_OF_RECORDS))
        return found

    async def _clear_redis(self) -> None:
        from persistence.journal.redis.restore import forget_site

        await forget_site(self.settings.journal, self.settings.site)

    async def _shared(self) -> bytes | None:
        shelf = self._shelf()
        try:
            return await shelf.read()
        except (SchedulingError, OSError) as error:
            raise Obstacle(
                f"The journal's Redis does not answer: {error}",
                "Start it, or check SLOTCAST_JOURNAL (its address and password).",
            ) from error
        finally:
            with suppress(SchedulingError, OSError):
                await shelf.close()

    def _shelf(self) -> RedisLayout:
        from persistence.redis.layout import RedisLayout

        return RedisLayout(
            self.settings.journal,
            self.settings.site,
            replicas=self.settings.journal_replicas,
        )


def database_silent(error: BaseException) -> Obstacle:
    """The obstacle of a database that returned an error."""
    return Obstacle(
        f"The database returned an error: {reason_of(error)}",
        "Start it, or check SLOTCAST_DATABASE (address, name, password, rights).",
    )


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
