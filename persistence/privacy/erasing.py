"""Erasing a person: the salt is destroyed, rows are emptied, sessions end.

All of it is one transaction, with its entry of the audit trail. What every table holds
of a person, and what becomes of it, is listed here; a test compares the list with the
schema, and another looks for the erased values in every row. What stays is counted,
and the report says by which law. One file because all that erasing touches is read in
one place.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import ACCESS_MS, AccountStatus, EndedWhy
from care.accounts.ids import AccountId
from care.audit.entries import SITE_TENANT, Draft
from care.grants.values import ApplicationStatus
from care.notices.messages import Channel
from care.privacy.requests import (
    ErasureRefused,
    ErasureReport,
    KeptRows,
    SuccessorNeeded,
)
from persistence.accounts.client_models import ApiClientRecord
from persistence.accounts.factors import phones_of
from persistence.accounts.models import (
    AccountRecord,
    GlassRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
    SessionRecord,
    SignInAttemptRecord,
)
from persistence.accounts.rows import email_place
from persistence.audit.models import AuditEntryRecord
from persistence.audit.pending import queue_entry
from persistence.directory.busy.models import BusyCalendarRecord
from persistence.directory.reviews.store import (
    lock_ratings,
    rate,
    reviewed_by,
)
from persistence.grants.applications import emptied_content
from persistence.grants.models import (
    DoctorApplicationRecord,
    InvitationRecord,
    SuspensionRecord,
)
from persistence.grants.suspensions import suspended
from persistence.keys.ring import TenantKeys
from persistence.notices.models import InboxChangeRecord, OutgoingMessageRecord
from persistence.notices.outbox import recipient_index
from persistence.patients.documents.models import DocumentRecord
from persistence.patients.models import MedicalNoteRecord
from persistence.privacy.alone import without_administrators
from persistence.privacy.models import ConsentRecord, PrivacyRequestRecord
from persistence.sql.base import RecordBase

DELETED_BY_ACCOUNT: Final = (
    "password",
    "factor",
    "factor_reset",
    "recovery_code",
    "identity",
    "auth_flow",
    "calendar_feed",
    "push_subscription",
    "platform_role",
)
"""Rows of an account that are removed with it."""
DELETED_BY_PATIENT: Final = (
    "medical_note",
    "document",
    "patient_clinic",
    "guardianship",
    "invitation",
    "glass",
    "notice",
    "told_visit",
    "outgoing_message",
    "waiting_entry",
    "waiting_move",
    "slot_offer",
    "visit_series",
    "visit_series_date",
    "leave_visit",
    "review",
)
"""Rows of a patient that are removed."""
EMPTIED: Final = (
    "account",
    "patient",
    "session",
    "doctor_application",
    "busy_calendar",
)
"""Rows that stay without their content, since others name their ids.

Of applications those that were approved; others are removed.
"""
KEPT: Final[Mapping[str, str]] = {
    "membership": "ended; who had access where and when (GDPR 5(2), 17(3)(e))",
    "consent": "the ledger proves what was agreed to (GDPR 7(1)); it holds ids alone",
    "privacy_request": "the proof that the request was met (GDPR 5(2)); ids alone",
}
"""Tables with a person's id whose rows stay, and by which law."""
LEFT: Final = (
    "answers that are kept for repeated requests: for a day at most",
    "messages to earlier addresses: until messages are removed by their age",
    "files of documents: removed within two hours; until then nothing opens them",
    "backups: until they age out; what they hold sealed opens no more",
    "the journal and the read model: visits under an id without a name",
)
"""Copies that end by themselves, or have no name in them."""
_TRAIL: Final = (
    "accountability: GDPR 5(2), 17(3)(b); 45 CFR 164.316(b)(2), six years; ids alone"
)
_AUTHORSHIP: Final = (
    "a patient's record says who wrote it: GDPR 9(2)(h), 17(3)(b) and (c); an id alone"
)
_CALENDARS: Final = (
    "the name of who treated them is part of patients' records: GDPR 9(2)(h), "
    "17(3)(b) and (c); the calendar is retired"
)
_EMERGENCIES: Final = "who opened a patient's data, and why: GDPR 5(2), 17(3)(e)"
_LICENCES: Final = (
    "that a licence was checked, by whom and when: GDPR 17(3)(e); without its content"
)
_PROGRAMS: Final = "they are the clinic's; its maker was shown the secret: replace that"
_SUSPENDED: Final = "who decided that a doctor is suspended, as long as that lasts"
_INVITED: Final = "what a clinic offered to others; the id alone"


