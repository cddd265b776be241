"""The outbox: notices that the projection wrote, to be sent once as the receiver sees.

A sender claims for a while, sends with ``event_id`` and ``kind`` as the receiver's
idempotency key, and marks the notice sent. A sender that dies leaves a claim that
runs out; another sends again under the same key. Claims are compare-and-set, so two
senders never hold one notice at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import Millis
from persistence.readmodel import tables as t

ATTEMPTS_MAX = 12
"""Attempts before a notice is given up and left to a person."""
RETRY_LEAST_MS, RETRY_MOST_MS = 1_000, 3_600_000
"""Wait before the second attempt; doubles up to an hour."""


class Notice(Struct, frozen=True):
    """A claimed notice. ``attempt`` counts from 1."""

    id: int
    event_id: str
    kind: str
    payload: dict[str, Any]
    created_at: Millis
    attempt: int
    claimed_until: Millis


class OutboxCounts(Struct, frozen=True):
    """What an operator watches."""

    waiting: int
    sent: int
    dead: int


class Outbox:
    """The outbox on an engine of role "writer"."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(
        self, sender: str, *, now: Millis, lease_ms: int, limit: int
    ) -> Sequence[Notice]:
        """Take up to ``limit`` notices that are due, oldest first, for ``lease_ms``.

        After this, say ``sent`` or ``failed`` of each before the lease runs out.
        """
        row = t.outbox.c
        due = select(t.outbox).where(row.due_at <= now).order_by(row.due_at, row.id)
        until = Millis(now + lease_ms)
        claimed: list[Notice] = []
        async with self._engine.begin() as connection:
            found = (await connection.execute(due.limit(limit))).mappings().all()
            for one in found:
                taken = await connection.execute(
                    update(t.outbox)
                    .where(row.id == one["id"], row.due_at == one["due_at"])
                    .values(
                        due_at=until,
                        claimed_by=sender,
                        attempts=one["attempts"] + 1,
                    )
                )
                if taken.rowcount == 1:
                    claimed.append(_notice(one, until))
        return claimed

    async def sent(self, notice: Notice, *, now: Millis) -> bool:
        """The receiver has it. False if the claim had run out and another has it."""
        return await self._finish(notice, sent_at=now, due_at=None, error=None)

    async def failed(self, notice: Notice, error: str, *, now: Millis) -> bool:
        """It could not be sent: later again, or a dead letter after the last attempt.

        ``error`` must not hold personal data. False if the claim had run out.
        """
        if notice.attempt >= ATTEMPTS_MAX:
            return await self.give_up(notice, error, now=now)
        wait = min(RETRY_LEAST_MS << (notice.attempt - 1), RETRY_MOST_MS)
        return await self._finish(notice, due_at=now + wait, error=error[:500])

    async def give_up(self, notice: Notice, error: str, *, now: Millis) -> bool:
        """Nobody will try again by themselves: a dead letter."""
        return await self._finish(notice, due_at=None, dead_at=now, error=error[:500])

    async def revive(self, *, now: Millis) -> int:
        """Make all dead letters due again, after the cause was mended; how many."""
        row = t.outbox.c
        async with self._engine.begin() as connection:
            done = await connection.execute(
                update(t.outbox)
                .where(row.dead_at.is_not(None))
                .values(dead_at=None, due_at=now, attempts=0)
            )
        return done.rowcount

    async def counts(self) -> OutboxCounts:
        """How many notices wait, are sent, are dead letters."""
        row = t.outbox.c
        query = select(
            func.count(row.due_at),
            func.count(row.sent_at),
            func.count(case((row.dead_at.is_not(None), 1))),
        )
        async with self._engine.connect() as connection:
            waiting, sent, dead = (await connection.execute(query)).one()
        return OutboxCounts(waiting, sent, dead)

    async def _finish(self, notice: Notice, **values: Any) -> bool:
        row = t.outbox.c
        # Still my claim: nobody else can have the same end of lease and attempt.
        mine = (
            row.id == notice.id,
            row.due_at == notice.claimed_until,
            row.attempts == notice.attempt,
        )
        async with self._engine.begin() as connection:
            done = await connection.execute(
                update(t.outbox).where(*mine).values(claimed_by=None, **values)
            )
        return done.rowcount == 1


def _notice(row: Any, until: Millis) -> Notice:
    return Notice(
        id=row["id"],
        event_id=row["event_id"],
        kind=row["kind"],
        payload=row["payload"],
        created_at=row["created_at"],
        attempt=row["attempts"] + 1,
        claimed_until=until,
    )
