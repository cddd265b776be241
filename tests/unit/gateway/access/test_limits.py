"""Limits at the door."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.access.rate_budgets import TokenBuckets
from gateway.access.tokens import Caller
from gateway.config import GatewayConfig
from gateway.http.limits import RateLimits
from gateway.wire.errors import TooManyRequests
from tests.fakes.api import KEY, open_api, slot


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    """Three at once, then one each half second, then the burst again."""
    now = 0.0
    buckets = TokenBuckets(2.0, 3, lambda: now)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a") == pytest.approx(0.5)
    now = 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    now = 60.0
    assert [buckets.take("a") for _ in range(4)][-1] > 0


def test_buckets_are_apart() -> None:
    """One caller's haste does not slow another."""
    buckets = TokenBuckets(1.0, 1, lambda: 0.0)
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0.0


async def test_a_hasty_caller_hears_when_to_come_again() -> None:
    """429 with Retry-After, for that caller alone."""
    async with open_api(rate_limited=True, rate_per_s=0.5, rate_burst=2) as api:
        await api.add_provider()
        one, two = api.patient(1), api.patient(2)
        answers = [
            await api.client.get("/v1/providers/prv_1", headers=one) for _ in range(3)
        ]
        assert [a.status_code for a in answers] == [200, 200, 429]
        assert answers[2].json()["code"] == "too_many_requests"
        assert int(answers[2].headers["retry-after"]) >= 1
        other = await api.client.get("/v1/providers/prv_1", headers=two)
        assert other.status_code == 200


async def test_the_staff_of_a_clinic_have_a_limit_each() -> None:
    """Their tokens name one clinic; one in haste does not slow down a colleague, and
    another session of the same account does not help."""
    async with open_api(rate_limited=True, rate_per_s=0.5, rate_burst=2) as api:
        await api.add_provider()
        hasty, calm = api.receptionist("acc_1"), api.receptionist("acc_2")
        path = "/v1/providers/prv_1"
        answers = [await api.client.get(path, headers=hasty) for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert (await api.client.get(path, headers=calm)).status_code == 200
        refreshed = api.receptionist("acc_1", session="ses_other")
        assert (await api.client.get(path, headers=refreshed)).status_code == 429


async def test_by_clinic_the_staff_would_share_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control."""
    monkeypatch.setattr(Caller, "person", property(lambda caller: caller.subject))
    with pytest.raises(AssertionError):
        await test_the_staff_of_a_clinic_have_a_limit_each()


async def test_guessing_tokens_is_slowed_by_address() -> None:
    """Requests with bad tokens count against the address they come from."""
    async with open_api(
        rate_limited=True, anonymous_rate_per_s=0.1, anonymous_rate_burst=2
    ) as api:
        bad = {"Authorization": "Bearer no"}
        answers = [
            await api.client.get("/v1/providers/prv_1", headers=bad) for _ in range(3)
        ]
        assert [a.status_code for a in answers] == [401, 401, 429]


def test_addresses_of_one_network_are_one_caller() -> None:
    """Seven hundred addresses of a /64 have one burst; the next /64 its own."""
    config = GatewayConfig(
        token_keys=(KEY,), anonymous_rate_per_s=0.001, anonymous_rate_burst=5
    )
    limits = RateLimits(config, lambda: 0.0)
    passed = 0
    for number in range(700):
        with contextlib.suppress(TooManyRequests):
            limits.admit(None, f"2001:db8:1:2::{number:x}")
            passed += 1
    assert passed == 5
    limits.admit(None, "2001:db8:1:3::1")
    limits.admit(None, "192.0.2.1")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_body_is_refused(declared: bool) -> None:
    """Over 64 KiB is 413, whether its length was declared or not."""

    async def stream() -> object:
        for _ in range(70):
            yield b" " * 1024

    async with open_api() as api:
        content = b" " * 70 * 1024 if declared else stream()
        response = await api.client.post(
            "/v1/holds",
            content=content,  # type: ignore[arg-type]
            headers=api.patient(),
        )
        assert response.status_code == 413
        assert response.json()["code"] == "payload_too_large"


async def test_long_addresses_and_headers_are_refused() -> None:
    """414 and 431, as problems."""
    async with open_api() as api:
        long = await api.client.get("/v1/providers?query=" + "x" * 9000)
        assert (long.status_code, long.json()["code"]) == (414, "uri_too_long")
        wide = await api.client.get("/healthz", headers={"X-Wide": "x" * 20_000})
        assert (wide.status_code, wide.json()["code"]) == (431, "headers_too_large")


async def test_a_full_house_says_so_at_once() -> None:
    """Beyond the bound on requests in the server the answer is 503, not a queue."""

    class Slow:
        def __init__(self) -> None:
            self.entered, self.go = asyncio.Event(), asyncio.Event()

        async def ask(self, _request: object) -> object:
            self.entered.set()
            await self.go.wait()
            raise RuntimeError

    slow = Slow()
    async with open_api(calendars=slow, concurrency_max=1) as api:
        first = asyncio.ensure_future(
            api.client.post("/v1/holds", json=slot(), headers=api.patient())
        )
        await slow.entered.wait()
        second = await api.client.get("/healthz")
        assert second.status_code == 503
        assert second.headers["retry-after"] == "1"
        slow.go.set()
        assert (await first).status_code == 500
