"""Applications of doctors over the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, json
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from actors.domain.ids import ClinicId, Millis
from care.grants.values import (
    ApplicationStatus,
    DoctorApplication,
    GrantRefusal,
    GrantRefused,
    MemberRole,
)
from care.keys.sealing import Place
from care.people.ids import AccountId
from persistence.accounts.models import MembershipRecord
from persistence.grants.models import DoctorApplicationRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.records import Records

LISTED_MAX: Final = 200


class _Content(Struct, frozen=True):
    name: str
    specialty: str
    licence: str
    documents: tuple[str, ...]


class SqlDoctorApplications:
    """Implements ``care.grants.ports.DoctorApplications``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def submit(self, one: DoctorApplication) -> None:
        """See DoctorApplications.submit."""
        keys = await self._ring.of()
        content = _Content(one.name, one.specialty, one.licence, one.documents)
        place = _place("content", one.application_id)
        row = DoctorApplicationRecord(
            application_id=one.application_id,
            account_id=one.account_id,
            clinic_id=one.clinic_id,
            provider_id=one.provider_id,
            status=one.status.value,
            country=one.country,
            licence_i=keys.index("licence", one.licence.casefold()),
            content=keys.seal(place, json.encode(content).decode()),
            submitted_at=one.submitted_at,
            decided_by="",
            ended_key="",
        )
        try:
            async with self._records.writing() as session:
                session.add(row)
        except IntegrityError:
            raise GrantRefused(GrantRefusal.EXISTS) from None

    async def of_account(self, account_id: AccountId) -> Sequence[DoctorApplication]:
        """See DoctorApplications.of_account."""
        row = DoctorApplicationRecord
        order = (row.submitted_at.desc(), row.application_id)
        return await self._listed(row.account_id == account_id, *order)

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[DoctorApplication]:
        """See DoctorApplications.of_clinic."""
        row = DoctorApplicationRecord
        order = (row.ended_key != "", row.submitted_at, row.application_id)
        return await self._listed(row.clinic_id == clinic_id, *order)

    async def find(
        self, application_id: str, *, clinic_id: ClinicId
    ) -> DoctorApplication | None:
        """See DoctorApplications.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(DoctorApplicationRecord, application_id)
        if row is None or row.clinic_id != clinic_id:
            return None
        return _application(keys, row)

    async def decide(
        self,
        application_id: str,
        status: ApplicationStatus,
        *,
        by: AccountId,
        reason: str,
        membership_id: str,
        now: Millis,
    ) -> DoctorApplication:
        """See DoctorApplications.decide."""
        keys = await self._ring.of()
        try:
            async with self._records.writing() as session:
                row = await session.get(
                    DoctorApplicationRecord, application_id, with_for_update=True
                )
                if row is None:
                    raise GrantRefused(GrantRefusal.NOT_FOUND)
                if row.status != ApplicationStatus.SUBMITTED.value:
                    raise GrantRefused(GrantRefusal.USED)
                row.status, row.decided_by, row.decided_at = status.value, by, now
                row.ended_key = row.application_id
                if reason:
                    row.reason = keys.seal(_place("reason", application_id), reason)
                if status is ApplicationStatus.APPROVED:
                    session.add(
                        MembershipRecord(
                            membership_id=membership_id,
                            account_id=row.account_id,
                            clinic_id=row.clinic_id,
                            role=MemberRole.DOCTOR.value,
                            provider_id=row.provider_id,
                            since=now,
                            ended_key="",
                        )
                    )
        except IntegrityError:
            raise GrantRefused(GrantRefusal.EXISTS) from None
        return _application(keys, row)

    async def _listed(self, wanted: Any, *order: Any) -> list[DoctorApplication]:
        keys, row = await self._ring.of(), DoctorApplicationRecord
        query = select(row).where(wanted).order_by(*order).limit(LISTED_MAX)
        async with self._records.reading() as session:
            return [_application(keys, one) for one in await session.scalars(query)]


def _place(column: str, application_id: str) -> Place:
    return Place("doctor_application", column, application_id)


def _application(keys: TenantKeys, row: DoctorApplicationRecord) -> DoctorApplication:
    text = keys.open(_place("content", row.application_id), row.content)
    content = json.decode(text, type=_Content)
    reason = ""
    if row.reason is not None:
        reason = keys.open(_place("reason", row.application_id), row.reason)
    return DoctorApplication(
        application_id=row.application_id,
        account_id=AccountId(row.account_id),
        clinic_id=ClinicId(row.clinic_id),
        provider_id=row.provider_id,
        name=content.name,
        specialty=content.specialty,
        country=row.country,
        licence=content.licence,
        documents=content.documents,
        status=ApplicationStatus(row.status),
        submitted_at=Millis(row.submitted_at),
        decided_by=row.decided_by,
        decided_at=None if row.decided_at is None else Millis(row.decided_at),
        reason=reason,
    )
