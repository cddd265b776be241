"""Which places an account is the only administrator of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from care.accounts.accounts import AccountStatus
from care.grants.values import SITE, MemberRole, PlatformRole
from persistence.accounts.models import (
    AccountRecord,
    MembershipRecord,
    PlatformRoleRecord,
)


async def without_administrators(
    session: AsyncSession, account_id: str, *, lock: bool = False
) -> Sequence[str]:
    """The clinics, or ``SITE``, that no other active account administers.

    ``lock``: the administrators' rows stay as they are until the transaction ends, so
    that of two who leave at once one is told. They are locked in the order in which
    removing members and platform roles locks them.
    """
    member, role, account = MembershipRecord, PlatformRoleRecord, AccountRecord
    admins = (
        member.role == MemberRole.CLINIC_ADMIN.value,
        member.ended_at.is_(None),
    )
    own = select(member.clinic_id).where(member.account_id == account_id, *admins)
    left: list[str] = []
    for clinic_id in sorted(set(await session.scalars(own))):
        query = (
            select(member.account_id, account.status)
            .join(account, account.account_id == member.account_id)
            .where(member.clinic_id == clinic_id, *admins)
            .order_by(member.membership_id)
        )
        if not await _has_other(session, query, account_id, lock=lock):
            left.append(clinic_id)
    is_admin = role.role == PlatformRole.ADMIN.value
    own = select(role.grant_id).where(role.account_id == account_id, is_admin)
    if (await session.scalars(own)).first() is None:
        return left
    query = (
        select(role.account_id, account.status)
        .join(account, account.account_id == role.account_id)
        .where(is_admin)
        .order_by(role.account_id)
    )
    if not await _has_other(session, query, account_id, lock=lock):
        left.append(SITE)
    return left


async def _has_other(
    session: AsyncSession,
    admins: Select[str, str],
    account_id: str,
    *,
    lock: bool,
) -> bool:
    """Whether another account that can sign in is among these."""
    query = admins.with_for_update() if lock else admins
    active = AccountStatus.ACTIVE.value
    found = (await session.execute(query)).all()
    return any(one != account_id and status == active for one, status in found)
