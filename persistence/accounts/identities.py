"""Identities at other providers, over the records.

Implements ``care.accounts.identities.Identities``. Of two requests that link one
identity at one time the unique index lets one through; the other looks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import AccountStatus
from care.accounts.factors.ports import Removal
from care.accounts.factors.values import FactorKind
from care.accounts.flows import FlowKind
from care.accounts.identities import IdentityId, LinkedIdentity, VouchedAccount
from care.accounts.ids import AccountId
from care.accounts.ports import Flow
from care.keys.sealing import Place
from care.notices.messages import Message
from persistence.accounts.contexts import patient_row
from persistence.accounts.factor_models import FactorRecord
from persistence.accounts.flows import flow_row
from persistence.accounts.identity_models import IdentityRecord
from persistence.accounts.models import AccountRecord, PasswordRecord
from persistence.accounts.rows import (
    account_row,
    by_email,
    email_index,
    new_message_id,
    to_owner,
)
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

_ROUNDS: Final = 3
"""Tries of a transaction in which another one made the same row first."""


class SqlIdentities:
    """The identities of a site's accounts."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def account_of(self, issuer: str, subject: str) -> AccountId | None:
        """See Identities.account_of."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await _by_index(session, _index(keys, issuer, subject))
        return None if row is None else AccountId(row.account_id)

    async def of_account(self, account_id: AccountId) -> Sequence[LinkedIdentity]:
        """See Identities.of_account."""
        keys, row = await self._ring.of(), IdentityRecord
        query = (
            select(row)
            .where(row.account_id == account_id)
            .order_by(row.linked_at, row.identity_id)
        )
        async with self._records.reading() as session:
            found = (await session.scalars(query)).all()
        return [_identity(keys, one) for one in found]

    async def register(
        self, new: VouchedAccount, *, welcome: Message, known: Message, now: Millis
    ) -> AccountId | None:
        """See Identities.register."""
        keys, identity = await self._ring.of(), new.identity
        index = _index(keys, identity.issuer, identity.subject)
        for _ in range(_ROUNDS):
            try:
                async with self._records.writing() as session:
                    # The address first: a request that makes both may commit between
                    # the two looks, and its account is then not another person's.
                    found = await by_email(session, email_index(keys, new.email))
                    linked = await _by_index(session, index)
                    if linked is not None:
                        return AccountId(linked.account_id)
                    if found is None:
                        await _add_account(session, keys, new, now)
                    if new.verify_secret:
                        message = welcome
                        if found is not None:
                            message = to_owner(keys, found, known)
                        await queue_message(
                            session, keys, new_message_id(), message, now
                        )
            except IntegrityError:
                continue  # made by another request in between
            return None if found is not None else identity.account_id
        return None

    async def link(
        self, identity: LinkedIdentity, *, notice: Message, now: Millis
    ) -> bool:
        """See Identities.link."""
        keys = await self._ring.of()
        index = _index(keys, identity.issuer, identity.subject)
        try:
            async with self._records.writing() as session:
                linked = await _by_index(session, index)
                if linked is not None:
                    return linked.account_id == identity.account_id
                session.add(_row(keys, identity))
                await session.flush()
                await queue_message(
                    session, keys, new_message_id(), notice, now, is_notice=True
                )
        except IntegrityError:
            return await self.account_of(identity.issuer, identity.subject) == (
                identity.account_id
            )
        return True

    async def unlink(
        self,
        account_id: AccountId,
        identity_id: IdentityId,
        *,
        notice: Message,
        now: Millis,
    ) -> Removal:
        """See Identities.unlink."""
        keys, row = await self._ring.of(), IdentityRecord
        async with self._records.writing() as session:
            account = AccountRecord
            await session.execute(  # excludes another removal at this time
                select(account.account_id)
                .where(account.account_id == account_id)
                .with_for_update()
            )
            found = await session.get(row, identity_id, with_for_update=True)
            if found is None or found.account_id != account_id:
                return Removal.UNKNOWN
            if await _ways_in(session, account_id) == 1:
                return Removal.LAST
            await session.delete(found)
            await queue_message(
                session, keys, new_message_id(), notice, now, is_notice=True
            )
        return Removal.REMOVED


async def forget_unconfirmed(session: AsyncSession, account_id: AccountId) -> None:
    """Unlink all of an account whose address was not confirmed.

    The address's owner sets a password: another person may have linked them.
    """
    row, account = IdentityRecord, AccountRecord
    pending = exists().where(
        account.account_id == account_id,
        account.status == AccountStatus.PENDING.value,
    )
    await session.execute(delete(row).where(row.account_id == account_id, pending))


async def _ways_in(session: AsyncSession, account_id: AccountId) -> int:
    """How many passwords, passkeys and identities an account has."""
    password, factor, identity = PasswordRecord, FactorRecord, IdentityRecord
    found = 0
    for row, more in (
        (password, ()),
        (factor, (factor.kind == FactorKind.PASSKEY.value,)),
        (identity, ()),
    ):
        mine = (row.account_id == account_id, *more)
        query = select(func.count()).select_from(row).where(*mine)
        found += (await session.execute(query)).scalar_one()
    return found


async def _add_account(
    session: AsyncSession, keys: TenantKeys, new: VouchedAccount, now: Millis
) -> None:
    account_id = new.identity.account_id
    row = account_row(keys, account_id, new.email, email_index(keys, new.email), now)
    row.language = new.language
    if not new.verify_secret:
        row.status, row.email_verified_at = AccountStatus.ACTIVE.value, now
    session.add(row)
    await session.flush()  # the others refer to it
    session.add(patient_row(new.patient_id, account_id, now))
    session.add(_row(keys, new.identity))
    if new.verify_secret:
        flow = Flow(FlowKind.VERIFY_EMAIL, new.verify_secret, new.verify_until)
        session.add(flow_row(flow, account_id))
    await session.flush()


async def _by_index(session: AsyncSession, index: str) -> IdentityRecord | None:
    query = select(IdentityRecord).where(IdentityRecord.identity_i == index)
    return (await session.scalars(query)).one_or_none()


def _index(keys: TenantKeys, issuer: str, subject: str) -> str:
    # A space cannot be part of an issuer, which is a URL.
    return keys.index("identity", f"{issuer} {subject}")


def _place(identity_id: str) -> Place:
    return Place("identity", "label", identity_id)


def _row(keys: TenantKeys, identity: LinkedIdentity) -> IdentityRecord:
    return IdentityRecord(
        identity_id=identity.identity_id,
        account_id=identity.account_id,
        provider=identity.provider,
        issuer=identity.issuer,
        identity_i=_index(keys, identity.issuer, identity.subject),
        label=keys.seal(_place(identity.identity_id), identity.label),
        linked_at=identity.linked_at,
    )


def _identity(keys: TenantKeys, row: IdentityRecord) -> LinkedIdentity:
    return LinkedIdentity(
        identity_id=IdentityId(row.identity_id),
        account_id=AccountId(row.account_id),
        provider=row.provider,
        issuer=row.issuer,
        subject="",
        label=keys.open(_place(row.identity_id), row.label),
        linked_at=Millis(row.linked_at),
    )
