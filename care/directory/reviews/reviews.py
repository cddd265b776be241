"""A review, its states, and who is shown what of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.domain.ids import BookingId, Millis, Minute, PatientId, ProviderId

RATING: Final = (1, 5)
"""The least and the greatest rating."""
TEXT_CHARACTERS_MAX: Final = 2_000
REPLY_CHARACTERS_MAX: Final = 2_000
WHY_CHARACTERS_MAX: Final = 500
WITHIN_DAYS: Final = 90
"""A visit can be reviewed for so long after its end."""


class ReviewState(StrEnum):
    """A review is shown once a moderator has published it, and until one hides it."""

    PENDING = "pending"
    PUBLISHED = "published"
    HIDDEN = "hidden"


class Review(Struct, frozen=True):
    """A patient's word on one visit; a visit has one at most.

    ``at`` is when it was written, ``start`` when the visit took place. ``why`` is the
    moderator's reason for hiding it, which its author reads.
    """

    review_id: str
    booking_id: BookingId
    provider_id: ProviderId
    patient_id: PatientId
    start: Minute
    rating: int
    text: str
    at: Millis
    state: ReviewState = ReviewState.PENDING
    changed_at: Millis = Millis(0)
    why: str = ""
    reply: str = ""
    replied_at: Millis | None = None
