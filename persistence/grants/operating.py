"""What an operator at the machine does to accounts, without being signed in.

Each act is one transaction with its entry of the audit trail; the actor is
``operator``. It needs no right that writing to the database does not give.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import AccountStatus
from care.audit.entries import SITE_TENANT, Draft
from care.grants.values import PlatformRole
from care.notices.messages import Message
from persistence.accounts.models import AccountRecord, PlatformRoleRecord
from persistence.accounts.rows import account_of, by_email, email_index
from persistence.audit.pending import queue_entry
from persistence.grants.factor_resets import remove_factors
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records

OPERATOR: Final = "operator"
"""Who acts, in the audit trail."""


class Operated(StrEnum):
    """What became of it."""

    DONE = "done"
    WAS_ALREADY = "was_already"
    UNKNOWN = "unknown"
    """No account has the address."""
    UNCONFIRMED = "unconfirmed"
    """The address is not confirmed, or the account is disabled."""


class SqlOperating:
    """Acts on accounts by their address."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def make_admin(self, email: str, grant_id: str, *, now: Millis) -> Operated:
        """Make an account an administrator of the platform."""
        try:
            return await self._make_admin(email, grant_id, now=now)
        except IntegrityError:  # an administrator granted it at this moment
            return Operated.WAS_ALREADY

    async def _make_admin(self, email: str, grant_id: str, *, now: Millis) -> Operated:
        keys = await self._ring.of()
        async with self._records.writing() as session:
            account = await by_email(session, email_index(keys, email))
            if account is None:
                return Operated.UNKNOWN
            if account.status != AccountStatus.ACTIVE.value:
                return Operated.UNCONFIRMED
            account_id, role = account.account_id, PlatformRole.ADMIN.value
            if await session.get(PlatformRoleRecord, (account_id, role, "")):
                return Operated.WAS_ALREADY
            session.add(
                PlatformRoleRecord(
                    account_id=account_id,
                    role=role,
                    tenant="",
                    grant_id=grant_id,
                    since=now,
                )
            )
            await _note(session, "grant_platform_role", account, now, role=role)
        return Operated.DONE

    async def reset_factors(
        self, email: str, notice: Message, *, now: Millis
    ) -> Operated:
        """Remove an account's second factors, and end its sessions."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            found = await by_email(session, email_index(keys, email))
            if found is None:
                return Operated.UNKNOWN
            account = await session.get_one(
                AccountRecord, found.account_id, with_for_update=True
            )
            # To the address as its owner wrote it, which compares as the given one.
            told = Message(
                notice.kind,
                account_of(keys, account).email,
                notice.subject,
                notice.text,
            )
            await remove_factors(session, keys, account.account_id, told, now)
            await _note(session, "reset_factors", account, now)
        return Operated.DONE


async def administrators(records: Records) -> int:
    """How many accounts administer the platform and can sign in."""
    row, account = PlatformRoleRecord, AccountRecord
    query = (
        select(func.count())
        .select_from(row)
        .join(account, account.account_id == row.account_id)
        .where(
            row.role == PlatformRole.ADMIN.value,
            account.status == AccountStatus.ACTIVE.value,
        )
    )
    async with records.reading() as session:
        return int(await session.scalar(query) or 0)


async def _note(
    session: AsyncSession,
    action: str,
    account: AccountRecord,
    now: Millis,
    **more: str,
) -> None:
    body = {"outcome": "done", "account": account.account_id, **more}
    await queue_entry(session, Draft(SITE_TENANT, now, OPERATOR, action, "", body))
