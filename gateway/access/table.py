"""The table of rights: who may do what to whom. The whole of authorization.

Each row names an action, what it is done to (``Of``), and for each role two letters:
on what is the caller's ``own``, and on anything ``other``.

| role | own |
|---|---|
| patient | themself |
| guardian | the dependant of this guardianship, as far as its scope goes |
| doctor | their calendar; a patient whom their clinic knows; their clinic |
| staff, clinic_admin, service | what belongs to their clinic |
| admin | with demo tokens anything; else a patient under their emergency access |
| auditor | their tenant |

The letters are those of ``Permission``. Rights are fixed here; what a clinic may switch
are named options. A test walks every cell over REST and the socket.

One file because all rights are read in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.access.tokens import Role


class Of(StrEnum):
    """What an action is done to, and with it how the caller's relation is found."""

    PROVIDER = "provider"
    HOLD = "hold"
    BOOKING = "booking"
    PATIENT = "patient"
    CLINIC = "clinic"
    ACCOUNT = "account"
    """The caller's own account and what belongs to it; another's is out of reach."""
    CALLER = "caller"
    """What is the caller's by its definition, such as a list of their own."""
    PLATFORM = "platform"
    SECRET = "secret"  # noqa: S105 - a word of the document
    """A secret in the path: its holder may, with or without a token."""
    FOUND = "found"
    """The handler finds the object and asks ``Access.decide``."""


class Relation(StrEnum):
    """How the caller stands to what is acted on."""

    OWN = "own"
    OTHER = "other"


class Permission(StrEnum):
    """What the table says."""

    YES = "Y"
    NO = "n"
    """403."""
    HIDE = "h"
    """404, equal to the byte to what a missing object is answered with."""
    NOT_CONFIDENTIAL = "C"
    """Yes, but for what is confidential, which is as if it did not exist."""
    SECOND_FACTOR = "F"
    """Yes, for sessions with two proved factors."""
    FRESH = "R"
    """Yes, within ten minutes of a proof of identity."""
    BOTH = "B"
    """Yes, with both."""

    @property
    def allows(self) -> bool:
        """Whether it is yes, under whatever condition."""
        return self not in (Permission.NO, Permission.HIDE)

    @property
    def needs_second_factor(self) -> bool:
        """Whether only sessions with two factors may."""
        return self in (Permission.SECOND_FACTOR, Permission.BOTH)

    @property
    def needs_fresh_proof(self) -> bool:
        """Whether the proof of identity must be fresh."""
        return self in (Permission.FRESH, Permission.BOTH)


