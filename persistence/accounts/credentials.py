"""Passwords and attempts over the records.

Implements ``care.accounts.ports.Credentials``.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from actors.domain.ids import Millis
from care.accounts.accounts import Account, AccountStatus
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId
from care.accounts.ports import Flow, SignInAttempt
from care.accounts.throttling import next_attempt
from care.notices.messages import Message
from persistence.accounts.attempts import count_attempt
from persistence.accounts.flows import end_flows, flow_row, use_flow
from persistence.accounts.identities import forget_unconfirmed
from persistence.accounts.models import (
    AccountRecord,
    AuthFlowRecord,
    PasswordRecord,
    SignInAttemptRecord,
)
from persistence.accounts.rows import (
    account_of,
    by_email,
    email_index,
    hashed_secret,
    lock_account,
    new_message_id,
    put_password,
    to_owner,
    verified,
)
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

_ROUNDS: Final = 3
"""Tries of a transaction in which another one made the same row first."""


class SqlCredentials:
    """The passwords of a site's accounts."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def attempt(
        self, email: str, *, known_device: bool, now: Millis
    ) -> SignInAttempt:
        """See Credentials.attempt."""
        keys = await self._ring.of()
        index = email_index(keys, email)
        for _ in range(_ROUNDS):
            try:
                return await self._records.change(
                    partial(
                        _attempted,
                        keys=keys,
                        index=index,
                        known_device=known_device,
                        now=now,
                    )
                )
            except IntegrityError:
                continue  # the first two attempts at one time
        return SignInAttempt(wait_ms=1_000)

    async def succeeded(self, email: str, *, known_device: bool) -> None:
        """See Credentials.succeeded."""
        keys, row = await self._ring.of(), SignInAttemptRecord
        done = delete(row).where(
            row.email_i == email_index(keys, email),
            row.is_known_device == known_device,
        )
        await self._records.transact(lambda connection: connection.execute(done))

    async def password_hash(self, account_id: AccountId) -> str:
        """See Credentials.password_hash."""
        async with self._records.reading() as session:
            row = await session.get(PasswordRecord, account_id)
        return "" if row is None else row.hash

    async def set_password(
        self,
        account_id: AccountId,
        password_hash: str,
        *,
        notice: Message,
        now: Millis,
    ) -> None:
        """See Credentials.set_password."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            await lock_account(session, account_id)
            await end_flows(session, account_id, now)
            await put_password(session, account_id, password_hash, now)
            await queue_message(
                session, keys, new_message_id(), notice, now, is_notice=True
            )

    async def begin_reset(
        self, email: str, flow: Flow, message: Message, *, now: Millis
    ) -> None:
        """See Credentials.begin_reset."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            # Locked: a change of the address ends what was begun before it, and this
            # one sees it.
            found = await by_email(session, email_index(keys, email), lock=True)
            if found is None or found.status == AccountStatus.DISABLED:
                return
            mail = to_owner(keys, found, message)
            if await queue_message(session, keys, new_message_id(), mail, now):
                session.add(flow_row(flow, found.account_id))

    async def reset_account(self, secret: str, *, now: Millis) -> Account | None:
        """See Credentials.reset_account."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            flow = await session.get(AuthFlowRecord, hashed_secret(secret))
            is_valid = (
                flow is not None
                and flow.kind == FlowKind.RESET_PASSWORD
                and flow.used_at is None
                and flow.expires_at > now
            )
            if flow is None or not is_valid:
                return None
            row = await session.get(AccountRecord, flow.account_id)
        return None if row is None else account_of(keys, row)

    async def finish_reset(
        self, secret: str, password_hash: str, *, now: Millis
    ) -> AccountId | None:
        """See Credentials.finish_reset."""
        async with self._records.writing() as session:
            found = await use_flow(session, FlowKind.RESET_PASSWORD, secret, now)
            if found is None:
                return None
            await lock_account(session, found)
            await end_flows(session, found, now)
            await put_password(session, found, password_hash, now)
            await forget_unconfirmed(session, found)
            # The link came to the address: that confirms it as well.
            await session.execute(verified(found, now))
        return found


def _attempted(
    session: Session,
    *,
    keys: TenantKeys,
    index: str,
    known_device: bool,
    now: Millis,
) -> SignInAttempt:
    """Count an attempt and, if it is not too early, what it is to be compared with."""
    wait_ms = count_attempt(
        session, index, next_attempt, known_device=known_device, now=now
    )
    if wait_ms:
        return SignInAttempt(wait_ms=wait_ms)
    query = select(AccountRecord).where(AccountRecord.email_i == index)
    found = session.scalars(query).one_or_none()
    if found is None:
        return SignInAttempt()
    stored = session.get(PasswordRecord, found.account_id)
    return SignInAttempt(
        account=account_of(keys, found),
        password_hash="" if stored is None else stored.hash,
    )
