"""Privacy over the records. Implements ``care.privacy.ports.Privacy``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import json, structs
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis, PatientId
from care.audit.entries import SITE_TENANT, Draft
from care.keys.sealing import Place
from care.privacy.requests import (
    DUE_MS,
    Consent,
    ErasureReport,
    PrivacyRequest,
    RequestKind,
)
from persistence.accounts.identity_models import IdentityRecord
from persistence.accounts.models import (
    AccountRecord,
    MembershipRecord,
    PatientRecord,
    SessionRecord,
)
from persistence.accounts.rows import email_place
from persistence.audit.pending import queue_entry
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.patients.models import MedicalNoteRecord, PatientClinicRecord
from persistence.privacy.erasing import erase
from persistence.privacy.models import ConsentRecord, PrivacyRequestRecord
from persistence.sql.records import Records

EXPORT_ROWS_MAX: Final = 10_000
"""Rows of one table in an export."""
_ID_BYTES: Final = 12


class SqlPrivacy:
    """Requests, consents, export and erasure of a site."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def ask(
        self, patient_id: PatientId, kind: RequestKind, asked_by: str, *, now: Millis
    ) -> PrivacyRequest:
        """See Privacy.ask."""
        row = PrivacyRequestRecord
        async with self._records.writing() as session:
            found = await session.scalar(
                select(row)
                .where(
                    row.patient_id == patient_id,
                    row.kind == kind.value,
                    row.done_at.is_(None),
                )
                .order_by(row.asked_at)
                .limit(1)
            )
            if found is not None:
                return _request(found)
            made = row(
                request_id=f"req_{secrets.token_urlsafe(_ID_BYTES)}",
                patient_id=patient_id,
                kind=kind.value,
                asked_by=asked_by,
                asked_at=now,
                due_at=now + DUE_MS,
            )
            session.add(made)
            body = {"outcome": "asked", "request_id": made.request_id}
            action = f"ask_{kind.value}"
            await queue_entry(
                session,
                Draft(SITE_TENANT, now, asked_by, action, patient_id, body),
            )
        return _request(made)

    async def requests(self, patient_id: PatientId) -> Sequence[PrivacyRequest]:
        """See Privacy.requests."""
        row = PrivacyRequestRecord
        query = select(row).where(row.patient_id == patient_id)
        async with self._records.reading() as session:
            found = await session.scalars(query.order_by(row.asked_at.desc()))
            return [_request(one) for one in found]

    async def open_requests(self, *, limit: int) -> Sequence[PrivacyRequest]:
        """See Privacy.open_requests."""
        row = PrivacyRequestRecord
        query = select(row).where(row.done_at.is_(None))
        async with self._records.reading() as session:
            found = await session.scalars(query.order_by(row.due_at).limit(limit))
            return [_request(one) for one in found]

    async def request(self, request_id: str) -> PrivacyRequest | None:
        """See Privacy.request."""
        async with self._records.reading() as session:
            found = await session.get(PrivacyRequestRecord, request_id)
        return None if found is None else _request(found)

    async def finish(
        self, request_id: str, report: Mapping[str, Any], *, now: Millis
    ) -> None:
        """See Privacy.finish."""
        row = PrivacyRequestRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(row.request_id == request_id, row.done_at.is_(None))
                .values(done_at=now, report=json.encode(report).decode())
            )

    async def consents(self, patient_id: PatientId) -> Sequence[Consent]:
        """See Privacy.consents."""
        row = ConsentRecord
        query = select(row).where(row.patient_id == patient_id).order_by(row.id)
        async with self._records.reading() as session:
            return [_consent(one) for one in await session.scalars(query)]

    async def record_consent(self, consent: Consent) -> None:
        """See Privacy.record_consent."""
        async with self._records.writing() as session:
            values = structs.asdict(consent)
            await session.execute(insert(ConsentRecord).values(**values))

    async def restrict(
        self, patient_id: PatientId, by: str, *, restricted: bool, now: Millis
    ) -> bool:
        """See Privacy.restrict."""
        async with self._records.writing() as session:
            row = await session.get(PatientRecord, patient_id, with_for_update=True)
            if row is None:
                return False
            row.restricted_at = (row.restricted_at or now) if restricted else None
            action = "restrict_person" if restricted else "lift_restriction"
            body = {"outcome": "done"}
            await queue_entry(
                session, Draft(SITE_TENANT, now, by, action, patient_id, body)
            )
        return True

    async def export(self, patient_id: PatientId) -> Mapping[str, Any] | None:
        """See Privacy.export."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            patient = await session.get(PatientRecord, patient_id)
            if patient is None:
                return None
            return {
                "patient": _patient(keys, patient),
                "account": await _account(session, keys, patient.account_id),
                "identities": await _identities(session, keys, patient.account_id),
                "memberships": await _memberships(session, patient.account_id),
                "devices": await _devices(session, patient.account_id),
                "clinics": await _clinics(session, keys, patient_id),
                "notes": await _notes(session, keys, patient),
                "consents": await _plain(session, ConsentRecord, patient_id),
                "requests": await _plain(session, PrivacyRequestRecord, patient_id),
            }

    async def export_account(self, account_id: str) -> Mapping[str, Any]:
        """See Privacy.export_account."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            return {
                "account": await _account(session, keys, account_id),
                "identities": await _identities(session, keys, account_id),
                "memberships": await _memberships(session, account_id),
                "devices": await _devices(session, account_id),
            }

    async def erase(
        self,
        patient_id: PatientId,
        by: str,
        bookings: Mapping[str, int],
        *,
        now: Millis,
    ) -> ErasureReport:
        """See Privacy.erase."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            return await erase(session, keys, patient_id, by, bookings, now)


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
    session: AsyncSession, keys: TenantKeys, account_id: str | None
) -> dict[str, Any]:
    row = await session.get(AccountRecord, account_id) if account_id else None
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
    session: AsyncSession, keys: TenantKeys, account_id: str | None
) -> list[Any]:
    row, found = IdentityRecord, []
    query = select(row).where(row.account_id == (account_id or ""))
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


async def _memberships(session: AsyncSession, account_id: str | None) -> list[Any]:
    row = MembershipRecord
    query = (
        select(row.clinic_id, row.role, row.provider_id, row.since, row.ended_at)
        .where(row.account_id == (account_id or ""))
        .order_by(row.since)
        .limit(EXPORT_ROWS_MAX)
    )
    return [dict(one._mapping) for one in (await session.execute(query)).all()]


async def _devices(session: AsyncSession, account_id: str | None) -> list[Any]:
    row = SessionRecord
    query = (
        select(row.agent, row.created_at, row.active_at, row.ended_at)
        .where(row.account_id == (account_id or ""))
        .order_by(row.created_at.desc())
        .limit(EXPORT_ROWS_MAX)
    )
    return [dict(one._mapping) for one in (await session.execute(query)).all()]


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


async def _plain(session: AsyncSession, row: Any, patient_id: str) -> list[Any]:
    query = select(row.__table__).where(row.patient_id == patient_id)
    rows = (await session.execute(query.limit(EXPORT_ROWS_MAX))).all()
    return [dict(one._mapping) for one in rows]


def _request(row: PrivacyRequestRecord) -> PrivacyRequest:
    return PrivacyRequest(
        row.request_id,
        PatientId(row.patient_id),
        RequestKind(row.kind),
        row.asked_by,
        Millis(row.asked_at),
        Millis(row.due_at),
        None if row.done_at is None else Millis(row.done_at),
        None if row.report is None else json.decode(row.report),
    )


def _consent(row: ConsentRecord) -> Consent:
    return Consent(
        PatientId(row.patient_id),
        row.purpose,
        row.given,
        Millis(row.at),
        row.channel,
        row.version,
        row.source,
    )
