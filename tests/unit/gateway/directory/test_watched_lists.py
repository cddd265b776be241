"""Watched lists: members as they change, exactly, within bounds, and marked."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

import pytest

from actors.domain.ids import Minute, ProviderId
from actors.domain.messages.answers import NextFreeView
from actors.domain.messages.changes import FeedBatch
from actors.domain.messages.reads import ReadNextFree
from actors.errors import Unavailable
from gateway.directory.lists.names import MEMBERS_MAX
from gateway.directory.lists.watched import RENEW_S
from gateway.live.core.topic_names import BadTopic, parse_topic
from gateway.live.topics.coalescing import LIST_WINDOW_MS
from gateway.live.topics.hub import FORGET_MS
from gateway.live.topics.watcher import Watcher
from gateway.wire.errors import ListLimit
from gateway.wire.formats import minute_text
from tests import factories as make
from tests.fakes.api import open_api, slot
from tests.fakes.roster import MemoryRoster
from tests.unit.gateway.directory.test_search import NINE, Searched
from tests.unit.gateway.live.stage import PageWriter

SOONEST = {"sort": "soonest", "limit": 3}
WINDOW_S = LIST_WINDOW_MS / 1000


class Shown:
    """A client: what it makes of the frames, by the rules of docs/live.md alone."""

    def __init__(self, writer: PageWriter, watcher: Watcher, topic: str) -> None:
        self.writer, self.watcher, self.topic = writer, watcher, topic
        self.members: dict[str, dict[str, Any]] = {}
        self.state: dict[str, Any] = {}
        self._read = 0

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.writer.page

    def ids(self) -> list[str]:
        """The members in order."""
        for frame in self.frames[self._read :]:
            self._take(frame)
        self._read = len(self.frames)
        assert set(self.state["order"]) == self.members.keys()
        return list(self.state["order"])

    def free(self) -> list[str | None]:
        """The members' next starts, in order."""
        return [self.members[one]["next_free"] for one in self.ids()]

    def _take(self, frame: dict[str, Any]) -> None:
        assert frame["t"] in ("snapshot", "delta"), frame
        assert frame["topic"] == self.topic
        if frame["t"] == "snapshot":
            self.members, self.state = {}, {"epoch": frame["epoch"]}
        else:
            assert frame["epoch"] == self.state["epoch"]
            assert frame["from"] == self.state["version"] < frame["version"]
        for gone in frame.get("gone", ()):
            del self.members[gone]
        self.members |= {one["provider_id"]: one for one in frame["members"]}
        fields = ("version", "order", "total", "live", "next_cursor")
        self.state |= {name: frame[name] for name in fields if name in frame}


