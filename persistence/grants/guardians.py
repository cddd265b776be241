"""Guardianships and emergency accesses over the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis, PatientId
from care.accounts.ids import AccountId
from care.grants.values import (
    DEPENDANTS_MAX,
    SITE,
    Glass,
    GrantRefusal,
    GrantRefused,
    GuardianBasis,
    Guardianship,
    MemberRole,
    PlatformRole,
)
from care.keys.sealing import Place
from care.notices.messages import Message
from persistence.accounts.models import (
    AccountRecord,
    GlassRecord,
    GuardianshipRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
)
from persistence.accounts.rows import email_place, new_message_id
from persistence.grants.members import guardianship_row
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

LISTED_MAX: Final = 200
"""Accesses of one list."""
TOLD_MAX: Final = 20
"""Reviewers who get a mail of one emergency access."""


async def _count(session: AsyncSession, account_id: AccountId, now: Millis) -> int:
    row = GuardianshipRecord
    query = select(func.count()).where(
        row.guardian == account_id,
        row.ended_at.is_(None),
        or_(row.expires_at.is_(None), row.expires_at > now),
    )
    return int(await session.scalar(query) or 0)


class SqlGuardianships:
    """Implements ``care.grants.ports.Guardianships``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def of_patient(
        self, patient_id: PatientId, *, now: Millis
    ) -> Sequence[Guardianship]:
        """See Guardianships.of_patient."""
        row = GuardianshipRecord
        query = (
            select(row)
            .where(
                row.patient_id == patient_id,
                row.ended_at.is_(None),
                or_(row.expires_at.is_(None), row.expires_at > now),
            )
            .order_by(row.since, row.guardianship_id)
        )
        async with self._records.reading() as session:
            return [_guardianship(one) for one in await session.scalars(query)]

    async def count(self, account_id: AccountId, *, now: Millis) -> int:
        """See Guardianships.count."""
        async with self._records.reading() as session:
            return await _count(session, account_id, now)

    async def give(self, one: Guardianship, *, now: Millis) -> None:
        """See Guardianships.give."""
        try:
            async with self._records.writing() as session:
                # Its account is locked: of several at once each sees those before it.
                await session.get(AccountRecord, one.guardian, with_for_update=True)
                if await _count(session, one.guardian, now) >= DEPENDANTS_MAX:
                    raise GrantRefused(GrantRefusal.FULL)
                session.add(guardianship_row(replace(one, since=now)))
        except IntegrityError:
            raise GrantRefused(GrantRefusal.EXISTS) from None

    async def end(
        self, patient_id: PatientId, guardianship_id: str, why: str, *, now: Millis
    ) -> Guardianship:
        """See Guardianships.end."""
        row = GuardianshipRecord
        async with self._records.writing() as session:
            found = await session.get(row, guardianship_id, with_for_update=True)
            if (
                found is None
                or found.patient_id != patient_id
                or found.ended_at is not None
            ):
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            _end(found, why, now)
        return _guardianship(found)

    async def end_due(
        self, message: Message, *, now: Millis, limit: int
    ) -> Sequence[str]:
        """See Guardianships.end_due."""
        keys, row = await self._ring.of(), GuardianshipRecord
        query = (
            select(row)
            .where(row.expires_at <= now, row.ended_at.is_(None))
            .order_by(row.expires_at)
            .limit(limit)
            .with_for_update()
        )
        async with self._records.writing() as session:
            due = (await session.scalars(query)).all()
            for one in due:
                _end(one, "age", now)
                account = await session.get_one(AccountRecord, one.guardian)
                email = keys.open(email_place(account.account_id), account.email)
                told = replace(message, recipient=email)
                await queue_message(session, keys, new_message_id(), told, now)
        return [one.guardianship_id for one in due]


