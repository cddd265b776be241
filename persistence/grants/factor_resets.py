"""Removing all second factors of an account whose owner has lost them."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import AccountStatus, EndedWhy
from care.accounts.ids import AccountId
from care.grants.values import (
    FACTOR_RESET_LIVES_MS,
    FACTOR_RESET_WAIT_MS,
    FactorReset,
    PlatformRole,
)
from care.notices.messages import Message
from persistence.accounts.factor_models import (
    FactorRecord,
    FactorResetRecord,
    RecoveryCodeRecord,
)
from persistence.accounts.flows import end_flows
from persistence.accounts.models import (
    AccountRecord,
    PlatformRoleRecord,
    SessionRecord,
)
from persistence.accounts.rows import new_message_id
from persistence.keys.ring import TenantKeys
from persistence.notices.outbox import queue_message


async def reset_or_ask(  # noqa: PLR0913 - two messages, of which one is sent
    session: AsyncSession,
    keys: TenantKeys,
    account_id: AccountId,
    by: AccountId,
    *,
    asked: Message,
    done: Message,
    now: Millis,
) -> FactorReset:
    """Remove an account's factors if that was asked for before, else ask for it.

    The account is locked by the caller. A second administrator counts at once if both
    have been that for as long as one would wait: otherwise one makes the other. What
    a former administrator asked for counts no more.
    """
    row = await session.get(FactorResetRecord, account_id)
    if row is not None and row.asked_by != by:
        row = row if await _administers(session, row.asked_by, since=now) else None
    if row is None or not await _is_open(session, row, now):
        row = await session.merge(
            FactorResetRecord(account_id=account_id, asked_by=by, asked_at=now)
        )
        await queue_message(session, keys, new_message_id(), asked, now, is_notice=True)
        return _told(row, done=False)
    told = _told(row, done=True)
    long_since = Millis(now - FACTOR_RESET_WAIT_MS)
    if now < told.due_at and (
        row.asked_by == by
        or not await _administers(session, row.asked_by, since=long_since)
        or not await _administers(session, by, since=long_since)
    ):
        return _told(row, done=False)
    await remove_factors(session, keys, account_id, done, now)
    return told


async def remove_factors(
    session: AsyncSession,
    keys: TenantKeys,
    account_id: str,
    notice: Message,
    now: Millis,
) -> None:
    """Remove factors and recovery codes, and end what was signed in with them."""
    for table in (FactorRecord, RecoveryCodeRecord, FactorResetRecord):
        await session.execute(delete(table).where(table.account_id == account_id))
    await end_flows(session, account_id, now)
    row = SessionRecord
    ending = update(row).where(row.account_id == account_id, row.ended_at.is_(None))
    why = EndedWhy.ENDED_BY_ADMIN.value
    await session.execute(ending.values(ended_at=now, ended_why=why))
    await queue_message(session, keys, new_message_id(), notice, now, is_notice=True)


async def _administers(session: AsyncSession, account_id: str, since: Millis) -> bool:
    """Whether an account administers the platform, and did so at ``since``."""
    place = (account_id, PlatformRole.ADMIN.value, "")
    role = await session.get(PlatformRoleRecord, place)
    account = await session.get(AccountRecord, account_id)
    return (
        role is not None
        and role.since <= since
        and account is not None
        and account.status == AccountStatus.ACTIVE.value
    )


async def _is_open(session: AsyncSession, row: FactorResetRecord, now: Millis) -> bool:
    if now >= row.asked_at + FACTOR_RESET_LIVES_MS:
        return False
    factor, code = FactorRecord, RecoveryCodeRecord
    for seen in (factor.used_at, factor.created_at, code.used_at):
        mine = seen.class_.account_id == row.account_id
        latest = await session.scalar(select(func.max(seen)).where(mine))
        if (latest or 0) > row.asked_at:
            return False  # the owner has one: it is not lost
    return True


def _told(row: FactorResetRecord, *, done: bool) -> FactorReset:
    return FactorReset(
        account_id=AccountId(row.account_id),
        asked_by=row.asked_by,
        asked_at=Millis(row.asked_at),
        due_at=Millis(row.asked_at + FACTOR_RESET_WAIT_MS),
        done=done,
    )
