"""Watched lists: members as they change, exactly, and marked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.ids import ProviderId
from actors.domain.messages.changes import FeedBatch
from actors.errors import Unavailable
from gateway.directory.lists.watched import RENEW_S
from tests import factories as make
from tests.fakes.api import slot
from tests.unit.gateway.directory.test_search import NINE
from tests.unit.gateway.directory.watching import (
    SOONEST,
    WINDOW_S,
    Chance,
    Watched,
    a_watched_site,
)


@pytest.fixture
async def site() -> AsyncIterator[Watched]:
    async with a_watched_site() as watched:
        yield watched


async def test_a_booked_start_leaves_and_a_cancelled_one_enters(site: Watched) -> None:
    """One step after the change, which was made elsewhere; members as REST has them."""
    shown = await site.watch(**SOONEST)
    page = await site.page("sort=soonest&limit=3")
    assert shown.ids() == ["prv_1", "prv_2", "prv_3"]
    assert [shown.members[one] for one in shown.ids()] == page["items"]
    assert (shown.state["total"], shown.state["live"]) == (7, True)
    await site.book("prv_1")
    await site.step()
    assert shown.ids() == ["prv_2", "prv_3", "prv_4"]
    assert shown.frames[-1]["gone"] == ["prv_1"]
    assert [one["provider_id"] for one in shown.frames[-1]["members"]] == ["prv_4"]
    await site.cancel("prv_1")
    await site.step()
    assert shown.ids() == ["prv_1", "prv_2", "prv_3"]
    assert shown.free() == [NINE] * 3


async def test_what_was_done_at_this_gateway_is_seen_without_its_feed(
    site: Watched,
) -> None:
    """Its own commands touch lists at once."""
    shown = await site.watch(**SOONEST)
    mine = site.api.patient()
    booked = await site.api.client.post(
        "/v1/bookings", json=slot("prv_2"), headers=mine
    )
    assert booked.status_code == 201
    await site.draw()
    assert shown.ids() == ["prv_1", "prv_3", "prv_4"]
    path = f"/v1/bookings/{booked.json()['booking_id']}/cancel"
    assert (await site.api.client.post(path, json={}, headers=mine)).status_code == 200
    await site.draw()
    assert shown.ids() == ["prv_1", "prv_2", "prv_3"]


async def test_the_rest_begins_after_the_last_member(site: Watched) -> None:
    """Also after members have come and gone, nothing is missed or shown twice."""
    shown = await site.watch(**SOONEST)
    for provider in ("prv_3", "prv_6"):
        await site.book(provider)
    await site.quiet()
    ids, cursor = shown.ids(), shown.state["next_cursor"]
    page = await site.page(f"sort=soonest&cursor={cursor}&limit=100")
    rest = [item["provider_id"] for item in page["items"]]
    assert len(rest) == 4
    assert {*ids, *rest} == {f"prv_{number}" for number in range(1, 8)}
    whole = await site.watch(sort="soonest", limit=7)
    whole.ids()
    assert whole.state["next_cursor"] is None


LISTS: tuple[dict[str, Any], ...] = (
    {"sort": "soonest", "limit": 3},
    {"sort": "soonest", "limit": 100},
    {"sort": "soonest", "limit": 2, "specialty": "Dermatology"},
    {"sort": "soonest", "limit": 2, "visit_type": "consult"},
    {"sort": "name", "limit": 4},
)


@pytest.mark.parametrize("seed", range(8))
async def test_a_list_is_what_all_calendars_say(site: Watched, seed: int) -> None:
    """After any changes, of calendars and of who there is, with and without filters."""
    chance = Chance(site, seed)
    lists = [await site.watch(**asked) for asked in LISTS]
    for _ in range(12):
        for _ in range(chance.draw.randint(1, 4)):
            await chance.step()
        await site.step()
    await site.quiet()
    await site.truth(chance.everyone, 100)  # holds that are over end by being seen
    await site.quiet()
    for shown, asked in zip(lists, LISTS, strict=True):
        is_all = "specialty" not in asked
        among = [one for one in chance.everyone if is_all or int(one[4:]) % 2 == 0]
        truth = await site.truth(among, 100)
        members = list(zip(shown.free(), shown.ids(), strict=True))
        if asked["sort"] == "soonest":
            assert members == truth[: asked["limit"]]
        assert set(members) <= set(truth)
        assert len(members) == min(len(among), asked["limit"])
        assert shown.state["live"] is True


async def test_all_of_a_window_is_one_frame(site: Watched) -> None:
    """At most one in 250 ms, with the last state; what was undone is not sent."""
    shown = await site.watch(**SOONEST)
    live = site.api.app.state.live
    before = len(shown.frames)
    for number, provider in enumerate(("prv_1", "prv_2", "prv_3"), 1):
        await site.book(provider, number)
        await site.poll()
        await live._lists.step()
        live.hub.delivery.release(site.api.clock.now())
        site.api.clock.step(0.02)
    await site.cancel("prv_2", 2)
    await site.poll()
    await live._lists.step()
    assert len(shown.frames) == before
    site.api.clock.step(WINDOW_S - 0.06 - 0.001)
    live.hub.delivery.release(site.api.clock.now())
    assert len(shown.frames) == before
    site.api.clock.step(0.001)
    live.hub.delivery.release(site.api.clock.now())
    assert len(shown.frames) == before + 1
    assert shown.ids() == ["prv_2", "prv_4", "prv_5"]


async def test_what_is_undone_in_the_window_sends_nothing(site: Watched) -> None:
    """A list that is as it was is not sent."""
    shown = await site.watch(**SOONEST)
    before = len(shown.frames)
    live = site.api.app.state.live
    for change in (site.book, site.cancel):
        await change("prv_1")
        await site.poll()
        await live._lists.step()
    site.api.clock.step(WINDOW_S)
    live.hub.delivery.release(site.api.clock.now())
    assert len(shown.frames) == before


async def test_a_window_costs_one_question_to_each_shard(site: Watched) -> None:
    """However many bookings and lists there are."""
    for asked in (SOONEST, {"sort": "soonest"}, {"sort": "soonest", "limit": 5}):
        await site.watch(**asked)
    await site.quiet()
    for number in range(1, 5):
        await site.book(f"prv_{number}", number)
    await site.poll()
    before = site.hearing.tally.questions
    await site.api.app.state.live._lists.step()
    assert site.hearing.tally.questions - before <= 2 * len(site.api.links.shards())


async def test_a_booking_of_no_member_asks_nothing(site: Watched) -> None:
    """It is looked up, and the lists stay undrawn."""
    await site.watch(**SOONEST)
    await site.quiet()
    drawn, asked = site.lists.watched.drawn, site.hearing.tally.asked
    await site.book("prv_7")
    await site.poll()
    assert not site.lists.watched.news.is_set()
    await site.api.app.state.live._lists.step()
    assert site.lists.watched.drawn == drawn
    assert site.hearing.tally.asked == asked


async def test_a_frozen_shard_is_marked_and_heard_again(
    site: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its members stay where they were and are not called live, without any change."""
    shown = await site.watch(sort="soonest", limit=7)
    ids = shown.ids()
    now = 0.0
    monkeypatch.setattr(site.lists.watched, "_now", lambda: now)
    await site.quiet()
    ask, links = site.api.ports.calendars.ask, site.api.links
    frozen = links.shard_of(ProviderId("prv_1"))
    on_it = {one for one in ids if links.shard_of(ProviderId(one)) == frozen}

    async def half(request: Any) -> Any:
        if on_it.intersection(request.provider_ids):
            raise Unavailable("frozen")
        return await ask(request)

    monkeypatch.setattr(site.api.ports.calendars, "ask", half)
    site.lists.watched._exact.update(dict.fromkeys(site.lists.watched._exact, 0.0))
    now = RENEW_S
    await site.lists.renew()
    await site.step()
    assert shown.ids() == ids
    assert {one for one in ids if not shown.members[one]["live"]} == on_it
    assert shown.state["live"] is False
    monkeypatch.setattr(site.api.ports.calendars, "ask", ask)
    site.hearing._mute.clear()
    now = 2 * RENEW_S
    await site.lists.renew()
    await site.quiet()
    shown.ids()
    assert all(one["live"] for one in shown.members.values())
    assert shown.state["live"] is True


