"""The refusals: expected noes, with a code of the wire. Values, not exceptions.

::

    Refusal                       nothing changed; whose fault and what to do:
    ├── slot_unavailable          somebody has it           choose another slot
    ├── slot_not_offered          outside hours, notice or  choose another slot
    │                             horizon
    ├── hold_limit                the patient's too many    release one
    ├── booking_limit             the patient's too many    cancel one, or call
    ├── overlap                   the patient has another   choose another slot, or
    │                             visit then                say allow_overlap
    ├── hold_confirmed            the hold is a booking     read the booking
    ├── hold_expired              the hold is gone          hold again
    ├── wrong_status              the booking's status      read it again
    │                             forbids this
    ├── version_behind            the rules were replaced   read them again
    │                             since they were read
    ├── too_early                 the visit's time has not  wait until then
    │                             come
    ├── too_late                  the visit has begun, or   call the clinic
    │                             what was done is final
    ├── provider_not_found  hold_not_found  booking_not_found
    │   visit_type_not_found  time_off_not_found
    ├── invalid_request           the client's fault        mend the request
    ├── idempotency_key_reused    the client's fault        use a new key
    └── deadline_passed           came too late             retry, same key
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class RefusalCode(StrEnum):
    """The codes a calendar refuses with; statuses live in gateway/wire/problems.py."""

    SLOT_UNAVAILABLE = "slot_unavailable"
    SLOT_NOT_OFFERED = "slot_not_offered"
    HOLD_LIMIT = "hold_limit"
    BOOKING_LIMIT = "booking_limit"
    OVERLAP = "overlap"
    HOLD_EXPIRED = "hold_expired"
    HOLD_CONFIRMED = "hold_confirmed"
    WRONG_STATUS = "wrong_status"
    VERSION_BEHIND = "version_behind"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    PROVIDER_NOT_FOUND = "provider_not_found"
    HOLD_NOT_FOUND = "hold_not_found"
    BOOKING_NOT_FOUND = "booking_not_found"
    VISIT_TYPE_NOT_FOUND = "visit_type_not_found"
    TIME_OFF_NOT_FOUND = "time_off_not_found"
    INVALID_REQUEST = "invalid_request"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    DEADLINE_PASSED = "deadline_passed"


NOT_REMEMBERED = frozenset(
    {RefusalCode.IDEMPOTENCY_KEY_REUSED, RefusalCode.DEADLINE_PASSED}
)
"""Refusals that are not journaled under their key: the first belongs to another
command's key, the second must not stop the same key's later attempt."""


class Refusal(Struct, frozen=True, tag="refusal", gc=False):
    """An expected no. ``detail`` is a sentence for a person, without personal data.

    ``about`` is the id of the asker's own hold or booking that is the reason.
    """

    code: RefusalCode
    detail: str = ""
    about: str = ""
