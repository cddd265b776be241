"""Who may do what to whom: the whole of authorization, as one table.

A relation is ``own`` when the patient acts for themself or on what is theirs, when
the calendar is the doctor's, or when its provider belongs to the administrator's
clinic; everything else is ``other``. For platform administrators all is ``own``.

Three permissions: ``yes``; ``no`` is 403 forbidden; ``hide`` is 404, as if the object
did not exist, so that ids cannot be probed. The live socket asks this table too, per
topic and per command. A generated test walks every cell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from types import MappingProxyType
from typing import Final

from actors.domain.ids import ClinicId, PatientId, ProviderId, provider_of
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.reads import ReadProvider
from actors.ports import Calendars
from gateway.access.tokens import Caller, Role
from gateway.wire.errors import AccountRequired, Forbidden, NotFound, Unauthenticated


class Action(StrEnum):
    """What can be asked of the gateway."""

    READ_PROVIDER = "read_provider"
    READ_SLOTS = "read_slots"
    PLACE_HOLD = "place_hold"
    LIST_HOLDS = "list_holds"
    READ_HOLD = "read_hold"
    EXTEND_HOLD = "extend_hold"
    RELEASE_HOLD = "release_hold"
    BOOK = "book"
    CONFIRM_HOLD = "confirm_hold"
    READ_BOOKING = "read_booking"
    LIST_BOOKINGS = "list_bookings"
    CANCEL_BOOKING = "cancel_booking"
    RESCHEDULE_BOOKING = "reschedule_booking"
    CHECK_IN = "check_in"
    COMPLETE = "complete"
    MARK_NO_SHOW = "mark_no_show"
    UNDO = "undo"
    READ_SCHEDULE = "read_schedule"
    READ_AVAILABILITY = "read_availability"
    SET_AVAILABILITY = "set_availability"
    READ_TIME_OFF = "read_time_off"
    ADD_TIME_OFF = "add_time_off"
    REMOVE_TIME_OFF = "remove_time_off"
    REGISTER_PROVIDER = "register_provider"
    RETIRE_PROVIDER = "retire_provider"
    REINSTATE_PROVIDER = "reinstate_provider"
    READ_JOBS = "read_jobs"
    RESEND_JOBS = "resend_jobs"
    READ_ACCOUNT = "read_account"
    END_SESSION = "end_session"
    CHANGE_PASSWORD = "change_password"  # noqa: S105 - a word of the table
    READ_CLINIC = "read_clinic"
    PUT_CLINIC = "put_clinic"


class Relation(StrEnum):
    """How the caller stands to what is acted on."""

    OWN = "own"
    OTHER = "other"


class Permission(StrEnum):
    """What the table says."""

    YES = "yes"
    NO = "no"
    HIDE = "hide"


#                      patient      doctor       clinic_admin  admin
#                      own   other  own   other  own   other   own
_TABLE: Final = """
read_provider          yes   yes    yes   yes    yes   yes     yes
read_slots             yes   yes    yes   yes    yes   yes     yes
place_hold             yes   no     yes   no     yes   no      yes
list_holds             yes   yes    no    no     no    no      no
read_hold              yes   hide   yes   hide   yes   hide    yes
extend_hold            yes   hide   yes   hide   yes   hide    yes
release_hold           yes   hide   yes   hide   yes   hide    yes
book                   yes   no     yes   no     yes   no      yes
confirm_hold           yes   hide   yes   hide   yes   hide    yes
read_booking           yes   hide   yes   hide   yes   hide    yes
list_bookings          yes   no     no    no     no    no      no
cancel_booking         yes   hide   yes   hide   yes   hide    yes
reschedule_booking     yes   hide   yes   hide   yes   hide    yes
check_in               no    no     yes   hide   yes   hide    yes
complete               no    no     yes   hide   yes   hide    yes
mark_no_show           no    no     yes   hide   yes   hide    yes
undo                   no    no     yes   hide   yes   hide    yes
read_schedule          no    no     yes   no     yes   no      yes
read_availability      no    no     yes   no     yes   no      yes
set_availability       no    no     yes   no     yes   no      yes
read_time_off          no    no     yes   no     yes   no      yes
add_time_off           no    no     yes   no     yes   no      yes
remove_time_off        no    no     yes   no     yes   no      yes
register_provider      no    no     no    no     no    no      yes
retire_provider        no    no     no    no     yes   no      yes
reinstate_provider     no    no     no    no     yes   no      yes
read_jobs              no    no     no    no     no    no      yes
resend_jobs            no    no     no    no     no    no      yes
read_account           yes   yes    yes   yes    yes   yes     yes
end_session            yes   hide   yes   hide   yes   hide    yes
change_password        yes   yes    yes   yes    yes   yes     yes
read_clinic            yes   yes    yes   yes    yes   yes     yes
put_clinic             no    no     no    no     yes   no      yes
"""

PUBLIC: Final = frozenset({Action.READ_PROVIDER, Action.READ_SLOTS, Action.READ_CLINIC})
"""What needs no token."""

OF_ACCOUNT: Final = frozenset(
    {Action.READ_ACCOUNT, Action.END_SESSION, Action.CHANGE_PASSWORD}
)
"""What an account does with itself, in every role; "other" is another's session."""

