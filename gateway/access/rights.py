"""Checks callers against the table of rights (table.py).

The live socket asks here too, per topic and per command. What a token says needs no
look-up; whose clinic a provider is, the calendar says; whether a clinic knows a
patient is remembered for five minutes (known_patients.py).

One file because every method finds one relation and asks the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from actors.domain.ids import (
    BookingId,
    ClinicId,
    HoldId,
    Millis,
    PatientId,
    ProviderId,
    provider_of,
)
from actors.domain.messages.answers import BookingView, HoldView, ProviderView
from actors.domain.messages.reads import ReadBooking, ReadHold, ReadProvider
from actors.ports import Calendars
from care.accounts.accounts import PROOF_MS
from care.audit.entries import SITE_TENANT
from gateway.access.believed import Believed
from gateway.access.known_patients import PatientsOfClinics
from gateway.access.options import ClinicOption, OptionsOfClinics
from gateway.access.restricted_patients import RestrictedPatients
from gateway.access.table import (
    HIDDEN_AS,
    NEEDS_ACCOUNT,
    OF,
    PERMISSIONS,
    PUBLIC,
    Action,
    GuardianScope,
    Of,
    Permission,
    Relation,
    scope_needed,
)
from gateway.access.tokens import CLINIC_ROLES, Caller, Role
from gateway.access.trail import AuditTrail
from gateway.wire.errors import (
    AccountRequired,
    Forbidden,
    NotFound,
    ReauthenticationRequired,
    SecondFactorRequired,
    Unauthenticated,
)

__all__ = [
    "HIDDEN_AS",
    "NEEDS_ACCOUNT",
    "OF",
    "PERMISSIONS",
    "PUBLIC",
    "Access",
    "Action",
    "Of",
    "Permission",
    "ProviderFacts",
    "Relation",
    "acting_patient",
    "owner_of",
    "signed_in",
    "zone_name_of",
]

LEVEL_TWO_FACTORS: Final = 2
_FACTS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """A provider's clinic and time zone, for access control."""

    clinic_id: ClinicId
    time_zone: str
    zones: Mapping[str, str]
    """Location to its zone."""


