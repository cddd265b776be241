"""Rows of accounts as values, and what the stores of this folder share."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, cast

from msgspec import structs
from sqlalchemy import CursorResult, Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import Account, AccountStatus
from care.accounts.addresses import compared_address
from care.accounts.ids import RANDOM_BYTES, AccountId
from care.keys.sealing import Place
from care.notices.messages import Message
from persistence.accounts.models import AccountRecord, PasswordRecord
from persistence.keys.ring import TenantKeys


def email_index(keys: TenantKeys, email: str) -> str:
    """The blind index of an address."""
    return keys.index("email", compared_address(email))


def email_place(account_id: str) -> Place:
    """The place of a sealed address."""
    return Place("account", "email", account_id)


async def by_email(
    session: AsyncSession, index: str, *, lock: bool = False
) -> AccountRecord | None:
    """The account of an address, by its index; ``lock``: until the transaction ends."""
    query = select(AccountRecord).where(AccountRecord.email_i == index)
    if lock:
        query = query.with_for_update()
    return (await session.scalars(query)).one_or_none()


def account_row(
    keys: TenantKeys, account_id: str, email: str, index: str, now: Millis
) -> AccountRecord:
    """The row of a new account, which is pending."""
    return AccountRecord(
        account_id=account_id,
        status=AccountStatus.PENDING.value,
        email=keys.seal(email_place(account_id), email),
        email_i=index,
        language="en",
        created_at=now,
    )


def account_of(keys: TenantKeys, row: AccountRecord | Row[Any]) -> Account:
    """The value of a row."""
    return Account(
        account_id=AccountId(row.account_id),
        status=AccountStatus(row.status),
        email=keys.open(email_place(row.account_id), row.email),
        language=row.language,
        created_at=Millis(row.created_at),
    )


def to_owner(keys: TenantKeys, row: AccountRecord, message: Message) -> Message:
    """A message to an account's own address, whatever was typed to find it.

    Two addresses may compare as equal and be two mailboxes (``strauß`` and
    ``strauss``): mail to the typed one would hand a link to another person.
    """
    return structs.replace(message, recipient=account_of(keys, row).email)


async def lock_account(session: AsyncSession, account_id: str) -> None:
    """Keep other transactions that lock this account waiting until this one ends."""
    row = AccountRecord
    await session.execute(
        select(row.account_id).where(row.account_id == account_id).with_for_update()
    )


async def put_password(
    session: AsyncSession, account_id: str, password_hash: str, now: Millis
) -> None:
    """Store the hash of a password, replacing the previous one.

    The account is to be locked: what was begun with the previous one is then either
    seen, and ended, or sees this one.
    """
    row = await session.get(PasswordRecord, account_id)
    if row is None:
        row = PasswordRecord(account_id=account_id, hash=password_hash, set_at=now)
        session.add(row)
    row.hash, row.set_at = password_hash, now


def verified(account_id: str, now: Millis) -> Any:
    """Confirms an address; a disabled account stays disabled."""
    row = AccountRecord
    return (
        update(row)
        .where(row.account_id == account_id, row.status == AccountStatus.PENDING.value)
        .values(status=AccountStatus.ACTIVE.value, email_verified_at=now)
    )


def hashed_secret(secret: str) -> str:
    """The hash by which the secret of a link or step is found."""
    # Secrets are random: a plain hash of them cannot be guessed back.
    made = sha256(secret.encode()).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")


def new_message_id() -> str:
    """An id of a message to a person."""
    return "msg_" + secrets.token_urlsafe(RANDOM_BYTES)


def rows_changed(result: Any) -> int:
    """How many rows a statement changed."""
    return cast("CursorResult[Any]", result).rowcount