class Action(StrEnum):
    """What can be asked of the gateway."""

    READ_PROVIDER = "read_provider"
    READ_SLOTS = "read_slots"
    READ_CLINIC = "read_clinic"
    PLACE_HOLD = "place_hold"
    LIST_HOLDS = "list_holds"
    READ_NOTICES = "read_notices"
    CHOOSE_NOTICES = "choose_notices"
    READ_HOLD = "read_hold"
    EXTEND_HOLD = "extend_hold"
    RELEASE_HOLD = "release_hold"
    BOOK = "book"
    CONFIRM_HOLD = "confirm_hold"
    READ_BOOKING = "read_booking"
    LIST_BOOKINGS = "list_bookings"
    TOPIC_ME = "topic_me"
    CANCEL_BOOKING = "cancel_booking"
    RESCHEDULE_BOOKING = "reschedule_booking"
    SET_CONFIDENTIAL = "set_confidential"
    OVERBOOK = "overbook"
    CANCEL_SESSION = "cancel_session"
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
    READ_LEAVE_VISITS = "read_leave_visits"
    SETTLE_LEAVE_VISIT = "settle_leave_visit"
    CHOOSE_EQUIVALENT = "choose_equivalent"
    MANAGE_BUSY_TIMES = "manage_busy_times"
    REGISTER_PROVIDER = "register_provider"
    EDIT_PROVIDER_PROFILE = "edit_provider_profile"
    NAME_PROVIDER = "name_provider"
    RETIRE_PROVIDER = "retire_provider"
    REINSTATE_PROVIDER = "reinstate_provider"
    SUSPEND_PROVIDER = "suspend_provider"
    READ_SUSPENSION = "read_suspension"
    PUT_CLINIC = "put_clinic"
    WRITE_REVIEW = "write_review"
    ANSWER_REVIEW = "answer_review"
    MODERATE_REVIEWS = "moderate_reviews"
    READ_RESOURCES = "read_resources"
    MANAGE_RESOURCES = "manage_resources"
    RETIRE_CLINIC = "retire_clinic"
    REACTIVATE_CLINIC = "reactivate_clinic"
    EDIT_PROVIDER_ENTRY = "edit_provider_entry"
    EDIT_CLINIC_ENTRY = "edit_clinic_entry"
    EDIT_SPECIALTIES = "edit_specialties"
    READ_REPORTS = "read_reports"
    READ_PLATFORM_REPORTS = "read_platform_reports"
    READ_JOBS = "read_jobs"
    RESEND_JOBS = "resend_jobs"
    READ_PROFILE = "read_profile"
    WRITE_PROFILE = "write_profile"
    READ_NOTES = "read_notes"
    WRITE_NOTES = "write_notes"
    READ_DOCUMENTS = "read_documents"
    WRITE_DOCUMENTS = "write_documents"
    CREATE_PATIENT = "create_patient"
    FIND_PATIENT = "find_patient"
    READ_CLUSTER = "read_cluster"
    READ_ACCOUNT = "read_account"
    END_SESSION = "end_session"
    CHANGE_PASSWORD = "change_password"  # noqa: S105 - a word of the table
    CHANGE_EMAIL = "change_email"
    ADD_FACTOR = "add_factor"
    REMOVE_FACTOR = "remove_factor"
    INVITE_GUARDIAN = "invite_guardian"
    END_GUARDIANSHIP = "end_guardianship"
    MANAGE_FEEDS = "manage_feeds"
    WAIT = "wait"
    READ_WAITING = "read_waiting"
    ORDER_WAITING = "order_waiting"
    BREAK_GLASS = "break_glass"
    REVIEW_GLASS = "review_glass"
    ADD_DEPENDANT = "add_dependant"
    APPLY_AS_DOCTOR = "apply_as_doctor"
    DECIDE_APPLICATION = "decide_application"
    ACCEPT_INVITATION = "accept_invitation"
    READ_MEMBERS = "read_members"
    INVITE_MEMBER = "invite_member"
    REMOVE_MEMBER = "remove_member"
    CHANGE_MEMBER_ROLE = "change_member_role"
    EDIT_CLINIC = "edit_clinic"
    LIST_ACCOUNTS = "list_accounts"
    DISABLE_ACCOUNT = "disable_account"
    END_SESSIONS_OF = "end_sessions_of"
    RESET_FACTORS = "reset_factors"
    GRANT_PLATFORM_ROLE = "grant_platform_role"
    READ_API_CLIENTS = "read_api_clients"
    MANAGE_API_CLIENTS = "manage_api_clients"
    LINK_IDENTITY = "link_identity"
    UNLINK_IDENTITY = "unlink_identity"
    READ_ROLES = "read_roles"
    WHO_SAW_ME = "who_saw_me"
    EXPORT_OWN_DATA = "export_own_data"
    EXPORT_OWN_ACCOUNT = "export_own_account"
    RESTRICT_OWN_DATA = "restrict_own_data"
    WRITE_CONSENT = "write_consent"
    REQUEST_ERASURE = "request_erasure"
    REQUEST_ACCOUNT_ERASURE = "request_account_erasure"
    DECIDE_ERASURE = "decide_erasure"
    READ_AUDIT = "read_audit"
    VERIFY_AUDIT = "verify_audit"
    EXPORT_AUDIT = "export_audit"


_COLUMNS: Final = (
    Role.PATIENT,
    Role.GUARDIAN,
    Role.DOCTOR,
    Role.STAFF,
    Role.CLINIC_ADMIN,
    Role.ADMIN,
    Role.AUDITOR,
    Role.SERVICE,
)

