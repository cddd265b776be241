"""Memberships of clinics, and the invitations to them, over the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis, PatientId
from care.accounts.accounts import AccountStatus
from care.accounts.ids import AccountId
from care.grants.values import (
    GrantRefusal,
    GrantRefused,
    GuardianBasis,
    Guardianship,
    Invitation,
    Member,
    MemberRole,
)
from care.keys.sealing import Place
from care.notices.messages import Message
from persistence.accounts.models import (
    AccountRecord,
    GuardianshipRecord,
    MembershipRecord,
)
from persistence.accounts.rows import (
    email_index,
    email_place,
    hashed_secret,
    new_message_id,
    rows_changed,
)
from persistence.grants.models import ClinicOptionRecord, InvitationRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.outbox import queue_message
from persistence.sql.records import Records

LISTED_MAX: Final = 200
"""Invitations of a clinic that are listed."""


class SqlMemberships:
    """Implements ``care.grants.ports.Memberships``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[Member]:
        """See Memberships.of_clinic."""
        keys, row = await self._ring.of(), MembershipRecord
        query = (
            select(row, AccountRecord)
            .join(AccountRecord, AccountRecord.account_id == row.account_id)
            .where(row.clinic_id == clinic_id, row.ended_at.is_(None))
            .order_by(row.since, row.membership_id)
        )
        async with self._records.reading() as session:
            found = (await session.execute(query)).all()
        return [_member(keys, one, account) for one, account in found]

    async def end(
        self, clinic_id: ClinicId, membership_id: str, *, now: Millis
    ) -> Member:
        """See Memberships.end."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await _lock(session, clinic_id, membership_id)
            row.ended_at, row.ended_key = now, row.membership_id
            account = await session.get_one(AccountRecord, row.account_id)
        return _member(keys, row, account)

    async def change(
        self, clinic_id: ClinicId, membership_id: str, new: Member, *, now: Millis
    ) -> Member:
        """See Memberships.change."""
        keys = await self._ring.of()
        try:
            async with self._records.writing() as session:
                row = await _lock(session, clinic_id, membership_id)
                row.ended_at, row.ended_key = now, row.membership_id
                account = await session.get_one(AccountRecord, row.account_id)
                session.add(_row(new, now, row.account_id))
        except IntegrityError:
            raise GrantRefused(GrantRefusal.EXISTS) from None
        return _member(keys, row, account)


class SqlInvitations:
    """Implements ``care.grants.ports.Invitations``."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def send(
        self, invitation: Invitation, secret: str, message: Message, *, now: Millis
    ) -> None:
        """See Invitations.send."""
        keys = await self._ring.of()
        fields = {name: getattr(invitation, name) for name in _PLAIN}
        row = InvitationRecord(
            **fields,
            email=keys.seal(_place(invitation.invitation_id), invitation.email),
            email_i=email_index(keys, invitation.email),
            token_hash=hashed_secret(secret),
        )
        async with self._records.writing() as session:
            session.add(row)
            await queue_message(session, keys, new_message_id(), message, now)

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[Invitation]:
        """See Invitations.of_clinic."""
        keys, row = await self._ring.of(), InvitationRecord
        query = (
            select(row)
            .where(row.clinic_id == clinic_id)
            .order_by(row.created_at.desc(), row.invitation_id)
            .limit(LISTED_MAX)
        )
        async with self._records.reading() as session:
            return [_invitation(keys, one) for one in await session.scalars(query)]

    async def find(
        self, invitation_id: str, *, clinic_id: ClinicId
    ) -> Invitation | None:
        """See Invitations.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(InvitationRecord, invitation_id)
        if row is None or row.clinic_id != clinic_id:
            return None
        return _invitation(keys, row)

    async def resend(
        self, invitation: Invitation, secret: str, message: Message, *, now: Millis
    ) -> bool:
        """See Invitations.resend."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            done = await session.execute(
                _open(invitation.invitation_id, invitation.clinic_id).values(
                    token_hash=hashed_secret(secret), expires_at=invitation.expires_at
                )
            )
            if rows_changed(done) != 1:
                return False
            await queue_message(session, keys, new_message_id(), message, now)
        return True

    async def revoke(
        self, invitation_id: str, *, clinic_id: ClinicId, now: Millis
    ) -> bool:
        """See Invitations.revoke."""
        async with self._records.writing() as session:
            done = await session.execute(
                _open(invitation_id, clinic_id).values(revoked_at=now)
            )
        return rows_changed(done) == 1

    async def accept(
        self, secret: str, account_id: AccountId, grant_id: str, *, now: Millis
    ) -> Invitation:
        """See Invitations.accept."""
        keys, row = await self._ring.of(), InvitationRecord
        try:
            async with self._records.writing() as session:
                account = await session.get(AccountRecord, account_id)
                query = select(row).where(row.token_hash == hashed_secret(secret))
                found = (await session.scalars(query.with_for_update())).one_or_none()
                if (
                    found is None
                    or account is None
                    or account.status != AccountStatus.ACTIVE.value
                    or found.email_i != account.email_i
                    or found.used_at is not None
                    or found.revoked_at is not None
                    or found.expires_at <= now
                ):
                    raise GrantRefused(GrantRefusal.USED)
                found.used_at, found.used_by = now, account_id
                invitation = _invitation(keys, found)
                session.add(_granted(invitation, account_id, grant_id, now))
        except IntegrityError:
            raise GrantRefused(GrantRefusal.EXISTS) from None
        return invitation


