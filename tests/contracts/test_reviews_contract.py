"""Reviews over the records: the sum of a provider's ratings under two moderators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import BookingId, Minute
from care.directory.entries import Rating
from care.directory.reviews.ports import NoReviewer, ReviewExists
from care.directory.reviews.reviews import Review, ReviewState
from persistence.directory.entries import SqlDirectoryEntries
from persistence.directory.reviews.store import SqlReviews
from tests import factories as make
from tests.fixtures.told import ToldSite, told_site

PUBLISHED, HIDDEN = ReviewState.PUBLISHED, ReviewState.HIDDEN


class Reviewed:
    """The reviews of a site, and what the directory has of them."""

    def __init__(self, site: ToldSite) -> None:
        self.site = site
        self.store = SqlReviews(site.records, site.ring)
        self.entries = SqlDirectoryEntries(site.records)

    async def add(self, number: int, rating: int = 4, patient: int = 1) -> str:
        name = f"rev_{number}"
        now = self.site.clock.now()
        review = Review(
            review_id=name,
            booking_id=BookingId(f"bkg_1.{number}"),
            provider_id=make.PROVIDER,
            patient_id=make.a_patient_id(patient),
            start=Minute(now // 60_000),
            rating=rating,
            text="What a rating means, in words.",
            at=now,
        )
        await self.store.add(review)
        return name

    async def decide(self, name: str, state: ReviewState) -> None:
        now = self.site.clock.now()
        assert await self.store.decide(name, state, why="", now=now) is not None

    async def rating(self) -> Rating | None:
        return (await self.entries.provider(make.PROVIDER)).rating


@pytest.fixture(params=("sqlite", "asyncmy"))
async def reviewed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Reviewed]:
    async with told_site(request.param, request, tmp_path) as site:
        await site.add_patient(1)
        yield Reviewed(site)


async def test_what_several_publish_at_one_time_is_all_counted(
    reviewed: Reviewed,
) -> None:
    """Of two changes the second counts what the first has committed."""
    names = [await reviewed.add(number, 1 + number % 5) for number in range(8)]
    await asyncio.gather(*(reviewed.decide(one, PUBLISHED) for one in names))
    expected = [1 + number % 5 for number in range(8)]
    assert await reviewed.rating() == Rating(sum(expected), len(expected))
    await asyncio.gather(*(reviewed.decide(one, HIDDEN) for one in names[:7]))
    assert await reviewed.rating() == Rating(expected[7], 1)
    await reviewed.decide(names[7], HIDDEN)
    assert await reviewed.rating() is None


async def test_a_visit_has_one_review_and_an_unknown_person_none(
    reviewed: Reviewed,
) -> None:
    """Whoever asks twice at one time; what was sealed opens as it was."""
    both = await asyncio.gather(
        *(reviewed.add(1, rating) for rating in (2, 5)), return_exceptions=True
    )
    assert sorted(map(str, both)) == sorted(["rev_1", str(ReviewExists())])
    found = await reviewed.store.of_booking(BookingId("bkg_1.1"))
    assert found is not None
    assert found.text == "What a rating means, in words."
    with pytest.raises(NoReviewer):
        await reviewed.add(2, patient=9)