class Watched(Searched):
    """A gateway with a roster and watchers; the test moves time and feeds."""

    async def topic(self, **asked: Any) -> str:
        answer = await self.api.client.post("/v1/searches", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json().keys() == {"topic"}
        return str(answer.json()["topic"])

    async def watch(self, **asked: Any) -> Shown:
        return await self.join(await self.topic(**asked))

    async def join(self, topic: str, address: str = "10.0.0.1") -> Shown:
        """Subscribe, as a connection from an address does."""
        live, name = self.api.app.state.live, parse_topic(topic, "")
        live.context.room.take(name, None, address)
        writer = PageWriter()
        watcher = Watcher(writer)
        live.hub.joined(watcher)
        live.hub.subscribe(watcher, name, None, self.api.clock.now())
        for board in live.hub.take_wanted():
            await live._reader._read(board)
        return Shown(writer, watcher, topic)

    def leave(self, shown: Shown) -> None:
        self.api.app.state.live.hub.dropped(shown.watcher, self.api.clock.now())

    async def step(self) -> None:
        """Feeds are read and a window passes."""
        await self.poll()
        await self.draw()

    async def draw(self) -> None:
        """A window passes, and no feed is read."""
        live = self.api.app.state.live
        await live._lists.step()
        self.api.clock.step(WINDOW_S)
        live.hub.delivery.release(self.api.clock.now())

    async def quiet(self) -> None:
        """Until nothing is left to be said."""
        for _ in range(50):
            await self.step()
            await self.settle()
            if not self.lists.watched.news.is_set():
                return
        raise AssertionError("lists do not become quiet")

    @property
    def lists(self) -> Any:
        return self.api.app.state.services.lists

    async def elsewhere(self, command: Any) -> Any:
        """A command that no part of this gateway sees; its answer."""
        return await self.api.ports.calendars.ask(command)

    async def book(self, provider: str, number: int = 1, start: int = 0) -> None:
        command = make.book_slot(
            number,
            start=Minute(start or make.at(9)),
            provider_id=ProviderId(provider),
            booking_id=make.a_booking_id(number, ProviderId(provider)),
        )
        answer = await self.elsewhere(command)
        assert type(answer).__name__ == "BookingView", answer

    async def cancel(self, provider: str, number: int = 1) -> None:
        booking = make.a_booking_id(number, ProviderId(provider))
        command = make.cancel_booking(
            number, provider_id=ProviderId(provider), booking_id=booking
        )
        answer = await self.elsewhere(command)
        assert type(answer).__name__ != "Refusal", answer

    async def truth(self, ids: Iterable[str], count: int) -> list[tuple[Any, str]]:
        """The first of these by start and id, when all calendars are asked."""
        ask = self.api.ports.calendars.ask
        found = []
        for one in ids:
            view = await ask(ReadNextFree((ProviderId(one),)))
            assert isinstance(view, NextFreeView)
            start = view.starts.get(ProviderId(one))
            found.append((None if start is None else minute_text(start), one))
        return sorted(found, key=lambda pair: (pair[0] is None, pair))[:count]


@pytest.fixture
async def site() -> AsyncIterator[Watched]:
    source = MemoryRoster()
    async with open_api(shared={"roster": source}, lists_believed_s=0.0) as api:
        watched = Watched(api, source)
        for number in range(1, 8):
            place = make.a_clinic(number, latitude=50.0 + number, longitude=8.0)
            kind = "Cardiology" if number % 2 else "Dermatology"
            await watched.add(number, specialty=kind, clinic=place)
        await watched.follow()
        await watched.poll()
        await watched.settle()
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


class Chance:
    """What may happen to calendars and to who there is, at random."""

    def __init__(self, site: Watched, seed: int) -> None:
        self.site, self.draw = site, random.Random(seed)
        self.everyone = [f"prv_{one}" for one in range(1, 8)]
        self._number = 100
        self._booked: list[tuple[str, int]] = []
        often = [self.book] * 3
        self._steps = [*often, self.cancel, self.hold, self.pass_time, self.retire]

    async def step(self) -> None:
        await self.draw.choice(self._steps)()

    async def _someone(self) -> tuple[str, int]:
        """A doctor and their next start."""
        self._number += 1
        provider = self.draw.choice(self.everyone)
        start, _ = (await self.site.truth([provider], 1))[0]
        return provider, int(datetime.fromisoformat(start).timestamp()) // 60

    async def book(self) -> None:
        provider, start = await self._someone()
        await self.site.book(provider, self._number, start)
        self._booked.append((provider, self._number))

    async def cancel(self) -> None:
        if self._booked:
            at = self.draw.randrange(len(self._booked))
            await self.site.cancel(*self._booked.pop(at))

    async def hold(self) -> None:
        provider, start = await self._someone()
        its = ProviderId(provider)
        held = make.a_hold_id(self._number, its)
        command = make.place_hold(
            self._number, start=start, provider_id=its, hold_id=held
        )
        await self.site.elsewhere(command)

    async def pass_time(self) -> None:
        self.site.api.clock.step(self.draw.choice((60, 600, 3600)))

    async def retire(self) -> None:
        if len(self.everyone) > 4:
            gone = self.everyone.pop(self.draw.randrange(len(self.everyone)))
            api = self.site.api
            path = f"/v1/providers/{gone}/retire"
            answer = await api.client.post(path, headers=api.admin())
            assert answer.status_code == 200, answer.text
            await self.site.follow()


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


# --- names and bounds -------------------------------------------------------------


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
