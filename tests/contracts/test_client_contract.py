"""Our client against a real gateway, over a line that can be spoiled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.config import LiveSettings
from slotcast.client import (
    AnswerUnknown,
    ClientClosed,
    CommandRefused,
    LiveClient,
    LiveError,
    NotServed,
)
from slotcast.client import live as live_module
from slotcast.client import session as session_module
from slotcast.client.events import (
    ByeSeen,
    Connected,
    DeltaSeen,
    EventsDropped,
    GapHealed,
    GapSeen,
    Lost,
    SignedIn,
    SnapshotSeen,
    TopicRefused,
)
from slotcast.client.view import Change
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fakes.live_clients import a_client, patient, until
from tests.fakes.live_relay import LiveRelay, open_relay

WEEK = "slots/prv_1/consult/2026-W33"
NINE, TEN = "2026-08-10T09:00:00Z", "2026-08-10T10:00:00Z"
SLOT: dict[str, Any] = {"provider_id": "prv_1", "visit_type": "consult", "start": NINE}
LATER = {**SLOT, "start": TEN}


@pytest.fixture
async def api() -> AsyncIterator[LiveApi]:
    beats = LiveSettings(heartbeat_s=1, retry_ms=(1, 5), drain_s=0.1)
    async with open_live_api(live=beats) as opened:
        yield opened


@pytest.fixture
async def relay(api: LiveApi) -> AsyncIterator[LiveRelay]:
    async with open_relay(f"ws://127.0.0.1:{api.port}/v1/live") as opened:
        yield opened


async def test_a_watcher_sees_what_another_books(api: LiveApi) -> None:
    """Content first, then the change, with old and new state and its position."""
    async with (
        a_client(api.url, WEEK) as stranger,
        patient(api, api.url) as person,
    ):
        first = await until(stranger, SnapshotSeen)
        assert stranger.views[WEEK].slots[NINE] == "free"
        booked = await person.call("book", key="k1", **SLOT)
        assert (booked.status, booked.body["status"]) == (201, "booked")
        seen = await until(stranger, DeltaSeen)
        assert seen.changes == (Change(NINE, "free", "booked"),)
        assert (seen.before, seen.position) == (
            first.position,
            (first.position[0], booked.body["version"]),
        )
        assert stranger.views[WEEK].slots[NINE] == "booked"


async def test_a_refusal_says_why(api: LiveApi) -> None:
    """Code, status, and the fields that were not accepted; nothing has changed."""
    async with patient(api, api.url) as person:
        await person.call("book", key="k1", **SLOT)
        with pytest.raises(CommandRefused) as taken:
            await person.call("hold", key="k2", **SLOT)
        assert (taken.value.status, taken.value.code) == (409, "slot_unavailable")
        assert not taken.value.may_come_again
        with pytest.raises(CommandRefused) as unfit:
            await person.call("hold", key="k3", provider_id="prv_1")
        assert unfit.value.code == "invalid_request"
        assert {one.field for one in unfit.value.fields}


async def test_it_resumes_where_it_stood(api: LiveApi, relay: LiveRelay) -> None:
    """A cut line: it comes back with its position and gets the deltas alone."""
    async with (
        a_client(relay.url, WEEK) as stranger,
        patient(api, api.url) as person,
    ):
        first = await until(stranger, SnapshotSeen)
        relay.refuses = (503, "0")
        relay.cut()
        lost = await until(stranger, Lost)
        assert lost.code is None
        await person.call("book", key="k1", **SLOT)
        await person.call("hold", key="k2", **LATER)
        relay.refuses = None
        changes: list[Change] = []
        while len(changes) < 2:
            changes += (await until(stranger, DeltaSeen)).changes
        assert {change.key for change in changes} == {NINE, TEN}
        assert relay.said[-1]["since"] == {WEEK: list(first.position)}
        assert stranger.views[WEEK].slots[NINE] == "booked"


async def test_a_lost_delta_is_noticed_by_the_next_one(
    api: LiveApi, relay: LiveRelay
) -> None:
    """A gap is told, asked for and healed; the view is whole again."""
    async with (
        a_client(relay.url, WEEK) as stranger,
        patient(api, api.url) as person,
    ):
        await until(stranger, SnapshotSeen)
        relay.loses = lambda frame: frame["t"] == "delta" and not relay.lost
        await person.call("hold", key="k1", **SLOT)
        await relay.until(lambda it: bool(it.lost))
        await person.call("hold", key="k2", **LATER)
        gap = await until(stranger, GapSeen)
        healed = await until(stranger, GapHealed)
        assert healed.position == gap.wanted
        slots = stranger.views[WEEK].slots
        assert (slots[NINE], slots[TEN]) == ("held", "held")


async def test_a_lost_last_delta_is_noticed_by_the_heartbeat(
    api: LiveApi, relay: LiveRelay
) -> None:
    """Nothing follows that could show it, but where the topic stands is repeated."""
    async with (
        a_client(relay.url, WEEK) as stranger,
        patient(api, api.url) as person,
    ):
        await until(stranger, SnapshotSeen)
        relay.loses = lambda frame: frame["t"] == "delta" and not relay.lost
        await person.call("hold", key="k1", **SLOT)
        gap = await until(stranger, GapSeen)
        assert gap.by_heartbeat
        await until(stranger, GapHealed)
        assert stranger.views[WEEK].slots[NINE] == "held"


async def test_a_command_whose_answer_was_lost_has_one_effect(
    api: LiveApi, relay: LiveRelay
) -> None:
    """It is sent again over the next connection, and hears the first answer."""
    async with patient(api, relay.url) as person, asyncio.TaskGroup() as tasks:
        await until(person, SignedIn)
        relay.loses = lambda frame: frame["t"] == "result"
        wish = tasks.create_task(person.call("book", key="k1", **SLOT))
        await relay.until(lambda it: bool(it.lost))
        relay.loses = lambda frame: False
        relay.cut()
        answer = await wish
        assert answer.body == relay.lost[0]["body"]
    said = [one for one in relay.said if one["op"] == "book"]
    assert len(said) == 2
    assert said[0] == said[1]
    await api.api.project()
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as rest:
        own = await rest.get("/v1/bookings", headers=api.api.patient(1))
    assert [one["booking_id"] for one in own.json()["items"]] == [
        answer.body["booking_id"]
    ]


async def test_an_answer_that_does_not_come_is_unknown(
    api: LiveApi, relay: LiveRelay
) -> None:
    """Neither yes nor no; asking again with the same key tells which."""
    async with patient(api, relay.url) as person:
        await until(person, SignedIn)
        relay.loses = lambda frame: frame["t"] == "result"
        with pytest.raises(AnswerUnknown) as unknown:
            await person.call("book", key="k1", timeout_s=0.2, **SLOT)
        assert "k1" in unknown.value.advice
        relay.loses = lambda frame: False
        answer = await person.call("book", key="k1", **SLOT)
        assert answer.status == 201


async def test_a_server_that_stops_is_left_and_found_again(api: LiveApi) -> None:
    """bye, 4012, then 503 with Retry-After until it takes people again."""
    async with a_client(api.url, WEEK) as stranger:
        await until(stranger, SnapshotSeen)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(api.live.drain())
            assert (await until(stranger, ByeSeen)).code == 4012
            lost = await until(stranger, Lost)
            assert (lost.code, lost.wait_s <= 0.005) == (4012, True)
            full = await until(stranger, Lost)
            assert "503" in full.reason
            assert full.wait_s >= 1.0, "Retry-After is a whole second at least"
        api.live._limits.draining = False
        assert (await until(stranger, Connected)).again


async def test_a_topic_that_is_not_there_is_told(api: LiveApi) -> None:
    """The others are watched all the same."""
    async with a_client(api.url, WEEK, "schedule/prv_1", "nonsense") as stranger:
        told = {(await until(stranger, TopicRefused)).topic for _ in range(2)}
        assert told == {"schedule/prv_1", "nonsense"}
        await stranger.when(lambda it: it.views[WEEK].position is not None)


async def test_topics_come_and_go_on_a_living_socket(api: LiveApi) -> None:
    """What is left is forgotten, what is new is shown."""
    other = WEEK.replace("W33", "W34")
    async with a_client(api.url, WEEK) as stranger:
        await stranger.shown()
        await stranger.subscribe(other)
        await stranger.shown()
        await stranger.unsubscribe(WEEK)
        assert list(stranger.views) == [other]
        assert stranger.views[other].slots


async def test_a_deaf_line_is_left(
    api: LiveApi, relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing heard for the given time: it connects again, from where it stood."""
    monkeypatch.setattr(session_module, "DEAF_S", 0.3)
    async with a_client(relay.url, WEEK) as stranger:
        await until(stranger, SnapshotSeen)
        relay.loses = lambda frame: True
        assert "was silent" in (await until(stranger, Lost)).reason
        relay.loses = lambda frame: False
        assert (await until(stranger, Connected)).again


