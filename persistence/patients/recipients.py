"""Whom to tell of patients' visits, and of whom nothing is left to tell.

Read from accounts, profiles and choices.

A patient is told themself. One who does not sign in and has no address of their own,
such as a child, is told through their guardians. Of a patient whose data's use is
restricted, or who was erased, no message tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import AccountStatus
from care.notices.kinds import Preferences
from care.notices.people import Recipient
from persistence.accounts.models import (
    AccountRecord,
    GuardianshipRecord,
    PatientRecord,
    SessionRecord,
)
from persistence.accounts.rows import email_place
from persistence.keys.ring import TenantKeys
from persistence.notices.choices import preferences_of
from persistence.notices.models import PushSubscriptionRecord
from persistence.patients.store import patient_of
from persistence.sql.statements import portions


async def recipients_of(
    session: AsyncSession, keys: TenantKeys, patient_ids: Iterable[str], now: Millis
) -> Mapping[str, Sequence[Recipient]]:
    """Whom to tell of each patient's visits; some patients have no recipient."""
    wanted = sorted(set(patient_ids))
    row = PatientRecord
    rows = (await session.scalars(select(row).where(row.patient_id.in_(wanted)))).all()
    patients = [
        one for one in rows if one.restricted_at is None and one.erased_at is None
    ]
    guardians = await _guardians(session, patients, now)
    accounts = await _accounts(
        session, keys, [one.account_id for one in patients if one.account_id], guardians
    )
    people = [one.patient_id for one in patients]
    people += [one for found in guardians.values() for one in found]
    chosen = await preferences_of(session, people)
    pushes = await _pushes(session, list(accounts))
    found: dict[str, Sequence[Recipient]] = {}
    for one in patients:
        own = _own(keys, one, accounts, chosen)
        own = replace(own, pushes=pushes.get(one.account_id or "", ()))
        if own.email or own.phone:
            found[one.patient_id] = [own]
            continue
        profile = patient_of(keys, one).profile
        others = (accounts.get(account) for account in guardians[one.patient_id])
        found[one.patient_id] = [
            Recipient(
                person=other.account_id,
                patient_id=PatientId(one.patient_id),
                of_whom=profile.given_name or profile.name,
                email=keys.open(email_place(other.account_id), other.email),
                language=other.language,
                preferences=chosen.get(other.account_id, Preferences()),
                pushes=pushes.get(other.account_id, ()),
            )
            for other in others
            if other is not None
        ]
    return {patient: told for patient, told in found.items() if told}


async def was_erased(session: AsyncSession, person: str, *, lock: bool) -> bool:
    """Whether a person, a patient or an account, was erased.

    ``lock``: until the transaction's end, none is erased meanwhile. Ids that no row
    has are those of demo tokens: these were not erased.
    """
    patient, account = PatientRecord, AccountRecord
    erased_at = select(patient.erased_at).where(patient.patient_id == person)
    status = select(account.status).where(account.account_id == person)
    if lock:  # for sharing: a person's choices lock themselves
        erased_at = erased_at.with_for_update(read=True)
        status = status.with_for_update(read=True)
    if await session.scalar(erased_at) is not None:
        return True
    return await session.scalar(status) == AccountStatus.ERASED.value


async def erased_of(
    session: AsyncSession, patient_ids: Iterable[str]
) -> frozenset[str]:
    """Which of these patients were erased; of the others none is meanwhile."""
    row, wanted = PatientRecord, sorted(set(patient_ids))
    found = set[str]()
    for part in portions(wanted):
        query = select(row.patient_id, row.erased_at).where(row.patient_id.in_(part))
        query = query.order_by(row.patient_id).with_for_update(read=True)
        for patient_id, erased_at in await session.execute(query):
            if erased_at is not None:
                found.add(patient_id)
    return frozenset(found)


async def is_signed_in(session: AsyncSession, session_id: str) -> bool:
    """Whether a session goes on: it was neither signed out nor ended otherwise."""
    row = SessionRecord
    alive = (row.session_id == session_id, row.ended_at.is_(None))
    return await session.scalar(select(row.session_id).where(*alive)) is not None


async def _pushes(
    session: AsyncSession, accounts: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    """The browsers of accounts that show notices, of sessions that go on."""
    row, device = PushSubscriptionRecord, SessionRecord
    if not accounts:
        return {}
    query = (
        select(row.account_id, row.subscription_id)
        .join(device, device.session_id == row.session_id)
        .where(row.account_id.in_(sorted(accounts)), device.ended_at.is_(None))
        .order_by(row.subscription_id)
    )
    found: dict[str, tuple[str, ...]] = {}
    for account, one in await session.execute(query):
        found[account] = (*found.get(account, ()), one)
    return found


def _own(
    keys: TenantKeys,
    row: PatientRecord,
    accounts: Mapping[str, AccountRecord],
    chosen: Mapping[str, Preferences],
) -> Recipient:
    profile = patient_of(keys, row).profile
    account = accounts.get(row.account_id or "")
    email, language = profile.email, profile.language
    if account is not None:
        # The account's address is confirmed; what stands in a profile is not.
        email = keys.open(email_place(account.account_id), account.email)
        language = language or account.language
    return Recipient(
        person=row.patient_id,
        patient_id=PatientId(row.patient_id),
        name=profile.name,
        email=email,
        phone=profile.phone,
        language=language,
        preferences=chosen.get(row.patient_id, Preferences()),
    )


async def _guardians(
    session: AsyncSession, patients: Sequence[PatientRecord], now: Millis
) -> Mapping[str, Sequence[str]]:
    row = GuardianshipRecord
    alone = [one.patient_id for one in patients if one.account_id is None]
    found: dict[str, list[str]] = defaultdict(list)
    if not alone:
        return found
    query = (
        select(row.patient_id, row.guardian)
        .where(
            row.patient_id.in_(alone),
            row.ended_at.is_(None),
            or_(row.expires_at.is_(None), row.expires_at > now),
        )
        .order_by(row.guardian)
    )
    for patient_id, guardian in await session.execute(query):
        found[patient_id].append(guardian)
    return found


async def _accounts(
    session: AsyncSession,
    keys: TenantKeys,
    own: Sequence[str],
    guardians: Mapping[str, Sequence[str]],
) -> Mapping[str, AccountRecord]:
    ids = {*own, *(one for some in guardians.values() for one in some)}
    if not ids:
        return {}
    row = AccountRecord
    query = select(row).where(
        row.account_id.in_(sorted(ids)), row.status == AccountStatus.ACTIVE.value
    )
    return {one.account_id: one for one in await session.scalars(query)}