#                             pat grd doc stf cad adm aud svc
_CALENDAR_ROWS: Final = """
read_provider       provider  YY  YY  YY  YY  YY  YY  YY  YY
read_slots          provider  YY  YY  YY  YY  YY  YY  YY  YY
read_clinic         clinic    YY  YY  YY  YY  YY  YY  YY  YY
place_hold          provider  Yn  Yn  Yn  Yn  Yn  Yn  nn  Yn
list_holds          caller    YY  YY  nn  nn  nn  nn  nn  nn
read_notices        caller    YY  CC  nn  nn  nn  nn  nn  nn
choose_notices      caller    YY  YY  nn  nn  nn  nn  nn  nn
read_hold           hold      Yh  Yh  Yh  Yh  Yh  Yh  hh  Yh
extend_hold         hold      Yh  Yh  Yh  Yh  Yh  Yh  hh  Yh
release_hold        hold      Yh  Yh  Yh  Yh  Yh  Yh  hh  Yh
book                provider  Yn  Yn  Yn  Yn  Yn  Yn  nn  Yn
confirm_hold        hold      Yh  Yh  Yh  Yh  Yh  Yh  hh  Yh
read_booking        booking   Yh  Ch  Yh  Yh  Yh  Yh  hh  Yh
list_bookings       caller    Yn  Cn  nn  nn  nn  nn  nn  nn
topic_me            caller    YY  CC  YY  YY  YY  YY  YY  YY
cancel_booking      booking   Yh  Ch  Yh  Yh  Yh  Yh  hh  Yh
reschedule_booking  booking   Yh  Ch  Yh  Yh  Yh  Yh  hh  Yh
set_confidential    booking   Yh  nn  Yh  Yh  Yh  nh  hh  Yh
overbook            provider  nn  nn  Yn  Yn  Yn  Yn  nn  nn
cancel_session      provider  nn  nn  Yn  Yn  Yn  Yn  nn  nn
check_in            booking   nn  nn  Yh  Yh  Yh  Yh  nn  Yh
complete            booking   nn  nn  Yh  Yh  Yh  Yh  nn  Yh
mark_no_show        booking   nn  nn  Yh  Yh  Yh  Yh  nn  Yh
undo                booking   nn  nn  Yh  Yh  Yh  Yh  nn  Yh
wait                caller    YY  YY  nn  nn  nn  nn  nn  nn
read_waiting        provider  nn  nn  Yn  Yn  Yn  Yn  nn  nn
order_waiting       provider  nn  nn  Yn  Yn  Yn  nn  nn  nn
read_schedule       provider  nn  nn  Yn  Yn  Yn  Yn  nn  Yn
read_availability   provider  nn  nn  Yn  Yn  Yn  Yn  nn  Yn
set_availability    provider  nn  nn  Yn  nn  Yn  Yn  nn  nn
read_time_off       provider  nn  nn  Yn  Yn  Yn  Yn  nn  Yn
add_time_off        provider  nn  nn  Yn  Yn  Yn  Yn  nn  nn
remove_time_off     provider  nn  nn  Yn  Yn  Yn  Yn  nn  nn
read_leave_visits   provider  nn  nn  Yn  Yn  Yn  Yn  nn  Yn
settle_leave_visit  provider  nn  nn  Yn  Yn  Yn  Yn  nn  nn
choose_equivalent   booking   Yh  Ch  nn  nn  nn  nn  nn  nn
register_provider   provider  nn  nn  nn  nn  nn  FF  nn  nn
edit_provider_profile provider nn nn  Yn  nn  Yn  FF  nn  nn
name_provider       provider  nn  nn  nn  nn  Yn  FF  nn  nn
retire_provider     provider  nn  nn  nn  nn  Yn  FF  nn  nn
reinstate_provider  provider  nn  nn  nn  nn  Yn  FF  nn  nn
suspend_provider    provider  nn  nn  nn  nn  Fn  FF  nn  nn
read_suspension     provider  nn  nn  Yn  nn  Yn  FF  nn  nn
put_clinic          clinic    nn  nn  nn  nn  Yn  FF  nn  nn
read_resources      clinic    nn  nn  Yn  Yn  Yn  YY  nn  Yn
manage_resources    clinic    nn  nn  nn  nn  Yn  FF  nn  nn
retire_clinic       clinic    nn  nn  nn  nn  Fn  FF  nn  nn
reactivate_clinic   clinic    nn  nn  nn  nn  Fn  FF  nn  nn
edit_provider_entry provider  nn  nn  Yn  nn  Yn  FF  nn  nn
edit_clinic_entry   clinic    nn  nn  nn  nn  Yn  FF  nn  nn
edit_specialties    platform  nn  nn  nn  nn  nn  FF  nn  nn
read_reports        clinic    nn  nn  Yn  Yn  Yn  Yn  nn  nn
read_platform_reports platform nn nn  nn  nn  nn  FF  nn  nn
read_jobs           platform  nn  nn  nn  nn  nn  FF  nn  nn
resend_jobs         platform  nn  nn  nn  nn  nn  FF  nn  nn
read_cluster        platform  nn  nn  nn  nn  nn  YY  nn  nn
"""

