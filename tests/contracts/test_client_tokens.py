"""Our client and its token: replaced in time, on the way back, or not at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.config import LiveSettings
from slotcast.client import SentAway
from slotcast.client.events import (
    Lost,
    SignedIn,
    SignInRefused,
    SnapshotSeen,
    Subscribed,
    TokenEnding,
    TokenUnavailable,
    TopicRefused,
)
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fakes.live_clients import a_client, until

WEEK = "slots/prv_1/consult/2026-W33"
SLOT: dict[str, Any] = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}


@pytest.fixture
async def api() -> AsyncIterator[LiveApi]:
    async with open_live_api(live=LiveSettings(heartbeat_s=1)) as opened:
        yield opened


async def test_a_token_is_replaced_before_it_ends(api: LiveApi) -> None:
    """The server's clock says when; the socket lives on."""
    fresh = api.api.token("patient", "pat_1", ttl_s=3_000, jti="fresh")

    async def fresh_token() -> str:
        return fresh

    token = api.api.token("patient", "pat_1", ttl_s=30)
    async with a_client(api.url, "me", token=token, fresh_token=fresh_token) as person:
        first = await until(person, SignedIn)
        assert (await until(person, TokenEnding)).seconds <= 30
        again = await until(person, SignedIn)
        assert again.expires_at > first.expires_at
        assert person.connections == 1


async def test_an_expired_token_is_replaced_on_the_way_back() -> None:
    """4005 closes; with a fresh token it comes back to its private topics."""
    seldom = LiveSettings(heartbeat_s=1_000_000, retry_ms=(1, 5))
    async with open_live_api(live=seldom) as api:
        tokens = iter(["no token at all", api.api.token("patient", "pat_1", 9_000)])

        async def fresh_token() -> str:
            return next(tokens)

        token = api.api.token("patient", "pat_1", ttl_s=3_000)
        async with a_client(
            api.url, "me", token=token, fresh_token=fresh_token
        ) as person:
            await until(person, SnapshotSeen)
            api.api.clock.step(3_000)
            assert (await until(person, Lost)).code == 4005
            # The first fresh token does not hold, and no other is asked for by itself.
            await until(person, SignInRefused)
            refused = await until(person, TopicRefused)
            assert (refused.topic, refused.comes_again) == ("me", True)
            await person.authenticate(await fresh_token())
            await until(person, SignedIn)
            await until(person, Subscribed)
            assert person.views["me"].position is not None


async def test_who_cannot_get_a_token_is_told(api: LiveApi) -> None:
    """Whatever the source of tokens does wrong is an event, not the end."""

    async def fresh_token() -> str:
        raise OSError("the token server is away")

    async with a_client(
        api.url, WEEK, token="nonsense", fresh_token=fresh_token
    ) as person:
        told = await until(person, TokenUnavailable)
        assert "token server is away" in told.reason
        await person.shown()


async def test_who_is_sent_away_stays_away(api: LiveApi) -> None:
    """4501: the iteration, open commands and later ones say so; nothing reconnects."""
    async with a_client(api.url, WEEK, token="nonsense") as person:
        await person.shown()
        for number in (1, 2):
            await person.authenticate(f"nonsense {number}")
        with pytest.raises(SentAway) as away:
            await until(person, Lost)
        assert (away.value.code, bool(away.value.advice)) == (4501, True)
        with pytest.raises(SentAway):
            await person.call("book", key="k1", **SLOT)
        with pytest.raises(SentAway):
            await person.when(lambda _: False)


async def test_a_token_is_in_no_log(
    api: LiveApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when a program asks for everything that there is to know."""
    caplog.set_level(logging.DEBUG)
    token = api.api.token("patient", "pat_1")
    async with a_client(api.url, "me", token=token) as person:
        await until(person, SnapshotSeen)
    assert token not in caplog.text
