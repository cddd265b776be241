"""The calendar's noes, each with a sentence that says what to do."""

from __future__ import annotations

from actors.domain.errors import Refusal, RefusalCode
from actors.domain.ids import Minute
from actors.domain.zones import instant_text

UNAVAILABLE = Refusal(
    RefusalCode.SLOT_UNAVAILABLE, "Somebody else has this time. Choose another slot."
)
NOT_OFFERED = Refusal(
    RefusalCode.SLOT_NOT_OFFERED,
    "This visit type is not offered at this time. Choose one of the listed slots.",
)
BEGUN = Refusal(
    RefusalCode.SLOT_NOT_OFFERED,
    "The visit would have begun already. Choose a later slot.",
)
NO_VISIT_TYPE = Refusal(
    RefusalCode.VISIT_TYPE_NOT_FOUND, "This provider has no such visit type."
)
NO_PROVIDER = Refusal(RefusalCode.PROVIDER_NOT_FOUND, "There is no such provider.")
NO_BOOKING = Refusal(RefusalCode.BOOKING_NOT_FOUND, "There is no such booking.")
NO_HOLD = Refusal(RefusalCode.HOLD_NOT_FOUND, "There is no such hold.")
HOLD_EXPIRED = Refusal(
    RefusalCode.HOLD_EXPIRED, "The hold has expired. Hold the slot again."
)
EXTENDED_ALREADY = Refusal(
    RefusalCode.WRONG_STATUS, "A hold can be extended once, and this one has been."
)
NO_TIME_OFF = Refusal(RefusalCode.TIME_OFF_NOT_FOUND, "There is no such time off.")
KEY_REUSED = Refusal(
    RefusalCode.IDEMPOTENCY_KEY_REUSED,
    "This Idempotency-Key was used for another request. Use a new one.",
)
TOO_LATE = Refusal(
    RefusalCode.DEADLINE_PASSED, "The request came too late. Retry with the same key."
)
SENTENCES = (
    UNAVAILABLE,
    NOT_OFFERED,
    NO_VISIT_TYPE,
    NO_PROVIDER,
    NO_BOOKING,
    NO_HOLD,
    HOLD_EXPIRED,
    NO_TIME_OFF,
    KEY_REUSED,
)
"""Refusals that are always said in the same words."""


def invalid(detail: str) -> Refusal:
    """The client's fault: ``detail`` says what to mend."""
    return Refusal(RefusalCode.INVALID_REQUEST, detail[0].upper() + detail[1:] + ".")


def wrong_status(status: str) -> Refusal:
    """The booking's status forbids what is asked."""
    return Refusal(
        RefusalCode.WRONG_STATUS,
        f"The booking is {status}, which does not allow this. Read it again.",
    )


def too_late_for_patients(before: int) -> Refusal:
    """The visit is too near for its patient to change it; staff still may."""
    until = f"until {before} minutes before its start" if before else "until it begins"
    return Refusal(
        RefusalCode.TOO_LATE,
        f"Patients can cancel or move a visit {until}. Call the clinic.",
    )


def too_early(opens: Minute) -> Refusal:
    """An outcome of a visit whose time has not come."""
    return Refusal(
        RefusalCode.TOO_EARLY,
        f"This can be recorded from {instant_text(opens)} on. Try again then.",
    )


NOTHING_TO_UNDO = Refusal(
    RefusalCode.WRONG_STATUS,
    "Only a check-in, a completion or a no-show can be taken back. Read it again.",
)
FINAL = Refusal(
    RefusalCode.TOO_LATE,
    "What was recorded more than a day ago is final. Note the correction elsewhere.",
)


def hold_limit(limit: int) -> Refusal:
    """The patient's holds on this calendar are too many."""
    return Refusal(
        RefusalCode.HOLD_LIMIT, f"You already hold {limit} slots. Release one first."
    )
