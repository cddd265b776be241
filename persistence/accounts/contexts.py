"""What an account can act as: the rows that give it a role."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    literal_column,
    null,
    select,
    union_all,
)
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
    """What an account can act as, as a transaction sees it: as a patient first."""
    connection = await session.connection()
    return _contexts(await connection.execute(_ROWS, {"account": account_id}))


def contexts_at(connection: Connection, account_id: str) -> list[SignInContext]:
    """The same on a connection: one statement, since every refresh asks it."""
    return _contexts(connection.execute(_ROWS, {"account": account_id}))


def _contexts(rows: Iterable[Row[Any]]) -> list[SignInContext]:
    ordered = sorted(rows, key=lambda one: (one.part, one.since, one.grant_id))
    found = [_context(one) for one in ordered]
    held = {
        (one.role, one.subject)
        for one, row in zip(found, ordered, strict=True)
        if row.part < _GUARDIAN
    }
    return [
        one
        for one, row in zip(found, ordered, strict=True)
        # Emergency access ends with the role that it was taken in.
        if row.part < _GLASS or (one.role, one.subject) in held
    ]


def _context(row: Row[Any]) -> SignInContext:
    scopes: tuple[str, ...] = ()
    if row.part == _GUARDIAN:
        scopes = (row.scope,)
    elif row.part == _GLASS:
        scopes = (GLASS_SCOPE + row.scope,)
    return SignInContext(
        row.role,
        _platform_subject(row) if row.part == _PLATFORM else row.subject,
        row.grant_id,
        row.clinic_id,
        scopes,
        None if row.until is None else Millis(row.until),
    )


_PATIENT, _MEMBER, _PLATFORM, _GUARDIAN, _GLASS = range(5)
"""The parts of the statement, in the order of the contexts."""


def _part(
    number: int,
    role: ColumnElement[str],
    subject: ColumnElement[str],
    **more: ColumnElement[Any],
) -> Select[Any]:
    """One part: the columns that it has none for are empty."""
    empty: ColumnElement[Any] = literal_column("''")
    return select(
        literal_column(str(number)).label("part"),
        role.label("role"),
        subject.label("subject"),
        more.get("grant_id", empty).label("grant_id"),
        more.get("clinic_id", empty).label("clinic_id"),
        more.get("scope", empty).label("scope"),
        more.get("until", null()).label("until"),
        more.get("since", literal_column("0")).label("since"),
    )


def _rows() -> Any:
    account: Any = bindparam("account")
    patient, member = PatientRecord.__table__.c, MembershipRecord.__table__.c
    platform, ward = PlatformRoleRecord.__table__.c, GuardianshipRecord.__table__.c
    # Those whose time is up may be among them: the newest.
    glasses: Any = (
        select(GlassRecord.__table__)
        .where(GlassRecord.account_id == account)
        .order_by(GlassRecord.until.desc())
        .limit(GLASSES_MAX)
        .subquery()
    )
    glass = glasses.c
    return union_all(
        _part(_PATIENT, literal_column("'patient'"), patient.patient_id).where(
            patient.account_id == account
        ),
        _part(
            _MEMBER,
            member.role,
            func.coalesce(member.provider_id, member.clinic_id),
            grant_id=member.membership_id,
            clinic_id=member.clinic_id,
            since=member.since,
        ).where(member.account_id == account, member.ended_at.is_(None)),
        _part(
            _PLATFORM,
            platform.role,
            platform.account_id,
            grant_id=platform.grant_id,
            scope=platform.tenant,
        ).where(platform.account_id == account),
        _part(
            _GUARDIAN,
            literal_column("'guardian'"),
            ward.patient_id,
            grant_id=ward.guardianship_id,
            scope=ward.scope,
            until=ward.expires_at,
            since=ward.since,
        ).where(ward.guardian == account, ward.ended_at.is_(None)),
        _part(
            _GLASS,
            glass.role,
            glass.subject,
            grant_id=glass.glass_id,
            clinic_id=glass.clinic_id,
            scope=glass.patient_id,
            until=glass.until,
            since=-glass.until,
        ),
    )


_ROWS: Final = _rows()


def _platform_subject(row: Row[Any]) -> str:
    """An auditor's is their tenant."""
    return (row.scope or SITE) if row.role == "auditor" else str(row.subject)
