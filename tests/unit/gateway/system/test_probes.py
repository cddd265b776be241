"""Metrics and readiness: for whom they are, how often, and what they say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from tests.fakes.api import Api, open_api

TOKEN = "a-token-for-metrics"


def client(api: Api, address: str) -> httpx.AsyncClient:
    """A request from ``address``."""
    transport = httpx.ASGITransport(app=api.app, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://clinic.test")


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.0.0.2", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.7", {}, 403),
        ("2001:db8::1", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, 403),
        ("10.0.0.7", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("10.0.0.7", {"Authorization": f"Bearer {TOKEN}x"}, 403),
        ("10.0.0.7", {"Authorization": "Bearer "}, 403),
    ],
)
async def test_metrics_are_for_this_machine_or_with_the_token(
    address: str, headers: dict[str, str], status: int
) -> None:
    """Who is elsewhere, or behind a proxy, needs the token of the settings."""
    async with open_api(metrics_token=TOKEN) as api:
        async with client(api, address) as asking:
            answer = await asking.get("/metrics", headers=headers)
        assert answer.status_code == status
        assert ("slotcast_" in answer.text) == (status == 200)


async def test_without_a_token_in_the_settings_none_opens_metrics() -> None:
    """An empty token is no token."""
    async with open_api() as api, client(api, "10.0.0.7") as asking:
        for shown in ("Bearer ", "Bearer", ""):
            answer = await asking.get("/metrics", headers={"Authorization": shown})
            assert answer.status_code == 403
            assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
async def test_one_address_may_not_ask_without_end(path: str) -> None:
    """429 with Retry-After; another address is answered as before."""
    async with open_api() as api:
        async with client(api, "127.0.0.1") as asking:
            answer = await asking.get(path)
            for _ in range(1_000):
                if answer.status_code == 429:
                    break
                answer = await asking.get(path)
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        async with client(api, "127.0.0.9") as other:
            assert (await other.get(path)).status_code != 429


@pytest.mark.parametrize(("damaged", "status"), [(1, 200), (2, 503)])
async def test_one_damaged_shard_stops_only_itself(
    damaged: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway goes on serving the others, and says which one is damaged."""
    async with open_api() as api:
        real = api.links.status
        bad = [f"s000{number}" for number in range(damaged)]

        async def told(shard: Any) -> Any:
            found = await real(shard)
            if shard in bad:
                return replace(found, state="corrupt", epoch=0)
            return found

        monkeypatch.setattr(api.links, "status", told)
        async with api.app.router.lifespan_context(api.app):
            live = api.app.state.live
            for shard, feed in live._feeds.items():
                feed.heard_at = -1e9 if shard in bad else feed.heard_at
            answer = await api.client.get("/readyz")
        assert answer.status_code == status
        journal = answer.json()["checks"]["journal"]
        assert "s0000" in journal["detail"]
        assert not journal["ok"]


@pytest.mark.parametrize(
    ("changed", "name", "is_ready", "says"),
    [
        ({"journal_pressure": 0.98}, "room", False, "bookings are refused"),
        ({"journal_pressure": 0.91}, "room", True, "new holds are refused"),
        (
            {"clock_doubted": True, "clock_doubt": "set 400 days ahead"},
            "clock",
            False,
            "set 400 days ahead",
        ),
        ({"clock_ahead_ms": 90_000}, "clock", True, "slotcast journal trust-clock"),
    ],
)
async def test_readiness_says_why_bookings_are_refused(
    changed: dict[str, Any],
    name: str,
    is_ready: bool,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk or a wrong clock of one shard is named, with what to do."""
    async with open_api() as api:
        status = api.links.status

        async def told(shard: Any) -> Any:
            return replace(await status(shard), **changed)

        monkeypatch.setattr(api.links, "status", told)
        async with api.app.router.lifespan_context(api.app):
            answer = await api.client.get("/readyz")
        check = answer.json()["checks"][name]
        assert says in check["detail"]
        assert (answer.status_code == 200) == is_ready
        assert not check["ok"]


async def test_probes_ask_by_address_where_names_are_checked() -> None:
    """Health and metrics answer under any name, everything else under the site's."""
    async with open_api(public_url="https://slots.example.org") as api:
        for path, status in (("/healthz", 200), ("/metrics", 200), ("/docs", 421)):
            response = await api.client.get(path, headers={"Host": "10.0.0.7:8000"})
            assert response.status_code == status
