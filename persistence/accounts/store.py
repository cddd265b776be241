"""Accounts over the records. Implements ``care.accounts.ports.Accounts``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import Account, AccountStatus, SignInContext
from care.accounts.flows import AwaitedStep, FlowKind
from care.accounts.ids import AccountId
from care.accounts.ports import AccountStores, DemoAccount, EmailChange, NewAccount
from care.grants.values import GrantRefusal, GrantRefused
from care.notices.messages import Message
from persistence.accounts.clients import SqlApiClients
from persistence.accounts.contexts import contexts_at, patient_row, role_row
from persistence.accounts.credentials import SqlCredentials
from persistence.accounts.factors import SqlFactors
from persistence.accounts.flows import (
    end_flows,
    flow_row,
    step_of_row,
    step_row,
    use_flow,
)
from persistence.accounts.identities import SqlIdentities
from persistence.accounts.models import AccountRecord, AuthFlowRecord, PatientRecord
from persistence.accounts.rows import (
    account_of,
    account_row,
    by_email,
    email_index,
    email_place,
    hashed_secret,
    new_message_id,
    put_password,
    to_owner,
    verified,
)
from persistence.accounts.sessions import SqlSessions
from persistence.accounts.steps import SqlFlows
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

_ROUNDS: Final = 3
"""Tries of a transaction in which another one made the same row first."""


def account_stores(records: Records, ring: KeyRing) -> AccountStores:
    """All stores of accounts, over the same records."""
    return AccountStores(
        accounts=SqlAccounts(records, ring),
        credentials=SqlCredentials(records, ring),
        sessions=SqlSessions(records, ring),
        flows=SqlFlows(records, ring),
        factors=SqlFactors(records, ring),
        clients=SqlApiClients(records),
        identities=SqlIdentities(records, ring),
    )


class SqlAccounts:
    """The accounts of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def register(
        self, new: NewAccount, *, welcome: Message, known: Message, now: Millis
    ) -> None:
        """See Accounts.register."""
        keys = await self._ring.of()
        index = email_index(keys, new.email)
        for _ in range(_ROUNDS):
            try:
                async with self._records.writing() as session:
                    found = await by_email(session, index)
                    if found is None:
                        await _add_account(session, keys, new, index, now)
                    message = welcome
                    if found is not None:
                        message = to_owner(keys, found, known)
                    await queue_message(session, keys, new_message_id(), message, now)
            except IntegrityError:
                continue  # registered by another request in between
            return

    async def verify_email(self, secret: str, *, now: Millis) -> bool:
        """See Accounts.verify_email."""
        async with self._records.writing() as session:
            account_id = await use_flow(session, FlowKind.VERIFY_EMAIL, secret, now)
            if account_id is None:
                return False
            await session.execute(verified(account_id, now))
        return True

    async def begin_email_change(
        self, account_id: AccountId, change: EmailChange, *, now: Millis
    ) -> None:
        """See Accounts.begin_email_change."""
        keys = await self._ring.of()
        flow = change.flow
        step = AwaitedStep(flow.kind, account_id, change.email, flow.expires_at)
        async with self._records.writing() as session:
            taken = await by_email(session, email_index(keys, change.email))
            message = change.link
            if taken is not None:
                message = to_owner(keys, taken, change.known)
            sent = await queue_message(session, keys, new_message_id(), message, now)
            if sent and taken is None:
                session.add(step_row(keys, flow.secret, step))
            await queue_message(
                session, keys, new_message_id(), change.notice, now, is_notice=True
            )

    async def finish_email_change(self, secret: str, *, now: Millis) -> bool:
        """See Accounts.finish_email_change."""
        keys, row = await self._ring.of(), AuthFlowRecord
        try:
            async with self._records.writing() as session:
                account_id = await use_flow(session, FlowKind.CHANGE_EMAIL, secret, now)
                flow = await session.get(row, hashed_secret(secret))
                if account_id is None or flow is None:
                    return False
                email = step_of_row(keys, flow).payload
                # Locked, as by what begins a flow for its present address.
                account = await session.get(
                    AccountRecord, account_id, with_for_update=True
                )
                assert account is not None, "flows refer to accounts"
                account.email = keys.seal(email_place(account_id), email)
                account.email_i = email_index(keys, email)
                account.email_verified_at = now
                # A link that waits in the old mailbox must not open the account.
                await end_flows(session, account_id, now)
        except IntegrityError:
            return False  # the address got an account in the meantime
        return True

    async def find(self, account_id: AccountId) -> Account | None:
        """See Accounts.find."""
        keys = await self._ring.of()
        row = await self._records.look(
            lambda connection: connection.execute(
                _FIND, {"account": account_id}
            ).one_or_none()
        )
        return None if row is None else account_of(keys, row)

    async def contexts(self, account_id: AccountId) -> Sequence[SignInContext]:
        """See Accounts.contexts."""
        return await self._records.look(partial(contexts_at, account_id=account_id))

    async def demo_account(self, wanted: DemoAccount, *, now: Millis) -> Account:
        """See Accounts.demo_account."""
        keys = await self._ring.of()
        index = email_index(keys, wanted.email)
        async with self._records.writing() as session:
            row = await by_email(session, index)
            if row is None:
                row = account_row(keys, wanted.account_id, wanted.email, index, now)
                row.status, row.email_verified_at = AccountStatus.ACTIVE.value, now
                session.add(row)
                await session.flush()
                await _give_role(session, row.account_id, wanted.context, now)
        return account_of(keys, row)


_FIND: Final = select(AccountRecord.__table__).where(
    AccountRecord.account_id == bindparam("account")
)


async def _give_role(
    session: AsyncSession, account_id: str, context: SignInContext, now: Millis
) -> None:
    if context.role == "patient":
        known = await session.get(PatientRecord, context.subject, with_for_update=True)
        if known is not None and known.account_id is not None:
            raise GrantRefused(GrantRefusal.EXISTS)
        if known is not None:
            known.account_id = account_id  # a clinic knew them before they came in
            return
    session.add(role_row(account_id, context, now))


async def _add_account(
    session: AsyncSession, keys: TenantKeys, new: NewAccount, index: str, now: Millis
) -> None:
    row = account_row(keys, new.account_id, new.email, index, now)
    row.language = new.language
    session.add(row)
    await session.flush()  # the others refer to it
    await put_password(session, new.account_id, new.password_hash, now)
    session.add(patient_row(new.patient_id, new.account_id, now))
    session.add(flow_row(new.verify, new.account_id))