async def erase(
    session: AsyncSession,
    keys: TenantKeys,
    patient_id: PatientId,
    by: str,
    bookings: Mapping[str, int],
    now: Millis,
) -> ErasureReport:
    """Erase a patient in this transaction; the account too, if it has no other role.

    Raises:
        ErasureRefused: the law forbids it for now, or there is no such person.
    """
    patient = await session.get(PatientRecord, patient_id, with_for_update=True)
    if patient is None:
        raise ErasureRefused("There is no such person.")
    rows: dict[str, int] = {}
    await _erase_patient(session, patient, rows, now)
    account_id, ended = patient.account_id or "", list[str]()
    if account_id and not await _has_other_role(session, account_id):
        account = await session.get(AccountRecord, account_id, with_for_update=True)
        assert account is not None, "a foreign key names it"
        ended = await _erase_account(session, keys, account, rows, now)
    elif account_id:
        account_id = ""  # the person has another role here: the account stays
    body = {"outcome": "done", "rows": rows, "bookings": dict(bookings)}
    await queue_entry(
        session, Draft(SITE_TENANT, now, by, "erase_person", patient_id, body)
    )
    return ErasureReport(patient_id, account_id, now, rows, ended, dict(bookings), LEFT)


async def erase_account(
    session: AsyncSession,
    keys: TenantKeys,
    account_id: AccountId,
    by: str,
    bookings: Mapping[str, int],
    now: Millis,
) -> ErasureReport:
    """Erase an account in all its roles, and its patient, in this transaction.

    Raises:
        ErasureRefused: the law forbids it for now, or there is no such account.
        SuccessorNeeded: a clinic, or the site, would be without administrators.
    """
    alone = await without_administrators(session, account_id, lock=True)
    account = await session.get(AccountRecord, account_id, with_for_update=True)
    if account is None:
        raise ErasureRefused("There is no such account.")
    if alone:
        raise SuccessorNeeded(alone)
    row, rows = PatientRecord, dict[str, int]()
    query = select(row).where(row.account_id == account_id).with_for_update()
    patient = (await session.scalars(query)).one_or_none()
    if patient is not None:
        await _erase_patient(session, patient, rows, now)
    patient_id = PatientId("" if patient is None else patient.patient_id)
    ended = await _erase_account(session, keys, account, rows, now)
    ids = {"account": account_id}
    body = {"outcome": "done", "rows": rows, "bookings": dict(bookings), **ids}
    await queue_entry(
        session, Draft(SITE_TENANT, now, by, "erase_account", patient_id, body)
    )
    return ErasureReport(patient_id, account_id, now, rows, ended, dict(bookings), LEFT)


async def _erase_patient(
    session: AsyncSession, patient: PatientRecord, rows: dict[str, int], now: Millis
) -> None:
    """Empty a patient and what hangs on them. Raises ErasureRefused."""
    if patient.hold_until is not None and patient.hold_until > now:
        raise ErasureRefused("The law requires these records to be kept for now.")
    reviewed = await reviewed_by(session, patient.patient_id)
    await lock_ratings(session, reviewed)
    for name in DELETED_BY_PATIENT:
        rows[name] = await _removed(session, name, "patient_id", patient.patient_id)
    await rate(session, reviewed)
    await _remove_choices(session, patient.patient_id, rows)
    # Lines stay, as their numbers are not used twice; without a name.
    line = InboxChangeRecord
    mine = update(line).where(line.subject == patient.patient_id)
    await session.execute(mine.values(subject=""))
    patient.key_salt = patient.profile = None
    patient.name_birth_i = patient.email_i = patient.phone_i = None
    patient.erased_at = patient.erased_at or now
    rows["patient"] = 1


