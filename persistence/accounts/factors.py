"""Factors and recovery codes over the records.

Implements ``care.accounts.factors.ports.Factors``. What must happen once (a code, a
count of signatures) is a compare-and-set; what needs a count of rows locks the account.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.factors.ports import Removal
from care.accounts.factors.recovery import compared_code
from care.accounts.factors.values import FACTORS_MAX, Factor, FactorId, FactorKind
from care.accounts.ids import AccountId
from care.accounts.throttling import next_code
from care.keys.sealing import Place
from care.notices.messages import Message
from persistence.accounts.attempts import count_attempt
from persistence.accounts.factor_models import FactorRecord, RecoveryCodeRecord
from persistence.accounts.models import SignInAttemptRecord
from persistence.accounts.rows import lock_account, new_message_id, rows_changed
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

_ROUNDS: Final = 3
"""Tries of a transaction in which another one made the same row first."""
_BUSY_MS: Final = 1_000


class SqlFactors:
    """The factors of a site's accounts."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def of_account(self, account_id: AccountId) -> Sequence[Factor]:
        """See Factors.of_account."""
        keys = await self._ring.of()
        rows = await self._records.look(
            lambda connection: connection.execute(_OF, {"account": account_id}).all()
        )
        return [_factor(keys, one) for one in rows]

    async def by_credential(self, credential: bytes) -> Factor | None:
        """See Factors.by_credential."""
        keys, row = await self._ring.of(), FactorRecord
        query = select(row).where(row.credential_hash == _hashed(credential))
        async with self._records.reading() as session:
            found = (await session.scalars(query)).one_or_none()
        return None if found is None else _factor(keys, found)

    async def add(
        self,
        factor: Factor,
        *,
        codes: Sequence[str] = (),
        notices: Sequence[Message] = (),
    ) -> bool:
        """See Factors.add."""
        keys, row = await self._ring.of(), FactorRecord
        mine = row.account_id == factor.account_id
        try:
            async with self._records.writing() as session:
                await lock_account(session, factor.account_id)
                if codes and await _count(session, factor.account_id):
                    return False  # not the first any more
                if factor.kind is FactorKind.SMS:
                    await session.execute(
                        delete(row).where(mine, row.kind == FactorKind.SMS.value)
                    )
                if await _count(session, factor.account_id) >= FACTORS_MAX:
                    return False
                session.add(_row(keys, factor))
                await session.flush()
                if codes:
                    await _put_codes(session, keys, factor.account_id, codes)
                await _tell(session, keys, notices, factor.created_at)
        except IntegrityError:
            return False  # the passkey is registered already
        return True

    async def use_step(self, factor_id: FactorId, step: int, *, now: Millis) -> bool:
        """See Factors.use_step."""
        row = FactorRecord
        async with self._records.writing() as session:
            done = await session.execute(
                update(row)
                .where(row.factor_id == factor_id, row.last_step < step)
                .values(last_step=step, used_at=now)
            )
        return rows_changed(done) == 1

    async def use_passkey(
        self, factor_id: FactorId, sign_count: int, *, now: Millis
    ) -> bool:
        """See Factors.use_passkey."""
        row = FactorRecord
        grew = row.sign_count < sign_count
        if sign_count == 0:
            grew = or_(grew, row.sign_count == 0)
        async with self._records.writing() as session:
            found = await session.scalars(
                select(row.factor_id)
                .where(row.factor_id == factor_id, grew)
                .with_for_update()
            )
            if found.one_or_none() is None:
                return False
            await session.execute(
                update(row)
                .where(row.factor_id == factor_id)
                .values(sign_count=sign_count, used_at=now)
            )
        return True

    async def note_use(self, factor_id: FactorId, *, now: Millis) -> bool:
        """See Factors.note_use."""
        row = FactorRecord
        async with self._records.writing() as session:
            query = select(row).where(row.factor_id == factor_id).with_for_update()
            found = (await session.scalars(query)).one_or_none()
            if found is None:
                return False
            found.used_at = now
        return True

    async def remove(
        self,
        account_id: AccountId,
        factor_id: FactorId,
        *,
        keep_last: bool,
        notices: Sequence[Message] = (),
        now: Millis,
    ) -> Removal:
        """See Factors.remove."""
        keys, row = await self._ring.of(), FactorRecord
        async with self._records.writing() as session:
            await lock_account(session, account_id)
            found = await session.get(row, factor_id)
            if found is None or found.account_id != account_id:
                return Removal.UNKNOWN
            is_last = await _count(session, account_id) == 1
            if is_last and keep_last:
                return Removal.LAST
            await session.delete(found)
            if is_last:
                await _put_codes(session, keys, account_id, ())
            await _tell(session, keys, notices, now)
        return Removal.REMOVED

    async def renew_codes(
        self,
        account_id: AccountId,
        codes: Sequence[str],
        *,
        notice: Message,
        now: Millis,
    ) -> None:
        """See Factors.renew_codes."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            await lock_account(session, account_id)
            await _put_codes(session, keys, account_id, codes)
            await _tell(session, keys, [notice], now)

    async def use_code(
        self, account_id: AccountId, code: str, *, notice: Message, now: Millis
    ) -> bool:
        """See Factors.use_code."""
        keys, row = await self._ring.of(), RecoveryCodeRecord
        async with self._records.writing() as session:
            done = await session.execute(
                update(row)
                .where(
                    row.account_id == account_id,
                    row.code_hash == _code_hash(keys, account_id, code),
                    row.used_at.is_(None),
                )
                .values(used_at=now)
            )
            if rows_changed(done) != 1:
                return False
            await _tell(session, keys, [notice], now)
        return True

    async def codes_left(self, account_id: AccountId) -> int:
        """See Factors.codes_left."""
        row = RecoveryCodeRecord
        query = (
            select(func.count())
            .select_from(row)
            .where(row.account_id == account_id, row.used_at.is_(None))
        )
        async with self._records.reading() as session:
            return (await session.execute(query)).scalar_one()

    async def count_try(self, account_id: AccountId, *, now: Millis) -> int:
        """See Factors.count_try."""
        keys = await self._ring.of()
        index = _tries_index(keys, account_id)
        for _ in range(_ROUNDS):
            try:
                return await self._records.change(
                    partial(count_attempt, index=index, rule=next_code, now=now)
                )
            except IntegrityError:
                continue  # the first two at one time
        return _BUSY_MS

    async def forget_tries(self, account_id: AccountId) -> None:
        """See Factors.forget_tries."""
        keys, row = await self._ring.of(), SignInAttemptRecord
        async with self._records.writing() as session:
            await session.execute(
                delete(row).where(row.email_i == _tries_index(keys, account_id))
            )


async def phones_of(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> list[str]:
    """The numbers that an account's codes go to."""
    row = FactorRecord
    query = select(row).where(
        row.account_id == account_id, row.kind == FactorKind.SMS.value
    )
    return [_factor(keys, one).secret for one in (await session.scalars(query)).all()]


