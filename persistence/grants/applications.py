"""Applications of doctors over the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, json
from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis
from care.accounts.ids import AccountId
from care.grants.licences import compared_licence
from care.grants.values import (
    OPEN_APPLICATIONS_MAX,
    ApplicationStatus,
    DoctorApplication,
    GrantRefusal,
    GrantRefused,
    MemberRole,
)
from care.keys.sealing import Place
from persistence.accounts.models import AccountRecord, MembershipRecord
from persistence.grants.models import DoctorApplicationRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.records import Records

LISTED_MAX: Final = 200


class _Content(Struct, frozen=True):
    name: str
    specialty: str
    licence: str
    documents: tuple[str, ...]
    registry: str = ""


class SqlDoctorApplications:
    """Implements ``care.grants.ports.DoctorApplications``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def submit(self, one: DoctorApplication) -> None:
        """See DoctorApplications.submit."""
        keys = await self._ring.of()
        content = _Content(
            one.name, one.specialty, one.licence, one.documents, one.registry
        )
        place = _place("content", one.application_id)
        row = DoctorApplicationRecord(
            application_id=one.application_id,
            account_id=one.account_id,
            clinic_id=one.clinic_id,
            provider_id=one.provider_id,
            status=one.status.value,
            country=one.country,
            licence_i=_licence_index(keys, one.licence, one.registry),
            content=keys.seal(place, json.encode(content).decode()),
            submitted_at=one.submitted_at,
            decided_by="",
            # Never equal: a licence is anyone's to write down until it is approved.
            ended_key=one.application_id,
        )
        async with self._records.writing() as session:
            # Its account is locked: of requests at one time each sees those before it.
            await session.get(AccountRecord, one.account_id, with_for_update=True)
            await _check_open(session, row)
            session.add(row)

    async def of_account(self, account_id: AccountId) -> Sequence[DoctorApplication]:
        """See DoctorApplications.of_account."""
        row = DoctorApplicationRecord
        order = (row.submitted_at.desc(), row.application_id)
        return await self._listed(row.account_id == account_id, *order)

    async def of_clinic(
        self, clinic_id: ClinicId | None, status: ApplicationStatus | None = None
    ) -> Sequence[DoctorApplication]:
        """See DoctorApplications.of_clinic."""
        row = DoctorApplicationRecord
        decided = row.status != ApplicationStatus.SUBMITTED.value
        order = (decided, row.submitted_at, row.application_id)
        wanted: list[ColumnElement[bool]] = []
        if clinic_id is not None:
            wanted.append(row.clinic_id == clinic_id)
        if status is not None:
            wanted.append(row.status == status.value)
        return await self._listed(and_(true(), *wanted), *order)

    async def find(
        self, application_id: str, *, clinic_id: ClinicId | None = None
    ) -> DoctorApplication | None:
        """See DoctorApplications.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(DoctorApplicationRecord, application_id)
        if row is None or clinic_id not in (None, row.clinic_id):
            return None
        return application_of(keys, row)

    async def check(self, application_id: str) -> None:
        """See DoctorApplications.check."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(DoctorApplicationRecord, application_id)
            await _check_approval(session, keys, _open(row))

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
        keys, is_approved = await self._ring.of(), status is ApplicationStatus.APPROVED
        try:
            async with self._records.writing() as session:
                if is_approved:
                    await _lock_licence(session, keys, application_id)
                row = _open(
                    await session.get(
                        DoctorApplicationRecord,
                        application_id,
                        with_for_update=True,
                        populate_existing=True,
                    )
                )
                if is_approved:
                    await _check_approval(session, keys, row)
                row.status, row.decided_by, row.decided_at = status.value, by, now
                row.ended_key = row.application_id
                if reason:
                    row.reason = keys.seal(_place("reason", application_id), reason)
                if is_approved:
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
        return application_of(keys, row)

    async def _listed(self, wanted: Any, *order: Any) -> list[DoctorApplication]:
        keys, row = await self._ring.of(), DoctorApplicationRecord
        query = select(row).where(wanted).order_by(*order).limit(LISTED_MAX)
        async with self._records.reading() as session:
            return [application_of(keys, one) for one in await session.scalars(query)]


