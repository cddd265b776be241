"""The search over REST from the roster, and soonest first, exactly and marked.

One file because each test begins with the same gateway and its providers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.ids import Minute, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import NextStarts
from actors.domain.messages.changes import CalendarChange, FeedBatch
from actors.errors import Unavailable
from care.directory.entries import ProviderEntry, Rating, Service
from care.directory.specialties import Specialty, SpecialtyNames
from gateway.directory.roster.hearing import ASKED_AT_ONCE, Hearing
from gateway.directory.roster.soonest import ASKED_MAX
from tests import factories as make
from tests.fakes.api import Api, open_api, slot
from tests.fakes.roster import MemoryRoster

NINE = "2026-08-10T09:00:00Z"


class Searched:
    """A gateway with a roster, which the test keeps current step by step."""

    def __init__(self, api: Api, source: MemoryRoster) -> None:
        self.api, self.source = api, source
        self.cursors: dict[ShardId, tuple[int, int]] = {}
        hearing = api.app.state.services.hearing
        assert isinstance(hearing, Hearing)
        self.hearing = hearing

    async def add(self, number: int, **profile: Any) -> str:
        return await self.api.add_provider(number, **profile)

    async def follow(self) -> None:
        await self.api.project()
        await self.hearing.live.step()

    async def page(self, query: str = "") -> dict[str, Any]:
        answer = await self.api.client.get(f"/v1/providers?{query}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ids(self, query: str = "") -> list[str]:
        """Of all pages."""
        found: list[str] = []
        cursor = ""
        while True:
            page = await self.page(f"{query}&cursor={cursor}")
            found += [item["provider_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    async def settle(self) -> None:
        """What the background asks is answered."""
        await self.hearing._look_into_gaps()
        while self.hearing.waiting():
            await self.hearing._ask_some()

    async def poll(self) -> None:
        """What the feeds bring."""
        links = self.api.links
        for shard in links.shards():
            batch = await links.poll(shard, *self.cursors.get(shard, (0, 0)), 0)
            self.cursors[shard] = batch.epoch, batch.number
            self.hearing.on_feed(shard, batch)


@pytest.fixture
async def site() -> AsyncIterator[Searched]:
    source = MemoryRoster()
    async with open_api(shared={"roster": source}, lists_believed_s=0.0) as api:
        searched = Searched(api, source)
        for number in range(1, 8):
            place = make.a_clinic(number, latitude=50.0 + number, longitude=8.0)
            kind = "Cardiology" if number % 2 else "Dermatology"
            await searched.add(number, specialty=kind, clinic=place)
        await searched.follow()
        yield searched


async def _book(site: Searched, provider: str, start: str, patient: int = 1) -> str:
    booked = await site.api.client.post(
        "/v1/bookings", json=slot(provider, start), headers=site.api.patient(patient)
    )
    assert booked.status_code == 201, booked.text
    return str(booked.json()["booking_id"])


async def test_a_misspelt_specialty_and_filters_find_the_right_ones(
    site: Searched,
) -> None:
    """By synonym and with an error; each filter narrows; the answer tells of it."""
    site.source.entries[ProviderId("prv_2")] = ProviderEntry(
        accepts_new=False,
        insurances=("AOK",),
        services=(Service(VisitTypeId("consult"), 6500, "EUR", remote=True),),
    )
    site.source.ratings[ProviderId("prv_4")] = Rating(14, 3)
    await site.follow()
    page = await site.page("query=dermatolgist")
    assert {item["provider_id"] for item in page["items"]} == {
        "prv_2",
        "prv_4",
        "prv_6",
    }
    assert (page["did_you_mean"], page["total"]) == ("dermatologist", 3)
    assert await site.ids("query=hautarzt&insurance=aok") == ["prv_2"]
    assert await site.ids("telehealth=true") == ["prv_2"]
    assert await site.ids("price_max=6499") == []
    assert await site.ids("price_max=6500&visit_type=consult") == ["prv_2"]
    assert await site.ids("rating_min=4") == ["prv_4"]
    assert "prv_2" not in await site.ids("accepts_new=true")
    assert await site.ids("clinic_id=cln_3") == ["prv_3"]
    (item,) = (await site.page("insurance=AOK"))["items"]
    assert (item["price"], item["currency"], item["telehealth"]) == (6500, "EUR", True)
    assert (await site.ids("sort=rating"))[0] == "prv_4"
    facets = page["facets"]
    assert facets["specialty"] == [{"value": "Dermatology", "count": 3}]
    assert (await site.page("near=52,8&within_km=1&query=derma"))["wider_km"] is None
    far = await site.page("near=60,8&within_km=100")
    assert (far["total"], far["wider_km"]) == (0, 500)


async def test_pages_of_any_length_give_the_same_list(site: Searched) -> None:
    """In every order."""
    for sort in ("soonest", "distance", "match", "rating", "name"):
        lists = [
            await site.ids(f"near=52,8&query=number&sort={sort}&limit={limit}")
            for limit in (1, 2, 50)
        ]
        assert lists[0] == lists[1] == lists[2]
        assert len(lists[0]) == 7


async def test_soonest_is_over_all_and_as_calendars_say_now(site: Searched) -> None:
    """A booking made elsewhere moves its doctor back, a cancellation forward."""
    await site.poll()
    await site.settle()
    await _book(site, "prv_1", NINE)
    booking = await _book(site, "prv_2", NINE, 2)
    found = await site.ids("sort=soonest&limit=2")
    assert found[:5] == ["prv_3", "prv_4", "prv_5", "prv_6", "prv_7"]
    assert set(found[5:]) == {"prv_1", "prv_2"}
    await site.poll()
    cancel = make.cancel_booking(provider_id=ProviderId("prv_2"), booking_id=booking)
    answer = await site.api.ports.calendars.ask(cancel)
    assert type(answer).__name__ != "Refusal", answer
    await site.poll()
    page = await site.page("sort=soonest&limit=3")
    assert page["items"][0]["provider_id"] == "prv_2"
    assert page["live"] is True
    assert all(item["live"] for item in page["items"])


async def test_a_start_taken_elsewhere_is_found_out_before_it_is_shown(
    site: Searched,
) -> None:
    """Although no feed has brought the news: the winners are asked."""
    assert (await site.ids("sort=soonest"))[0] == "prv_1"
    taken = make.book_slot(provider_id=ProviderId("prv_1"))
    answer = await site.api.ports.calendars.ask(taken)
    assert type(answer).__name__ == "BookingView", answer
    page = await site.page("sort=soonest")
    assert page["items"][-1]["provider_id"] == "prv_1"
    assert page["items"][-1]["next_free"] > NINE


async def test_news_of_a_taken_time_makes_its_calendar_be_asked_again() -> None:
    """Also where calendars are believed for a while after they were asked."""
    source = MemoryRoster()
    async with open_api(shared={"roster": source}, lists_believed_s=60.0) as api:
        site = Searched(api, source)
        for number in (1, 2):
            await site.add(number)
        await site.follow()
        await site.poll()
        assert (await site.ids("sort=soonest"))[0] == "prv_1"
        taken = make.book_slot(provider_id=ProviderId("prv_1"))
        assert type(await api.ports.calendars.ask(taken)).__name__ == "BookingView"
        assert (await site.ids("sort=soonest"))[0] == "prv_1"
        await site.poll()
        assert await site.ids("sort=soonest") == ["prv_2", "prv_1"]


async def test_what_was_booked_here_is_in_the_next_list(site: Searched) -> None:
    """And what was cancelled here, too."""
    await site.ids("sort=soonest")
    booking = await _book(site, "prv_1", NINE)
    assert (await site.ids("sort=soonest"))[-1] == "prv_1"
    answer = await site.api.client.post(
        f"/v1/bookings/{booking}/cancel",
        json={"reason": "x"},
        headers=site.api.patient(),
    )
    assert answer.status_code == 200
    assert (await site.ids("sort=soonest"))[0] == "prv_1"


async def test_only_what_may_free_time_makes_a_start_unknown(site: Searched) -> None:
    """After a booking its lower bound stays; after a cancellation it must be asked."""
    await site.settle()
    booking = await _book(site, "prv_1", NINE)
    assert site.hearing.waiting() == 0
    answer = await site.api.client.post(
        f"/v1/bookings/{booking}/cancel", json={}, headers=site.api.patient()
    )
    assert answer.status_code == 200, answer.text
    assert site.hearing.waiting() == 1


async def test_rows_of_a_silent_shard_are_marked(
    site: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown where they were, never as fresh; the answer says so; later it is live."""
    await site.ids("sort=soonest")
    ask, links = site.api.ports.calendars.ask, site.api.links
    frozen = links.shard_of(ProviderId("prv_1"))

    async def half(request: Any) -> Any:
        if any(links.shard_of(one) == frozen for one in request.provider_ids):
            raise Unavailable("frozen")
        return await ask(request)

    monkeypatch.setattr(site.api.ports.calendars, "ask", half)
    for sort in ("soonest", "name"):
        page = await site.page(f"sort={sort}")
        assert page["live"] is False
        for item in page["items"]:
            is_frozen = links.shard_of(ProviderId(item["provider_id"])) == frozen
            assert item["live"] is not is_frozen
    monkeypatch.undo()
    site.hearing._mute.clear()
    assert (await site.page("sort=soonest"))["live"] is True


