"""How many may be in, and how a gateway that hears nothing says so."""

from __future__ import annotations

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from gateway.config import LiveSettings
from tests.fakes.live_api import open_live_api

WEEK = "slots/prv_1/consult/2026-W33"


async def test_connections_of_an_address_are_bounded() -> None:
    """Sockets and streams together; one more is 4504, or 429; one less makes room."""
    live = LiveSettings(connections_per_address_max=2)
    async with (
        open_live_api(live=live) as api,
        api.client() as one,
        httpx.AsyncClient(timeout=60) as rest,
    ):
        address = f"{api.url}/v1/stream?topics={WEEK}"
        async with rest.stream("GET", address) as stream, api.client() as third:
            assert stream.status_code == 200
            assert await third.closed() == 4504
            assert third.frames[-1]["t"] == "bye"
            refused = await rest.get(address)
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "2"
        while len(api.live.hub.watchers) > 1:
            await one.ask("ping")
        async with api.client() as third:
            assert (await third.ask("ping"))["t"] == "pong"


async def test_connections_of_the_process_are_bounded() -> None:
    """Beyond the cap a connection gets 503 before its handshake."""
    live = LiveSettings(connections_max=1)
    async with open_live_api(live=live) as api, api.client() as one:
        with pytest.raises(InvalidStatus) as found:
            async with api.client():
                pass
        assert found.value.response.status_code == 503
        assert (await one.ask("ping"))["t"] == "pong"
        shown = (await api.api.client.get("/metrics")).text
        assert "slotcast_live_newcomers_refused_total 0.0" in shown
        assert "slotcast_live_newcomers_shut_out_total 1.0" in shown


async def test_a_gateway_that_has_gone_deaf_is_not_ready() -> None:
    """It names the shard; when something is heard again it is ready again."""
    async with open_live_api() as api, api.client() as client:
        await client.send("subscribe", topics=[WEEK])
        await client.until("snapshot")
        rest = api.api.client
        assert (await rest.get("/readyz")).status_code == 200
        feeds = api.live._feeds
        for feed in feeds.values():
            feed.heard_at -= 60
        answer = await rest.get("/readyz")
        assert answer.status_code == 503
        for shard in feeds:
            assert f"no answer from the feed of shard {shard} for 60 s" in answer.text
        booked = await rest.post(
            "/v1/bookings",
            json={
                "provider_id": "prv_1",
                "visit_type": "consult",
                "start": "2026-08-10T09:00:00Z",
            },
            headers=api.api.patient(),
        )
        assert booked.status_code == 201
        await client.until("delta")
        silent = [shard for shard, s in api.live.silences().items() if s > 30]
        assert len(silent) == len(feeds) - 1


async def test_a_message_that_is_too_large_ends_the_connection() -> None:
    """4509 and why, though the client is still sending; it must not come back."""
    async with open_live_api() as api, api.client() as client:
        await client.connection.send("x" * 300_000)
        assert await client.closed() == 4509
        assert client.frames[-1]["t"] == "bye"
        assert client.connection.close_reason == (
            "A message is larger than the server reads."
        )
