"""The calendar's refusals, each with advice for the caller."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from actors.domain.ids import BookingId, HoldId, Minute
from actors.domain.zones import instant_text


class RefusalCode(StrEnum):
    """The codes a calendar refuses with; statuses live in gateway/wire/problems.py."""

    SLOT_UNAVAILABLE = "slot_unavailable"
    SLOT_NOT_OFFERED = "slot_not_offered"
    RESOURCE_UNAVAILABLE = "resource_unavailable"
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
    """An expected negative answer.

    ``detail`` is a sentence for a person, without personal data. ``about`` is the id of
    the caller's own hold or booking that is the reason.
    """

    code: RefusalCode
    detail: str = ""
    about: str = ""


UNAVAILABLE = Refusal(
    RefusalCode.SLOT_UNAVAILABLE, "This time is taken. Choose another slot."
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
"""Refusals whose text never varies."""


def invalid(detail: str) -> Refusal:
    """The request is invalid: ``detail`` says what to correct."""
    return Refusal(RefusalCode.INVALID_REQUEST, detail[0].upper() + detail[1:] + ".")


def at_start(start: Minute, refusal: Refusal) -> Refusal:
    """The refusal of one of several visits, which says which one it is of."""
    said = f"The visit at {instant_text(start)}: {refusal.detail}"
    return Refusal(refusal.code, said, refusal.about)


NO_OVERBOOKING = Refusal(
    RefusalCode.SLOT_UNAVAILABLE,
    "This time is taken, and the provider's rules allow no overbooking. Choose another "
    "slot, or set lanes in the rules.",
)
NOT_CHECKED_IN = Refusal(
    RefusalCode.WRONG_STATUS,
    "The booking is booked and was not checked in. Check it in first, or send "
    "without_check_in.",
)


def wrong_status(status: str) -> Refusal:
    """The booking's status does not allow the command."""
    return Refusal(
        RefusalCode.WRONG_STATUS,
        f"The booking is {status}, which does not allow this. Read it again.",
    )


_GROUNDS = {
    "leave": "the provider is away then",
    "hours": "the provider's hours have changed",
    "place": "this visit type is not offered at this place any more",
    "visit_type": "this visit type is not offered any more",
}


def stranded(reason: str) -> Refusal:
    """The held slot is not offered any more; ``reason`` as in stranding.py."""
    why = _GROUNDS.get(reason, reason)
    return Refusal(
        RefusalCode.SLOT_NOT_OFFERED, f"You hold this slot, but {why}. Choose another."
    )


def version_behind(version: int) -> Refusal:
    """The rules were replaced meanwhile."""
    return Refusal(
        RefusalCode.VERSION_BEHIND,
        f"The rules were replaced at version {version}. Read them again, and repeat "
        "your change on them.",
    )


def too_late_for_patients(before: int) -> Refusal:
    """The visit is too near for its patient to change it; staff still may."""
    until = f"until {before} minutes before its start" if before else "until it begins"
    return Refusal(
        RefusalCode.TOO_LATE,
        f"Patients can cancel or move a visit {until}. Call the clinic.",
    )


def too_early(opens: Minute) -> Refusal:
    """It is too early to record this outcome."""
    return Refusal(
        RefusalCode.TOO_EARLY,
        f"This can be recorded from {instant_text(opens)} on. Try again then.",
    )


PROFILE_REPLACED = Refusal(
    RefusalCode.VERSION_BEHIND,
    "The profile was replaced meanwhile. Read it again, and repeat your change on it.",
)
NOTHING_TO_UNDO = Refusal(
    RefusalCode.WRONG_STATUS,
    "Only a check-in, a completion or a no-show can be taken back. Read it again.",
)
FINAL = Refusal(
    RefusalCode.TOO_LATE,
    "What was recorded more than a day ago is final. Note the correction elsewhere.",
)


