"""Gateways with a real Redis beside them that is killed, frozen, emptied, restarted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from actors.domain.ids import Millis
from care.sharing import Revocation, RevocationKind, Spending
from cluster.clock import SystemClock
from persistence.redis.link import FAILURES_MAX, PAUSE_MOST_S, RedisAway, RedisLink
from persistence.shared.budgets import RedisBudgets
from persistence.shared.pages import RedisPages
from persistence.shared.revocations_file import FileRevocations
from persistence.shared.revocations_redis import RedisRevocations
from persistence.shared.wakeups import RedisWakeups
from tests import factories as make
from tests.fakes.api import slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fixtures.redis_server import RedisServer

PATIENCE_S = 60.0
PATH = "/v1/providers/prv_1/slots?visit_type=consult&from=2026-08-10&to=2026-08-11"
LATER = Millis(make.NOW + 3_600_000)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis-away")) as server:
        yield server


@pytest.fixture
def redis(machine: RedisServer) -> Iterator[RedisServer]:
    """A Redis of this file's own, empty and answering at the start of each test."""
    if not machine.is_running:
        machine.start()
    machine.ask("FLUSHALL")
    yield machine
    machine.thaw()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_gateway(
    redis: RedisServer, copy: Path | None = None, **changes: Any
) -> AsyncIterator[tuple[LiveApi, RedisRevocations]]:
    """A gateway with all that it shares in Redis; returns when it listens there."""
    clock = SteppedClock(make.NOW)
    kept = None if copy is None else FileRevocations(copy, clock)
    async with AsyncExitStack() as opened:
        shared: dict[str, Any] = {
            "revocations": RedisRevocations(redis.url, "away", clock, kept),
            "budgets": RedisBudgets(redis.url, "away"),
            "pages": RedisPages(redis.url, "away"),
        }
        for port in shared.values():
            opened.push_async_callback(port.close)
        live = await opened.enter_async_context(open_live_api(shared=shared, **changes))
        revocations = shared["revocations"]
        assert isinstance(revocations, RedisRevocations)
        if redis.is_running:
            await until(lambda: revocations.standing().ok)
        yield live, revocations


def all_of(subject: str) -> Revocation:
    return Revocation(RevocationKind.SUBJECT, subject, make.NOW, LATER)


async def serve_some(live: LiveApi, first: int, count: int) -> None:
    """Book and look, one after another."""
    headers = live.api.patient(first)
    for number in range(first, first + count):
        start = f"2026-08-{10 + number // 16 % 5}T{9 + number % 16 // 2:02}"
        start += ":00:00Z" if number % 2 == 0 else ":30:00Z"
        booked = await live.api.client.post(
            "/v1/bookings", json=slot(start=start), headers=headers
        )
        looked = await live.api.client.get(PATH, headers=headers)
        assert (booked.status_code, looked.status_code) == (201, 200), booked.text


def links_of(live: LiveApi) -> list[RedisLink]:
    """The links that requests use."""
    ports = live.api.ports
    assert isinstance(ports.budgets, RedisBudgets)
    assert isinstance(ports.pages, RedisPages)
    return [ports.budgets._link, ports.pages._reading, ports.pages._writing]


@pytest.mark.parametrize("fault", ["freeze", "kill"])
async def test_requests_and_sockets_do_not_notice(
    redis: RedisServer, fault: str
) -> None:
    """With Redis frozen or dead bookings go on, sockets stay, and readiness says what
    is missing without refusing. Bookings wait for Redis as often as it takes to open
    the breaker: with the links' clock stopped, it does not close again."""
    async with (
        a_gateway(redis, rate_limited=True, rate_burst=8) as (live, _),
        live.client("patient", "pat_2") as socket,
    ):
        links = links_of(live)
        for link in links:
            link._now = lambda: 0.0
        getattr(redis, fault)()
        for person in range(1, 30):
            await serve_some(live, person, 1)
        assert (await socket.ask("ping"))["t"] == "pong"
        for link in links:
            assert link.tally.failures <= FAILURES_MAX
            link._now = monotonic
        await live.api.client.get(PATH)
        budgets = live.api.ports.budgets
        assert isinstance(budgets, RedisBudgets)
        await until(lambda: not budgets.standing().ok)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                ready = await live.api.client.get("/readyz")
                checks = ready.json()["checks"]
                if not checks["revocations"]["ok"]:
                    break
                await asyncio.sleep(0.05)
        assert ready.status_code == 200
        assert "limits by itself" in checks["rate_limits"]["detail"]
        assert (await socket.ask("ping"))["t"] == "pong"


