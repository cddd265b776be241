"""What is stored of reviews. Every method may raise Unavailable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from actors.domain.ids import BookingId, Millis, PatientId, ProviderId
from care.directory.reviews.reviews import Review, ReviewState

After = tuple[int, str]
"""Where a list goes on: an instant and a review's id."""


class ReviewExists(Exception):
    """The visit has a review."""


class NoReviewer(Exception):
    """The patient is not known here, or was erased."""


class Reviews(Protocol):
    """Reviews of visits.

    What a provider's published reviews add up to, and its line in the directory's log,
    change in the transaction of the review.
    """

    async def add(self, review: Review) -> None:
        """Store a review. Raises ReviewExists, NoReviewer."""
        ...

    async def of_booking(self, booking_id: BookingId) -> Review | None:
        """The review of a visit."""
        ...

    async def find(self, review_id: str) -> Review | None:
        """One review, whatever its state."""
        ...

    async def withdraw(self, booking_id: BookingId, patient_id: PatientId) -> bool:
        """Delete the review that this patient's visit has; False if there is none."""
        ...

    async def published(
        self, provider_id: ProviderId, *, after: After | None, limit: int
    ) -> Sequence[Review]:
        """A provider's published reviews, the newest visits' words first."""
        ...

    async def ratings(self, provider_id: ProviderId) -> Mapping[int, int]:
        """How many published reviews gave each rating."""
        ...

    async def in_state(
        self, state: ReviewState, *, after: After | None, limit: int
    ) -> Sequence[Review]:
        """Reviews of all providers in a state, the oldest first."""
        ...

    async def decide(
        self, review_id: str, state: ReviewState, *, why: str, now: Millis
    ) -> Review | None:
        """Publish or hide a review; again, nothing changes. None if there is none."""
        ...

    async def reply(self, review_id: str, text: str, *, now: Millis) -> Review | None:
        """Store the clinic's answer to a published review; empty takes it back.

        None if there is no published review of this id.
        """
        ...
