"""Topics as Server-Sent Events, as an outside client meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes.live_api import LiveApi, open_live_api

WEEK = "slots/prv_1/consult/2026-W33"
SLOT = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}


@pytest.fixture
async def api() -> AsyncIterator[LiveApi]:
    async with open_live_api() as opened:
        yield opened


async def event(lines: AsyncIterator[str]) -> tuple[str, dict[str, Any]]:
    """The next event: its id and its frame."""
    identifier = ""
    async for line in lines:
        if line.startswith("id: "):
            identifier = line[4:]
        if line.startswith("data: "):
            return identifier, json.loads(line[6:])
    raise AssertionError("the stream ended")


async def test_the_stream_carries_the_same_frames(api: LiveApi) -> None:
    """Server-Sent Events bring snapshot and deltas, and resume by Last-Event-ID."""
    async with (
        httpx.AsyncClient(base_url=api.url, timeout=60) as rest,
        api.client("patient", "pat_1") as patient,
    ):
        path = f"/v1/stream?topics={WEEK}"
        async with rest.stream("GET", path) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["x-accel-buffering"] == "no"
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("retry: ")
            _, snapshot = await event(lines)
            assert snapshot["t"] == "snapshot"
            await patient.ask("hold", **SLOT)
            cursor, delta = await event(lines)
            assert [SLOT["start"], "held"] in delta["slots"]
        await patient.ask("hold", **{**SLOT, "start": "2026-08-10T11:00:00Z"})
        headers = {"Last-Event-ID": cursor}
        async with rest.stream("GET", path, headers=headers) as stream:
            lines = stream.aiter_lines()
            _, missed = await event(lines)
            assert (missed["t"], missed["from"]) == ("delta", delta["version"])
        private = await rest.get("/v1/stream?topics=me")
        assert private.status_code == 401
        assert private.headers["content-type"] == "application/problem+json"
        assert (await rest.get("/v1/stream")).status_code == 422


async def test_a_stream_that_is_left_leaves_nothing_behind(api: LiveApi) -> None:
    """When the reader of a stream goes away, its watcher and its place go too."""
    path = f"{api.url}/v1/stream?topics={WEEK}"
    async with httpx.AsyncClient(timeout=60) as rest:
        async with rest.stream("GET", path) as stream:
            await event(stream.aiter_lines())
            assert len(api.live.hub.watchers) == 1
        async with asyncio.timeout(60):
            while api.live.hub.watchers:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.01)
        assert (await rest.head(path)).status_code == 200
        assert not api.live.hub.watchers


async def test_topics_that_do_not_exist_are_named(api: LiveApi) -> None:
    """One beside others is the stream's first event; alone it is the answer, a 404."""
    unknown = "slots/prv_none/consult/2026-W33"
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as rest:
        alone = await rest.get(f"/v1/stream?topics={unknown}")
        assert (alone.status_code, alone.json()["code"]) == (404, "provider_not_found")
        path = f"/v1/stream?topics={unknown},{WEEK}"
        async with rest.stream("GET", path) as stream:
            lines = stream.aiter_lines()
            _, first = await event(lines)
            told = first["t"], first["topic"], first["code"]
            assert told == ("error", unknown, "provider_not_found")
            _, second = await event(lines)
            assert (second["t"], second["topic"]) == ("snapshot", WEEK)
