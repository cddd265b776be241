"""Names of watched lists, and how many there may be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.directory.lists.names import MEMBERS_MAX
from gateway.live.core.topic_names import BadTopic, parse_topic
from gateway.live.topics.hub import FORGET_MS
from gateway.wire.errors import ListLimit
from tests.fakes.api import open_api
from tests.fakes.roster import MemoryRoster
from tests.unit.gateway.directory.watching import SOONEST, Watched, a_watched_site


@pytest.fixture
async def site() -> AsyncIterator[Watched]:
    async with a_watched_site() as watched:
        yield watched


async def test_equal_searches_share_a_topic_that_any_gateway_knows(
    site: Watched,
) -> None:
    """Words in any spelling; the name alone is enough to keep the list elsewhere."""
    one = await site.topic(query="Carďiology,  NUMBER", sort="soonest", limit=3)
    two = await site.topic(query="cardiology number", limit=3, sort="soonest")
    assert one == two
    assert one != await site.topic(query="cardiology", sort="soonest", limit=3)
    shown, other = await site.join(one), await site.join(two)
    assert len(site.lists.watched.lists) == 1
    assert shown.ids() == other.ids() == ["prv_1", "prv_3", "prv_5"]
    async with open_api(shared={"roster": MemoryRoster()}) as api:
        elsewhere = Watched(api, MemoryRoster())
        await elsewhere.add(1, specialty="Cardiology")
        await elsewhere.follow()
        assert (await elsewhere.join(one)).ids() == ["prv_1"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "e30=",
        "eyJjb3VudCI6MH0",  # {"count":0}
        "eyJjb3VudCI6MTAxfQ",  # {"count":101}
        "eyJjb3VudCI6IDN9",  # {"count": 3}
        "eyJ3b3JkcyI6IlgifQ",  # {"words":"X"}
        "eyJvcmRlciI6ImRpc3RhbmNlIn0",  # without a place
        "eyJ3aXRoaW5fa20iOjEuMH0",
        "eyJuZWFyIjpbOTEuMCwwLjBdfQ",
        "eyJ4IjoxfQ",
        "A" * 800,
        '"',
        "e30/..",
    ],
)
def test_other_names_are_of_no_list(name: str) -> None:
    """Only what POST /v1/searches would answer is one, so that bounds hold."""
    with pytest.raises(BadTopic):
        parse_topic(f"search/{name}", "")


def test_the_shortest_name_is_one() -> None:
    """Everything, soonest first."""
    query = parse_topic("search/e30", "").query
    assert query is not None
    assert (query.order, query.count, query.words) == ("soonest", 20, "")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("limit", {"limit": MEMBERS_MAX + 1}),
        ("limit", {"limit": 0}),
        ("sort", {"sort": "best"}),
        ("sort", {"sort": "distance"}),
        ("near", {"near": "91,0"}),
        ("within_km", {"within_km": 5}),
        ("query", {"query": "x" * 201}),
        ("query", {"query": "\0"}),
        ("query", {"query": " ".join(f"{'字' * 23}{one}" for one in range(8))}),
        ("cursor", {"cursor": "~"}),
        ("telehealth", {"telehealth": "yes"}),
        ("price_max", {"price_max": -1}),
        ("rating_min", {"rating_min": 6}),
    ],
)
async def test_a_bad_search_is_no_topic(
    site: Watched, field: str, body: dict[str, Any]
) -> None:
    """422 with the field's name."""
    answer = await site.api.client.post("/v1/searches", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_lists_are_bounded_and_unwatched_ones_end(site: Watched) -> None:
    """Of the gateway and of an address, with a code; the first unwatched one goes."""
    live = site.api.app.state.live
    live.context.room._settings = type(live.context.settings)(
        lists_max=3, lists_per_address_max=2
    )
    topics = [await site.topic(limit=one) for one in range(1, 6)]
    first, second = [await site.join(topic) for topic in topics[:2]]
    with pytest.raises(ListLimit) as refused:
        await site.join(topics[2])
    assert (refused.value.code, refused.value.retry_after_s) == ("list_limit", 60)
    await site.join(topics[0])  # kept already: it costs no more
    await site.join(topics[2], "10.0.0.2")
    with pytest.raises(ListLimit):
        await site.join(topics[3], "10.0.0.3")
    site.leave(second)
    await site.join(topics[3], "10.0.0.3")
    await site.step()
    assert site.lists.watched.lists.keys() == {topics[0], topics[2], topics[3]}
    assert second.frames
    for kept in list(live.hub.watchers):
        live.hub.dropped(kept, site.api.clock.now())
    site.api.clock.step(FORGET_MS / 1000)
    live.hub.tick(site.api.clock.now())
    await site.step()
    assert not site.lists.watched.lists
    assert site.lists.watched.members() == 0
    assert first.frames


async def test_feeds_are_followed_without_a_pause_while_a_list_is_kept(
    site: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although no search was made lately."""
    later = site.hearing._now() + 3600
    monkeypatch.setattr(site.hearing, "_now", lambda: later)
    looked: list[bool] = []
    site.hearing.look = lambda: looked.append(site.hearing.is_wanted)
    wanted = [site.hearing.is_wanted]
    shown = await site.watch(**SOONEST)
    wanted.append(site.hearing.is_wanted)
    site.leave(shown)
    site.api.clock.step(FORGET_MS / 1000)
    site.api.app.state.live.hub.tick(site.api.clock.now())
    await site.step()
    wanted.append(site.hearing.is_wanted)
    assert (wanted, looked) == ([False, True, False], [True])


async def test_metrics_tell_of_lists(site: Watched) -> None:
    """How many there are and what they ask."""
    await site.watch(**SOONEST)
    text = (await site.api.client.get("/metrics")).text
    assert "slotcast_search_lists 1.0" in text
    assert "slotcast_search_list_members 3.0" in text
    assert "slotcast_search_lists_drawn_total 1.0" in text
    assert "slotcast_search_list_members_asked_total 3.0" in text
