"""Watched lists as an outside client meets them: over the socket and the stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from actors.domain.ids import ProviderId
from tests import factories as make
from tests.contracts.test_stream_contract import event
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fakes.roster import MemoryRoster

NINE = "2026-08-10T09:00:00Z"


@asynccontextmanager
async def a_gateway() -> AsyncIterator[LiveApi]:
    """With a port and three doctors in its roster, who are free at nine."""
    shared = {"roster": MemoryRoster()}
    async with open_live_api(shared=shared, lists_believed_s=0.0) as live:
        for number in (2, 3):
            await live.api.add_provider(number)
        await live.api.project()
        await live.api.app.state.services.hearing.live.step()
        yield live


@pytest.fixture
async def site() -> AsyncIterator[LiveApi]:
    async with a_gateway() as live:
        yield live


async def topic_of(live: LiveApi, **asked: Any) -> str:
    answer = await live.api.client.post("/v1/searches", json=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["topic"])


async def book(live: LiveApi, provider: str = "prv_1") -> None:
    """Behind the gateway's back."""
    command = make.book_slot(
        provider_id=ProviderId(provider),
        booking_id=make.a_booking_id(1, ProviderId(provider)),
    )
    answer = await live.api.ports.calendars.ask(command)
    assert type(answer).__name__ == "BookingView", answer
    live.api.clock.step(1)  # a window has passed


async def test_a_stranger_watches_a_list_over_socket_and_stream(site: LiveApi) -> None:
    """The same frames, without a token; the booked doctor leaves, another comes."""
    topic = await topic_of(site, sort="soonest", limit=2)
    async with (
        site.client() as stranger,
        httpx.AsyncClient(base_url=site.url, timeout=60) as rest,
        rest.stream("GET", "/v1/stream", params={"topics": topic}) as stream,
    ):
        answer = await stranger.ask("subscribe", topics=[topic])
        assert answer["body"] == {"topics": [topic]}
        snapshot = await stranger.until("snapshot")
        assert (snapshot["topic"], snapshot["order"]) == (topic, ["prv_1", "prv_2"])
        assert [one["provider_id"] for one in snapshot["members"]] == snapshot["order"]
        assert {one["next_free"] for one in snapshot["members"]} == {NINE}
        lines = stream.aiter_lines()
        assert (await event(lines))[1] == snapshot
        await book(site)
        delta = await stranger.until("delta")
        while "prv_1" in delta.get("order", ["prv_1"]):
            delta = await stranger.until("delta")
        assert (delta["order"], delta["gone"]) == (["prv_2", "prv_3"], ["prv_1"])
        streamed = (await event(lines))[1]
        while streamed["version"] < delta["version"]:
            streamed = (await event(lines))[1]
        assert streamed == delta
    assert {"MembersSnapshot", "MembersDelta"} <= site.schemas.seen


async def test_after_a_reconnect_elsewhere_the_list_goes_on(site: LiveApi) -> None:
    """By the topic's name alone; here from the position, there with a snapshot."""
    topic = await topic_of(site, sort="soonest", limit=2)
    async with site.client() as client:
        await client.send("subscribe", topics=[topic])
        frame = await client.until("snapshot")
    since = {topic: [frame["epoch"], frame["version"]]}
    async with site.client() as client:
        await client.ask("subscribe", topics=[topic], since=since)
        await book(site)
        frame = await client.until("delta")
        assert frame["from"] == since[topic][1]
    since = {topic: [frame["epoch"], frame["version"]]}
    async with a_gateway() as other, other.client() as client:
        await client.ask("subscribe", topics=[topic], since=since)
        frame = await client.until("snapshot")
        assert frame["order"] == ["prv_1", "prv_2"]


async def test_a_name_that_no_server_gave_and_a_list_too_many_are_refused(
    site: LiveApi,
) -> None:
    """With codes, on the socket and the stream; other topics go on."""
    topic = await topic_of(site, sort="soonest", limit=2)
    more = await topic_of(site, sort="name")
    settings = site.live.context.settings
    site.live.context.room._settings = type(settings)(lists_max=1)
    async with site.client() as client:
        await client.send("subscribe", topics=["search/x", topic, more])
        errors = {}
        while (frame := await client.next())["t"] == "error":
            errors[frame["topic"]] = frame
        assert errors["search/x"]["code"] == "invalid_request"
        assert errors[more]["code"] == "list_limit"
        assert errors[more]["retry_ms"] == 60_000
        assert frame["body"] == {"topics": [topic]}
        async with httpx.AsyncClient(base_url=site.url, timeout=60) as rest:
            late = await rest.get("/v1/stream", params={"topics": more})
            assert (late.status_code, late.json()["code"]) == (429, "list_limit")
            bad = await rest.get("/v1/stream", params={"topics": "search/x"})
            assert bad.status_code == 422, json.dumps(bad.json())


async def test_who_signs_out_goes_on_watching_a_list(site: LiveApi) -> None:
    """It is public, as slots are."""
    topic = await topic_of(site, sort="soonest", limit=2)
    async with site.client("patient", "pat_1") as client:
        await client.ask("subscribe", topics=[topic])
        await client.until("snapshot")
        assert (await client.ask("logout"))["t"] == "result"
        await book(site)
        await client.until("delta")
    assert not [one for one in client.frames if one["t"] == "error"]
