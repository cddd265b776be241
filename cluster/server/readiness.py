"""The last steps of a start: the read model and readiness agree with the terminal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from actors.errors import SchedulingError
from persistence.readmodel.tables import READ_MODEL
from persistence.records.models import RECORDS
from persistence.sql.migrating import is_migrated
from persistence.sql.schema import Schema

if TYPE_CHECKING:
    from cluster.site.site import Site
    from gateway.config import GatewayPorts
    from gateway.system.health import Health

Tables = tuple[str, Schema]
"""The URL of a database, and what is to be there."""
WITHIN_S: Final = 10.0
"""How long a start waits for it; then the server says that it is ready all the same,
and ``/readyz`` names what is missing."""
ASKED_EVERY_S: Final = 0.05
TABLES_WITHIN_S: Final = 60.0
"""How long a start waits for the tables of a database server: the first makes all."""
TABLES_EVERY_S: Final = 0.2
SHOWN_WITHIN_S: Final = 30.0
"""How long the first start waits for the read model of what was just seeded."""


async def until_shown(ports: GatewayPorts) -> None:
    """Wait until the read model shows what was seeded; bounded."""
    for shard in ports.links.shards():
        with contextlib.suppress(SchedulingError):
            status = await ports.links.status(shard)
            await ports.progress.reached(
                shard, status.last_seq, timeout_s=SHOWN_WITHIN_S
            )


def tables_of(site: Site) -> list[Tables]:
    """Those that the projector and workers make on a database server."""
    if not site.settings.database:
        return []
    return [(site.database_url, READ_MODEL), (site.records_url, RECORDS)]


async def until_ready(health: Health, tables: Iterable[Tables] = ()) -> None:
    """Wait until every required check is ok, and tables are there; bounded.

    The last look at the shards may be from just before they opened, and stands for a
    second: each try asks the shards again.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WITHIN_S):
            health.accounts.expire()
            while not (await health.readiness()).ready:
                await asyncio.sleep(ASKED_EVERY_S)
                health.accounts.expire()
    await _until_migrated(tables)


async def _until_migrated(tables: Iterable[Tables]) -> None:
    """Wait until the processes beside this one have made the tables; bounded.

    Requests that need tables are refused until then. A database that does not answer is
    not waited for: bookings go on without it.
    """
    with contextlib.suppress(TimeoutError, DBAPIError, OSError):
        async with asyncio.timeout(TABLES_WITHIN_S):
            waiting = list(tables)
            while waiting:
                if await is_migrated(*waiting[0]):
                    waiting.pop(0)
                else:
                    await asyncio.sleep(TABLES_EVERY_S)
