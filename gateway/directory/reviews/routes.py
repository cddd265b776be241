"""``…/review`` of a visit, ``/v1/providers/…/reviews``, and ``/v1/reviews``.

Moderators are the platform's administrators: a clinic that could hide what is said of
it would be believed by none.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import Field

from actors.domain.ids import ProviderId
from care.directory.reviews.reviews import RATING, ReviewState
from gateway.access.rights import Action, Of
from gateway.directory.entry_routes import ProviderParam
from gateway.directory.reviews.schemas import (
    HideBody,
    ModeratedAnswer,
    ModeratedPage,
    NewReviewBody,
    OwnReviewAnswer,
    ReplyBody,
    ReviewAnswer,
    ReviewsAnswer,
)
from gateway.directory.reviews.service import ReviewService
from gateway.http.features import CallerDep, FeatureRouter, Page, PageDep

router = FeatureRouter(prefix="/v1", tags=["reviews"])

BookingPath = Annotated[str, Path(description="Which visit.", max_length=110)]
ReviewPath = Annotated[str, Path(description="Which review.", max_length=100)]


class InState(Page):
    """Query parameters of the moderators' list."""

    state: ReviewState = Field(ReviewState.PENDING, description="Which reviews.")


async def reviews_of(request: Request) -> ReviewService:
    """This gateway's reviews."""
    found: ReviewService = request.app.state.reviews
    return found


ReviewsDep = Annotated[ReviewService, Depends(reviews_of)]


@router.post(
    "/bookings/{booking_id}/review",
    right=Action.WRITE_REVIEW,
    status_code=201,
    refusals=["booking_not_found", "not_reviewable", "review_exists"],
)
async def write_review(
    booking_id: BookingPath, body: NewReviewBody, caller: CallerDep, reviews: ReviewsDep
) -> OwnReviewAnswer:
    """Say something of a visit that took place; it is published after a look at it."""
    return OwnReviewAnswer.of(await reviews.write(caller, booking_id, body))


@router.get(
    "/bookings/{booking_id}/review",
    right=Action.WRITE_REVIEW,
    refusals=["booking_not_found", "review_not_found"],
)
async def read_own_review(
    booking_id: BookingPath, caller: CallerDep, reviews: ReviewsDep
) -> OwnReviewAnswer:
    """What the patient said of a visit, and what became of it."""
    return OwnReviewAnswer.of(await reviews.own(caller, booking_id))


@router.delete(
    "/bookings/{booking_id}/review",
    right=Action.WRITE_REVIEW,
    status_code=204,
    refusals=["booking_not_found", "review_not_found"],
)
async def withdraw_review(
    booking_id: BookingPath, caller: CallerDep, reviews: ReviewsDep
) -> None:
    """Take a review back: it is deleted, with the clinic's answer."""
    await reviews.withdraw(caller, booking_id)


@router.get(
    "/providers/{provider_id}/reviews",
    right=Action.READ_PROVIDER,
    refusals=["provider_not_found"],
)
async def list_reviews(
    provider_id: ProviderParam, page: PageDep, reviews: ReviewsDep
) -> ReviewsAnswer:
    """A provider's published reviews, the newest first."""
    named = ProviderId(provider_id)
    found, following = await reviews.published(named, page.cursor, page.limit)
    given, zone = await reviews.ratings(named), await reviews.zone_of(named)
    count = sum(given.values())
    total = sum(rating * number for rating, number in given.items())
    return ReviewsAnswer(
        average=round(total / count, 2) if count else None,
        count=count,
        ratings=[given.get(one, 0) for one in range(RATING[0], RATING[1] + 1)],
        items=[ReviewAnswer.of(one, zone) for one in found],
        next_cursor=following,
    )


@router.get("/reviews", right=Action.MODERATE_REVIEWS)
async def list_for_moderators(
    page: Annotated[InState, Query()], reviews: ReviewsDep
) -> ModeratedPage:
    """Reviews to look at, the oldest first."""
    found, following = await reviews.in_state(page.state, page.cursor, page.limit)
    items = [
        ModeratedAnswer.of(one, await reviews.zone_of(one.provider_id)) for one in found
    ]
    return ModeratedPage(items=items, next_cursor=following)


@router.post(
    "/reviews/{review_id}/publish",
    right=Action.MODERATE_REVIEWS,
    refusals=["review_not_found"],
)
async def publish_review(review_id: ReviewPath, reviews: ReviewsDep) -> ModeratedAnswer:
    """Show a review, also one that was hidden."""
    found = await reviews.publish(review_id)
    return ModeratedAnswer.of(found, await reviews.zone_of(found.provider_id))


@router.post(
    "/reviews/{review_id}/hide",
    right=Action.MODERATE_REVIEWS,
    refusals=["review_not_found"],
)
async def hide_review(
    review_id: ReviewPath, body: HideBody, reviews: ReviewsDep
) -> ModeratedAnswer:
    """Show a review no more; its author reads why."""
    found = await reviews.hide(review_id, body)
    return ModeratedAnswer.of(found, await reviews.zone_of(found.provider_id))


@router.post(
    "/reviews/{review_id}/reply",
    right=Action.ANSWER_REVIEW,
    of=Of.FOUND,
    refusals=["review_not_found"],
)
async def reply_to_review(
    review_id: ReviewPath, body: ReplyBody, caller: CallerDep, reviews: ReviewsDep
) -> ReviewAnswer:
    """Answer a published review for the clinic; an empty text takes it back."""
    found = await reviews.reply(caller, review_id, body)
    return ReviewAnswer.of(found, await reviews.zone_of(found.provider_id))