async def test_after_a_restart_everything_is_heard_again(redis: RedisServer) -> None:
    """What was revoked before holds throughout; what is revoked after is heard."""
    async with a_gateway(redis) as (live, revocations):
        await revocations.add(all_of("pat_1"))
        revoked = live.api.app.state.services.authenticator.revoked
        await until(lambda: len(revoked) == 1)
        redis.kill()
        await until(lambda: not revocations.standing().ok)
        refused = await live.api.client.get("/v1/bookings", headers=live.api.patient(1))
        assert refused.status_code == 401
        redis.start()
        other = RedisRevocations(redis.url, "away", SteppedClock(make.NOW))
        await other.add(all_of("pat_2"))
        await other.close()
        await until(lambda: len(revoked) == 2)
        await until(lambda: revocations.standing().ok)


async def test_what_redis_forgot_gateways_put_back(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that lost its memory hears of the revocations from who remembers."""
    monkeypatch.setattr("persistence.shared.revocations_redis.COMPARE_S", 0.05)
    async with a_gateway(redis) as (live, revocations):
        await revocations.add(all_of("pat_1"))
        revoked = live.api.app.state.services.authenticator.revoked
        await until(lambda: len(revoked) == 1)
        redis.ask("FLUSHALL")
        await until(lambda: redis.ask("ZCARD", "away:revoked") == b":1\r\n")


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_redis_that_comes_back_empty_revives_no_token(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 65: a gateway that starts afterwards refuses what was revoked before.

    Unguarded, none puts back what Redis lost, and the token works there again.
    """
    monkeypatch.setattr("persistence.shared.revocations_redis.COMPARE_S", 0.05)
    async with a_gateway(redis) as (one, revocations):
        await revocations.add(all_of("pat_1"))
        revoked = one.api.app.state.services.authenticator.revoked
        await until(lambda: len(revoked) == 1)
        if not guarded:

            async def none(_members: object) -> None:
                return None

            monkeypatch.setattr(revocations, "_put", none)
        read = revocations.read_in_full
        redis.kill()
        await until(lambda: not revocations.standing().ok)
        redis.start()
        redis.ask("FLUSHALL")  # it came back without its disk
        await until(lambda: revocations.standing().ok)
        await until(lambda: revocations.read_in_full > read)
        if guarded:
            await until(lambda: redis.ask("ZCARD", "away:revoked") == b":1\r\n")
        async with a_gateway(redis) as (late, followed):
            await until(lambda: followed.read_in_full)
            answer = await late.api.client.get(
                "/v1/bookings", headers=late.api.patient(1)
            )
            assert answer.status_code == (401 if guarded else 200)
        still = await one.api.client.get("/v1/bookings", headers=one.api.patient(1))
        assert still.status_code == 401


async def test_a_gateway_that_starts_while_redis_is_away_goes_by_the_nodes_copy(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that were revoked stay revoked, and it says that it may be behind."""
    monkeypatch.setattr("persistence.shared.revocations_redis.COPY_GATHER_S", 0.0)
    copy = tmp_path / "revocations.jsonl"
    async with a_gateway(redis, copy) as (_, revocations):
        await revocations.add(all_of("pat_1"))
        await until(copy.exists)
    redis.kill()
    async with a_gateway(redis, copy) as (live, revocations):
        revoked = live.api.app.state.services.authenticator.revoked
        await until(lambda: len(revoked) == 1)
        refused = await live.api.client.get("/v1/bookings", headers=live.api.patient(1))
        assert refused.status_code == 401
        assert "this node's copy" in revocations.standing().detail


async def test_two_gateways_share_one_limit(redis: RedisServer) -> None:
    """Of the requests of one person at both, one burst passes, not two."""
    limits: dict[str, Any] = {"rate_limited": True, "rate_per_s": 0.5, "rate_burst": 40}
    async with (
        a_gateway(redis, **limits) as (one, _),
        a_gateway(redis, **limits) as (two, _),
    ):
        passed = 0
        for _ in range(20):
            for live in (one, two):
                for _ in range(3):
                    answer = await live.api.client.get(
                        PATH, headers=live.api.patient(1)
                    )
                    passed += answer.status_code == 200
            settlements = [
                live.api.app.state.services.shared.settlement for live in (one, two)
            ]
            await until(lambda: not any(each._due for each in settlements))  # noqa: B023
        assert 36 <= passed <= 40 + 2 * (40 // 8) + 6


# --- the road itself -----------------------------------------------------------------


async def test_a_frozen_redis_costs_one_short_wait_per_pause(
    redis: RedisServer,
) -> None:
    """After the failures that close the link one call in each pause waits in vain, the
    others fail at once; thawed, Redis is found again."""
    at_s = 0.0
    link = RedisLink(redis.url, timeout_s=1.0, now=lambda: at_s)
    assert await link.ask("PING") == b"PONG"
    redis.freeze()
    for pauses in range(3):
        for _ in range(70):
            with pytest.raises(RedisAway):
                await link.ask("GET", "x")
        assert link.tally.failures == FAILURES_MAX + pauses
        at_s += PAUSE_MOST_S
    assert link.tally.refused == 3 * 70 - link.tally.failures
    redis.thaw()
    async with asyncio.timeout(PATIENCE_S):
        while not link.standing().ok:
            at_s += PAUSE_MOST_S
            try:
                # Late answers of given up calls must not be taken for this one's.
                assert await link.ask("ECHO", "now") == b"now"
            except RedisAway:
                await asyncio.sleep(0.02)
    await link.close()


async def test_a_cancelled_call_ends_and_the_link_goes_on(redis: RedisServer) -> None:
    """At whichever step of a call the cancellation comes, connecting included; the
    next call has its own answer."""
    for steps in range(1, 40):
        link = RedisLink(redis.url, timeout_s=PATIENCE_S)
        for number in range(2):
            task = asyncio.ensure_future(link.ask("ECHO", "cancelled"))
            for _ in range(steps):
                await asyncio.sleep(0)
            told = task.cancel()
            await asyncio.wait({task})
            assert task.cancelled() or not told
            assert await link.ask("ECHO", number) == b"%d" % number
        assert link.tally.failures == 0
        await link.close()


async def test_what_redis_forgot_of_scripts_is_sent_again(redis: RedisServer) -> None:
    """After a restart, or SCRIPT FLUSH, a settlement is answered as before."""
    budgets = RedisBudgets(redis.url, "away")
    spending = [Spending("k", 1, 0, 0.001, 10)]
    (before,) = await budgets.settle(spending)
    redis.ask("SCRIPT", "FLUSH")
    (after,) = await budgets.settle(spending)
    assert (round(before), round(after)) == (9, 8)
    await budgets.close()


async def test_without_the_breaker_every_call_would_wait(redis: RedisServer) -> None:
    """The control: the gate held open, each call goes to Redis and fails there."""
    link = RedisLink(redis.url)
    redis.freeze()
    for _ in range(10):
        link._failures, link._not_before = 0, 0.0
        with pytest.raises(RedisAway):
            await link.ask("GET", "x")
    assert (link.tally.failures, link.tally.refused) == (10, 0)
    await link.close()


async def test_passwords_are_told_to_nobody(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither errors nor standings nor the log name one, be it right or wrong."""
    caplog.set_level(logging.DEBUG)
    address = redis.url.replace("redis://", "redis://:hidden@")
    budgets = RedisBudgets(address, "away")
    with pytest.raises(RedisAway) as error:
        await budgets.settle([Spending("k", 1, 0, 1.0, 1)])
    said = f"{error.value} {budgets.standing().detail} {caplog.text}"
    assert "127.0.0.1" in said
    assert "hidden" not in said
    await budgets.close()


async def test_a_bell_that_cannot_ring_wakes_nobody_and_holds_nobody_up(
    redis: RedisServer,
) -> None:
    """``notify`` is a plain function, so it cannot wait; the job polls; when Redis is
    back the bell rings again."""
    bell = RedisWakeups(redis.url, "away", ["outbox"])
    assert await bell.wait("outbox", PATIENCE_S)
    redis.kill()
    bell.notify("outbox")
    assert not await bell.wait("outbox", 0.05)
    redis.start()
    assert await bell.wait("outbox", PATIENCE_S)
    await bell.close()


async def test_the_clock_of_revocations_is_ours(redis: RedisServer) -> None:
    """One that ran out is dropped by the next write, whatever Redis's clock says."""
    clock = SystemClock()
    store = RedisRevocations(redis.url, "away", clock)
    now = clock.now()
    await store.add(Revocation(RevocationKind.TOKEN, "old", now, Millis(now - 1)))
    await store.add(Revocation(RevocationKind.TOKEN, "new", now, Millis(now + 9_000)))
    assert redis.ask("ZCARD", "away:revoked") == b":1\r\n"
    await store.close()