async def _has_other_role(session: AsyncSession, account_id: str) -> bool:
    member, platform = MembershipRecord, PlatformRoleRecord
    members = (member.account_id == account_id, member.ended_at.is_(None))
    roles = platform.account_id == account_id
    return bool(await _number(session, *members) or await _number(session, roles))


async def _erase_account(
    session: AsyncSession,
    keys: TenantKeys,
    account: AccountRecord,
    rows: dict[str, int],
    now: Millis,
) -> list[str]:
    """Empty an account and what hangs on it.

    Returns the sessions that end now; repeated, those that ended just before, since
    their revocation may have failed.
    """
    account_id = account.account_id
    one = SessionRecord
    if account.status == AccountStatus.ERASED.value:
        recent = (
            one.ended_why == EndedWhy.ERASED.value,
            one.ended_at > now - ACCESS_MS,
        )
        query = select(one.session_id).where(one.account_id == account_id, *recent)
        return list(await session.scalars(query))
    await _remove_by_address(session, keys, account, rows)
    for name in DELETED_BY_ACCOUNT:
        rows[name] = await _removed(session, name, "account_id", account_id)
    await _remove_choices(session, account_id, rows)
    for name, column, value in (
        ("guardianship", "guardian", account_id),
        ("invitation", "email_i", account.email_i),
        ("invitation", "used_by", account_id),  # of an earlier address
    ):
        gone = await _removed(session, name, column, value)
        rows[name] = rows.get(name, 0) + gone
    rows["doctor_application"] = await _empty_applications(session, keys, account_id)
    rows["suspension"] = await _remove_suspensions(session, account_id)
    rows["busy_calendar"] = await _end_busy_times(session, account_id, now)
    member = MembershipRecord
    in_force = (member.account_id == account_id, member.ended_at.is_(None))
    ending = update(member).where(*in_force)
    ended_key = {"ended_at": now, "ended_key": member.membership_id}
    rows["membership"] = _count(await session.execute(ending.values(ended_key)))
    alive = (one.account_id == account_id, one.ended_at.is_(None))
    ended = list(await session.scalars(select(one.session_id).where(*alive)))
    why = {"ended_at": now, "ended_why": EndedWhy.ERASED.value}
    await session.execute(update(one).where(*alive).values(why))
    mine = update(one).where(one.account_id == account_id)
    rows["session"] = _count(await session.execute(mine.values(agent="")))
    account.status = AccountStatus.ERASED.value
    account.email = keys.seal(email_place(account_id), "")
    account.email_i = secrets.token_urlsafe(32)
    account.language = ""
    rows["account"] = 1
    return ended


async def _remove_by_address(
    session: AsyncSession,
    keys: TenantKeys,
    account: AccountRecord,
    rows: dict[str, int],
) -> None:
    """Remove what is found by the address, or the phones, of an account alone."""
    email = keys.open(email_place(account.account_id), account.email)
    indexes = [recipient_index(keys, Channel.MAIL, email)]
    for phone in await phones_of(session, keys, account.account_id):
        indexes.append(recipient_index(keys, Channel.SMS, phone))
    message, attempt = OutgoingMessageRecord, SignInAttemptRecord
    gone = delete(message).where(message.recipient_i.in_(indexes))
    removed = _count(await session.execute(gone))
    rows["outgoing_message"] = rows.get("outgoing_message", 0) + removed
    gone = delete(attempt).where(attempt.email_i == account.email_i)
    rows["sign_in_attempt"] = _count(await session.execute(gone))


