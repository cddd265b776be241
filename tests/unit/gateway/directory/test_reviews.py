"""Reviews over REST: written once per visit, moderated, answered, and anonymous."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from care.directory.reviews.reviews import WITHIN_DAYS
from persistence.privacy.erasing import erase
from tests import factories as make
from tests.fakes.api import slot
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed

START = "2026-08-10T09:00:00Z"
DAY_S = 24 * 3600
GOOD = {"rating": 5, "text": "On time, and kind."}
OF_PROVIDER = "/v1/providers/prv_1/reviews"


class Practice:
    """A doctor, a desk, a moderator and patients with visits."""

    def __init__(self, site: AccountApi) -> None:
        self.site, self.api, self.client = site, site.api, site.client

    @property
    def desk(self) -> dict[str, str]:
        return signed(self.api, "staff", "cln_1", account="acc_8")

    @property
    def boss(self) -> dict[str, str]:
        return signed(self.api, "clinic_admin", "cln_1", account="acc_7")

    @property
    def moderator(self) -> dict[str, str]:
        return signed(self.api, "admin", "site", account="acc_9")

    def patient(self, number: int = 1) -> dict[str, str]:
        return signed(self.api, "patient", f"pat_{number}", account=f"acc_{number}")

    async def visit(self, number: int = 1, start: str = START) -> str:
        made = await self.client.post(
            "/v1/bookings", json=slot(start=start), headers=self.patient(number)
        )
        assert made.status_code == 201, made.text
        await self._salted(number)
        return str(made.json()["booking_id"])

    async def _salted(self, number: int) -> None:
        patients = self.api.ports.patients
        assert patients is not None
        await patients.salt_of(f"pat_{number}", now=self.api.clock.now())  # type: ignore[arg-type]

    async def seen(self, number: int = 1, start: str = START) -> str:
        """A visit that took place."""
        booked = await self.visit(number, start)
        self.api.clock.step(3 * 3600)
        done = await self.client.post(
            f"/v1/bookings/{booked}/complete",
            json={"without_check_in": True},
            headers=self.desk,
        )
        assert done.status_code == 200, done.text
        return booked

    async def say(self, booked: str, number: int = 1, **body: Any) -> httpx.Response:
        return await self.client.post(
            f"/v1/bookings/{booked}/review",
            json=GOOD | body,
            headers=self.patient(number),
        )

    async def moderate(self, verb: str, review: str, **body: Any) -> httpx.Response:
        path = f"/v1/reviews/{review}/{verb}"
        return await self.client.post(path, json=body or None, headers=self.moderator)

    async def published(self, number: int = 1, **body: Any) -> str:
        said = await self.say(await self.seen(number), number, **body)
        assert said.status_code == 201, said.text
        review = str(said.json()["review_id"])
        assert (await self.moderate("publish", review)).status_code == 200
        return review

    async def shown(self, **query: Any) -> dict[str, Any]:
        answer = await self.client.get(OF_PROVIDER, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def rating(self) -> tuple[int, int] | None:
        """What searches know of the provider."""
        entries = self.api.ports.entries
        assert entries is not None
        kept = (await entries.provider("prv_1")).rating  # type: ignore[arg-type]
        return None if kept is None else (kept.total, kept.count)


@pytest.fixture
async def practice(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Practice]:
    async with account_api(request, tmp_path) as site:
        await site.api.add_provider(1)
        yield Practice(site)


async def test_a_visit_that_took_place_is_reviewed_once(practice: Practice) -> None:
    """Not before, and not again, whichever of two requests at one time comes first."""
    booked = await practice.visit()
    assert code_of(await practice.say(booked)) == (409, "not_reviewable")
    practice.api.clock.step(3 * 3600)
    path = f"/v1/bookings/{booked}"
    await practice.client.post(
        f"{path}/complete", json={"without_check_in": True}, headers=practice.desk
    )
    both = await asyncio.gather(practice.say(booked), practice.say(booked, rating=1))
    assert sorted(one.status_code for one in both) == [201, 409]
    assert code_of(await practice.say(booked)) == (409, "review_exists")


@pytest.mark.parametrize("outcome", ["no-show", "cancel"])
async def test_a_visit_that_did_not_take_place_is_not_reviewed(
    practice: Practice, outcome: str
) -> None:
    booked = await practice.visit()
    if outcome == "no-show":
        practice.api.clock.step(11 * 3600)
    path = f"/v1/bookings/{booked}/{outcome}"
    assert (await practice.client.post(path, headers=practice.desk)).is_success
    assert code_of(await practice.say(booked)) == (409, "not_reviewable")


async def test_a_visit_of_long_ago_is_not_reviewed(practice: Practice) -> None:
    booked = await practice.seen()
    practice.api.clock.step((WITHIN_DAYS + 1) * DAY_S)
    assert code_of(await practice.say(booked)) == (409, "not_reviewable")


async def test_only_the_visits_patient_reviews_it(practice: Practice) -> None:
    """To another patient it is not there; staff may not; the clinic is not told who
    wrote: the review of a visit is shown to its patient alone."""
    booked = await practice.seen()
    path = f"/v1/bookings/{booked}/review"
    foreign = await practice.say(booked, 2)
    assert code_of(foreign) == (404, "booking_not_found")
    assert (await practice.say(booked)).status_code == 201
    for who in (practice.desk, practice.boss, practice.moderator):
        assert (await practice.client.get(path, headers=who)).status_code == 403
    own = (await practice.client.get(path, headers=practice.patient())).json()
    assert (own["rating"], own["text"], own["state"]) == (5, GOOD["text"], "pending")


async def test_a_review_is_shown_once_it_is_published(practice: Practice) -> None:
    """Without patient and visit, and of its day the month; the roster counts it."""
    said = await practice.say(await practice.seen())
    review = said.json()["review_id"]
    before = await practice.shown()
    assert (before["count"], before["items"], before["average"]) == (0, [], None)
    assert await practice.rating() is None
    waiting = await practice.client.get("/v1/reviews", headers=practice.moderator)
    assert [one["review_id"] for one in waiting.json()["items"]] == [review]
    assert (await practice.moderate("publish", review)).status_code == 200
    after = await practice.client.get(OF_PROVIDER)
    assert "pat_1" not in after.text
    assert said.json()["booking_id"] not in after.text
    assert after.json() == {
        "average": 5.0,
        "count": 1,
        "ratings": [0, 0, 0, 0, 1],
        "items": [
            {
                "review_id": review,
                "rating": 5,
                "text": GOOD["text"],
                "visited": "2026-08",
                "reply": "",
                "replied_at": None,
            }
        ],
        "next_cursor": None,
    }
    assert await practice.rating() == (5, 1)


async def test_a_hidden_review_counts_no_more_and_its_author_reads_why(
    practice: Practice,
) -> None:
    review = await practice.published(rating=2)
    assert (await practice.moderate("publish", review)).status_code == 200
    assert await practice.rating() == (2, 1), "publishing twice counts once"
    hidden = await practice.moderate("hide", review, reason="It names a person.")
    assert hidden.status_code == 200
    assert (await practice.shown())["count"] == 0
    assert await practice.rating() is None
    again = await practice.moderate("publish", review)
    assert again.json()["reason"] == ""
    assert await practice.rating() == (2, 1)


async def test_the_author_of_a_hidden_review_reads_the_reason(
    practice: Practice,
) -> None:
    booked = await practice.seen()
    review = (await practice.say(booked)).json()["review_id"]
    await practice.moderate("hide", review, reason="It names a person.")
    path = f"/v1/bookings/{booked}/review"
    own = (await practice.client.get(path, headers=practice.patient())).json()
    assert (own["state"], own["reason"]) == ("hidden", "It names a person.")


async def test_only_the_platform_moderates(practice: Practice) -> None:
    """A clinic cannot hide what is said of it."""
    review = await practice.published()
    for who in (practice.boss, practice.desk, practice.patient()):
        for verb in ("hide", "publish"):
            answer = await practice.client.post(
                f"/v1/reviews/{review}/{verb}", json={"reason": "no"}, headers=who
            )
            assert answer.status_code == 403
        assert (
            await practice.client.get("/v1/reviews", headers=who)
        ).status_code == 403
    assert (await practice.shown())["count"] == 1


async def test_the_clinic_answers_what_is_published(practice: Practice) -> None:
    """Of its own providers; an empty answer takes it back; a hidden one has none."""
    pending = await practice.say(await practice.seen(2, "2026-08-10T10:00:00Z"), 2)
    unseen = f"/v1/reviews/{pending.json()['review_id']}/reply"
    thanks = {"text": "Thank you."}
    boss, client = practice.boss, practice.client
    hidden = await client.post(unseen, json=thanks, headers=boss)
    assert code_of(hidden) == (404, "review_not_found")
    review = pending.json()["review_id"]
    await practice.moderate("publish", review)
    path = f"/v1/reviews/{review}/reply"
    other = signed(practice.api, "clinic_admin", "cln_2", account="acc_6")
    assert (await client.post(path, json=thanks, headers=other)).status_code == 403
    answered = await client.post(path, json=thanks, headers=boss)
    assert answered.json()["reply"] == "Thank you."
    (shown,) = (await practice.shown())["items"]
    assert shown["reply"] == "Thank you."
    assert shown["replied_at"] is not None
    await client.post(path, json={"text": ""}, headers=boss)
    (shown,) = (await practice.shown())["items"]
    assert (shown["reply"], shown["replied_at"]) == ("", None)


async def test_a_review_that_is_taken_back_is_gone(practice: Practice) -> None:
    """From the sum, too; another can be written then."""
    booked = await practice.seen()
    said = await practice.say(booked)
    await practice.moderate("publish", said.json()["review_id"])
    path, who = f"/v1/bookings/{booked}/review", practice.patient()
    assert (await practice.client.delete(path, headers=who)).status_code == 204
    assert await practice.rating() is None
    gone = await practice.client.delete(path, headers=who)
    assert code_of(gone) == (404, "review_not_found")
    assert (await practice.say(booked, rating=3)).status_code == 201


async def test_pages_of_reviews_follow_each_other(practice: Practice) -> None:
    """Each review once, the newest first, of the same instant too."""
    wrote = []
    for hour in range(3):
        booked = await practice.seen(1, f"2026-08-1{hour}T12:00:00Z")
        practice.api.clock.step(DAY_S - 3 * 3600)
        review = (await practice.say(booked, rating=hour + 1)).json()["review_id"]
        await practice.moderate("publish", review)
        wrote.append(review)
    found, cursor = [], None
    for _ in wrote:
        page = await practice.shown(limit=1, **({"cursor": cursor} if cursor else {}))
        found += [one["review_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == (wrote[::-1], None)
    assert (await practice.shown())["ratings"] == [1, 1, 1, 0, 0]


async def test_a_cursor_does_not_say_when_a_review_was_written(
    practice: Practice,
) -> None:
    """The clinic knows who was there at that hour. What is no cursor is refused, and a
    review that is hidden by now still is one."""
    review = ""
    for hour in (10, 13):
        booked = await practice.seen(1, f"2026-08-10T{hour}:00:00Z")
        review = (await practice.say(booked)).json()["review_id"]
        await practice.moderate("publish", review)
    cursor = (await practice.shown(limit=1))["next_cursor"]
    assert cursor == review
    await practice.moderate("hide", review, reason="It names a person.")
    assert len((await practice.shown(cursor=cursor))["items"]) == 1
    waits = await practice.say(await practice.seen(2, "2026-08-10T16:00:00Z"), 2)
    for wrong in ("rev_none", "1.rev_1", "' OR 1", waits.json()["review_id"]):
        answer = await practice.client.get(OF_PROVIDER, params={"cursor": wrong})
        assert code_of(answer) == (422, "invalid_request")


async def test_the_month_of_a_visit_is_that_of_the_clinics_clock(
    practice: Practice,
) -> None:
    """On Kiritimati a month begins while the one before has fourteen hours in UTC."""
    place = make.a_location(time_zone="Pacific/Kiritimati")
    rules = make.set_availability(make.an_availability(locations=[place]), 2)
    assert type(await practice.api.ports.calendars.ask(rules)).__name__ == "Affected"
    practice.api.clock.step(21 * DAY_S + 18 * 3600)
    booked = await practice.seen(1, "2026-08-31T19:00:00Z")
    review = (await practice.say(booked)).json()["review_id"]
    seen = await practice.moderate("publish", review)
    assert seen.json()["visited"] == "2026-09"
    (shown,) = (await practice.shown())["items"]
    assert shown["visited"] == "2026-09"


@pytest.mark.parametrize(
    "body",
    [
        {"rating": 0},
        {"rating": 6},
        {"rating": 4.5},
        {"text": "x" * 2001},
        {"text": "a\x00b"},
        {"patient_id": "pat_2"},
    ],
)
async def test_what_is_no_review_is_refused(
    practice: Practice, body: dict[str, Any]
) -> None:
    booked = await practice.seen()
    assert code_of(await practice.say(booked, **body)) == (422, "invalid_request")


async def test_with_its_author_a_review_is_erased(practice: Practice) -> None:
    """With its answer, and from the sum; what another said stays."""
    first = await practice.published(1, rating=1)
    booked = await practice.seen(2, "2026-08-10T15:00:00Z")
    second = (await practice.say(booked, 2, rating=4)).json()["review_id"]
    await practice.moderate("publish", second)
    assert await practice.rating() == (5, 2)
    await _erase(practice, "pat_1")
    (left,) = (await practice.shown())["items"]
    assert (left["review_id"], first != second) == (second, True)
    assert await practice.rating() == (4, 1)


async def _erase(practice: Practice, patient: str) -> None:
    reviews: Any = practice.api.ports.reviews
    keys = await reviews._ring.of()
    async with reviews._records.writing() as session:
        now = practice.api.clock.now()
        await erase(session, keys, patient, "acc_9", {}, now)  # type: ignore[arg-type]