async def test_a_frozen_feed_is_found_out(
    site: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its calendars are asked although nothing was heard; a silent feed is said."""
    shown = await site.watch(**SOONEST)
    await site.quiet()
    await site.book("prv_1")
    await site.draw()
    assert shown.ids()[0] == "prv_1"  # no feed has told
    later = site.lists.watched._now() + RENEW_S
    monkeypatch.setattr(site.lists.watched, "_now", lambda: later)
    await site.lists.renew()
    await site.draw()
    assert shown.ids() == ["prv_2", "prv_3", "prv_4"]
    assert shown.state["live"] is True
    shard = site.api.links.shard_of(ProviderId("prv_1"))
    site.hearing.silences = lambda: {shard: 26.0}
    await site.draw()
    shown.ids()
    assert shown.state["live"] is False


async def test_a_gap_makes_members_be_asked_again(site: Watched) -> None:
    """What happened in it is shown one step later."""
    shown = await site.watch(**SOONEST)
    await site.quiet()
    await site.book("prv_1")
    for shard in site.api.links.shards():
        site.cursors.pop(shard)
        site.hearing.on_feed(shard, FeedBatch(1, 1, 1, reset=True))
    await site.draw()
    assert shown.ids() == ["prv_2", "prv_3", "prv_4"]


async def test_a_change_while_its_calendar_is_asked_is_not_lost(
    site: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer may be from before it: the list is drawn again."""
    shown = await site.watch(**SOONEST)
    await site.quiet()
    ask = site.api.ports.calendars.ask
    is_first = True

    async def overtaken(request: Any) -> Any:
        nonlocal is_first
        answer = await ask(request)
        if is_first and ProviderId("prv_1") in request.provider_ids:
            is_first = False
            await ask(
                make.book_slot(
                    2,
                    start=make.at(9, 30),
                    booking_id=make.a_booking_id(2),
                )
            )
            await site.poll()
        return answer

    await site.book("prv_1")
    monkeypatch.setattr(site.api.ports.calendars, "ask", overtaken)
    await site.quiet()
    assert not is_first
    whole = await site.watch(sort="soonest", limit=7)
    assert whole.free()[-1] == "2026-08-10T10:00:00Z"
    assert shown.ids() == ["prv_2", "prv_3", "prv_4"]


async def test_edits_and_the_gone_are_shown(site: Watched) -> None:
    """Names in members; a retired doctor leaves, a new one enters."""
    shown = await site.watch(sort="name", limit=100)
    body = {"name": "Zoe Quartz", "specialty": "Reiki", "clinic_id": "cln_1"}
    path = "/v1/providers/prv_1"
    edited = await site.api.client.put(path, json=body, headers=site.api.admin())
    assert edited.status_code == 200, edited.text
    await site.follow()
    await site.quiet()
    assert shown.ids()[-1] == "prv_1"
    assert shown.members["prv_1"]["name"] == "Zoe Quartz"
    await site.api.client.post(f"{path}/retire", headers=site.api.admin())
    await site.add(8)
    await site.follow()
    await site.quiet()
    assert set(shown.ids()) == {f"prv_{number}" for number in range(2, 9)}
    assert shown.state["total"] == 7


async def test_a_list_keeps_of_its_matches_what_its_order_needs(site: Watched) -> None:
    """A gateway has hundreds of lists, each of which may match everyone."""
    for sort in ("soonest", "distance", "match", "rating"):
        await site.watch(query="dr", near="52.5,13.4", sort=sort, limit=3)
    kept = {
        one.query.order.value: (any(one.matches.scores.strides), one.matches.metres)
        for one in site.lists.watched.lists.values()
    }
    assert {name: has for name, (has, _) in kept.items()} == {
        **dict.fromkeys(("soonest", "distance", "rating"), False),
        "match": True,
    }
    assert [name for name, (_, metres) in kept.items() if metres is not None] == [
        "distance"
    ]


async def test_without_the_read_model_lists_go_on(
    site: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member without a listing is left out, the list is not live; later it is."""
    shown = await site.watch(**SOONEST)

    async def away(*_: object) -> Any:
        raise Unavailable("away")

    monkeypatch.setattr(site.api.read_model, "listings", away)
    await site.book("prv_1")
    await site.step()
    assert shown.ids() == ["prv_2", "prv_3"]
    assert shown.state["live"] is False
    monkeypatch.undo()
    await site.quiet()
    assert shown.ids() == ["prv_2", "prv_3", "prv_4"]
    assert shown.state["live"] is True
