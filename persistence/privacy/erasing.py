"""Erasing a person: the salt is destroyed, rows are emptied, sessions end.

All of it is one transaction, with its entry of the audit trail. What every table holds
of a person, and what becomes of it, is listed here; a test compares the list with the
schema, and another looks for the erased values in every row.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import AccountStatus, EndedWhy
from care.audit.entries import SITE_TENANT, Draft
from care.notices.messages import Channel
from care.privacy.requests import ErasureRefused, ErasureReport
from persistence.accounts.factors import phones_of
from persistence.accounts.models import (
    AccountRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
    SessionRecord,
    SignInAttemptRecord,
)
from persistence.accounts.rows import email_place
from persistence.audit.pending import queue_entry
from persistence.keys.ring import TenantKeys
from persistence.notices.models import OutgoingMessageRecord
from persistence.sql.base import RecordBase

DELETED_BY_ACCOUNT: Final = (
    "password",
    "factor",
    "recovery_code",
    "identity",
    "auth_flow",
    "doctor_application",
)
"""Rows of an account that are removed with it."""
DELETED_BY_PATIENT: Final = (
    "medical_note",
    "patient_clinic",
    "guardianship",
    "invitation",
    "glass",
)
"""Rows of a patient that are removed."""
EMPTIED: Final = ("account", "patient", "session")
"""Rows that stay without their content, since others name their ids."""
KEPT: Final[Mapping[str, str]] = {
    "membership": "an account with another role stays",
    "platform_role": "an account with another role stays",
    "consent": "the ledger proves what was agreed to; it holds ids alone",
    "privacy_request": "the proof that the request was met; it holds ids alone",
}
"""Tables with a person's id whose rows stay, and why."""
LEFT: Final = (
    "answers that are kept for repeated requests: for a day at most",
    "backups: until they age out; what they hold sealed opens no more",
    "the journal and the read model: visits under an id without a name",
)
"""Copies that end by themselves, or have no name in them."""


async def erase(
    session: AsyncSession,
    keys: TenantKeys,
    patient_id: PatientId,
    by: str,
    bookings: Mapping[str, int],
    now: Millis,
) -> ErasureReport:
    """Erase in this transaction. Raises ErasureRefused."""
    patient = await session.get(PatientRecord, patient_id, with_for_update=True)
    if patient is None:
        raise ErasureRefused("There is no such person.")
    if patient.hold_until is not None and patient.hold_until > now:
        raise ErasureRefused("The law requires these records to be kept for now.")
    rows: dict[str, int] = {}
    for name in DELETED_BY_PATIENT:
        rows[name] = await _removed(session, name, "patient_id", patient_id)
    account_id = patient.account_id or ""
    ended: list[str] = []
    if account_id and not await _has_other_role(session, account_id):
        ended = await _erase_account(session, keys, account_id, rows, now)
    elif account_id:
        account_id = ""  # the person has another role here: the account stays
    patient.key_salt = patient.profile = None
    patient.name_birth_i = patient.email_i = patient.phone_i = None
    patient.erased_at = patient.erased_at or now
    rows["patient"] = 1
    body = {"outcome": "done", "rows": rows, "bookings": dict(bookings)}
    await queue_entry(
        session, Draft(SITE_TENANT, now, by, "erase_person", patient_id, body)
    )
    return ErasureReport(patient_id, account_id, now, rows, ended, dict(bookings), LEFT)


async def _has_other_role(session: AsyncSession, account_id: str) -> bool:
    member, platform = MembershipRecord, PlatformRoleRecord
    members = select(func.count()).where(
        member.account_id == account_id, member.ended_at.is_(None)
    )
    roles = select(func.count()).where(platform.account_id == account_id)
    return bool(await session.scalar(members)) or bool(await session.scalar(roles))


async def _erase_account(
    session: AsyncSession,
    keys: TenantKeys,
    account_id: str,
    rows: dict[str, int],
    now: Millis,
) -> list[str]:
    """Empty an account and what hangs on it; the sessions that ended."""
    account = await session.get(AccountRecord, account_id, with_for_update=True)
    assert account is not None, "a foreign key names it"
    if account.status == AccountStatus.ERASED.value:
        return []
    email = keys.open(email_place(account_id), account.email)
    message = OutgoingMessageRecord
    phones = await phones_of(session, keys, account_id)
    indexes = [keys.index(Channel.MAIL, email.casefold())]
    indexes += [keys.index(Channel.SMS, one.casefold()) for one in phones]
    rows["outgoing_message"] = _count(
        await session.execute(delete(message).where(message.recipient_i.in_(indexes)))
    )
    attempt = SignInAttemptRecord
    rows["sign_in_attempt"] = _count(
        await session.execute(delete(attempt).where(attempt.email_i == account.email_i))
    )
    for name in DELETED_BY_ACCOUNT:
        rows[name] = await _removed(session, name, "account_id", account_id)
    for name, column, value in (
        ("guardianship", "guardian", account_id),
        ("invitation", "email_i", account.email_i),
    ):
        rows[name] += await _removed(session, name, column, value)
    one = SessionRecord
    alive = select(one.session_id).where(
        one.account_id == account_id, one.ended_at.is_(None)
    )
    ended = list(await session.scalars(alive))
    await session.execute(
        update(one)
        .where(one.account_id == account_id, one.ended_at.is_(None))
        .values(ended_at=now, ended_why=EndedWhy.ERASED.value)
    )
    rows["session"] = _count(
        await session.execute(
            update(one).where(one.account_id == account_id).values(agent="")
        )
    )
    account.status = AccountStatus.ERASED.value
    account.email = keys.seal(email_place(account_id), "")
    account.email_i = secrets.token_urlsafe(32)
    account.language = ""
    rows["account"] = 1
    return ended


async def _removed(session: AsyncSession, table: str, column: str, value: str) -> int:
    found = RecordBase.metadata.tables[table]
    return _count(await session.execute(delete(found).where(found.c[column] == value)))


def _count(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
