"""Bodies and answers of reviews."""

from __future__ import annotations

from typing import Final, Self

from pydantic import ConfigDict, Field

from actors.domain.zones import Zone, date_text
from care.directory.reviews.reviews import (
    RATING,
    REPLY_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    WHY_CHARACTERS_MAX,
    Review,
    ReviewState,
)
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text

_MONTH: Final = len("2026-11")


class NewReviewBody(Body):
    """What a patient says of a visit. Once published its text is public."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"rating": 5, "text": "On time, and kind."}}
    )

    rating: int = Field(ge=RATING[0], le=RATING[1], strict=True)
    text: str = Field("", max_length=TEXT_CHARACTERS_MAX)


class ReplyBody(Body):
    """The clinic's answer; an empty one takes it back."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"text": "Thank you. We look forward to you."}}
    )

    text: str = Field(max_length=REPLY_CHARACTERS_MAX)


class HideBody(Body):
    """Why a review is not shown; its author reads it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reason": "It names another patient."}}
    )

    reason: str = Field(min_length=1, max_length=WHY_CHARACTERS_MAX)


class OwnReviewAnswer(Answer):
    """A review as its author sees it; ``reason`` says why it is hidden."""

    review_id: str
    booking_id: str
    rating: int
    text: str
    written_at: str
    state: ReviewState
    reason: str
    reply: str
    replied_at: str | None

    @classmethod
    def of(cls, review: Review) -> Self:
        """The answer."""
        return cls(
            review_id=review.review_id,
            booking_id=review.booking_id,
            rating=review.rating,
            text=review.text,
            written_at=millis_text(review.at),
            state=review.state,
            reason=review.why if review.state is ReviewState.HIDDEN else "",
            reply=review.reply,
            replied_at=_instant(review.replied_at),
        )


class ReviewAnswer(Answer):
    """A published review. It names no patient, no visit, and of its day the month."""

    review_id: str
    rating: int
    text: str
    visited: str
    reply: str
    replied_at: str | None

    @classmethod
    def of(cls, review: Review, zone: Zone) -> Self:
        """The answer; ``zone``: the clinic's."""
        return cls(
            review_id=review.review_id,
            rating=review.rating,
            text=review.text,
            visited=_month(review, zone),
            reply=review.reply,
            replied_at=_instant(review.replied_at),
        )


class ReviewsAnswer(Answer):
    """A page of a provider's reviews, and what all of them add up to.

    ``ratings`` has the number of reviews with one, two, up to five stars.
    """

    average: float | None
    count: int
    ratings: list[int] = Field(min_length=RATING[1], max_length=RATING[1])
    items: list[ReviewAnswer]
    next_cursor: str | None


class ModeratedAnswer(Answer):
    """A review as moderators see it: without its author and the visit."""

    review_id: str
    provider_id: str
    rating: int
    text: str
    visited: str
    written_at: str
    state: ReviewState
    reason: str
    reply: str

    @classmethod
    def of(cls, review: Review, zone: Zone) -> Self:
        """The answer; ``zone``: the clinic's."""
        return cls(
            review_id=review.review_id,
            provider_id=review.provider_id,
            rating=review.rating,
            text=review.text,
            visited=_month(review, zone),
            written_at=millis_text(review.at),
            state=review.state,
            reason=review.why,
            reply=review.reply,
        )


class ModeratedPage(Answer):
    """A page of reviews for moderators, the oldest first."""

    items: list[ModeratedAnswer]
    next_cursor: str | None


def _instant(at: int | None) -> str | None:
    return None if at is None else millis_text(at)


def _month(review: Review, zone: Zone) -> str:
    """When the visit was: the morning of the first is another month in UTC."""
    return date_text(zone.day_of(review.start))[:_MONTH]
