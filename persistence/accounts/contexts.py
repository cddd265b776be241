"""What an account can act as: the rows that give it a role."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.accounts.accounts import GLASS_SCOPE, SignInContext
from care.grants.values import SITE
from care.keys.sealing import SALT_BYTES
from persistence.accounts.models import (
    GlassRecord,
    GuardianshipRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
)

GLASSES_MAX: Final = 20
"""Of one account: the newest, which are over after half an hour."""


def patient_row(patient_id: str, account_id: str, now: Millis) -> PatientRecord:
    """The row of a patient who signs in with this account."""
    return PatientRecord(
        patient_id=patient_id,
        account_id=account_id,
        key_salt=secrets.token_bytes(SALT_BYTES),
        created_by=account_id,
        created_at=now,
    )


def role_row(
    account_id: str, context: SignInContext, now: Millis
) -> PatientRecord | MembershipRecord | PlatformRoleRecord:
    """The row that gives an account this context."""
    if context.role == "patient":
        return patient_row(context.subject, account_id, now)
    if not context.clinic_id:
        return PlatformRoleRecord(
            account_id=account_id,
            role=context.role,
            tenant="",
            grant_id=context.grant,
            since=now,
        )
    return MembershipRecord(
        membership_id=context.grant,
        account_id=account_id,
        clinic_id=context.clinic_id,
        role=context.role,
        provider_id=context.subject if context.role == "doctor" else None,
        since=now,
    )


async def contexts_of(session: AsyncSession, account_id: str) -> list[SignInContext]:
    """What an account can act as: as a patient first."""
    patient = select(PatientRecord.patient_id).where(
        PatientRecord.account_id == account_id
    )
    member = (
        select(MembershipRecord)
        .where(
            MembershipRecord.account_id == account_id,
            MembershipRecord.ended_at.is_(None),
        )
        .order_by(MembershipRecord.since, MembershipRecord.membership_id)
    )
    platform = select(PlatformRoleRecord).where(
        PlatformRoleRecord.account_id == account_id
    )
    found = [SignInContext("patient", one) for one in await session.scalars(patient)]
    found += [
        SignInContext(
            one.role, one.provider_id or one.clinic_id, one.membership_id, one.clinic_id
        )
        for one in await session.scalars(member)
    ]
    found += [
        SignInContext(one.role, _platform_subject(one), one.grant_id)
        for one in await session.scalars(platform)
    ]
    held = {(one.role, one.subject) for one in found}
    return [
        *found,
        *(
            one
            for one in await _lent(session, account_id)
            # It ends with the role that it was taken in.
            if one.role == "guardian" or (one.role, one.subject) in held
        ),
    ]


def _platform_subject(role: PlatformRoleRecord) -> str:
    """An auditor's is their tenant."""
    if role.role == "auditor":
        return role.tenant or SITE
    return role.account_id


async def _lent(session: AsyncSession, account_id: str) -> list[SignInContext]:
    """What is another person's: dependants, and patients under emergency access.

    Those whose time is up may be among them, the newest accesses.
    """
    ward, glass = GuardianshipRecord, GlassRecord
    wards = (
        select(ward)
        .where(ward.guardian == account_id, ward.ended_at.is_(None))
        .order_by(ward.since, ward.guardianship_id)
    )
    glasses = (
        select(glass)
        .where(glass.account_id == account_id)
        .order_by(glass.until.desc())
        .limit(GLASSES_MAX)
    )
    lent = [
        SignInContext(
            "guardian",
            one.patient_id,
            one.guardianship_id,
            scopes=(one.scope,),
            until=None if one.expires_at is None else Millis(one.expires_at),
        )
        for one in await session.scalars(wards)
    ]
    return lent + [
        SignInContext(
            one.role,
            one.subject,
            one.glass_id,
            one.clinic_id,
            (GLASS_SCOPE + one.patient_id,),
            Millis(one.until),
        )
        for one in await session.scalars(glasses)
    ]