class Access:
    """Looks up the caller's relation to an object and checks the table of rights.

    ``known``: which patients clinics know; without it none is known. ``now``: the
    instant that proofs of identity are as old as.
    """

    def __init__(
        self,
        calendars: Calendars,
        *,
        believe_s: float,
        monotonic_s: Callable[[], float] = monotonic,
        known: PatientsOfClinics | None = None,
        now: Callable[[], Millis] = lambda: Millis(0),
    ) -> None:
        self.trail: AuditTrail | None = None
        """Where reads by staff are noted."""
        self._calendars = calendars
        self._known = known
        self.restricted = RestrictedPatients(None)
        """Whose data is restricted; replaced where there are patients."""
        self.options = OptionsOfClinics(None)
        """What clinics have switched; replaced where there are grants."""
        self._instant = now
        self._facts = Believed[ProviderId, ProviderFacts](
            believe_s, _FACTS_MAX, monotonic_s
        )

    def decide(
        self, caller: Caller, action: Action, relation: Relation, missing: str = ""
    ) -> Permission:
        """The table's word on a caller who stands like this to an object.

        ``missing`` is the code of an object that is not there; without it the one of
        what the action is done to. Whether an object exists is decided before
        anything else shows.

        Raises:
            NotFound: it is not the caller's to know of.
            Forbidden: the role, or the scope of the token, does not reach so far.
            AccountRequired: the token has no account.
            SecondFactorRequired, ReauthenticationRequired: the session needs more.
        """
        if action in NEEDS_ACCOUNT and caller.identity is None:
            raise AccountRequired
        permission = PERMISSIONS[action, caller.role, relation]
        if permission is Permission.HIDE:
            raise NotFound(code=missing or HIDDEN_AS[OF[action]])
        if permission is Permission.NO:
            raise Forbidden
        _check_scope(caller, action)
        identity = caller.identity
        if identity is None or permission is Permission.YES:
            return permission  # most of the table: bookings come this way
        if permission.needs_second_factor and identity.level < LEVEL_TWO_FACTORS:
            raise SecondFactorRequired
        age = self._instant() - identity.proved_at
        if permission.needs_fresh_proof and age >= PROOF_MS:
            raise ReauthenticationRequired
        return permission

    async def to_provider(
        self, caller: Caller | None, action: Action, provider_id: ProviderId
    ) -> Caller:
        """Let a caller act on a provider's calendar; patients act for themselves.

        Raises:
            Unauthenticated, NotFound: there is no caller, or no provider (asked for
                clinics' people only).
            Forbidden: and what else ``decide`` raises.
        """
        caller = signed_in(caller)
        relation = await self._to_calendar(caller, provider_id)
        if relation is None:
            raise NotFound(code="provider_not_found")
        if not await self._is_opted(caller, action, provider_id, relation):
            self.decide(caller, action, relation)
        return caller

    async def _is_opted(
        self,
        caller: Caller,
        action: Action,
        provider_id: ProviderId,
        relation: Relation,
    ) -> bool:
        """Whether the clinic has an option on that allows what the table denies."""
        option = _OPTED.get((action, caller.role, relation))
        if option is None or caller.identity is None:
            return False
        facts, clinic_id = await self.facts(provider_id), await self.clinic_of(caller)
        if facts is None or facts.clinic_id != clinic_id:
            return False
        return await self.options.is_on(facts.clinic_id, option)

    async def to_object(
        self, caller: Caller | None, action: Action, kind: str, owned_id: str
    ) -> tuple[Caller, ProviderId]:
        """Let a caller act on a hold or a booking; says whose calendar has it.

        The calendar decides whether it is the patient's own: the command names them.
        ``kind`` is the prefix that the id must have.

        Raises:
            Unauthenticated, NotFound: there is no caller, or none that they may
                know of.
            Forbidden: and what else ``decide`` raises.
        """
        caller = signed_in(caller)
        provider_id = provider_of(owned_id) if owned_id.startswith(kind) else None
        relation = None
        if provider_id is not None:
            relation = await self._to_calendar(caller, provider_id)
            if relation is not Relation.OWN and await self._under_glass(
                caller, kind, provider_id, owned_id
            ):
                relation = Relation.OWN
        nobodys = Relation.OWN if caller.is_demo_admin else Relation.OTHER
        missing = _MISSING[kind]
        self.decide(caller, action, relation or nobodys, missing)
        if provider_id is None or relation is None:
            raise NotFound(code=missing)
        return caller, provider_id

    async def to_patient(
        self, caller: Caller | None, action: Action, patient_id: PatientId
    ) -> Caller:
        """Let a caller act on a patient.

        Raises:
            Unauthenticated, NotFound: there is no caller, or none that they may
                know of.
            Unavailable: whether the clinic knows the patient cannot be looked up.
            Forbidden: and what else ``decide`` raises.
        """
        caller = signed_in(caller)
        if action in NEEDS_ACCOUNT and caller.identity is None:
            raise AccountRequired  # before it is looked up
        own = await self.stands_to_patient(caller, patient_id)
        self.decide(caller, action, Relation.OWN if own else Relation.OTHER)
        return caller

    async def stands_to_patient(self, caller: Caller, patient_id: PatientId) -> bool:
        """Whether a patient is the caller's own. Raises Unavailable."""
        if caller.patient_id is not None:
            return caller.patient_id == patient_id
        if caller.glass_patient == patient_id:
            return True
        clinic_id = await self.clinic_of(caller)
        if clinic_id is None or self._known is None:
            return False
        return await self._known.is_known(clinic_id, patient_id)

    async def check_named(self, caller: Caller, patient_id: PatientId) -> None:
        """Let staff name a patient: one whom their clinic knows, and not restricted.

        Tokens without an account name any, as in a demo.

        Raises:
            NotFound: the clinic does not know the patient, or there is none.
            DataRestricted: the patient restricted the use of their data.
            Unavailable: it cannot be looked up.
        """
        if caller.patient_id is not None or caller.identity is None:
            return
        if self._known is not None and not await self.stands_to_patient(
            caller, patient_id
        ):
            raise NotFound(code=HIDDEN_AS[Of.PATIENT])
        await self.restricted.check_remembered(caller, patient_id)

    async def check_held(
        self, caller: Caller, provider_id: ProviderId, hold_id: HoldId
    ) -> None:
        """Let staff go on with a hold, but of a patient who is restricted by now.

        A hold that is gone is let pass: its calendar answers, and a repetition gets its
        first answer. Tokens without an account are not asked, as in a demo.

        Raises:
            DataRestricted: the patient restricted the use of their data.
            Unavailable: it cannot be looked up.
        """
        if caller.patient_id is not None or caller.identity is None:
            return
        view = await self._calendars.ask(ReadHold(provider_id, hold_id, None))
        if isinstance(view, HoldView) and view.patient_id:
            await self.restricted.check_remembered(caller, view.patient_id)

    async def clinic_of(self, caller: Caller) -> ClinicId | None:
        """The clinic that a caller acts for: a doctor's is their calendar's."""
        if caller.provider_id is not None:
            facts = await self.facts(caller.provider_id)
            return None if facts is None else facts.clinic_id
        return caller.clinic_id

    async def to_clinic(
        self, caller: Caller | None, action: Action, clinic_id: ClinicId
    ) -> Caller:
        """Let a caller act on a clinic.

        Raises:
            Unauthenticated, NotFound: there is no caller, or none that they may
                know of.
            Forbidden: and what else ``decide`` raises.
        """
        caller = signed_in(caller)
        own = caller.is_demo_admin or await self.clinic_of(caller) == clinic_id
        self.decide(caller, action, Relation.OWN if own else Relation.OTHER)
        return caller

    def to_account(self, caller: Caller | None, action: Action) -> Caller:
        """Let a caller act on their own account; demo tokens have none.

        Raises:
            Unauthenticated: there is no caller.
            Forbidden: and what else ``decide`` raises.
        """
        caller = signed_in(caller)
        self.decide(caller, action, Relation.OWN)
        return caller

    def to_platform(self, caller: Caller | None, action: Action) -> Caller:
        """Let a caller act on what belongs to the platform and no clinic.

        Raises:
            Unauthenticated: there is no caller.
            Forbidden: and what else ``decide`` raises.
        """
        caller = signed_in(caller)
        own = caller.role is Role.ADMIN
        self.decide(caller, action, Relation.OWN if own else Relation.OTHER)
        return caller

    async def audit_read(
        self,
        caller: Caller,
        action: str,
        about: str,
        provider_id: ProviderId,
        **ids: str,
    ) -> None:
        """Note that another read about a patient, or a provider's whole schedule.

        Raises:
            Unavailable: staff's cannot be noted; do not answer.
        """
        if self.trail is None or self.trail.is_own(caller, about):
            return
        facts = await self.facts(provider_id)
        tenant = facts.clinic_id if facts is not None else SITE_TENANT
        await self.trail.read(
            caller, action, [about], tenant=tenant, provider_id=provider_id, **ids
        )

    async def zone_of(self, provider_id: ProviderId) -> str:
        """The zone of a provider's clinic; UTC if there is no such provider."""
        facts = await self.facts(provider_id)
        return facts.time_zone if facts else "UTC"

    async def facts(self, provider_id: ProviderId) -> ProviderFacts | None:
        """What is known of a provider, at most ``believe_s`` old; None if unknown."""
        known = self._facts.get(provider_id)
        if known is not None:
            return known
        view = await self._calendars.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView):
            return None
        zones = {
            str(place.location_id): place.time_zone
            for place in view.availability.locations
        }
        facts = ProviderFacts(view.profile.clinic.clinic_id, zone_name_of(view), zones)
        self._facts.put(provider_id, facts)
        return facts

    def forget(self, provider_id: ProviderId) -> None:
        """Forget a provider: the profile or the rules have just changed."""
        self._facts.forget(provider_id)

    async def _to_calendar(
        self, caller: Caller, provider_id: ProviderId
    ) -> Relation | None:
        """How a caller stands to a calendar; None if there is no such provider."""
        if caller.patient_id is not None or caller.is_demo_admin:
            return Relation.OWN  # the calendar looks whose a hold or a booking is
        if caller.role is Role.DOCTOR:
            own = caller.subject == provider_id
        elif caller.role in CLINIC_ROLES:
            facts = await self.facts(provider_id)
            if facts is None:
                return None
            own = caller.subject == facts.clinic_id
        else:
            own = False
        return Relation.OWN if own else Relation.OTHER

    async def _under_glass(
        self, caller: Caller, kind: str, provider_id: ProviderId, owned_id: str
    ) -> bool:
        """Whether a booking is of the patient of the caller's emergency access."""
        glass = caller.glass_patient
        if glass is None or kind != "bkg":
            return False
        view = await self._calendars.ask(ReadBooking(provider_id, BookingId(owned_id)))
        return isinstance(view, BookingView) and view.patient_id == glass


