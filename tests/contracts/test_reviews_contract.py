"""Reviews over the records: the sum of a provider's ratings under two moderators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import BookingId, Millis, Minute
from care.directory.entries import Rating
from care.directory.reviews.ports import NoReviewer, ReviewExists
from care.directory.reviews.reviews import Review, ReviewState
from persistence.directory.entries import SqlDirectoryEntries
from persistence.directory.reviews.store import SqlReviews, reviewed_by
from persistence.privacy import erasing
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
    """Of two requests at one time one is stored; what was sealed opens as it was."""
    both = await asyncio.gather(
        *(reviewed.add(1, rating) for rating in (2, 5)), return_exceptions=True
    )
    assert sorted(map(str, both)) == sorted(["rev_1", str(ReviewExists())])
    found = await reviewed.store.of_booking(BookingId("bkg_1.1"))
    assert found is not None
    assert found.text == "What a rating means, in words."
    with pytest.raises(NoReviewer):
        await reviewed.add(2, patient=9)


async def test_what_is_published_while_its_author_is_erased_counts_no_more(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server a moderator may commit between two statements of the erasure."""
    site = reviewed.site
    await site.add_patient(2)
    await reviewed.add(1, 5)
    await reviewed.decide(await reviewed.add(2, 3, patient=2), PUBLISHED)
    is_server = site.records.engine.dialect.name != "sqlite"

    async def found(session: AsyncSession, patient_id: str) -> Sequence[str]:
        of = await reviewed_by(session, patient_id)
        if is_server:
            await reviewed.decide("rev_1", PUBLISHED)
            assert await reviewed.rating() == Rating(8, 2)
        return of

    monkeypatch.setattr(erasing, "reviewed_by", found)
    keys, now = await site.ring.of(), site.clock.now()
    async with site.records.writing() as session:
        await erasing.erase(session, keys, make.a_patient_id(1), "acc_9", {}, now)
    assert await reviewed.store.find("rev_1") is None
    assert await reviewed.rating() == Rating(3, 1)


async def test_a_sum_that_was_only_locked_is_not_there(reviewed: Reviewed) -> None:
    """A review is hidden, or taken back, before it was published."""
    for number in (1, 2):
        await reviewed.add(number)
    await reviewed.decide("rev_1", HIDDEN)
    assert await reviewed.store.withdraw(BookingId("bkg_1.2"), make.a_patient_id(1))
    assert await reviewed.rating() is None
    assert await reviewed.store.decide("rev_9", HIDDEN, why="", now=Millis(1)) is None