class SqlGlasses:
    """Implements ``care.grants.ports.Glasses``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def open(self, glass: Glass, alarm: Message) -> None:
        """See Glasses.open."""
        keys = await self._ring.of()
        row = GlassRecord(
            glass_id=glass.glass_id,
            account_id=glass.account_id,
            clinic_id=glass.clinic_id,
            patient_id=glass.patient_id,
            role=glass.role,
            subject=glass.subject,
            reason=keys.seal(_place(glass.glass_id), glass.reason),
            opened_at=glass.opened_at,
            until=glass.until,
        )
        async with self._records.writing() as session:
            if await session.get(PatientRecord, glass.patient_id) is None:
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            session.add(row)
            for account in await session.scalars(_reviewers(glass)):
                email = keys.open(email_place(account.account_id), account.email)
                told = replace(alarm, recipient=email)
                # A notice: mails that others caused must not hold an alarm back.
                await queue_message(
                    session,
                    keys,
                    new_message_id(),
                    told,
                    glass.opened_at,
                    is_notice=True,
                )

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[Glass]:
        """See Glasses.of_clinic."""
        row = GlassRecord
        order = (row.reviewed_at.is_not(None), row.opened_at.desc(), row.glass_id)
        keys = await self._ring.of()
        found = await self._listed(row.clinic_id == clinic_id, *order)
        async with self._records.reading() as session:
            return await _with_addresses(session, keys, found)

    async def of_patient(self, patient_id: PatientId) -> Sequence[Glass]:
        """See Glasses.of_patient."""
        row = GlassRecord
        order = (row.opened_at.desc(), row.glass_id)
        return await self._listed(row.patient_id == patient_id, *order)

    async def review(
        self,
        clinic_id: ClinicId,
        glass_id: str,
        reviewer: AccountId,
        verdict: str,
        *,
        now: Millis,
    ) -> Glass:
        """See Glasses.review."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await session.get(GlassRecord, glass_id, with_for_update=True)
            if row is None or row.clinic_id != clinic_id:
                raise GrantRefused(GrantRefusal.NOT_FOUND)
            if row.reviewed_at is not None or row.account_id == reviewer:
                raise GrantRefused(GrantRefusal.USED)
            row.reviewed_by, row.reviewed_at, row.verdict = reviewer, now, verdict
            (made,) = await _with_addresses(session, keys, [_glass(keys, row)])
        return made

    async def _listed(self, wanted: Any, *order: Any) -> list[Glass]:
        keys = await self._ring.of()
        query = select(GlassRecord).where(wanted).order_by(*order).limit(LISTED_MAX)
        async with self._records.reading() as session:
            return [_glass(keys, one) for one in await session.scalars(query)]


def _reviewers(glass: Glass) -> Select[AccountRecord]:
    """Administrators of the clinic, or the platform's auditors; never the breaker."""
    account, member, role = AccountRecord, MembershipRecord, PlatformRoleRecord
    if glass.clinic_id == SITE:
        ids = select(role.account_id).where(
            role.role == PlatformRole.AUDITOR.value, role.tenant == ""
        )
    else:
        ids = select(member.account_id).where(
            member.clinic_id == glass.clinic_id,
            member.role == MemberRole.CLINIC_ADMIN.value,
            member.ended_at.is_(None),
        )
    return (
        select(account)
        .where(account.account_id.in_(ids), account.account_id != glass.account_id)
        .order_by(account.account_id)
        .limit(TOLD_MAX)
    )


async def _with_addresses(
    session: AsyncSession, keys: TenantKeys, glasses: Sequence[Glass]
) -> list[Glass]:
    """The same, with the addresses of those who took and who reviewed them."""
    account = AccountRecord
    ids = {one.account_id for one in glasses} | {one.reviewed_by for one in glasses}
    rows = await session.scalars(select(account).where(account.account_id.in_(ids)))
    emails = {
        row.account_id: keys.open(email_place(row.account_id), row.email)
        for row in rows
    }
    return [
        replace(
            one,
            email=emails.get(one.account_id, ""),
            reviewer=emails.get(one.reviewed_by, ""),
        )
        for one in glasses
    ]


def _end(row: GuardianshipRecord, why: str, now: Millis) -> None:
    row.ended_at, row.ended_why, row.ended_key = now, why, row.guardianship_id


def _place(glass_id: str) -> Place:
    return Place("glass", "reason", glass_id)


def _guardianship(row: GuardianshipRecord) -> Guardianship:
    return Guardianship(
        guardianship_id=row.guardianship_id,
        guardian=AccountId(row.guardian),
        patient_id=PatientId(row.patient_id),
        scope=row.scope,
        basis=GuardianBasis(row.basis),
        since=Millis(row.since),
        expires_at=None if row.expires_at is None else Millis(row.expires_at),
    )


def _glass(keys: TenantKeys, row: GlassRecord) -> Glass:
    return Glass(
        glass_id=row.glass_id,
        account_id=AccountId(row.account_id),
        clinic_id=ClinicId(row.clinic_id),
        patient_id=PatientId(row.patient_id),
        role=row.role,
        subject=row.subject,
        reason=keys.open(_place(row.glass_id), row.reason),
        opened_at=Millis(row.opened_at),
        until=Millis(row.until),
        reviewed_by=row.reviewed_by or "",
        reviewed_at=None if row.reviewed_at is None else Millis(row.reviewed_at),
        verdict=row.verdict or "",
    )
