"""The sealer: puts pending entries into the chains."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from msgspec import json
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DBAPIError

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.audit.entries import Draft
from persistence.audit.chain import ChainKeys, SourceMoved, append
from persistence.audit.models import AuditPendingRecord
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records

log = logging.getLogger(__name__)

BATCH_MAX: Final = 500
"""Entries in one transaction."""
POLL_LEAST_S, POLL_MOST_S = 0.3, 2.4
"""Pause while nothing is pending; doubles while nothing comes."""
AWAY_S: Final = 2.0
"""Pause after the records did not answer."""


class AuditSealer:
    """Seals what is pending, for one process of a site at a time."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def step(self) -> int:
        """Seal one batch; how many entries. Raises Unavailable."""
        keys = ChainKeys(await self._ring.audit_key())
        try:
            return await self._records.transact(partial(_seal, keys=keys))
        except SourceMoved:
            return 0

    async def run(self, stop: asyncio.Event) -> None:
        """Seal until ``stop`` is set."""
        rest_s = POLL_LEAST_S
        while not stop.is_set():
            seconds = rest_s
            try:
                if await self.step():
                    rest_s = POLL_LEAST_S
                    continue
                rest_s = min(rest_s * 2, POLL_MOST_S)
            except (Unavailable, DBAPIError) as error:
                log.warning("the audit trail waits for the records: %s", error)
                seconds = AWAY_S
            await _pause(stop, seconds)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _draft(
    tenant: str, at: int, actor: str, action: str, person: str, body: str
) -> Draft:
    return Draft(tenant, Millis(at), actor, action, person, json.decode(body))


def _seal(connection: Connection, keys: ChainKeys) -> int:
    row = AuditPendingRecord
    query = (
        select(row.id, row.tenant, row.at, row.actor, row.action, row.person, row.body)
        .order_by(row.id)
        .limit(BATCH_MAX)
    )
    rows = connection.execute(query).all()
    if not rows:
        return 0
    ids = [one.id for one in rows]
    gone = connection.execute(delete(row).where(row.id.in_(ids)))
    if gone.rowcount != len(ids):
        raise SourceMoved
    append(connection, keys, [_draft(*one[1:]) for one in rows])
    return len(rows)