OFFER_FIXED = Refusal(
    RefusalCode.WRONG_STATUS,
    "An offer of the waiting list cannot be extended. Book it before it ends.",
)
OFFERED = Refusal(
    RefusalCode.WRONG_STATUS,
    "This slot is offered to a patient. Wait for the answer, or for the offer's end.",
)


OUT_OF_TURN = Refusal(
    RefusalCode.WRONG_STATUS,
    "This slot was offered to another patient meanwhile. Read the hold again.",
)


GROUP_OVER = Refusal(
    RefusalCode.HOLD_EXPIRED,
    "This attempt to book several calendars at once has ended. Begin again with a new "
    "Idempotency-Key.",
)
OF_A_VISIT = Refusal(
    RefusalCode.WRONG_STATUS,
    "This time belongs to a visit with another provider. Change that visit.",
)
MOVES_WITH_MEMBERS = Refusal(
    RefusalCode.WRONG_STATUS,
    "This visit takes rooms or equipment, which move with it. Hold the new time for "
    "all of them, and move the visit to that hold.",
)
NO_RESOURCES = Refusal(
    RefusalCode.SLOT_UNAVAILABLE,
    "The rooms or the equipment that this visit needs are taken at this time. Choose "
    "another slot.",
)
LANES_TAKEN = Refusal(
    RefusalCode.SLOT_UNAVAILABLE,
    "This time is overbooked as far as the provider's rules allow. Choose another.",
)
"""To staff who overbook; patients are answered that the time is taken."""
NO_MEMBERS_LEFT = Refusal(
    RefusalCode.RESOURCE_UNAVAILABLE,
    "No room or equipment that this visit takes is free at this time just now. Choose "
    "another time, or try again later.",
)
"""Where the provider's time is to be had: it is offered, or overbooked."""


def hold_limit(limit: int) -> Refusal:
    """The patient has too many holds."""
    return Refusal(
        RefusalCode.HOLD_LIMIT, f"You already hold {limit} slots. Release one first."
    )


def renewal_limit(holds: int) -> Refusal:
    """The patient has held this time too often without booking it."""
    return Refusal(
        RefusalCode.HOLD_LIMIT,
        f"You have held this time {holds} times within an hour. "
        "Book it when it is free, or choose another.",
    )


def extension_limit(extensions: int, minutes: int) -> Refusal:
    """The hold cannot last any longer."""
    return Refusal(
        RefusalCode.WRONG_STATUS,
        f"A hold can be extended {extensions} times and lasts {minutes} minutes at "
        "most. Book the slot, or hold it again once it has expired.",
    )


def booking_limit(limit: int) -> Refusal:
    """The patient's visits ahead with this provider are too many."""
    return Refusal(
        RefusalCode.BOOKING_LIMIT,
        f"A patient may have {limit} visits ahead with this provider, and you have "
        "reached that. Cancel one, or ask the clinic to book for you.",
    )


def held_by_you(hold_id: HoldId) -> Refusal:
    """The slot is taken by the patient's own hold."""
    return Refusal(
        RefusalCode.SLOT_UNAVAILABLE,
        "You hold this time yourself. Book that hold, or release it first.",
        hold_id,
    )


def booked_by_you(booking_id: BookingId) -> Refusal:
    """The slot meets the patient's own visit."""
    return Refusal(
        RefusalCode.SLOT_UNAVAILABLE,
        "Your own visit takes this time. Move that visit, or choose another slot.",
        booking_id,
    )


def hold_is_for_moving(booking_id: BookingId) -> Refusal:
    """The hold lies over the visit that it was placed to move."""
    return Refusal(
        RefusalCode.SLOT_UNAVAILABLE,
        "This hold is for moving your visit, whose time it meets. "
        "Reschedule that visit with it.",
        booking_id,
    )


def hold_confirmed(booking_id: BookingId) -> Refusal:
    """The hold has become a booking."""
    return Refusal(
        RefusalCode.HOLD_CONFIRMED,
        "This hold has been booked already. Read the booking.",
        booking_id,
    )
