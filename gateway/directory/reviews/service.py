"""Writes, shows, moderates and answers reviews.

A visit is reviewed by its patient, or by a guardian who may book for them, once it has
taken place; a unique key of the records says once, on whatever path. The clinic reads
what is published, and never who wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import BookingStatus, BookingView
from actors.domain.zones import Zone, zone_or_utc
from actors.ports import Clock
from care.directory.reviews.ports import After, NoReviewer, ReviewExists, Reviews
from care.directory.reviews.reviews import WITHIN_DAYS, Review, ReviewState
from gateway.access.rights import Access, Action
from gateway.access.tokens import Caller
from gateway.bookings.service import BookingService
from gateway.config import GatewayPorts
from gateway.directory.reviews.schemas import HideBody, NewReviewBody, ReplyBody
from gateway.wire.cursors import cursor_after, not_a_cursor, place_of_cursor
from gateway.wire.errors import NotFound, RequestError
from gateway.wire.fields import checked_text

_DAY_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000
_REVIEW: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


class NotReviewable(RequestError):
    """A visit is reviewed once it has taken place, and within 90 days of it."""

    code = "not_reviewable"


class VisitHasReview(RequestError):
    """This visit has a review; take that one back to write another."""

    code = "review_exists"


class ReviewService:
    """One per gateway. Every method may raise Unavailable."""

    def __init__(
        self,
        ports: GatewayPorts,
        reviews: Reviews,
        bookings: BookingService,
        access: Access,
    ) -> None:
        self._reviews = reviews
        self._bookings = bookings
        self._access = access
        self._clock: Clock = ports.clock
        self._tokens = ports.tokens

    async def write(self, caller: Caller, booked: str, body: NewReviewBody) -> Review:
        """Store what a patient says of their visit; a moderator publishes it.

        Raises:
            Refused, NotFound: there is no such visit, or it is not theirs.
            NotReviewable: it did not take place, or is long over.
            VisitHasReview: it has a review.
            InvalidRequest: the text has control characters.
        """
        view = await self._own_visit(caller, booked)
        now = self._clock.now()
        text = checked_text(body.text, "text")
        over = now - view.end * _MINUTE_MS
        if view.status is not BookingStatus.FULFILLED or over > WITHIN_DAYS * _DAY_MS:
            raise NotReviewable
        review = Review(
            review_id="rev_" + self._tokens(),
            booking_id=view.booking_id,
            provider_id=view.provider_id,
            patient_id=view.patient_id,
            start=view.start,
            rating=body.rating,
            text=text,
            at=now,
            changed_at=now,
        )
        try:
            await self._reviews.add(review)
        except ReviewExists:
            raise VisitHasReview from None
        except NoReviewer:
            raise NotFound(code="booking_not_found") from None
        return review

    async def own(self, caller: Caller, booked: str) -> Review:
        """The review of a visit, for its patient. Raises NotFound."""
        view = await self._own_visit(caller, booked)
        found = await self._reviews.of_booking(view.booking_id)
        if found is None:
            raise NotFound(code="review_not_found")
        return found

    async def withdraw(self, caller: Caller, booked: str) -> None:
        """Delete the review of the patient's visit. Raises NotFound."""
        view = await self._own_visit(caller, booked)
        if not await self._reviews.withdraw(view.booking_id, view.patient_id):
            raise NotFound(code="review_not_found")

    async def published(
        self, provider_id: ProviderId, cursor: str | None, limit: int
    ) -> tuple[Sequence[Review], str | None]:
        """A page of a provider's reviews, the newest first, and the next cursor.

        The cursor is a review's id: the instant at which it was written would show the
        clinic which of the day's patients wrote it.

        Raises:
            NotFound: there is no such provider.
            InvalidRequest: the cursor is not valid.
        """
        if await self._access.facts(provider_id) is None:
            raise NotFound(code="provider_not_found")
        after = None if cursor is None else await self._place_of(provider_id, cursor)
        found = await self._reviews.published(provider_id, after=after, limit=limit + 1)
        is_last = len(found) <= limit
        return found[:limit], None if is_last else found[limit - 1].review_id

    async def _place_of(self, provider_id: ProviderId, cursor: str) -> After:
        """Of a review that is shown, or was. Raises InvalidRequest."""
        last = await self._reviews.find(cursor) if _REVIEW.fullmatch(cursor) else None
        if (
            last is None
            or last.provider_id != provider_id
            or last.state is ReviewState.PENDING
        ):
            raise not_a_cursor()
        return last.at, last.review_id

    async def zone_of(self, provider_id: ProviderId) -> Zone:
        """The zone of a provider's clinic."""
        return zone_or_utc(await self._access.zone_of(provider_id))

    async def ratings(self, provider_id: ProviderId) -> Mapping[int, int]:
        """How many published reviews of a provider gave each rating."""
        return await self._reviews.ratings(provider_id)

    async def in_state(
        self, state: ReviewState, cursor: str | None, limit: int
    ) -> tuple[Sequence[Review], str | None]:
        """A page of reviews in a state, the oldest first. Raises InvalidRequest."""
        after = None if cursor is None else place_of_cursor(cursor)
        found = await self._reviews.in_state(state, after=after, limit=limit + 1)
        return _page(found, limit)

    async def publish(self, review_id: str) -> Review:
        """Show a review. Raises NotFound."""
        return await self._decide(review_id, ReviewState.PUBLISHED, "")

    async def hide(self, review_id: str, body: HideBody) -> Review:
        """Show a review no more. Raises NotFound, InvalidRequest."""
        why = checked_text(body.reason, "reason")
        return await self._decide(review_id, ReviewState.HIDDEN, why)

    async def _decide(self, review_id: str, state: ReviewState, why: str) -> Review:
        now = self._clock.now()
        found = await self._reviews.decide(review_id, state, why=why, now=now)
        if found is None:
            raise NotFound(code="review_not_found")
        return found

    async def reply(self, caller: Caller, review_id: str, body: ReplyBody) -> Review:
        """Answer a published review for its provider's clinic.

        To clinics there are published reviews only.

        Raises:
            NotFound: there is no published review of this id.
            Forbidden: it is of another clinic's provider.
            InvalidRequest: the text has control characters.
        """
        found = await self._reviews.find(review_id)
        if found is None or found.state is not ReviewState.PUBLISHED:
            raise NotFound(code="review_not_found")
        await self._access.to_provider(caller, Action.ANSWER_REVIEW, found.provider_id)
        text, now = checked_text(body.text, "text"), self._clock.now()
        replied = await self._reviews.reply(review_id, text, now=now)
        if replied is None:
            raise NotFound(code="review_not_found")
        return replied

    async def _own_visit(self, caller: Caller, booked: str) -> BookingView:
        _, view = await self._bookings.about(caller, Action.WRITE_REVIEW, booked)
        return view


def _page(found: Sequence[Review], limit: int) -> tuple[Sequence[Review], str | None]:
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], cursor_after(last.at, last.review_id)
