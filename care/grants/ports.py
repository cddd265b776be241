"""What stores of grants must do. Every method may raise Unavailable.

``GrantRefused`` says why something was not done; nothing is changed then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.domain.ids import ClinicId, Millis, PatientId, ProviderId
from care.accounts.ids import AccountId
from care.grants.values import (
    ApplicationStatus,
    DoctorApplication,
    FactorReset,
    Glass,
    Guardianship,
    Invitation,
    Member,
    PlatformAccount,
    PlatformRole,
    Suspension,
)
from care.notices.messages import Message


class Memberships(Protocol):
    """Who works at which clinic."""

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[Member]:
        """The members of a clinic, the oldest first."""
        ...

    async def end(
        self, clinic_id: ClinicId, membership_id: str, *, now: Millis
    ) -> Member:
        """End a membership. Raises GrantRefused: not there, or the last admin's."""
        ...

    async def change(
        self, clinic_id: ClinicId, membership_id: str, new: Member, *, now: Millis
    ) -> Member:
        """End a membership and begin ``new``, of the same account; returns the ended.

        Raises:
            GrantRefused: not there, the last admin's, or it has the new role already.
        """
        ...


class Invitations(Protocol):
    """Roles that are offered by mail."""

    async def send(
        self, invitation: Invitation, secret: str, message: Message, *, now: Millis
    ) -> None:
        """Store an invitation, and mail it."""
        ...

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[Invitation]:
        """A clinic's invitations, the newest first; at most 200."""
        ...

    async def find(
        self, invitation_id: str, *, clinic_id: ClinicId
    ) -> Invitation | None:
        """A clinic's invitation."""
        ...

    async def resend(
        self, invitation: Invitation, secret: str, message: Message, *, now: Millis
    ) -> bool:
        """Give an open invitation another secret and time; False if it is not open."""
        ...

    async def revoke(
        self, invitation_id: str, *, clinic_id: ClinicId, now: Millis
    ) -> bool:
        """Take an open invitation back; False if it is not open."""
        ...

    async def accept(
        self, secret: str, account_id: AccountId, grant_id: str, *, now: Millis
    ) -> Invitation:
        """Use an invitation, once: the account gets its role.

        Raises:
            GrantRefused: there is none, it was used or taken back, its time is up, it
                is for another address, or the account has the role.
        """
        ...


class Guardianships(Protocol):
    """Who acts for whom."""

    async def of_patient(
        self, patient_id: PatientId, *, now: Millis
    ) -> Sequence[Guardianship]:
        """Those in force, the oldest first."""
        ...

    async def count(self, account_id: AccountId, *, now: Millis) -> int:
        """How many of an account are in force."""
        ...

    async def give(self, one: Guardianship, *, now: Millis) -> None:
        """Begin one.

        Raises:
            GrantRefused: the account acts for the patient already, or for
                ``DEPENDANTS_MAX`` people.
        """
        ...

    async def end(
        self, patient_id: PatientId, guardianship_id: str, why: str, *, now: Millis
    ) -> Guardianship:
        """End one. Raises GrantRefused: it is not in force."""
        ...

    async def end_due(
        self, message: Message, *, now: Millis, limit: int
    ) -> Sequence[str]:
        """End those whose time is up, and mail their guardians; their ids."""
        ...


class Glasses(Protocol):
    """Emergency accesses (break-glass)."""

    async def open(self, glass: Glass, alarm: Message) -> None:
        """Store one, and mail ``alarm`` to those who may review it.

        Raises:
            GrantRefused: there is no such patient.
        """
        ...

    async def of_clinic(self, clinic_id: ClinicId) -> Sequence[Glass]:
        """Those of a clinic's people, not yet reviewed ones first; at most 200."""
        ...

    async def of_patient(self, patient_id: PatientId) -> Sequence[Glass]:
        """Those for a patient, the newest first; at most 200."""
        ...

    async def review(
        self,
        clinic_id: ClinicId,
        glass_id: str,
        reviewer: AccountId,
        verdict: str,
        *,
        now: Millis,
    ) -> Glass:
        """Note a review. Raises GrantRefused: not there, reviewed, or one's own."""
        ...


