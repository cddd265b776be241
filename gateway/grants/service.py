"""Invitations, memberships, guardianships, emergency access: what the routes share.

One file because each method is one change of a grant, and all end in the same audit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from actors.domain.ids import ClinicId, Millis, PatientId, ProviderId
from actors.ports import Clock
from care.accounts.ids import AccountId
from care.audit.entries import SITE_TENANT
from care.grants.ports import GrantStores
from care.grants.values import (
    DEPENDANTS_MAX,
    GLASS_MS,
    INVITATION_MS,
    SITE,
    Glass,
    GrantRefusal,
    GrantRefused,
    GuardianBasis,
    Guardianship,
    Invitation,
    Member,
    MemberRole,
)
from care.notices.messages import Message
from care.patients.ports import NewPatient, Patients
from care.patients.profiles import PatientProfile, age_on, majority_day
from gateway.access.ended_grants import EndedGrants
from gateway.access.rights import Access, Action
from gateway.access.table import GuardianScope
from gateway.access.tokens import Caller
from gateway.access.trail import Act
from gateway.accounts.needs import RandomIds
from gateway.accounts.registration import email_of
from gateway.grants.mails import GrantMails
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    RequestError,
)

T = TypeVar("T")
MAJORITY: Final = 18
log = structlog.get_logger("slotcast.gateway")


class LastAdmin(RequestError):
    """There must stay an administrator; make another one first."""

    code = "last_admin"


class InvitationUsed(RequestError):
    """The invitation was used or taken back, its time is up, or it is not yours."""

    code = "invitation_used"


class RoleExists(RequestError):
    """The account has this role already."""

    code = "role_exists"


class TooManyDependants(RequestError):
    """The account acts for as many people as it may; a clinic can add more."""

    code = "too_many_dependants"


class LicenceTaken(RequestError):
    """A doctor with another account has this licence: find out whose it is."""

    code = "licence_taken"


class AlreadyReviewed(RequestError):
    """It was reviewed already, or it is your own, which another must review."""

    code = "already_reviewed"


@dataclass(frozen=True, kw_only=True)
class GrantNeeds:
    """What grants need from their surroundings."""

    stores: GrantStores
    patients: Patients
    access: Access
    ended: EndedGrants
    clock: Clock
    random: RandomIds
    mails: GrantMails


async def granted(
    action: Awaitable[T],
    missing: str,
    used: type[RequestError] = InvitationUsed,
    exists: type[RequestError] = RoleExists,
    full: type[RequestError] = InvitationUsed,
) -> T:
    """What a store answers; its refusals as the wire has them."""
    try:
        return await action
    except GrantRefused as error:
        match error.refusal:
            case GrantRefusal.NOT_FOUND:
                raise NotFound(code=missing) from None
            case GrantRefusal.LAST_ADMIN:
                raise LastAdmin from None
            case GrantRefusal.EXISTS:
                raise exists from None
            case GrantRefusal.TAKEN:
                raise LicenceTaken from None
            case GrantRefusal.FULL:
                raise full from None
            case _:
                raise used from None


class GrantService:
    """One per gateway. Every method may raise Unavailable."""

    def __init__(self, needs: GrantNeeds) -> None:
        self._it = needs

    # --- members and invitations ---------------------------------------------------

    async def members(self, clinic_id: ClinicId) -> Sequence[Member]:
        """The members of a clinic."""
        return await self._it.stores.memberships.of_clinic(clinic_id)

    async def remove(
        self, caller: Caller, clinic_id: ClinicId, membership_id: str
    ) -> None:
        """End a membership; its tokens are refused and its sockets closed.

        Raises:
            NotFound, LastAdmin: it is not ended.
        """
        memberships = self._it.stores.memberships
        now = self._it.clock.now()
        ended = await granted(
            memberships.end(clinic_id, membership_id, now=now), "member_not_found"
        )
        await self._it.ended.end(membership_id)
        await self._end_glasses(clinic_id, ended.account_id)
        await self.audited(
            caller, Action.REMOVE_MEMBER, clinic_id, member=ended.account_id
        )

    async def change_role(
        self,
        caller: Caller,
        clinic_id: ClinicId,
        membership_id: str,
        role: MemberRole,
        provider_id: str,
    ) -> Member:
        """Give a member another role: the old tokens end, the next sign-in has it.

        Raises:
            NotFound, LastAdmin, RoleExists: nothing changed.
        """
        await self._check_provider(clinic_id, role, provider_id)
        now = self._it.clock.now()
        new = Member(
            self._it.random.id("mem"),
            AccountId(""),
            clinic_id,
            role,
            provider_id,
            "",
            now,
        )
        old = await granted(
            self._it.stores.memberships.change(clinic_id, membership_id, new, now=now),
            "member_not_found",
        )
        await self._it.ended.end(membership_id)
        await self._end_glasses(clinic_id, old.account_id)
        await self.audited(
            caller, Action.CHANGE_MEMBER_ROLE, clinic_id, member=old.account_id
        )
        return replace(new, account_id=old.account_id, email=old.email)

    async def _end_glasses(self, clinic_id: ClinicId, account_id: str) -> None:
        """Take back the tokens of a former member's emergency access."""
        now = self._it.clock.now()
        for one in await self._it.stores.glasses.of_clinic(clinic_id):
            if one.account_id == account_id and one.until > now:
                await self._it.ended.end(one.glass_id)

    async def invite_member(
        self,
        caller: Caller,
        clinic_id: ClinicId,
        email: str,
        role: MemberRole,
        provider_id: str,
    ) -> Invitation:
        """Offer a role at a clinic to an address."""
        await self._check_provider(clinic_id, role, provider_id)
        invitation = self._invitation(caller, email, role.value)
        made = replace(invitation, clinic_id=clinic_id, provider_id=provider_id)
        await self._send(made)
        await self.audited(
            caller, Action.INVITE_MEMBER, clinic_id, invitation=made.invitation_id
        )
        return made

    async def invitations(self, clinic_id: ClinicId) -> Sequence[Invitation]:
        """A clinic's invitations."""
        return await self._it.stores.invitations.of_clinic(clinic_id)

    async def resend(self, clinic_id: ClinicId, invitation_id: str) -> Invitation:
        """Mail an open invitation again; the earlier link ends.

        Raises:
            NotFound: the clinic has no such invitation.
            InvitationUsed: it is not open any more.
        """
        invitations = self._it.stores.invitations
        found = await self._found(clinic_id, invitation_id)
        now, secret = self._it.clock.now(), self._it.random.secret()
        again = replace(found, expires_at=Millis(now + INVITATION_MS))
        message = self._mail(again, secret)
        if not await invitations.resend(again, secret, message, now=now):
            raise InvitationUsed
        return again

    async def take_back(self, clinic_id: ClinicId, invitation_id: str) -> None:
        """Take an open invitation back. Raises as ``resend``."""
        await self._found(clinic_id, invitation_id)
        if not await self._it.stores.invitations.revoke(
            invitation_id, clinic_id=clinic_id, now=self._it.clock.now()
        ):
            raise InvitationUsed

    async def accept(self, caller: Caller, secret: str) -> Invitation:
        """Take a role that was offered to the caller's address.

        Raises:
            InvitationUsed: there is none, it is not open, or for another address.
            RoleExists: the account has the role.
        """
        grant_id = self._it.random.id("mem")
        invitations = self._it.stores.invitations
        made = await granted(
            invitations.accept(
                secret, AccountId(caller.account), grant_id, now=self._it.clock.now()
            ),
            "not_found",
        )
        await self.audited(
            caller,
            Action.ACCEPT_INVITATION,
            made.clinic_id or SITE_TENANT,
            person=made.patient_id,
            invitation=made.invitation_id,
        )
        return made

    # --- guardians -----------------------------------------------------------------

    async def add_dependant(
        self, caller: Caller, profile: PatientProfile, basis: GuardianBasis
    ) -> Guardianship:
        """Add a patient whom the caller cares for; parental care ends at 18.

        Raises:
            InvalidRequest: the date of birth is missing, or the person is an adult.
            TooManyDependants: the account acts for as many as it may.
        """
        now = self._it.clock.now()
        account, guardianships = (
            AccountId(caller.account),
            self._it.stores.guardianships,
        )
        # Before the patient is added; ``give`` counts again, behind a lock.
        if await guardianships.count(account, now=now) >= DEPENDANTS_MAX:
            raise TooManyDependants
        today = datetime.fromtimestamp(now / 1000, UTC).date()
        age, until = age_on(profile.birth_date, today), None
        if basis is GuardianBasis.PARENTAL:
            day = majority_day(profile.birth_date)
            if day is None or age is None or age >= MAJORITY:
                message = "is needed, and must be of a child, for parental care"
                raise InvalidRequest("", FieldError("birth_date", message))
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
            until = Millis(int(begin.timestamp() * 1000))
        patient_id = PatientId(self._it.random.id("pat"))
        new = NewPatient(patient_id, profile, caller.account)
        await self._it.patients.add(new, now=now)
        made = Guardianship(
            self._it.random.id("grd"),
            account,
            patient_id,
            GuardianScope.MANAGE.value,
            basis,
            now,
            until,
        )
        await granted(
            guardianships.give(made, now=now), "not_found", full=TooManyDependants
        )
        await self.audited(caller, Action.ADD_DEPENDANT, SITE_TENANT, person=patient_id)
        return made

    async def guardians(self, patient_id: PatientId) -> Sequence[Guardianship]:
        """Those who act for a patient."""
        return await self._it.stores.guardianships.of_patient(
            patient_id, now=self._it.clock.now()
        )

    async def invite_guardian(
        self,
        caller: Caller,
        patient_id: PatientId,
        email: str,
        scope: GuardianScope,
        basis: GuardianBasis,
    ) -> Invitation:
        """Offer an address to act for a patient."""
        made = replace(
            self._invitation(caller, email, "guardian"),
            patient_id=patient_id,
            scope=scope.value,
            basis=basis.value,
        )
        await self._send(made)
        tenant = await self._it.access.clinic_of(caller) or SITE_TENANT
        await self.audited(caller, Action.INVITE_GUARDIAN, tenant, person=patient_id)
        return made

    async def end_guardianship(
        self, caller: Caller, patient_id: PatientId, guardianship_id: str
    ) -> None:
        """End a guardianship; its tokens are refused. Raises NotFound."""
        identity = caller.identity
        if caller.is_proxy and (identity is None or identity.grant != guardianship_id):
            raise NotFound(code="guardianship_not_found")
        guardianships = self._it.stores.guardianships
        now = self._it.clock.now()
        await granted(
            guardianships.end(patient_id, guardianship_id, caller.role.value, now=now),
            "guardianship_not_found",
        )
        await self._it.ended.end(guardianship_id)
        tenant = await self._it.access.clinic_of(caller) or SITE_TENANT
        await self.audited(caller, Action.END_GUARDIANSHIP, tenant, person=patient_id)

    # --- emergency access ----------------------------------------------------------

    async def break_glass(
        self, caller: Caller, patient_id: PatientId, reason: str
    ) -> Glass:
        """Open one patient to the caller for half an hour, with an alarm.

        Raises:
            NotFound: there is no such patient.
        """
        now = self._it.clock.now()
        clinic_id = await self._it.access.clinic_of(caller) or SITE
        glass = Glass(
            glass_id=self._it.random.id("gls"),
            account_id=AccountId(caller.account),
            clinic_id=clinic_id,
            patient_id=patient_id,
            role=caller.role.value,
            subject=caller.subject,
            reason=reason,
            opened_at=now,
            until=Millis(now + GLASS_MS),
        )
        alarm = self._it.mails.glass(clinic_id)
        await granted(self._it.stores.glasses.open(glass, alarm), "patient_not_found")
        log.error("ALARM: emergency access", glass=glass.glass_id, clinic=clinic_id)
        await self.audited(
            caller,
            Action.BREAK_GLASS,
            SITE_TENANT if clinic_id == SITE else clinic_id,
            person=patient_id,
            glass=glass.glass_id,
        )
        return glass

    async def glasses(self, clinic_id: ClinicId) -> Sequence[Glass]:
        """Those of a clinic's people, or of the platform's."""
        return await self._it.stores.glasses.of_clinic(clinic_id)

    async def review_glass(
        self, caller: Caller, clinic_id: ClinicId, glass_id: str, verdict: str
    ) -> Glass:
        """Note a review. Raises NotFound, AlreadyReviewed."""
        made = await granted(
            self._it.stores.glasses.review(
                clinic_id,
                glass_id,
                AccountId(caller.account),
                verdict,
                now=self._it.clock.now(),
            ),
            "glass_not_found",
            AlreadyReviewed,
        )
        await self.audited(
            caller, Action.REVIEW_GLASS, clinic_id, person=made.patient_id
        )
        return made

    # --- what they share -----------------------------------------------------------

    async def audited(
        self,
        caller: Caller,
        action: Action,
        tenant: str,
        *,
        person: str = "",
        **ids: str,
    ) -> None:
        """Note in the audit trail what was done."""
        trail = self._it.access.trail
        if trail is not None:
            act = Act(action.value, "done", person=person, tenant=tenant, ids=ids)
            await trail.acted(caller, act)

    def _invitation(self, caller: Caller, email: str, role: str) -> Invitation:
        now = self._it.clock.now()
        return Invitation(
            invitation_id=self._it.random.id("inv"),
            role=role,
            email=email_of(email),
            invited_by=AccountId(caller.account),
            created_at=now,
            expires_at=Millis(now + INVITATION_MS),
        )

    async def _send(self, made: Invitation) -> None:
        secret = self._it.random.secret()
        message = self._mail(made, secret)
        now = self._it.clock.now()
        await self._it.stores.invitations.send(made, secret, message, now=now)

    def _mail(self, made: Invitation, secret: str) -> Message:
        return self._it.mails.invitation(made.email, made.role, made.clinic_id, secret)

    async def _found(self, clinic_id: ClinicId, invitation_id: str) -> Invitation:
        found = await self._it.stores.invitations.find(
            invitation_id, clinic_id=clinic_id
        )
        if found is None:
            raise NotFound(code="invitation_not_found")
        return found

    async def _check_provider(
        self, clinic_id: ClinicId, role: MemberRole, provider_id: str
    ) -> None:
        """A doctor needs a calendar of the clinic, others have none."""
        if (role is MemberRole.DOCTOR) != bool(provider_id):
            message = "is needed for doctors, and for them alone"
            raise InvalidRequest("", FieldError("provider_id", message))
        if provider_id:
            facts = await self._it.access.facts(ProviderId(provider_id))
            if facts is None or facts.clinic_id != clinic_id:
                message = "must be a provider of this clinic"
                raise InvalidRequest("", FieldError("provider_id", message))