_ACCOUNT_ROWS: Final = """
read_profile        patient   Yh  Yh  Yh  Yh  Yh  Yh  hh  Yh
write_profile       patient   Yh  Yh  nh  Yh  Yh  nh  hh  nh
read_notes          patient   Yh  Ch  Yh  nh  nh  Yh  hh  nh
write_notes         patient   Yh  nh  Yh  nh  nh  nh  hh  nh
read_documents      booking   Yh  Ch  Yh  Yh  Yh  Yh  hh  nh
write_documents     booking   Yh  Ch  Yh  Yh  Yh  nh  hh  nh
invite_guardian     patient   Rh  nh  nh  Fh  Fh  nh  hh  nh
end_guardianship    patient   Yh  Yh  nh  Yh  Yh  nh  hh  nh
break_glass         patient   nn  nn  nB  nn  nB  nB  nn  nn
review_glass        clinic    hh  hh  nh  nh  Fh  hh  Fh  nn
write_review        booking   Yh  Ch  nn  nn  nn  nn  nn  nn
answer_review       provider  nn  nn  Yn  nn  Yn  nn  nn  nn
moderate_reviews    platform  nn  nn  nn  nn  nn  FF  nn  nn
manage_busy_times   provider  nn  nn  Yn  nn  Yn  nn  nn  nn
manage_feeds        account   YY  nn  YY  nn  nn  nn  nn  nn
add_dependant       account   YY  nn  nn  nn  nn  nn  nn  nn
apply_as_doctor     account   YY  YY  YY  YY  YY  YY  YY  nn
decide_application  clinic    hh  hh  nh  nh  Fh  FF  nh  nn
accept_invitation   account   YY  YY  YY  YY  YY  YY  YY  nn
read_members        clinic    hh  hh  Yh  Yh  Yh  YY  Yh  nn
invite_member       clinic    hh  hh  nh  nh  Fh  FF  nh  nn
remove_member       clinic    hh  hh  nh  nh  Fh  FF  nh  nn
change_member_role  clinic    hh  hh  nh  nh  Bh  BB  nh  nn
edit_clinic         clinic    hh  hh  nh  nh  Yh  YY  nh  nn
list_accounts       platform  nn  nn  nn  nn  nn  FF  nn  nn
disable_account     platform  nn  nn  nn  nn  nn  BB  nn  nn
end_sessions_of     platform  nn  nn  nn  nn  nn  BB  nn  nn
reset_factors       platform  nn  nn  nn  nn  nn  BB  nn  nn
grant_platform_role platform  nn  nn  nn  nn  nn  BB  nn  nn
create_patient      clinic    nn  nn  Yn  Yn  Yn  nn  nn  Yn
find_patient        clinic    nn  nn  Yn  Yn  Yn  nn  nn  Yn
read_account        account   YY  YY  YY  YY  YY  YY  YY  nn
end_session         account   Yh  Yh  Yh  Yh  Yh  Yh  Yh  nn
change_password     account   RR  RR  RR  RR  RR  RR  RR  nn
change_email        account   RR  RR  RR  RR  RR  RR  RR  nn
add_factor          account   RR  RR  RR  RR  RR  RR  RR  nn
remove_factor       account   Bh  Bh  Bh  Bh  Bh  Bh  Bh  nn
who_saw_me          patient   Yh  nh  nh  nh  nh  nh  nh  nh
export_own_data     caller    RR  nn  nn  nn  nn  nn  nn  nn
export_own_account  account   RR  RR  RR  RR  RR  RR  RR  nn
restrict_own_data   caller    RR  nn  nn  nn  nn  nn  nn  nn
write_consent       caller    YY  nn  nn  nn  nn  nn  nn  nn
request_erasure     caller    BB  nn  nn  nn  nn  nn  nn  nn
request_account_erasure account  BB  BB  BB  BB  BB  BB  BB  nn
decide_erasure      found     nn  nn  nn  nn  Bh  BB  nn  nn
read_audit          found     nn  nn  nn  nn  Fh  nn  Fh  nn
verify_audit        found     nn  nn  nn  nn  Fh  nn  Fh  nn
export_audit        found     nn  nn  nn  nn  Bh  nn  Bh  nn
read_api_clients    clinic    hh  hh  nh  nh  Fh  FF  nh  nn
manage_api_clients  clinic    hh  hh  nh  nh  Bh  BB  nh  nn
link_identity       account   RR  RR  RR  RR  RR  RR  RR  nn
unlink_identity     account   Rh  Rh  Rh  Rh  Rh  Rh  Rh  nn
read_roles          platform  nn  nn  nn  nn  YY  YY  YY  nn
"""
"""Rows that tokens without an account have no part in: 403 account_required."""