_COLUMNS: Final = (
    (Role.PATIENT, Relation.OWN),
    (Role.PATIENT, Relation.OTHER),
    (Role.DOCTOR, Relation.OWN),
    (Role.DOCTOR, Relation.OTHER),
    (Role.CLINIC_ADMIN, Relation.OWN),
    (Role.CLINIC_ADMIN, Relation.OTHER),
    (Role.ADMIN, Relation.OWN),
)


def _parse(table: str) -> dict[tuple[Action, Role, Relation], Permission]:
    permissions = {}
    for line in table.strip().splitlines():
        name, *words = line.split()
        for (role, relation), word in zip(_COLUMNS, words, strict=True):
            permissions[Action(name), role, relation] = Permission(word)
    return permissions


PERMISSIONS: Final = MappingProxyType(_parse(_TABLE))
"""(action, role, relation) -> permission; every cell exists."""

HIDDEN_AS: Final = {"hld": "hold_not_found", "bkg": "booking_not_found"}
"""How an object that is hidden is denied, by the prefix of its id."""
_FACTS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What access control knows of a provider: their clinic, and their zone."""

    clinic_id: ClinicId
    time_zone: str
    zones: Mapping[str, str]
    """Location to its zone."""


class Access:
    """Looks up the caller's relation to a provider and checks the table of rights."""

    def __init__(
        self,
        calendars: Calendars,
        *,
        believe_s: float,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._calendars = calendars
        self._believe_s = believe_s
        self._now = monotonic_s
        self._facts: OrderedDict[ProviderId, tuple[float, ProviderFacts]] = (
            OrderedDict()
        )

    async def to_provider(
        self, caller: Caller | None, action: Action, provider_id: ProviderId
    ) -> Caller:
        """Let a caller act on a provider's calendar; patients act for themselves.

        Raises:
            Unauthenticated, Forbidden: they may not.
            NotFound: the provider does not exist (asked for clinic staff only).
        """
        caller = signed_in(caller)
        relation = await self._relation(caller, provider_id)
        if relation is None:
            raise NotFound(code="provider_not_found")
        if PERMISSIONS[action, caller.role, relation] is not Permission.YES:
            raise Forbidden
        return caller

    async def to_object(
        self, caller: Caller | None, action: Action, kind: str, owned_id: str
    ) -> tuple[Caller, ProviderId]:
        """Let a caller act on a hold or a booking; says whose calendar has it.

        The calendar decides whether it is the patient's own: the command names them.
        ``kind`` is the prefix that the id must have.

        Raises:
            Unauthenticated, Forbidden: they may not.
            NotFound: there is none, or it is not theirs to know of.
        """
        caller = signed_in(caller)
        provider_id = provider_of(owned_id) if owned_id.startswith(kind) else None
        relation = None
        if provider_id is not None:
            relation = await self._relation(caller, provider_id)
        nobodys = Relation.OWN if caller.role is Role.ADMIN else Relation.OTHER
        permission = PERMISSIONS[action, caller.role, relation or nobodys]
        if permission is Permission.NO:
            raise Forbidden
        if permission is Permission.HIDE or provider_id is None or relation is None:
            raise NotFound(code=HIDDEN_AS[kind])
        return caller, provider_id

    def to_clinic(
        self, caller: Caller | None, action: Action, clinic_id: ClinicId
    ) -> Caller:
        """Let a caller act on a clinic.

        Raises:
            Unauthenticated, Forbidden: they may not.
        """
        caller = signed_in(caller)
        own = caller.role is Role.ADMIN or caller.clinic_id == clinic_id
        relation = Relation.OWN if own else Relation.OTHER
        if PERMISSIONS[action, caller.role, relation] is not Permission.YES:
            raise Forbidden
        return caller

    def to_account(self, caller: Caller | None, action: Action) -> Caller:
        """Let a caller act on their own account; demo tokens have none.

        Raises:
            Unauthenticated, Forbidden: they may not.
            AccountRequired: the token names no account.
        """
        caller = signed_in(caller)
        if PERMISSIONS[action, caller.role, Relation.OWN] is not Permission.YES:
            raise Forbidden
        if caller.identity is None:
            raise AccountRequired
        return caller

    def to_platform(self, caller: Caller | None, action: Action) -> Caller:
        """Let a caller act on what belongs to the platform and no clinic.

        Raises:
            Unauthenticated, Forbidden: they may not.
        """
        caller = signed_in(caller)
        own = caller.role is Role.ADMIN
        relation = Relation.OWN if own else Relation.OTHER
        if PERMISSIONS[action, caller.role, relation] is not Permission.YES:
            raise Forbidden
        return caller

    async def zone_of(self, provider_id: ProviderId) -> str:
        """The zone of a provider's clinic; UTC if there is no such provider."""
        facts = await self.facts(provider_id)
        return facts.time_zone if facts else "UTC"

    async def facts(self, provider_id: ProviderId) -> ProviderFacts | None:
        """What is known of a provider, at most ``believe_s`` old; None if unknown."""
        known = self._facts.get(provider_id)
        if known is not None and self._now() - known[0] < self._believe_s:
            return known[1]
        view = await self._calendars.ask(ReadProvider(provider_id))
        if not isinstance(view, ProviderView):
            return None
        zones = {
            str(place.location_id): place.time_zone
            for place in view.availability.locations
        }
        facts = ProviderFacts(view.profile.clinic.clinic_id, zone_name_of(view), zones)
        self._facts[provider_id] = (self._now(), facts)
        if len(self._facts) > _FACTS_MAX:
            self._facts.popitem(last=False)
        return facts

    def forget(self, provider_id: ProviderId) -> None:
        """Ask again next time: the profile or the rules have just changed."""
        self._facts.pop(provider_id, None)

    async def _relation(
        self, caller: Caller, provider_id: ProviderId
    ) -> Relation | None:
        if caller.role is Role.PATIENT or caller.role is Role.ADMIN:
            return Relation.OWN
        if caller.role is Role.DOCTOR:
            own = caller.subject == provider_id
        else:
            facts = await self.facts(provider_id)
            if facts is None:
                return None
            own = caller.subject == facts.clinic_id
        return Relation.OWN if own else Relation.OTHER


def zone_name_of(view: ProviderView) -> str:
    """The zone of a provider's dates: of the first location, else of the clinic."""
    locations = view.availability.locations
    return locations[0].time_zone if locations else view.profile.clinic.time_zone


def signed_in(caller: Caller | None) -> Caller:
    """The caller, who must be signed in. Raises Unauthenticated."""
    if caller is None:
        raise Unauthenticated
    return caller


def acting_patient(caller: Caller, patient_id: str | None) -> PatientId | None:
    """The patient that a hold or a booking is for: the caller, or the one staff name.

    Returns None for staff who named no patient.

    Raises:
        Forbidden: a patient named another patient.
    """
    own = caller.patient_id
    if own is None:
        return PatientId(patient_id) if patient_id is not None else None
    if patient_id is not None and patient_id != own:
        raise Forbidden("Patients act for themselves only.")
    return own