_OPTED: Final = {
    (
        Action.SET_AVAILABILITY,
        Role.STAFF,
        Relation.OWN,
    ): ClinicOption.STAFF_MAY_SET_HOURS,
    (
        Action.READ_SCHEDULE,
        Role.DOCTOR,
        Relation.OTHER,
    ): ClinicOption.DOCTORS_SEE_COLLEAGUES,
}
"""What an option of the clinic allows besides the table."""
_MISSING: Final = {"hld": HIDDEN_AS[Of.HOLD], "bkg": HIDDEN_AS[Of.BOOKING]}
"""By the prefix of an object's id."""


def _check_scope(caller: Caller, action: Action) -> None:
    """Raises Forbidden: the token's scopes do not hold the action."""
    if caller.role is Role.SERVICE:
        if action.value not in caller.scopes and action not in PUBLIC:
            raise Forbidden("This client's scopes do not hold this.")
    elif caller.role is Role.GUARDIAN:
        granted = [one for one in GuardianScope if one.value in caller.scopes]
        reach = max((one.reach for one in granted), default=-1)
        if reach < scope_needed(action).reach:
            raise Forbidden("This guardianship does not reach so far.")


def zone_name_of(view: ProviderView) -> str:
    """The zone of a provider's dates: of the first location, else of the clinic."""
    locations = view.availability.locations
    return locations[0].time_zone if locations else view.profile.clinic.time_zone


def signed_in(caller: Caller | None) -> Caller:
    """The caller, who must be signed in. Raises Unauthenticated."""
    if caller is None:
        raise Unauthenticated
    return caller


def owner_of(caller: Caller) -> PatientId | None:
    """The only patient whose holds and bookings a caller may act on; None: any patient.

    None means staff to a calendar: only roles that are staff get it.

    Raises:
        Forbidden: the caller is neither.
    """
    if caller.patient_id is None and not caller.is_staff:
        raise Forbidden
    return caller.patient_id


def acting_patient(caller: Caller, patient_id: str | None) -> PatientId | None:
    """The patient of a hold or booking: the caller, or the one named by staff.

    Returns None for staff who named no patient.

    Raises:
        Forbidden: a patient named another patient, or the caller is neither.
    """
    own = owner_of(caller)
    if own is None:
        return PatientId(patient_id) if patient_id is not None else None
    if patient_id is not None and patient_id != own:
        raise Forbidden("Patients act for themselves only.")
    return own