def _open(row: DoctorApplicationRecord | None) -> DoctorApplicationRecord:
    if row is None:
        raise GrantRefused(GrantRefusal.NOT_FOUND)
    if row.status != ApplicationStatus.SUBMITTED.value:
        raise GrantRefused(GrantRefusal.USED)
    return row


async def _check_open(session: AsyncSession, new: DoctorApplicationRecord) -> None:
    row = DoctorApplicationRecord
    query = select(row).where(
        row.account_id == new.account_id,
        row.status == ApplicationStatus.SUBMITTED.value,
    )
    mine = (await session.scalars(query)).all()
    what = (new.clinic_id, new.country, new.licence_i)
    if what in {(one.clinic_id, one.country, one.licence_i) for one in mine}:
        raise GrantRefused(GrantRefusal.EXISTS)
    if len(mine) >= OPEN_APPLICATIONS_MAX:
        raise GrantRefused(GrantRefusal.FULL)


async def _lock_licence(
    session: AsyncSession, keys: TenantKeys, application_id: str
) -> None:
    """Lock all applications with the licence of this one: before the one itself.

    Of approvals of one licence at one time, each then sees those before it. If each
    locked its own first, they would wait for each other, and a server ends one.
    """
    row = DoctorApplicationRecord
    wanted = await session.get(row, application_id)
    if wanted is not None:
        query = select(row.application_id).where(*_of_licence(keys, wanted))
        await session.execute(query.order_by(row.application_id).with_for_update())


def _of_licence(
    keys: TenantKeys, one: DoctorApplicationRecord
) -> tuple[ColumnElement[bool], ...]:
    """Which applications are with the licence of this one."""
    row = DoctorApplicationRecord
    # Rows of versions that compared less have an index of the text as it was written.
    written = application_of(keys, one).licence.casefold()
    indexes = (one.licence_i, keys.index("licence", written))
    return row.country == one.country, row.licence_i.in_(indexes)


async def _check_approval(
    session: AsyncSession, keys: TenantKeys, one: DoctorApplicationRecord
) -> None:
    """Whether this application may be approved. Raises GrantRefused."""
    row, member = DoctorApplicationRecord, MembershipRecord
    query = select(row.provider_id).where(
        *_of_licence(keys, one),
        row.status == ApplicationStatus.APPROVED.value,
        row.account_id != one.account_id,
    )
    approved = (await session.scalars(query)).all()
    doctors = select(member.membership_id).where(
        member.role == MemberRole.DOCTOR.value, member.ended_at.is_(None)
    )
    its_own = (member.account_id == one.account_id, member.clinic_id == one.clinic_id)
    if (await session.scalars(doctors.where(*its_own).limit(1))).first():
        raise GrantRefused(GrantRefusal.EXISTS)
    others = doctors.where(member.provider_id.in_(approved)).limit(1)
    if approved and (await session.scalars(others)).first():
        raise GrantRefused(GrantRefusal.TAKEN)


def _place(column: str, application_id: str) -> Place:
    return Place("doctor_application", column, application_id)


def _licence_index(keys: TenantKeys, licence: str, registry: str) -> str:
    return keys.index("licence", compared_licence(licence, registry))


def emptied_content(keys: TenantKeys, application_id: str) -> bytes:
    """What stands for the content of an erased doctor's application."""
    nothing = json.encode(_Content("", "", "", ())).decode()
    return keys.seal(_place("content", application_id), nothing)


def application_of(keys: TenantKeys, row: DoctorApplicationRecord) -> DoctorApplication:
    """The value of a row."""
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
        registry=content.registry,
    )