async def test_events_that_nobody_takes_are_bounded(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go, their number is told, and the view is right all the same."""
    monkeypatch.setattr(live_module, "EVENTS_MAX", 3)
    async with patient(api, api.url, WEEK) as person:
        await person.shown()
        await person.call("hold", key="k1", **SLOT)
        await person.when(lambda it: it.views[WEEK].slots[NINE] == "held")
        first = await anext(person)
        assert isinstance(first, EventsDropped)
        assert first.count > 0
        assert person.views[WEEK].slots[NINE] == "held"


async def test_closing_ends_everything(api: LiveApi, relay: LiveRelay) -> None:
    """Open calls hear it, the iteration ends, the server counts one watcher less."""
    async with asyncio.TaskGroup() as tasks:
        async with patient(api, relay.url) as person:
            await until(person, SignedIn)
            relay.loses = lambda frame: True

            async def wish() -> None:
                with pytest.raises(ClientClosed):
                    await person.call("book", key="k1", **SLOT)

            tasks.create_task(wish())
            await relay.until(lambda it: bool(it.lost))
            assert len(api.live.hub.watchers) == 1
        assert [event async for event in person if isinstance(event, Lost)] == []
        with pytest.raises(ClientClosed):
            await person.call("book", key="k2", **SLOT)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://x/", "http://", "http://x:y"]
)
async def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    """Before anything is connected, with a word on what an address is."""
    with pytest.raises(NotServed) as refused:
        LiveClient(url)
    assert refused.value.advice


async def test_an_address_without_a_live_socket_is_told(api: LiveApi) -> None:
    """404 will be 404 tomorrow: no use in coming back."""
    async with a_client(f"{api.url}/v1/nothing", WEEK) as lost:
        with pytest.raises(NotServed) as refused:
            await until(lost, Connected)
        assert "404" in str(refused.value) or "403" in str(refused.value)
    assert isinstance(refused.value, LiveError)


async def test_a_busy_client_has_only_so_many_open_commands(api: LiveApi) -> None:
    """Two hundred wishes at once wait their turn: the server never says 429."""
    async with patient(api, api.url) as person:

        async def wish(number: int) -> str:
            try:
                await person.call("release", key=f"k{number}", hold_id="hld_none")
            except CommandRefused as refused:
                return refused.code
            return "done"

        found = await asyncio.gather(*(wish(number) for number in range(200)))
        assert set(found) == {"hold_not_found"}


async def test_rest_and_the_client_show_the_same(api: LiveApi) -> None:
    """The view of a week equals what REST shows of it."""
    async with (
        a_client(api.url, WEEK) as stranger,
        patient(api, api.url) as person,
        httpx.AsyncClient(base_url=api.url, timeout=60) as rest,
    ):
        await stranger.shown()
        await person.call("book", key="k1", **SLOT)
        await stranger.when(lambda it: it.views[WEEK].slots[NINE] == "booked")
        query = {"visit_type": "consult", "from": "2026-08-10", "to": "2026-08-16"}
        answer = await rest.get("/v1/providers/prv_1/slots", params=query)
        shown = {slot["start"]: slot["state"] for slot in answer.json()["slots"]}
        assert stranger.views[WEEK].slots == shown
