"""What the records hold of a person, or of an account; in the clear.

Every statement names the patient, or the account: values of others are not in it.

One file because what an export holds is read in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import json, to_builtins
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import PatientId
from care.keys.sealing import Place
from care.notices.messages import SECRET_KINDS, Channel
from care.patients.documents.values import DocumentState
from persistence.accounts.factor_models import FactorRecord, FactorResetRecord
from persistence.accounts.factors import phones_of
from persistence.accounts.identity_models import IdentityRecord
from persistence.accounts.models import (
    AccountRecord,
    GlassRecord,
    GuardianshipRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
    SessionRecord,
)
from persistence.accounts.rows import email_place
from persistence.directory.busy.models import BusyCalendarRecord
from persistence.directory.leave.models import LeaveVisitRecord
from persistence.directory.reviews.models import ReviewRecord
from persistence.directory.reviews.store import review_of
from persistence.grants.applications import application_of
from persistence.grants.models import (
    DoctorApplicationRecord,
    InvitationRecord,
)
from persistence.grants.suspensions import suspended, suspension_of
from persistence.keys.ring import TenantKeys
from persistence.notices.outbox import messages_to, recipient_index
from persistence.patients.documents.models import DocumentRecord
from persistence.patients.documents.store import name_of
from persistence.patients.models import MedicalNoteRecord, PatientClinicRecord
from persistence.patients.series.models import SeriesRecord, SeriesVisitRecord
from persistence.patients.waiting_models import (
    SlotOfferRecord,
    WaitingEntryRecord,
    WaitingMoveRecord,
)
from persistence.privacy.models import ConsentRecord, PrivacyRequestRecord

EXPORT_ROWS_MAX: Final = 10_000
"""Rows of one table in an export."""
_OF_APPLICATION: Final = (
    "application_id",
    "clinic_id",
    "name",
    "specialty",
    "country",
    "licence",
    "registry",
    "documents",
    "status",
    "submitted_at",
    "decided_at",
    "reason",
)
"""Fields of an application; who decided about it is another person."""


async def exported_patient(
    session: AsyncSession, keys: TenantKeys, patient_id: PatientId
) -> Mapping[str, Any] | None:
    """All of a patient and of their account; None if there is no such person."""
    patient = await session.get(PatientRecord, patient_id)
    if patient is None:
        return None
    return {
        "patient": _patient(keys, patient),
        **await exported_account(session, keys, patient.account_id or ""),
        "clinics": await _clinics(session, keys, patient_id),
        "series": await _series(session, patient_id),
        "notes": await _notes(session, keys, patient),
        "documents": await _documents(session, keys, patient),
        "reviews": await _reviews(session, keys, patient),
        "consents": await _of_patient(session, ConsentRecord, patient_id),
        "requests": await _of_patient(session, PrivacyRequestRecord, patient_id),
        "waiting": await _of_patient(session, WaitingEntryRecord, patient_id),
        "waiting_moves": await _moves(session, keys, patient_id),
        "offers": await _of_patient(session, SlotOfferRecord, patient_id),
        "affected_by_leave": await _affected(session, patient_id),
    }


async def exported_account(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> Mapping[str, Any]:
    """What is held of an account, whatever its roles; nothing without one."""
    factor, ward, glass = FactorRecord, GuardianshipRecord, GlassRecord
    member, role, request = MembershipRecord, PlatformRoleRecord, PrivacyRequestRecord
    device, reset, busy = SessionRecord, FactorResetRecord, BusyCalendarRecord
    return {
        "account": await _account(session, keys, account_id),
        "identities": await _identities(session, keys, account_id),
        "factors": await _listed(
            session,
            (factor.kind, factor.label, factor.created_at, factor.used_at),
            factor.account_id == account_id,
        ),
        "factor_resets": await _listed(
            session, (reset.asked_at,), reset.account_id == account_id
        ),
        "memberships": await _listed(
            session,
            (
                member.clinic_id,
                member.role,
                member.provider_id,
                member.since,
                member.ended_at,
            ),
            member.account_id == account_id,
        ),
        "platform_roles": await _listed(
            session, (role.role, role.tenant, role.since), role.account_id == account_id
        ),
        "invitations": await _invitations(session, keys, account_id),
        "applications": await _applications(session, keys, account_id),
        "suspensions": await _suspensions(session, keys, account_id),
        # Without the addresses, which open the calendars to who reads this file.
        "busy_calendars": await _listed(
            session,
            (busy.provider_id, busy.set_at, busy.read_at),
            busy.account_id == account_id,
        ),
        "guardianships": await _listed(
            session,
            (
                ward.patient_id,
                ward.scope,
                ward.basis,
                ward.since,
                ward.expires_at,
                ward.ended_at,
            ),
            ward.guardian == account_id,
        ),
        "broken_glasses": await _listed(
            session,
            # Without the patient and the reason, which is about them.
            (glass.clinic_id, glass.role, glass.opened_at, glass.until, glass.verdict),
            glass.account_id == account_id,
        ),
        "messages": await _messages(session, keys, account_id),
        "devices": await _listed(
            session,
            (device.agent, device.created_at, device.active_at, device.ended_at),
            device.account_id == account_id,
        ),
        "account_requests": await _listed(
            session,
            (request.kind, request.asked_at, request.due_at, request.done_at),
            (request.account_id == account_id) & (request.account_id != ""),
        ),
    }


def _patient(keys: TenantKeys, row: PatientRecord) -> dict[str, Any]:
    profile: Any = {}
    if row.key_salt is not None and row.profile is not None:
        place = Place("patient", "profile", row.patient_id)
        profile = json.decode(keys.of_person(row.key_salt).open(place, row.profile))
    return {
        "patient_id": row.patient_id,
        "created_at": row.created_at,
        "restricted_at": row.restricted_at,
        "erased_at": row.erased_at,
        "profile": profile,
    }


async def _account(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> dict[str, Any]:
    row = await session.get(AccountRecord, account_id)
    if row is None:
        return {}
    return {
        "account_id": row.account_id,
        "email": keys.open(email_place(row.account_id), row.email),
        "email_verified_at": row.email_verified_at,
        "language": row.language,
        "created_at": row.created_at,
        "status": row.status,
    }


async def _identities(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> list[Any]:
    row, found = IdentityRecord, []
    query = select(row).where(row.account_id == account_id)
    for one in await session.scalars(query.order_by(row.linked_at)):
        label = keys.open(Place("identity", "label", one.identity_id), one.label)
        found.append(
            {
                "provider": one.provider,
                "issuer": one.issuer,
                "label": label,
                "linked_at": one.linked_at,
            }
        )
    return found


async def _clinics(
    session: AsyncSession, keys: TenantKeys, patient_id: str
) -> list[Any]:
    row, found = PatientClinicRecord, []
    for one in await session.scalars(select(row).where(row.patient_id == patient_id)):
        place = Place("patient_clinic", "number", f"{patient_id} {one.clinic_id}")
        number = keys.open(place, one.number) if one.number is not None else ""
        found.append(
            {
                "clinic_id": one.clinic_id,
                "number": number,
                "since": one.since,
                "until": one.until,
            }
        )
    return found


async def _notes(
    session: AsyncSession, keys: TenantKeys, patient: PatientRecord
) -> list[Any]:
    row, found = MedicalNoteRecord, []
    if patient.key_salt is None:
        return []
    person = keys.of_person(patient.key_salt)
    query = select(row).where(row.patient_id == patient.patient_id).order_by(row.at)
    for one in await session.scalars(query.limit(EXPORT_ROWS_MAX)):
        text = person.open(Place("medical_note", "body", one.note_id), one.body)
        found.append(
            {"at": one.at, "clinic_id": one.clinic_id, "kind": one.kind, "text": text}
        )
    return found


async def _documents(
    session: AsyncSession, keys: TenantKeys, patient: PatientRecord
) -> list[Any]:
    """The documents of a patient, and where the patient reads each file."""
    row, found = DocumentRecord, []
    if patient.key_salt is None:
        return []
    person = keys.of_person(patient.key_salt)
    query = select(row).where(row.patient_id == patient.patient_id)
    query = query.order_by(row.made_at, row.document_id).limit(EXPORT_ROWS_MAX)
    for one in await session.scalars(query):
        is_there = one.state == DocumentState.AVAILABLE.value
        found.append(
            {
                "made_at": one.made_at,
                "booking_id": one.booking_id,
                "clinic_id": one.clinic_id,
                "of_clinic": one.by_staff,
                "name": name_of(person, one),
                "kind": one.kind,
                "size": one.size,
                "state": one.state,
                "file": f"/v1/documents/{one.document_id}/content" if is_there else "",
            }
        )
    return found


async def _reviews(
    session: AsyncSession, keys: TenantKeys, patient: PatientRecord
) -> list[Any]:
    """What the patient said of visits, and what was answered."""
    row = ReviewRecord
    if patient.key_salt is None:
        return []
    person = keys.of_person(patient.key_salt)
    query = select(row).where(row.patient_id == patient.patient_id).order_by(row.at)
    found = await session.scalars(query.limit(EXPORT_ROWS_MAX))
    shown = [review_of(person, one) for one in found]
    return [
        {
            "at": one.at,
            "booking_id": one.booking_id,
            "rating": one.rating,
            "text": one.text,
            "state": one.state.value,
            "reason": one.why,
            "reply": one.reply,
        }
        for one in shown
    ]


async def _series(session: AsyncSession, patient_id: str) -> list[Any]:
    """Series of visits with their dates; visits themselves are exported as such."""
    row, date = SeriesRecord, SeriesVisitRecord
    columns = (
        *(row.series_id, row.provider_id, row.visit_type, row.rule, row.created_at),
        *(date.number, date.start_minute, date.state, date.code),
    )
    query = select(*columns).join(date, date.series_id == row.series_id)
    mine = query.where(row.patient_id == patient_id)
    ordered = mine.order_by(row.created_at, row.series_id, date.number)
    rows = (await session.execute(ordered.limit(EXPORT_ROWS_MAX))).all()
    return [dict(one._mapping) for one in rows]


async def _of_patient(session: AsyncSession, row: Any, patient_id: str) -> list[Any]:
    query = select(row.__table__).where(row.patient_id == patient_id)
    rows = (await session.execute(query.limit(EXPORT_ROWS_MAX))).all()
    return [dict(one._mapping) for one in rows]


async def _moves(session: AsyncSession, keys: TenantKeys, patient_id: str) -> list[Any]:
    """How staff changed the patient's place in waiting lists, and why."""
    row = WaitingMoveRecord
    query = select(row).where(row.patient_id == patient_id).order_by(row.at)
    return [
        {
            "entry_id": one.entry_id,
            "at": one.at,
            "prior": one.prior,
            "priority": one.priority,
            "reason": keys.open(
                Place("waiting_move", "reason", one.move_id), one.reason
            ),
        }
        for one in await session.scalars(query.limit(EXPORT_ROWS_MAX))
    ]


