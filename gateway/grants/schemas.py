"""Bodies and answers of members, guardians and emergency accesses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from care.grants.values import (
    REASON_CHARACTERS_MAX,
    REASON_CHARACTERS_MIN,
    Glass,
    GuardianBasis,
    Guardianship,
    Invitation,
    Member,
    MemberRole,
)
from gateway.access.table import GuardianScope
from gateway.http.features import Answer, Body
from gateway.patients.schemas import ProfileChange
from gateway.wire.formats import millis_text

InvitedEmail = Annotated[str, Field(min_length=3, max_length=254)]
ProviderField = Annotated[
    str,
    StringConstraints(pattern=r"^(prv_[A-Za-z0-9_\-]{1,64})?$"),
    Field(description="The doctor's calendar at the clinic; empty for others."),
]


class MemberAnswer(Answer):
    """An account at a clinic."""

    membership_id: str
    account_id: str
    role: MemberRole
    provider_id: str | None
    email: str
    since: str

    @classmethod
    def of(cls, member: Member) -> MemberAnswer:
        """The answer of a member."""
        return cls(
            membership_id=member.membership_id,
            account_id=member.account_id,
            role=member.role,
            provider_id=member.provider_id or None,
            email=member.email,
            since=millis_text(member.since),
        )


class MembersAnswer(Answer):
    """The members of a clinic, the oldest first."""

    items: list[MemberAnswer]


class CalendarAnswer(Answer):
    """A provider of a clinic; patients find only those who work."""

    provider_id: str
    name: str
    specialty: str
    retired: bool
    suspended: bool


class CalendarsAnswer(Answer):
    """A page of a clinic's providers by name; ``next_cursor`` is null at the end."""

    items: list[CalendarAnswer]
    next_cursor: str | None


class RoleChangeBody(Body):
    """The member's role from now on."""

    model_config = ConfigDict(json_schema_extra={"example": {"role": "staff"}})

    role: MemberRole
    provider_id: ProviderField = ""


class InviteMemberBody(RoleChangeBody):
    """An address that a role is offered to."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "ada@example.org", "role": "staff"}}
    )

    email: InvitedEmail


class InvitationAnswer(Answer):
    """A role that is offered to an address."""

    invitation_id: str
    role: str
    email: str
    status: Literal["open", "accepted", "revoked", "expired"]
    created_at: str
    expires_at: str

    @classmethod
    def of(cls, one: Invitation, now: int) -> InvitationAnswer:
        """The answer of an invitation."""
        status: Literal["open", "accepted", "revoked", "expired"] = "open"
        if one.used_at is not None:
            status = "accepted"
        elif one.revoked_at is not None:
            status = "revoked"
        elif one.expires_at <= now:
            status = "expired"
        return cls(
            invitation_id=one.invitation_id,
            role=one.role,
            email=one.email,
            status=status,
            created_at=millis_text(one.created_at),
            expires_at=millis_text(one.expires_at),
        )


class InvitationsAnswer(Answer):
    """Invitations, the newest first; at most 200."""

    items: list[InvitationAnswer]


class AcceptBody(Body):
    """The token of an invitation's mail."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"token": "Xa8k2LqPz0Xa8k2LqPz0Xa8k2LqPz0"}}
    )

    token: str = Field(min_length=16, max_length=128)


class AcceptedRoleAnswer(Answer):
    """The role that the account has now: refresh, and choose its context."""

    role: str
    clinic_id: str | None
    patient_id: str | None

    @classmethod
    def of(cls, one: Invitation) -> AcceptedRoleAnswer:
        """The answer of an accepted invitation."""
        return cls(
            role=one.role,
            clinic_id=one.clinic_id or None,
            patient_id=one.patient_id or None,
        )


class OptionsBody(Body):
    """Options to switch; those that are left out stay."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"staff_may_set_hours": True}}
    )

    staff_may_set_hours: bool | None = None
    doctors_see_colleagues: bool | None = None


class OptionsAnswer(Answer):
    """What a clinic has switched."""

    staff_may_set_hours: bool
    doctors_see_colleagues: bool


class DependantBody(ProfileChange):
    """A person whom the caller cares for; parental care needs a child's birth."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "given_name": "Lea",
                "family_name": "Berg",
                "birth_date": "2019-05-04",
                "basis": "parental",
            }
        }
    )

    basis: Literal[GuardianBasis.PARENTAL, GuardianBasis.LEGAL]


class InviteGuardianBody(Body):
    """An address that may act for the patient, and how far.

    Parental care, which ends by age, begins at `/v1/me/dependants`.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "ada@example.org", "scope": "book"}}
    )

    email: InvitedEmail
    scope: GuardianScope
    basis: Literal[GuardianBasis.CONSENT, GuardianBasis.LEGAL] = GuardianBasis.CONSENT


class GuardianshipAnswer(Answer):
    """An account that acts for a patient."""

    guardianship_id: str
    patient_id: str
    account_id: str
    scope: str
    basis: GuardianBasis
    since: str
    expires_at: str | None

    @classmethod
    def of(cls, one: Guardianship) -> GuardianshipAnswer:
        """The answer of a guardianship."""
        return cls(
            guardianship_id=one.guardianship_id,
            patient_id=one.patient_id,
            account_id=one.guardian,
            scope=one.scope,
            basis=one.basis,
            since=millis_text(one.since),
            expires_at=None if one.expires_at is None else millis_text(one.expires_at),
        )


class GuardianshipsAnswer(Answer):
    """Those who act for a patient."""

    items: list[GuardianshipAnswer]


class BreakGlassBody(Body):
    """Why the patient's data is needed now; a person reads it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reason": "Unconscious after a fall, no papers"}}
    )

    reason: str = Field(
        min_length=REASON_CHARACTERS_MIN, max_length=REASON_CHARACTERS_MAX
    )


class ReviewBody(Body):
    """Whether there was a good reason for it."""

    model_config = ConfigDict(json_schema_extra={"example": {"verdict": "justified"}})

    verdict: Literal["justified", "unjustified"]


class GlassAnswer(Answer):
    """An emergency access.

    ``subject`` is what the role was for: a doctor's calendar, else the clinic. The
    address of an erased account is empty.
    """

    glass_id: str
    account_id: str
    email: str
    patient_id: str
    role: str
    subject: str
    reason: str
    opened_at: str
    until: str
    reviewed_by: str | None
    reviewer_email: str | None
    reviewed_at: str | None
    verdict: str | None

    @classmethod
    def of(cls, one: Glass) -> GlassAnswer:
        """The answer of an emergency access."""
        reviewed = None if one.reviewed_at is None else millis_text(one.reviewed_at)
        return cls(
            glass_id=one.glass_id,
            account_id=one.account_id,
            email=one.email,
            patient_id=one.patient_id,
            role=one.role,
            subject=one.subject,
            reason=one.reason,
            opened_at=millis_text(one.opened_at),
            until=millis_text(one.until),
            reviewed_by=one.reviewed_by or None,
            reviewer_email=one.reviewer or None,
            reviewed_at=reviewed,
            verdict=one.verdict or None,
        )


class GlassesAnswer(Answer):
    """Emergency accesses, those to be reviewed first; at most 200."""

    items: list[GlassAnswer]
