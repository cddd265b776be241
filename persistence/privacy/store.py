"""Privacy over the records. Implements ``care.privacy.ports.Privacy``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import json, structs
from sqlalchemy import ColumnElement, insert, select, update

from actors.domain.ids import Millis, PatientId, ProviderId
from care.accounts.ids import AccountId
from care.audit.entries import SITE_TENANT, Draft
from care.grants.values import MemberRole
from care.privacy.requests import (
    DUE_MS,
    AccountHoldings,
    Consent,
    ErasureReport,
    PrivacyRequest,
    RequestKind,
)
from persistence.accounts.models import MembershipRecord, PatientRecord
from persistence.audit.pending import queue_entry
from persistence.keys.ring import KeyRing
from persistence.privacy.alone import without_administrators
from persistence.privacy.erasing import erase, erase_account, kept_of
from persistence.privacy.exporting import exported_account, exported_patient
from persistence.privacy.models import ConsentRecord, PrivacyRequestRecord
from persistence.sql.records import Records

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
        mine = (row.patient_id == patient_id, row.kind == kind.value)
        made = PrivacyRequest(
            request_id=_new_id(),
            patient_id=patient_id,
            kind=kind,
            asked_by=asked_by,
            asked_at=now,
            due_at=Millis(now + DUE_MS),
        )
        return await self._ask(made, mine, {})

    async def ask_about_account(
        self, account_id: AccountId, *, now: Millis
    ) -> PrivacyRequest:
        """See Privacy.ask_about_account."""
        row = PrivacyRequestRecord
        mine = (row.account_id == account_id, row.kind == RequestKind.ERASE.value)
        made = PrivacyRequest(
            request_id=_new_id(),
            patient_id=PatientId(""),
            kind=RequestKind.ERASE,
            asked_by=account_id,
            asked_at=now,
            due_at=Millis(now + DUE_MS),
            account_id=account_id,
        )
        return await self._ask(made, mine, {"account": account_id})

    async def _ask(
        self,
        made: PrivacyRequest,
        mine: tuple[ColumnElement[bool], ...],
        ids: Mapping[str, str],
    ) -> PrivacyRequest:
        """Store a request, unless one of these is open."""
        row = PrivacyRequestRecord
        still = select(row).where(*mine, row.done_at.is_(None))
        async with self._records.writing() as session:
            found = await session.scalar(still.order_by(row.asked_at).limit(1))
            if found is not None:
                return _request(found)
            values = structs.asdict(made) | {"kind": made.kind.value, "report": None}
            await session.execute(insert(row).values(**values))
            body = {"outcome": "asked", "request_id": made.request_id, **ids}
            action, by = f"ask_{made.kind.value}", made.asked_by
            await queue_entry(
                session,
                Draft(SITE_TENANT, made.asked_at, by, action, made.patient_id, body),
            )
        return made

    async def requests(self, patient_id: PatientId) -> Sequence[PrivacyRequest]:
        """See Privacy.requests."""
        row = PrivacyRequestRecord
        query = select(row).where(row.patient_id == patient_id)
        async with self._records.reading() as session:
            found = await session.scalars(query.order_by(row.asked_at.desc()))
            return [_request(one) for one in found]

    async def requests_of_account(
        self, account_id: AccountId
    ) -> Sequence[PrivacyRequest]:
        """See Privacy.requests_of_account."""
        row = PrivacyRequestRecord
        query = select(row).where(row.account_id == account_id)
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
            return await exported_patient(session, keys, patient_id)

    async def export_account(self, account_id: str) -> Mapping[str, Any]:
        """See Privacy.export_account."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            return await exported_account(session, keys, account_id)

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
            report = await erase(session, keys, patient_id, by, bookings, now)
        return await self._with_kept(report)

    async def holdings(self, account_id: AccountId) -> AccountHoldings:
        """See Privacy.holdings."""
        row, patient = MembershipRecord, PatientRecord
        doctors = (row.role == MemberRole.DOCTOR.value, row.ended_at.is_(None))
        mine = select(row.provider_id).where(row.account_id == account_id, *doctors)
        others = select(row.provider_id).where(row.account_id != account_id, *doctors)
        query = select(patient.patient_id).where(
            patient.account_id == account_id, patient.erased_at.is_(None)
        )
        async with self._records.reading() as session:
            own = set(await session.scalars(mine))
            shared = set(await session.scalars(others.where(row.provider_id.in_(own))))
            found = (await session.scalars(query)).one_or_none()
            alone = await without_administrators(session, account_id)
        return AccountHoldings(
            None if found is None else PatientId(found),
            [ProviderId(one) for one in sorted(filter(None, own - shared))],
            alone,
        )

    async def erase_account(
        self,
        account_id: AccountId,
        by: str,
        bookings: Mapping[str, int],
        *,
        now: Millis,
    ) -> ErasureReport:
        """See Privacy.erase_account."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            report = await erase_account(session, keys, account_id, by, bookings, now)
        return await self._with_kept(report)

    async def _with_kept(self, report: ErasureReport) -> ErasureReport:
        async with self._records.reading() as session:
            kept = await kept_of(session, report.patient_id, report.account_id)
        return structs.replace(report, kept=kept)


def _new_id() -> str:
    return f"req_{secrets.token_urlsafe(_ID_BYTES)}"


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
        row.account_id,
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
