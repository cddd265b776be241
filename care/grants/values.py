"""Values of grants, and how long they last."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import ClinicId, Millis, PatientId, ProviderId
from care.accounts.accounts import DAY_MS, MINUTE_MS
from care.accounts.ids import AccountId

INVITATION_MS: Final = 7 * DAY_MS
"""How long the link of an invitation works."""
GLASS_MS: Final = 30 * MINUTE_MS
"""How long emergency access lasts."""
DEPENDANTS_MAX: Final = 20
"""People for whom one account acts, when it adds another one by itself."""
REASON_CHARACTERS_MIN: Final = 10
"""Of emergency access: "emergency" alone tells a reviewer nothing."""
REASON_CHARACTERS_MAX: Final = 500
SITE: Final = ClinicId("site")
"""The platform where a clinic is named: of its administrators' emergency access."""


class MemberRole(StrEnum):
    """What an account can be at a clinic."""

    DOCTOR = "doctor"
    STAFF = "staff"
    CLINIC_ADMIN = "clinic_admin"


class PlatformRole(StrEnum):
    """What an account can be on the platform."""

    ADMIN = "admin"
    AUDITOR = "auditor"


class GuardianBasis(StrEnum):
    """Why an account may act for a dependant; parental care ends at 18."""

    PARENTAL = "parental"
    LEGAL = "legal"
    CONSENT = "consent"
    """The patient asked for it."""


class GrantRefusal(StrEnum):
    """Why a grant was not given or taken back."""

    NOT_FOUND = "not_found"
    LAST_ADMIN = "last_admin"
    USED = "used"
    """The invitation was used, revoked, is over, or is another address's."""
    EXISTS = "exists"
    """The account has this role here already."""
    TAKEN = "taken"
    """The licence is that of a doctor with another account."""
    FULL = "full"
    """The account has as many as it may have."""


class GrantRefused(Exception):
    """Carries why; ``refusal`` says it."""

    def __init__(self, refusal: GrantRefusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Member(Struct, frozen=True):
    """An account at a clinic; ``provider_id`` is a doctor's calendar there."""

    membership_id: str
    account_id: AccountId
    clinic_id: ClinicId
    role: MemberRole
    provider_id: str
    email: str
    since: Millis


class Invitation(Struct, frozen=True):
    """A role that is offered to an address. ``secret`` is in the mail, hashed here.

    For members ``clinic_id`` is set, for guardians ``patient_id`` and ``scope``.
    """

    invitation_id: str
    role: str
    email: str
    invited_by: AccountId
    created_at: Millis
    expires_at: Millis
    clinic_id: ClinicId = ClinicId("")
    provider_id: str = ""
    patient_id: PatientId = PatientId("")
    scope: str = ""
    basis: str = ""
    used_at: Millis | None = None
    revoked_at: Millis | None = None


class Guardianship(Struct, frozen=True):
    """An account that acts for a patient, until ``expires_at`` if that is set."""

    guardianship_id: str
    guardian: AccountId
    patient_id: PatientId
    scope: str
    basis: GuardianBasis
    since: Millis
    expires_at: Millis | None = None


class Glass(Struct, frozen=True):
    """Access to one patient in an emergency, which another person must review.

    ``clinic_id`` is ``SITE`` for administrators of the platform. ``email`` and
    ``reviewer`` are the addresses of the two accounts, where a list is read.
    """

    glass_id: str
    account_id: AccountId
    clinic_id: ClinicId
    patient_id: PatientId
    role: str
    subject: str
    reason: str
    opened_at: Millis
    until: Millis
    reviewed_by: str = ""
    reviewed_at: Millis | None = None
    verdict: str = ""
    email: str = ""
    reviewer: str = ""


class ApplicationStatus(StrEnum):
    """Where an application of a doctor stands."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


OPEN_APPLICATIONS_MAX: Final = 5
"""Applications of one account that wait for a decision."""


class DoctorApplication(Struct, frozen=True):
    """An account that wants to be a doctor at a clinic.

    ``provider_id`` is the calendar that approval begins. ``documents`` are references
    to where papers are; ``reason`` says why it was rejected. ``registry`` keeps the
    licences of the country, if it has several; see ``licences``.
    """

    application_id: str
    account_id: AccountId
    clinic_id: ClinicId
    provider_id: str
    name: str
    specialty: str
    country: str
    licence: str
    documents: tuple[str, ...]
    status: ApplicationStatus
    submitted_at: Millis
    decided_by: str = ""
    decided_at: Millis | None = None
    reason: str = ""
    registry: str = ""


FACTOR_RESET_WAIT_MS: Final = DAY_MS
"""How long a reset of factors waits that one administrator alone asks for."""
FACTOR_RESET_LIVES_MS: Final = 7 * DAY_MS
"""How long what was asked for can be completed."""


class FactorReset(Struct, frozen=True):
    """The second factors of an account are to be removed, or were just ``done``."""

    account_id: AccountId
    asked_by: str
    asked_at: Millis
    due_at: Millis
    done: bool


class Suspension(Struct, frozen=True):
    """Why a provider is suspended, since when and by which account.

    That they are suspended, their calendar says.
    """

    provider_id: ProviderId
    clinic_id: ClinicId
    reason: str
    since: Millis
    suspended_by: str


class PlatformAccount(Struct, frozen=True):
    """An account as administrators of the platform see it."""

    account_id: AccountId
    email: str
    status: str
    created_at: Millis
    disabled_at: Millis | None
    roles: tuple[str, ...]