class Platform(Protocol):
    """Accounts and their platform roles, as administrators see them."""

    async def accounts(
        self, *, email: str, after: str, limit: int
    ) -> tuple[Sequence[PlatformAccount], str | None]:
        """A page by id, and the cursor of the next; with ``email`` that one."""
        ...

    async def account(self, account_id: AccountId) -> PlatformAccount | None:
        """One account."""
        ...

    async def disable(
        self, account_id: AccountId, by: AccountId, *, now: Millis
    ) -> PlatformAccount:
        """Disable an account. Raises GrantRefused: not there, or the last admin."""
        ...

    async def enable(self, account_id: AccountId) -> PlatformAccount:
        """Enable an account. Raises GrantRefused: not there."""
        ...

    async def reset_factors(
        self,
        account_id: AccountId,
        by: AccountId,
        *,
        asked: Message,
        done: Message,
        now: Millis,
    ) -> FactorReset:
        """Ask that an account's factors be removed, or complete what was asked.

        Another administrator completes it at once, the same one, or one who is new,
        after ``FACTOR_RESET_WAIT_MS``. The owner is told of either. A factor that was
        used since it was asked shows that it is not lost: then it is asked again.

        Raises:
            GrantRefused: there is no such account.
        """
        ...

    async def keep_factors(self, account_id: AccountId) -> None:
        """Forget what was asked about an account's factors."""
        ...

    async def grant(
        self,
        account_id: AccountId,
        role: PlatformRole,
        tenant: str,
        grant_id: str,
        *,
        now: Millis,
    ) -> None:
        """Give a platform role. Raises GrantRefused: no account, or it has it."""
        ...

    async def take(self, account_id: AccountId, role: PlatformRole, tenant: str) -> str:
        """Take a role back; the id of the grant. Raises GrantRefused."""
        ...


class DoctorApplications(Protocol):
    """Applications of doctors to clinics."""

    async def submit(self, one: DoctorApplication) -> None:
        """Store one; others may have applied with the same licence.

        Raises:
            GrantRefused: the account has applied there with it, or has too many open.
        """
        ...

    async def of_account(self, account_id: AccountId) -> Sequence[DoctorApplication]:
        """An account's own, the newest first; at most 200."""
        ...

    async def of_clinic(
        self, clinic_id: ClinicId | None, status: ApplicationStatus | None = None
    ) -> Sequence[DoctorApplication]:
        """A clinic's, open ones first, the oldest first; at most 200.

        Of all clinics, or of every status, where that is None.
        """
        ...

    async def find(
        self, application_id: str, *, clinic_id: ClinicId | None = None
    ) -> DoctorApplication | None:
        """An application; only one of this clinic if that is given."""
        ...

    async def check(self, application_id: str) -> None:
        """Return if an application could be approved.

        Raises:
            GrantRefused: it is not there or not open, its account is a doctor at the
                clinic, or its licence is that of a doctor with another account.
        """
        ...

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
        """End an open application; an approved one makes its account a doctor.

        Raises:
            GrantRefused: as ``check`` for an approval; else not there or not open.
        """
        ...


class Suspensions(Protocol):
    """Why providers are suspended, as long as they are."""

    async def put(self, one: Suspension, *, goes_on: bool = False) -> Millis:
        """Store one in the place of an earlier one of the provider; since when it is.

        ``goes_on``: the provider was suspended already. It is then since the earlier
        one, if there is one.
        """
        ...

    async def find(self, provider_id: ProviderId) -> Suspension | None:
        """A provider's."""
        ...

    async def remove(self, provider_id: ProviderId) -> None:
        """Forget a provider's; there need not be one."""
        ...


class ClinicOptions(Protocol):
    """What clinics have switched."""

    async def of(self, clinic_id: ClinicId) -> Mapping[str, bool]:
        """The options that a clinic has set."""
        ...

    async def put(self, clinic_id: ClinicId, options: Mapping[str, bool]) -> None:
        """Set options; others stay as they are."""
        ...


@dataclass(frozen=True, kw_only=True)
class GrantStores:
    """All stores of grants."""

    memberships: Memberships
    invitations: Invitations
    guardianships: Guardianships
    glasses: Glasses
    platform: Platform
    options: ClinicOptions
    applications: DoctorApplications
    suspensions: Suspensions
