"""Idempotency keys in SQL: the primary key decides which request holds one.

Requests and answers hold what is sealed elsewhere, a profile or a note. So an answer is
sealed with the site's key, and a request's fingerprint is keyed: the hash of a short
request could be guessed. Rows of versions before that are read until they expire.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Table, delete, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.ids import Millis
from care.idempotency.answers import (
    CLAIM_MS,
    KEEP_MS,
    Claim,
    Found,
    InProgress,
    OtherRequest,
    Stored,
    StoredAnswer,
)
from care.keys.sealing import Place
from persistence.idempotency.models import IdempotencyRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.engine import writing

_TABLE = cast(Table, IdempotencyRecord.__table__)


class SqlAnswerStore:
    """Implements AnswerStore over the records; the engine's role is "records"."""

    def __init__(self, engine: AsyncEngine, ring: KeyRing) -> None:
        self._engine = engine
        self._ring = ring

    async def claim(self, key: str, fingerprint: str, *, now: Millis) -> Found:
        """See AnswerStore.claim."""
        keys, until = await self._ring.of(), Millis(now + CLAIM_MS)
        keyed = keys.index("idempotency", fingerprint)
        row = {"key": key, "fingerprint": keyed, "expires_at": until}
        async with writing(self._engine) as connection:
            found = await self._row(connection, key)
            if found is not None and found.expires_at <= now:
                await connection.execute(
                    delete(_TABLE).where(
                        _TABLE.c.key == key, _TABLE.c.expires_at <= now
                    )
                )
                found = None
            if found is None:
                inserted = await connection.execute(self._insert(row))
                if inserted.rowcount:
                    return Claim(key, until)
                found = await self._row(connection, key)
        if found is not None and found.fingerprint == keyed:
            return _became(keys, found)
        return _as_before(found, fingerprint)

    async def keep(self, claim: Claim, answer: StoredAnswer, *, now: Millis) -> None:
        """See AnswerStore.keep."""
        keys = await self._ring.of()
        # Any bytes; JSON in ASCII does not grow.
        body = keys.seal(_place(claim.key), answer.body.decode("latin-1"))
        async with writing(self._engine) as connection:
            await connection.execute(
                update(_TABLE)
                .where(*_held(claim))
                .values(
                    expires_at=now + KEEP_MS,
                    status=answer.status,
                    headers=[list(pair) for pair in answer.headers],
                    body=body,
                )
            )

    async def release(self, claim: Claim) -> None:
        """See AnswerStore.release."""
        async with writing(self._engine) as connection:
            await connection.execute(delete(_TABLE).where(*_held(claim)))

    async def forget(self, *, now: Millis, limit: int) -> int:
        """See AnswerStore.forget."""
        old = select(_TABLE.c.key).where(_TABLE.c.expires_at <= now).limit(limit)
        async with writing(self._engine) as connection:
            keys = (await connection.scalars(old)).all()
            if keys:
                # If a key was claimed again since, its row is newer.
                await connection.execute(
                    delete(_TABLE).where(
                        _TABLE.c.key.in_(keys), _TABLE.c.expires_at <= now
                    )
                )
        return len(keys)

    async def _row(self, connection: AsyncConnection, key: str) -> Row[Any] | None:
        query = select(_TABLE).where(_TABLE.c.key == key)
        return (await connection.execute(query)).one_or_none()

    def _insert(self, row: dict[str, Any]) -> Any:
        """An INSERT that skips the row if it exists."""
        if self._engine.dialect.name == "sqlite":
            return sqlite_insert(_TABLE).values(row).on_conflict_do_nothing()
        return mysql_insert(_TABLE).values(row).prefix_with("IGNORE")


def _held(claim: Claim) -> tuple[Any, ...]:
    """The row of a claim that has not expired or been answered."""
    return (
        _TABLE.c.key == claim.key,
        _TABLE.c.expires_at == claim.until,
        _TABLE.c.status.is_(None),
    )


def _place(key: str) -> Place:
    return Place("idempotency", "body", key)


def _became(keys: TenantKeys, row: Row[Any]) -> Found:
    if row.status is None:
        return InProgress()
    body = keys.open(_place(row.key), row.body).encode("latin-1")
    return Stored(StoredAnswer(row.status, _headers(row), body))


def _as_before(row: Row[Any] | None, fingerprint: str) -> Found:
    """What a row says whose fingerprint is another's, or that of an older version."""
    if row is None:
        return InProgress()  # released meanwhile; the client retries
    if row.fingerprint != fingerprint:
        return OtherRequest()
    if row.status is None:
        return InProgress()
    return Stored(StoredAnswer(row.status, _headers(row), row.body))


def _headers(row: Row[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in row.headers)