async def _remove_choices(
    session: AsyncSession, person: str, rows: dict[str, int]
) -> None:
    """Remove what a patient or an account chose to hear of."""
    name = "notice_preference"
    removed = await _removed(session, name, "person", person)
    rows[name] = rows.get(name, 0) + removed


async def _empty_applications(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> int:
    """Remove an account's applications; of approved ones that they were stays."""
    row = DoctorApplicationRecord
    approved = row.status == ApplicationStatus.APPROVED.value
    mine = row.account_id == account_id
    done = _count(await session.execute(delete(row).where(mine, ~approved)))
    for one in await session.scalars(select(row).where(mine)):
        one.content = emptied_content(keys, one.application_id)
        one.licence_i = secrets.token_urlsafe(32)
        one.reason = None
        done += 1
    return done


async def _remove_suspensions(session: AsyncSession, account_id: str) -> int:
    """Why the doctor is suspended at whatever clinic; the calendar stays suspended."""
    mine = (await session.scalars(suspended(account_id))).all()
    for one in mine:
        await session.delete(one)
    return len(mine)


async def _end_busy_times(session: AsyncSession, account_id: str, now: Millis) -> int:
    """Addresses are deleted; the worker gives their time back, then the rows go."""
    row = BusyCalendarRecord
    mine = update(row).where(row.account_id == account_id)
    ended = {"address": None, "account_id": "", "grant_id": "", "next_at": now}
    return _count(await session.execute(mine.values(ended)))


async def kept_of(
    session: AsyncSession, patient_id: str, account_id: str
) -> Sequence[KeptRows]:
    """What names the person's ids and stays; what there is none of is left out.

    It counts whole tables: not in the transaction that erases.
    """
    note, glass, entry = MedicalNoteRecord, GlassRecord, AuditEntryRecord
    paper = DocumentRecord
    client, invitation = ApiClientRecord, InvitationRecord
    member, consent = MembershipRecord, ConsentRecord
    request, application = PrivacyRequestRecord, DoctorApplicationRecord
    suspension = SuspensionRecord
    people = [one for one in (patient_id, account_id) if one]
    of_patient = consent.patient_id == patient_id
    found: list[tuple[str, ColumnElement[bool], str]] = [
        ("audit_entry", entry.actor.in_(people) | entry.person.in_(people), _TRAIL),
        (
            "privacy_request",
            request.patient_id.in_(people) | request.account_id.in_(people),
            KEPT["privacy_request"],
        ),
    ]
    if patient_id:
        found += [("consent", of_patient, KEPT["consent"])]
    if account_id:
        doctor = member.provider_id.is_not(None) & (member.provider_id != "")
        found += [
            ("membership", member.account_id == account_id, KEPT["membership"]),
            ("calendar", (member.account_id == account_id) & doctor, _CALENDARS),
            ("medical_note", note.author == account_id, _AUTHORSHIP),
            ("document", paper.author == account_id, _AUTHORSHIP),
            ("glass", glass.account_id == account_id, _EMERGENCIES),
            ("doctor_application", application.account_id == account_id, _LICENCES),
            ("api_client", client.created_by == account_id, _PROGRAMS),
            ("invitation", invitation.invited_by == account_id, _INVITED),
            ("suspension", suspension.suspended_by == account_id, _SUSPENDED),
        ]
    counted = [(what, await _number(session, which), why) for what, which, why in found]
    return [KeptRows(what, rows, why) for what, rows, why in counted if rows]


async def _number(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    return int(await session.scalar(select(func.count()).where(*which)) or 0)


async def _removed(session: AsyncSession, table: str, column: str, value: str) -> int:
    found = RecordBase.metadata.tables[table]
    return _count(await session.execute(delete(found).where(found.c[column] == value)))


def _count(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