PUBLIC: Final = frozenset({Action.READ_PROVIDER, Action.READ_SLOTS, Action.READ_CLINIC})
"""What needs no token."""


def _parse(rows: str) -> dict[Action, tuple[Of, list[str]]]:
    parsed = {}
    for line in rows.strip().splitlines():
        name, of, *cells = line.split()
        parsed[Action(name)] = Of(of), cells
    return parsed


_ROWS: Final = _parse(_CALENDAR_ROWS) | _parse(_ACCOUNT_ROWS)

OF: Final[Mapping[Action, Of]] = MappingProxyType(
    {action: of for action, (of, _) in _ROWS.items()}
)
"""Action -> what it is done to."""

PERMISSIONS: Final = MappingProxyType(
    {
        (action, role, relation): Permission(letter)
        for action, (_, cells) in _ROWS.items()
        for role, cell in zip(_COLUMNS, cells, strict=True)
        for relation, letter in zip(Relation, cell, strict=True)
    }
)
"""(action, role, relation) -> permission; every cell exists."""

NEEDS_ACCOUNT: Final = frozenset(_parse(_ACCOUNT_ROWS))
"""What a token without an account may not do."""

HIDDEN_AS: Final[Mapping[Of, str]] = MappingProxyType(
    {
        Of.PROVIDER: "provider_not_found",
        Of.HOLD: "hold_not_found",
        Of.BOOKING: "booking_not_found",
        Of.PATIENT: "patient_not_found",
        Of.CLINIC: "clinic_not_found",
        Of.ACCOUNT: "account_not_found",
    }
)
"""The code that a hidden object, and a missing one, is denied with."""


class GuardianScope(StrEnum):
    """What a guardian may do for a dependant; each includes the one before."""

    VIEW = "view"
    BOOK = "book"
    MANAGE = "manage"

    @property
    def reach(self) -> int:
        """How far it goes."""
        return list(GuardianScope).index(self)


_VIEWING: Final = frozenset(
    {
        Action.READ_PROVIDER,
        Action.READ_SLOTS,
        Action.READ_CLINIC,
        Action.LIST_HOLDS,
        Action.READ_NOTICES,
        Action.CHOOSE_NOTICES,
        Action.READ_HOLD,
        Action.READ_BOOKING,
        Action.LIST_BOOKINGS,
        Action.TOPIC_ME,
        Action.READ_PROFILE,
        Action.READ_NOTES,
        Action.READ_DOCUMENTS,
        Action.END_GUARDIANSHIP,
    }
)
_MANAGING: Final = frozenset({Action.WRITE_PROFILE})


def scope_needed(action: Action) -> GuardianScope:
    """The least scope of a guardianship that an action for a dependant needs."""
    if action in _VIEWING or OF[action] is Of.ACCOUNT:
        return GuardianScope.VIEW
    return GuardianScope.MANAGE if action in _MANAGING else GuardianScope.BOOK
