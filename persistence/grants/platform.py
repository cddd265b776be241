"""Accounts and platform roles over the records, as administrators see them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import AccountStatus
from care.accounts.ids import AccountId
from care.grants.values import (
    FactorReset,
    GrantRefusal,
    GrantRefused,
    PlatformAccount,
    PlatformRole,
)
from care.notices.messages import Message
from persistence.accounts.contexts import contexts_of
from persistence.accounts.factor_models import FactorResetRecord
from persistence.accounts.models import AccountRecord, PlatformRoleRecord
from persistence.accounts.rows import account_of, email_index, lock_account
from persistence.grants.factor_resets import reset_or_ask
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.records import Records


class SqlPlatform:
    """Implements ``care.grants.ports.Platform``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def accounts(
        self, *, email: str, after: str, limit: int
    ) -> tuple[Sequence[PlatformAccount], str | None]:
        """See Platform.accounts."""
        keys, row = await self._ring.of(), AccountRecord
        query = select(row).where(row.account_id > after).order_by(row.account_id)
        if email:
            query = query.where(row.email_i == email_index(keys, email))
        async with self._records.reading() as session:
            rows = (await session.scalars(query.limit(limit + 1))).all()
            found = [await _shown(session, keys, one) for one in rows[:limit]]
        following = found[-1].account_id if len(rows) > limit else None
        return found, following

    async def account(self, account_id: AccountId) -> PlatformAccount | None:
        """See Platform.account."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(AccountRecord, account_id)
            return None if row is None else await _shown(session, keys, row)

    async def disable(
        self, account_id: AccountId, by: AccountId, *, now: Millis
    ) -> PlatformAccount:
        """See Platform.disable."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            await _leave_an_admin(session, account_id)
            row = await session.get(AccountRecord, account_id, with_for_update=True)
            if row is None or row.status == AccountStatus.ERASED.value:
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            row.status = AccountStatus.DISABLED.value
            row.disabled_at, row.disabled_by = now, by
            return await _shown(session, keys, row)

    async def enable(self, account_id: AccountId) -> PlatformAccount:
        """See Platform.enable."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await session.get(AccountRecord, account_id, with_for_update=True)
            if row is None:
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            if row.status == AccountStatus.DISABLED.value:
                is_verified = row.email_verified_at is not None
                back = AccountStatus.ACTIVE if is_verified else AccountStatus.PENDING
                row.status, row.disabled_at, row.disabled_by = back.value, None, None
            return await _shown(session, keys, row)

    async def reset_factors(
        self,
        account_id: AccountId,
        by: AccountId,
        *,
        asked: Message,
        done: Message,
        now: Millis,
    ) -> FactorReset:
        """See Platform.reset_factors."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await session.get(AccountRecord, account_id, with_for_update=True)
            if row is None or row.status == AccountStatus.ERASED.value:
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            return await reset_or_ask(
                session, keys, account_id, by, asked=asked, done=done, now=now
            )

    async def keep_factors(self, account_id: AccountId) -> None:
        """See Platform.keep_factors."""
        row = FactorResetRecord
        async with self._records.writing() as session:
            # As ``reset_factors`` does: of both at one time one comes first.
            await lock_account(session, account_id)
            await session.execute(delete(row).where(row.account_id == account_id))

    async def grant(
        self,
        account_id: AccountId,
        role: PlatformRole,
        tenant: str,
        grant_id: str,
        *,
        now: Millis,
    ) -> None:
        """See Platform.grant."""
        try:
            async with self._records.writing() as session:
                if await session.get(AccountRecord, account_id) is None:
                    raise GrantRefused(GrantRefusal.NOT_FOUND)
                session.add(
                    PlatformRoleRecord(
                        account_id=account_id,
                        role=role.value,
                        tenant=tenant,
                        grant_id=grant_id,
                        since=now,
                    )
                )
        except IntegrityError:
            raise GrantRefused(GrantRefusal.EXISTS) from None

    async def take(self, account_id: AccountId, role: PlatformRole, tenant: str) -> str:
        """See Platform.take."""
        async with self._records.writing() as session:
            if role is PlatformRole.ADMIN:
                await _leave_an_admin(session, account_id)
            place = (account_id, role.value, tenant)
            row = await session.get(PlatformRoleRecord, place, with_for_update=True)
            if row is None:
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            await session.delete(row)
        return row.grant_id


async def _leave_an_admin(session: AsyncSession, account_id: AccountId) -> None:
    """Lock all administrators. Raises GrantRefused: there is no other who signs in."""
    row = PlatformRoleRecord
    admins = (
        await session.scalars(
            select(row.account_id)
            .join(AccountRecord, AccountRecord.account_id == row.account_id)
            .where(
                row.role == PlatformRole.ADMIN.value,
                AccountRecord.status == AccountStatus.ACTIVE.value,
            )
            .order_by(row.account_id)
            .with_for_update()
        )
    ).all()
    if set(admins) == {account_id}:
        raise GrantRefused(GrantRefusal.LAST_ADMIN)


async def _shown(
    session: AsyncSession, keys: TenantKeys, row: AccountRecord
) -> PlatformAccount:
    account = account_of(keys, row)
    roles = [one.name for one in await contexts_of(session, row.account_id)]
    return PlatformAccount(
        account_id=account.account_id,
        email=account.email,
        status=account.status.value,
        created_at=account.created_at,
        disabled_at=None if row.disabled_at is None else Millis(row.disabled_at),
        roles=tuple(roles),
    )
