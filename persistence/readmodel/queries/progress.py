"""The projection's offsets, for readers that must see their own writes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ShardId
from persistence.readmodel import tables as t
from persistence.readmodel.projection.store import ParkKind
from persistence.sql.engine import reading

PAUSE_LEAST_S, PAUSE_MOST_S = 0.002, 0.05
"""Pause between two queries for a waiter; grows while no offset moves."""


class SqlProgress:
    """``ProjectionProgress`` on a pool of readers.

    All waiters share one query: one that finds no query under way starts the next.
    """

    def __init__(self, readers: AsyncEngine) -> None:
        self._readers = readers
        self._seen: Mapping[ShardId, int] = {}
        self._looking: asyncio.Event | None = None
        self._pause_s = 0.0
        self.queries = 0
        """Queries made for waiters since the start."""

    async def offsets(self) -> Mapping[ShardId, int]:
        """The last projected seq of every shard that has one."""
        table = t.projection_offset.c
        async with reading(self._readers) as connection:
            rows = (await connection.execute(select(table.shard, table.seq))).all()
        return {ShardId(row.shard): row.seq for row in rows}

    async def reached(self, shard: ShardId, seq: int, *, timeout_s: float) -> bool:
        """Wait until the projection of ``shard`` has reached ``seq``; False if not."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                # Also check the clock: a driver may swallow the cancellation.
                while self._seen.get(shard, 0) < seq and loop.time() < until:
                    await self._look()
        except TimeoutError:
            return False
        return self._seen.get(shard, 0) >= seq

    async def conflicts(self) -> int:
        """Number of events parked because a claim was already taken; must be 0."""
        table = t.projection_conflict
        query = select(func.count()).where(table.c.kind == ParkKind.CLAIM.value)
        async with reading(self._readers) as connection:
            return int(await connection.scalar(query) or 0)

    async def parked(self) -> Mapping[str, int]:
        """Number of parked events, by reason (claim, orphan, poison)."""
        kind = t.projection_conflict.c.kind
        query = select(kind, func.count()).group_by(kind)
        async with reading(self._readers) as connection:
            rows = (await connection.execute(query)).all()
        return {row[0]: row[1] for row in rows}

    async def _look(self) -> None:
        """Read the offsets once more, or wait for another task's reading of them."""
        if self._looking is not None:
            await self._looking.wait()
            return
        looking = self._looking = asyncio.Event()
        try:
            await asyncio.sleep(self._pause_s)
            self.queries += 1
            seen = await self.offsets()
            moved = seen != self._seen
            self._seen = seen
            longer = max(PAUSE_LEAST_S, min(self._pause_s * 1.5, PAUSE_MOST_S))
            self._pause_s = PAUSE_LEAST_S if moved else longer
        finally:
            # Also if cancelled or failed: another waiter queries next.
            self._looking = None
            looking.set()
