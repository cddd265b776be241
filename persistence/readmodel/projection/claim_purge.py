"""Deletes the claim rows of visits long past, a little at a time.

Claims detect that a slot was given twice. The past cannot be booked, so the claims of
visits that ended long before the newest projected event detect nothing any more, yet
they are most of the read model's rows. The time is that of the newest projected event,
not a clock's: a projection that is behind deletes no claim that it may still need.

``slotcast verify`` therefore does not expect claims that are older than ``KEEP_MS``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.readmodel import tables as t
from persistence.sql.engine import reason_of

log = logging.getLogger(__name__)

KEEP_MS = 30 * 24 * 3_600_000
"""How long after a visit its claims are kept."""
EVERY_S = 5.0
"""Pause between two steps; a round over 10,000 providers takes a quarter of an hour."""
PROVIDERS_PER_STEP = 50
CELLS_PER_STEP = 2_016
"""Most rows of one provider in a step: a week of five-minute cells."""


def oldest_kept(newest_at: int, cell_minutes: int) -> int:
    """The first cell whose claims are kept; ``newest_at`` is the newest event's."""
    return (newest_at - KEEP_MS) // 60_000 // cell_minutes


class ClaimPurge:
    """The purge of one read model, on an engine that writes."""

    def __init__(self, engine: AsyncEngine, cell_minutes: int) -> None:
        self._engine = engine
        self._cell_minutes = cell_minutes
        self._after = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Purge step by step until ``stop`` is set."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(EVERY_S):
                    await stop.wait()
            except TimeoutError:
                await self._step_if_it_can()

    async def _step_if_it_can(self) -> None:
        try:
            await self.step()
        except (DBAPIError, OSError, PoolTimeout) as error:
            log.info("old claims are not purged for now: %s", reason_of(error))

    async def step(self) -> int:
        """Delete some old claims of the next providers; the number of rows."""
        who = t.provider.c
        query = (
            select(who.provider_id, who.shard)
            .where(who.provider_id > self._after)
            .order_by(who.provider_id)
            .limit(PROVIDERS_PER_STEP)
        )
        gone = 0
        async with self._engine.begin() as connection:
            found = (await connection.execute(query)).all()
            shards = {row.provider_id: row.shard for row in found}
            firsts = await _first_cells(connection, list(shards))
            kept = await self._kept_from(connection, set(shards.values()))
            for provider_id, first in firsts.items():
                until = min(first + CELLS_PER_STEP, kept[shards[provider_id]])
                gone += await _let_go(connection, provider_id, first, until)
        whole = len(found) == PROVIDERS_PER_STEP
        self._after = found[-1].provider_id if whole else ""
        return gone

    async def _kept_from(
        self, connection: AsyncConnection, shards: set[str]
    ) -> Mapping[str, int]:
        """Shard → the first cell that is kept."""
        told = t.appointment_history.c
        kept: dict[str, int] = {}
        for shard in shards:
            newest = select(told.at).where(told.shard == shard)
            at = await connection.scalar(newest.order_by(told.seq.desc()).limit(1))
            kept[shard] = oldest_kept(at or 0, self._cell_minutes)
        return kept


async def _first_cells(
    connection: AsyncConnection, providers: Sequence[str]
) -> Mapping[str, int]:
    claim = t.slot_claim.c
    query = (
        select(claim.provider_id, func.min(claim.cell))
        .where(claim.provider_id.in_(providers))
        .group_by(claim.provider_id)
    )
    return {row[0]: row[1] for row in (await connection.execute(query)).all()}


async def _let_go(
    connection: AsyncConnection, provider_id: str, first: int, until: int
) -> int:
    if first >= until:
        return 0
    claim = t.slot_claim.c
    done = await connection.execute(
        delete(t.slot_claim).where(
            claim.provider_id == provider_id, claim.cell >= first, claim.cell < until
        )
    )
    return done.rowcount
