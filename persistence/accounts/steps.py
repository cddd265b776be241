"""Steps of signing in over the records. Implements ``care.accounts.flows.Flows``."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import DAY_MS
from care.accounts.flows import TRIES_MAX, AwaitedStep, FlowKind, FlowOver
from care.accounts.passwords import stamp_of
from care.notices.messages import Message
from persistence.accounts.flows import payload_place, step_of_row, step_row
from persistence.accounts.models import AuthFlowRecord, PasswordRecord
from persistence.accounts.rows import (
    hashed_secret,
    lock_account,
    new_message_id,
    rows_changed,
)
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

KEPT_MS: Final = 7 * DAY_MS
"""How long a flow is kept after its end: longer than any link works."""
_DELETED_AT_ONCE: Final = 20


class _TooManyMessages(Exception):
    """Rolls a transaction back whose message may not be sent."""


class SqlFlows:
    """The flows of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def begin(
        self,
        secret: str,
        step: AwaitedStep,
        *,
        message: Message | None = None,
        password: str = "",
        now: Millis,
    ) -> bool:
        """See Flows.begin."""
        keys = await self._ring.of()
        try:
            async with self._records.writing() as session:
                if password and not await _is_present(session, step, password):
                    return False
                await _delete_old(session, now)
                session.add(step_row(keys, secret, step))
                await _send(session, keys, message, now)
        except _TooManyMessages:
            return False
        return True

    async def find(
        self, secret: str, kind: FlowKind, *, now: Millis
    ) -> AwaitedStep | None:
        """See Flows.find."""
        keys = await self._ring.of()
        query = select(AuthFlowRecord).where(*_waited_for(secret, kind, now))
        async with self._records.reading() as session:
            row = (await session.scalars(query)).one_or_none()
        return None if row is None else step_of_row(keys, row)

    async def count_try(
        self, secret: str, kind: FlowKind, *, now: Millis
    ) -> AwaitedStep | None:
        """See Flows.count_try."""
        keys, row = await self._ring.of(), AuthFlowRecord
        async with self._records.writing() as session:
            counted = await session.execute(
                update(row)
                .where(*_waited_for(secret, kind, now), row.attempts < TRIES_MAX)
                .values(attempts=row.attempts + 1)
            )
            if rows_changed(counted) != 1:
                await session.execute(
                    update(row)
                    .where(*_waited_for(secret, kind, now))
                    .values(used_at=now)
                )
                return None
            found = await session.get(row, hashed_secret(secret))
        return None if found is None else step_of_row(keys, found)

    async def keep(
        self,
        secret: str,
        payload: str,
        *,
        message: Message | None = None,
        now: Millis,
    ) -> bool:
        """See Flows.keep."""
        keys, row = await self._ring.of(), AuthFlowRecord
        hashed = hashed_secret(secret)
        try:
            async with self._records.writing() as session:
                kept = await session.execute(
                    update(row)
                    .where(
                        row.flow_hash == hashed,
                        row.used_at.is_(None),
                        row.expires_at > now,
                    )
                    .values(payload=keys.seal(payload_place(hashed), payload))
                )
                if rows_changed(kept) != 1:
                    raise FlowOver
                await _send(session, keys, message, now)
        except _TooManyMessages:
            return False
        return True

    async def use(
        self, secret: str, kind: FlowKind, *, now: Millis
    ) -> AwaitedStep | None:
        """See Flows.use."""
        keys, row = await self._ring.of(), AuthFlowRecord
        async with self._records.writing() as session:
            done = await session.execute(
                update(row).where(*_waited_for(secret, kind, now)).values(used_at=now)
            )
            if rows_changed(done) != 1:
                return None
            found = await session.get(row, hashed_secret(secret))
        return None if found is None else step_of_row(keys, found)


def _waited_for(
    secret: str, kind: FlowKind, now: Millis
) -> tuple[ColumnElement[bool], ...]:
    row = AuthFlowRecord
    return (
        row.flow_hash == hashed_secret(secret),
        row.kind == kind.value,
        row.used_at.is_(None),
        row.expires_at > now,
    )


async def _is_present(session: AsyncSession, step: AwaitedStep, password: str) -> bool:
    """Whether the password of this stamp is the account's, until this is committed."""
    assert step.account_id is not None, "a password is an account's"
    await lock_account(session, step.account_id)
    row = await session.get(PasswordRecord, step.account_id)
    return row is not None and stamp_of(row.hash) == password


async def _delete_old(session: AsyncSession, now: Millis) -> None:
    row = AuthFlowRecord
    old = select(row.flow_hash).where(row.expires_at < now - KEPT_MS)
    found = (await session.scalars(old.limit(_DELETED_AT_ONCE))).all()
    if found:
        await session.execute(delete(row).where(row.flow_hash.in_(found)))


async def _send(
    session: AsyncSession, keys: TenantKeys, message: Message | None, now: Millis
) -> None:
    if message is None:
        return
    if not await queue_message(session, keys, new_message_id(), message, now):
        raise _TooManyMessages
