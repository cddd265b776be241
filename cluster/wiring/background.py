"""Shared by the background processes: projector and worker."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from actors.errors import Unavailable
from persistence.sql.damage import SqliteFile
from persistence.sql.migrating import migrate
from persistence.sql.schema import Schema

log = logging.getLogger(__name__)

MIGRATE_AGAIN_LEAST_S, MIGRATE_AGAIN_MOST_S = 0.5, 10.0
"""First pause before retrying a database that is away at the start; doubles."""


class Damaged(Exception):
    """The database is a damaged file, which must be put aside."""


async def migrated(
    url: str, schema: Schema, stop: asyncio.Event, file: SqliteFile | None = None
) -> bool:
    """Migrate as soon as the database answers; False if told to stop before.

    Raises:
        Damaged: the database is this file, and it is damaged.
    """
    pause_s = MIGRATE_AGAIN_LEAST_S
    while not stop.is_set():
        try:
            await migrate(url, schema)
        except (Unavailable, DBAPIError, OSError, TimeoutError) as error:
            if file is not None and file.is_marked:
                raise Damaged from error
            log.warning("the tables wait %.1f s for the database: %r", pause_s, error)
            await pause(stop, pause_s)
            pause_s = min(2 * pause_s, MIGRATE_AGAIN_MOST_S)
        else:
            return True
    return False


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for this many seconds, or until told to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