class SqlClinicOptions:
    """Implements ``care.grants.ports.ClinicOptions``."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def of(self, clinic_id: ClinicId) -> Mapping[str, bool]:
        """See ClinicOptions.of."""
        row = ClinicOptionRecord
        query = select(row.name, row.is_on).where(row.clinic_id == clinic_id)
        async with self._records.reading() as session:
            return {one[0]: one[1] for one in await session.execute(query)}

    async def put(self, clinic_id: ClinicId, options: Mapping[str, bool]) -> None:
        """See ClinicOptions.put."""
        async with self._records.writing() as session:
            for name, is_on in sorted(options.items()):
                row = ClinicOptionRecord(clinic_id=clinic_id, name=name, is_on=is_on)
                await session.merge(row)


_PLAIN: Final = (
    "invitation_id",
    "clinic_id",
    "role",
    "provider_id",
    "patient_id",
    "scope",
    "basis",
    "invited_by",
    "created_at",
    "expires_at",
)
"""Fields of an invitation that are stored as they are."""


async def _lock(
    session: AsyncSession, clinic_id: ClinicId, membership_id: str
) -> MembershipRecord:
    """A membership in force. Raises GrantRefused: not there, or the last admin's."""
    row = MembershipRecord
    # All administrators' rows are locked: of two who remove each other one stays.
    admins = (
        await session.scalars(
            select(row)
            .where(
                row.clinic_id == clinic_id,
                row.role == MemberRole.CLINIC_ADMIN.value,
                row.ended_at.is_(None),
            )
            .order_by(row.membership_id)
            .with_for_update()
        )
    ).all()
    found = await session.get(row, membership_id, with_for_update=True)
    if found is None or found.clinic_id != clinic_id or found.ended_at is not None:
        raise GrantRefused(GrantRefusal.NOT_FOUND)
    if [one.membership_id for one in admins] == [membership_id]:
        raise GrantRefused(GrantRefusal.LAST_ADMIN)
    return found


def _open(invitation_id: str, clinic_id: ClinicId) -> Any:
    """An update of an invitation that was neither used nor taken back."""
    row = InvitationRecord
    return update(row).where(
        row.invitation_id == invitation_id,
        row.clinic_id == clinic_id,
        row.used_at.is_(None),
        row.revoked_at.is_(None),
    )


def _place(invitation_id: str) -> Place:
    return Place("invitation", "email", invitation_id)


def _invitation(keys: TenantKeys, row: InvitationRecord) -> Invitation:
    fields = {name: getattr(row, name) for name in _PLAIN}
    return Invitation(
        **fields,
        email=keys.open(_place(row.invitation_id), row.email),
        used_at=None if row.used_at is None else Millis(row.used_at),
        revoked_at=None if row.revoked_at is None else Millis(row.revoked_at),
    )


def _granted(
    invitation: Invitation, account_id: AccountId, grant_id: str, now: Millis
) -> MembershipRecord | GuardianshipRecord:
    if invitation.role == "guardian":
        return guardianship_row(
            Guardianship(
                grant_id,
                account_id,
                PatientId(invitation.patient_id),
                invitation.scope,
                GuardianBasis(invitation.basis),
                now,
            )
        )
    role = MemberRole(invitation.role)
    return _row(
        Member(
            grant_id,
            account_id,
            ClinicId(invitation.clinic_id),
            role,
            invitation.provider_id,
            "",
            now,
        ),
        now,
        account_id,
    )


def guardianship_row(one: Guardianship) -> GuardianshipRecord:
    """The row of a guardianship that begins."""
    return GuardianshipRecord(
        guardianship_id=one.guardianship_id,
        guardian=one.guardian,
        patient_id=one.patient_id,
        scope=one.scope,
        basis=one.basis.value,
        since=one.since,
        expires_at=one.expires_at,
        ended_key="",
    )


def _row(member: Member, now: Millis, account_id: str) -> MembershipRecord:
    return MembershipRecord(
        membership_id=member.membership_id,
        account_id=account_id,
        clinic_id=member.clinic_id,
        role=member.role.value,
        provider_id=member.provider_id or None,
        since=now,
        ended_key="",
    )


def _member(keys: TenantKeys, row: MembershipRecord, account: AccountRecord) -> Member:
    return Member(
        membership_id=row.membership_id,
        account_id=AccountId(row.account_id),
        clinic_id=ClinicId(row.clinic_id),
        role=MemberRole(row.role),
        provider_id=row.provider_id or "",
        email=keys.open(email_place(account.account_id), account.email),
        since=Millis(row.since),
    )