async def test_a_gap_in_a_feed_is_looked_into(site: Searched) -> None:
    """Until its calendars were asked the list is not called live."""
    await site.poll()
    await site.ids("sort=soonest")
    shard = site.api.links.shard_of(ProviderId("prv_1"))
    site.hearing.on_feed(shard, FeedBatch(9, 9, 9, reset=True))
    assert (await site.page("sort=soonest&limit=1"))["live"] is False
    await site.settle()
    assert (await site.page("sort=soonest&limit=1"))["live"] is True


async def test_older_news_does_not_replace_newer(site: Searched) -> None:
    """What a feed brings late was already answered by the calendar."""
    await site.ids("sort=soonest")
    roster = site.hearing.live.roster
    assert roster is not None
    row = roster.row_of[ProviderId("prv_1")]
    known = roster.services.soonest(row)
    late = CalendarChange(
        ProviderId("prv_1"), 0, 0, starts={VisitTypeId("consult"): (Minute(1),)}
    )
    shard = site.api.links.shard_of(ProviderId("prv_1"))
    site.hearing.on_feed(shard, FeedBatch(0, 1, 1, [late]))
    assert roster.services.soonest(row) == known


async def test_the_background_asks_whoever_was_never_heard(site: Searched) -> None:
    """Then a search need only verify its winners."""
    assert site.hearing.waiting() == 7
    await site.settle()
    before = site.hearing.tally.asked
    await site.page("sort=soonest&limit=2")
    assert site.hearing.tally.asked - before == 3