async def _affected(session: AsyncSession, patient_id: str) -> list[Any]:
    """Visits that a leave affected, and what became of them."""
    row = LeaveVisitRecord
    columns = (
        row.booking_id,
        row.start_minute,
        row.opened_at,
        row.outcome,
        row.resolved_at,
    )
    return await _listed(session, columns, row.patient_id == patient_id)


async def _invitations(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> list[Any]:
    """Roles that were offered to the account's address, or taken by it."""
    row, account = InvitationRecord, await session.get(AccountRecord, account_id)
    if account is None:
        return []
    mine = or_(row.email_i == account.email_i, row.used_by == account_id)
    query = select(row).where(mine).order_by(row.created_at, row.invitation_id)
    return [
        {
            "email": keys.open(Place("invitation", "email", o.invitation_id), o.email),
            "role": o.role,
            "clinic_id": o.clinic_id,
            "created_at": o.created_at,
            "expires_at": o.expires_at,
            "used_at": o.used_at,
            "revoked_at": o.revoked_at,
        }
        for o in await session.scalars(query.limit(EXPORT_ROWS_MAX))
    ]


async def _applications(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> list[Any]:
    row = DoctorApplicationRecord
    query = select(row).where(row.account_id == account_id).order_by(row.submitted_at)
    found = []
    for one in await session.scalars(query.limit(EXPORT_ROWS_MAX)):
        whole = to_builtins(application_of(keys, one))
        found.append({name: whole[name] for name in _OF_APPLICATION})
    return found


async def _suspensions(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> list[Any]:
    """Why the account's calendars are suspended; not by whom, another person."""
    query = suspended(account_id).limit(EXPORT_ROWS_MAX)
    found = [suspension_of(keys, one) for one in await session.scalars(query)]
    return [
        {
            "provider_id": one.provider_id,
            "clinic_id": one.clinic_id,
            "reason": one.reason,
            "since": one.since,
        }
        for one in found
    ]


async def _messages(
    session: AsyncSession, keys: TenantKeys, account_id: str
) -> list[Any]:
    """Messages to the account's address and phones, the oldest first.

    Of those with a link or a code that may still work the text is left out: who reads
    an export has not proved that the mailbox or the phone is theirs.
    """
    account = await session.get(AccountRecord, account_id)
    if account is None:
        return []
    email = keys.open(email_place(account_id), account.email)
    indexes = [recipient_index(keys, Channel.MAIL, email)]
    for phone in await phones_of(session, keys, account_id):
        indexes.append(recipient_index(keys, Channel.SMS, phone))
    sent = await messages_to(session, keys, indexes, limit=EXPORT_ROWS_MAX)
    return [
        {
            "at": one.created_at,
            "sent_at": one.sent_at,
            "channel": one.message.channel.value,
            "kind": one.message.kind,
            "subject": one.message.subject,
            "text": "" if one.message.kind in SECRET_KINDS else one.message.text,
        }
        for one in sent
    ]


async def _listed(
    session: AsyncSession, columns: tuple[Any, ...], which: Any
) -> list[Any]:
    """These columns of the rows that are the account's, the oldest first."""
    first = next(c for c in columns if c.key.endswith("_at") or c.key == "since")
    query = select(*columns).where(which).order_by(first).limit(EXPORT_ROWS_MAX)
    return [dict(one._mapping) for one in (await session.execute(query)).all()]