async def _count(session: AsyncSession, account_id: AccountId) -> int:
    row = FactorRecord
    query = select(row.factor_id).where(row.account_id == account_id)
    return len((await session.scalars(query.with_for_update())).all())


async def _put_codes(
    session: AsyncSession,
    keys: TenantKeys,
    account_id: AccountId,
    codes: Sequence[str],
) -> None:
    row = RecoveryCodeRecord
    await session.execute(delete(row).where(row.account_id == account_id))
    session.add_all(
        RecoveryCodeRecord(
            account_id=account_id, code_hash=_code_hash(keys, account_id, one)
        )
        for one in codes
    )


async def _tell(
    session: AsyncSession, keys: TenantKeys, notices: Sequence[Message], now: Millis
) -> None:
    for notice in notices:
        await queue_message(
            session, keys, new_message_id(), notice, now, is_notice=True
        )


def _code_hash(keys: TenantKeys, account_id: AccountId, code: str) -> str:
    return keys.index("recovery_code", f"{account_id}|{compared_code(code)}")


def _tries_index(keys: TenantKeys, account_id: AccountId) -> str:
    return keys.index("codes", account_id)


def _hashed(credential: bytes) -> str:
    return urlsafe_b64encode(sha256(credential).digest()).decode().rstrip("=")


def _place(factor_id: str) -> Place:
    return Place("factor", "secret", factor_id)


def _row(keys: TenantKeys, factor: Factor) -> FactorRecord:
    is_passkey = factor.kind is FactorKind.PASSKEY
    return FactorRecord(
        factor_id=factor.factor_id,
        account_id=factor.account_id,
        kind=factor.kind.value,
        label=factor.label,
        secret=keys.seal(_place(factor.factor_id), factor.secret)
        if factor.secret
        else None,
        last_step=factor.last_step,
        credential_hash=_hashed(factor.credential) if is_passkey else None,
        credential=factor.credential,
        public_key=factor.public_key,
        user_handle=factor.user_handle,
        sign_count=factor.sign_count,
        created_at=factor.created_at,
        used_at=factor.used_at,
    )


_OF: Final = (
    select(FactorRecord.__table__)
    .where(FactorRecord.account_id == bindparam("account"))
    .order_by(FactorRecord.created_at, FactorRecord.factor_id)
)


def _factor(keys: TenantKeys, row: FactorRecord | Row[Any]) -> Factor:
    secret = row.secret
    return Factor(
        factor_id=FactorId(row.factor_id),
        account_id=AccountId(row.account_id),
        kind=FactorKind(row.kind),
        label=row.label,
        created_at=Millis(row.created_at),
        secret="" if secret is None else keys.open(_place(row.factor_id), secret),
        last_step=row.last_step,
        credential=row.credential,
        public_key=row.public_key,
        user_handle=row.user_handle,
        sign_count=row.sign_count,
        used_at=None if row.used_at is None else Millis(row.used_at),
    )