async def test_a_search_asks_a_bounded_number_of_calendars(
    site: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it the list is shown with what is known, and not called live."""
    monkeypatch.setattr("gateway.directory.roster.soonest.ASKED_MAX", 2)
    page = await site.page("sort=soonest&limit=1")
    assert page["live"] is False
    assert site.hearing.tally.asked <= 6
    assert ASKED_MAX <= 10 * ASKED_AT_ONCE


async def test_edits_are_seen_and_the_gone_are_gone(site: Searched) -> None:
    """Names, specialties of the site, retirement."""
    body = {"name": "Zoe Quartz", "specialty": "Reiki", "clinic_id": "cln_1"}
    edited = await site.api.client.put(
        "/v1/providers/prv_1", json=body, headers=site.api.admin()
    )
    assert edited.status_code == 200, edited.text
    await site.follow()
    assert await site.ids("query=quarz") == ["prv_1"]
    own = Specialty("reiki", {"en": SpecialtyNames("Reiki", ("hands",))})
    site.source.own_specialties.append(own)
    await site.follow()
    assert await site.ids("query=hands") == ["prv_1"]
    retired = await site.api.client.post(
        "/v1/providers/prv_1/retire", headers=site.api.admin()
    )
    assert retired.status_code == 200, retired.text
    await site.follow()
    assert await site.ids("query=quartz") == []


async def test_stores_that_were_away_are_read_again(site: Searched) -> None:
    """Meanwhile the roster answers as it was; nothing that changed is missed."""
    body = {"name": "Zoe Quartz", "specialty": "x", "clinic_id": "cln_1"}
    await site.api.client.put(
        "/v1/providers/prv_1", json=body, headers=site.api.admin()
    )
    await site.api.project()
    site.source.is_away = True
    with pytest.raises(Unavailable):
        await site.hearing.live.step()
    assert len(await site.ids()) == 7
    site.source.is_away = False
    await site.hearing.live.step()
    assert await site.ids("query=quartz") == ["prv_1"]
    assert site.hearing.live.builds == 2


async def test_starts_heard_while_a_new_roster_is_made_are_kept(
    site: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both what was known before and what came meanwhile."""
    await site.ids("sort=soonest")
    live = site.hearing.live
    before = live.roster
    assert before is not None
    known = before.services.soonest(before.row_of[ProviderId("prv_2")])
    shard = site.api.links.shard_of(ProviderId("prv_1"))
    sooner: NextStarts = {VisitTypeId("consult"): (Minute(known - 30),)}
    pause = asyncio.sleep

    async def heard(seconds: float) -> None:
        change = CalendarChange(ProviderId("prv_1"), 999, 9, starts=sooner)
        site.hearing.on_feed(shard, FeedBatch(999, 1, 1, [change]))
        await pause(seconds)

    monkeypatch.setattr("gateway.directory.roster.following.asyncio.sleep", heard)
    site.source.is_lost = True
    await live.step()
    monkeypatch.undo()
    after = live.roster
    assert after is not None
    assert after is not before
    assert after.services.soonest(after.row_of[ProviderId("prv_1")]) == known - 30
    assert after.services.soonest(after.row_of[ProviderId("prv_2")]) == known


async def test_before_the_roster_is_there_sql_answers_what_it_can() -> None:
    """And says so of the rest, to be asked again."""
    async with open_api(shared={"roster": MemoryRoster()}) as api:
        await api.add_provider(1)
        await api.project()
        assert (await api.client.get("/v1/providers")).json()["items"]
        late = await api.client.get("/v1/providers?telehealth=true")
        assert (late.status_code, late.json()["code"]) == (503, "unavailable")
        assert "retry-after" in late.headers


@pytest.mark.parametrize(
    "query",
    [
        "sort=best",
        "sort=distance",
        "telehealth=yes",
        "accepts_new=1",
        "price_max=-1",
        "price_max=x",
        "rating_min=6",
        "rating_min=nan",
        "insurance=" + "x" * 81,
        "language=" + "x" * 99,
        "visit_type=" + "x" * 201,
        "clinic_id=" + "x" * 129,
        "cursor=~",
        "cursor=~abc",
        "cursor=abc",
    ],
)
async def test_a_bad_search_names_its_field(site: Searched, query: str) -> None:
    """422 with the parameter's name."""
    answer = await site.api.client.get(f"/v1/providers?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_a_cursor_of_one_order_is_none_of_another(site: Searched) -> None:
    """422, so that no page is skipped silently."""
    cursor = (await site.page("sort=name&limit=1"))["next_cursor"]
    answer = await site.api.client.get(f"/v1/providers?sort=soonest&cursor={cursor}")
    assert answer.status_code == 422


async def test_metrics_tell_size_and_age(site: Searched) -> None:
    """Counts of the search are among /metrics."""
    await site.page("sort=soonest")
    text = (await site.api.client.get("/metrics")).text
    assert "slotcast_search_providers 7.0" in text
    assert "slotcast_search_starts_verified_total 7.0" in text
    assert "slotcast_search_age_seconds" in text
