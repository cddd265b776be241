"""What gateways share, on every adapter: in memory, in the data folder, in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import HoldId, Millis
from care.sharing import (
    HoldNote,
    HotPages,
    RateBudgets,
    Revocation,
    RevocationKind,
    Revocations,
    SharedHolds,
    Spending,
    Wakeups,
)
from cluster.clock import SystemClock
from persistence.shared.budgets import RedisBudgets
from persistence.shared.holds import RedisHolds
from persistence.shared.memory import (
    LocalWakeups,
    MemoryBudgets,
    MemoryHolds,
    MemoryPages,
    MemoryRevocations,
)
from persistence.shared.pages import RedisPages
from persistence.shared.revocations_file import FileRevocations
from persistence.shared.revocations_redis import RedisRevocations
from persistence.shared.wakeups import RedisWakeups
from tests.fakes.clocks import SteppedClock

SITES = (f"shared{number}" for number in count())
PATIENCE_S = 60.0


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Callable[[], tuple[str, str]]:
    """Redis's address and a prefix that no other test has; started when needed."""

    def found() -> tuple[str, str]:
        return request.getfixturevalue("redis_server").url, next(SITES)

    return found


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.005)


# --- holds --------------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis"])
async def holds(
    request: pytest.FixtureRequest, place: Callable[[], tuple[str, str]]
) -> AsyncIterator[tuple[SharedHolds, SteppedClock]]:
    clock = SteppedClock(SystemClock().now())
    if request.param == "memory":
        yield MemoryHolds(clock), clock
        return
    store = RedisHolds(*place(), clock)
    yield store, clock
    await store.close()


async def test_holds_are_known_until_their_deadline_under_their_key(
    holds: tuple[SharedHolds, SteppedClock],
) -> None:
    """An exchange answers with all of its keys' notes; an extension is one note."""
    store, clock = holds

    def note(number: int, lasts_s: int, key: str = "a") -> HoldNote:
        until = Millis(clock.now() + lasts_s * 1000)
        return HoldNote(key, HoldId(f"hld_1.{number}"), until)

    first, second, other = note(1, 100), note(2, 200), note(3, 100, "b")
    assert await store.exchange([first]) == {"a": [first]}
    found = await store.exchange([second, other])
    assert {key: set(notes) for key, notes in found.items()} == {
        "a": {first, second},
        "b": {other},
    }
    longer = note(1, 300)
    await store.exchange([longer])
    assert set(await store.find("a")) == {longer, second}
    clock.step(200)
    assert await store.find("a") == [longer]
    assert await store.find("b") == await store.find("none") == []
    assert await store.exchange([]) == {}


# --- rate budgets ------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis"])
async def budgets(
    request: pytest.FixtureRequest, place: Callable[[], tuple[str, str]]
) -> AsyncIterator[RateBudgets]:
    if request.param == "memory":
        yield MemoryBudgets(SystemClock())
        return
    store = RedisBudgets(*place())
    yield store
    await store.close()


def spent(tokens: int, key: str = "a", *, over_ms: int = 0, rate: float = 0.01) -> Any:
    return Spending(key, tokens, over_ms, rate, 100)


async def test_what_two_gateways_spend_is_taken_from_one_bucket(
    budgets: RateBudgets,
) -> None:
    """Each hears what is left over both, and another caller's bucket is apart."""
    assert await budgets.settle([spent(25)]) == pytest.approx([75], abs=0.1)
    left = await budgets.settle([spent(25), spent(10, "b")])
    assert left == pytest.approx([50, 90], abs=0.1)


async def test_debt_is_told_and_bounded(budgets: RateBudgets) -> None:
    """A debt is one burst at most: no caller is locked out for long."""
    assert await budgets.settle([spent(130)]) == pytest.approx([-30], abs=0.1)
    assert await budgets.settle([spent(500)]) == pytest.approx([-100], abs=0.1)


async def test_a_bucket_fills_at_its_rate(budgets: RateBudgets) -> None:
    """Time gives back what was spent, and no more than the burst."""
    started = asyncio.get_running_loop().time()
    await budgets.settle([spent(100, rate=500)])
    await asyncio.sleep(0.05)
    (left,) = await budgets.settle([spent(0, rate=500)])
    took = asyncio.get_running_loop().time() - started
    assert 20 <= left <= min(100, 500 * took + 10)


async def test_slow_spending_is_not_a_burst(budgets: RateBudgets) -> None:
    """What was spent over a time in which more flowed in leaves the bucket full."""
    left = await budgets.settle([spent(25, over_ms=25_000, rate=2)])
    assert left == pytest.approx([100], abs=0.1)


async def test_forgotten_buckets_take_no_room(
    place: Callable[[], tuple[str, str]],
) -> None:
    """A bucket leaves Redis when the deepest debt would be paid."""
    url, site = place()
    store = RedisBudgets(url, site)
    await store.settle([spent(100, rate=50)])
    ttl = await store._link.ask("PTTL", f"{site}:rate:a")
    assert 0 < ttl <= 2 * 100 / 50 * 1000 + 1000
    await store.close()


# --- revocations -------------------------------------------------------------------

NOW = SystemClock().now()


def revoked(
    value: str, kind: RevocationKind = RevocationKind.TOKEN, lasts_ms: int = 3_600_000
) -> Revocation:
    return Revocation(kind, value, NOW, Millis(NOW + lasts_ms))


Open = Callable[[], Revocations]


@pytest.fixture(params=["memory", "file", "redis"])
async def revocations(
    request: pytest.FixtureRequest,
    place: Callable[[], tuple[str, str]],
    tmp_path: Path,
) -> AsyncIterator[Open]:
    """Opens the same revocations again, as another process would."""
    clock = SystemClock()
    if request.param == "memory":
        one = MemoryRevocations(clock)
        yield lambda: one
    elif request.param == "file":
        path = tmp_path / "secrets" / "revocations.jsonl"
        yield lambda: FileRevocations(path, clock)
    else:
        url, site = place()
        opened: list[RedisRevocations] = []

        def open_again() -> Revocations:
            opened.append(RedisRevocations(url, site, clock))
            return opened[-1]

        yield open_again
        for store in opened:
            await store.close()


@asynccontextmanager
async def following(store: Revocations) -> AsyncIterator[list[Revocation]]:
    known: list[Revocation] = []

    def learn(news: Sequence[Revocation]) -> None:
        known.extend(one for one in news if one not in known)

    task = asyncio.ensure_future(store.follow(learn))
    try:
        yield known
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_revocation_reaches_every_follower(revocations: Open) -> None:
    """Every gateway that follows receives it without asking again."""
    async with following(revocations()) as one, following(revocations()) as two:
        await revocations().add(revoked("first"))
        await until(lambda: one and two)
        await revocations().add(revoked("second"))
        await until(lambda: len(one) == len(two) == 2)
    assert [r.value for r in one] == ["first", "second"] == [r.value for r in two]


async def test_a_gateway_that_starts_later_knows_all_that_hold(
    revocations: Open,
) -> None:
    """Old ones are told at the beginning; those that ran out are not."""
    await revocations().add(revoked("t", lasts_ms=-1))
    await revocations().add(revoked("pat_1", RevocationKind.SUBJECT))
    async with following(revocations()) as known:
        await until(lambda: known)
        assert known == [revoked("pat_1", RevocationKind.SUBJECT)]


async def test_a_kind_of_a_newer_version_is_passed_on(revocations: Open) -> None:
    """Every store keeps it, also while others are added."""
    newer = Revocation("device", "dev_1", NOW, Millis(NOW + 3_600_000))
    await revocations().add(newer)
    await revocations().add(revoked("t"))
    async with following(revocations()) as known:
        await until(lambda: len(known) == 2)
        assert set(known) == {newer, revoked("t")}


async def test_revoking_twice_is_revoking_once(revocations: Open) -> None:
    """The same revocation again changes nothing."""
    for _ in range(2):
        await revocations().add(revoked("t"))
    async with following(revocations()) as known:
        await until(lambda: known)
        assert known == [revoked("t")]


# --- hot pages ---------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis"])
async def pages(
    request: pytest.FixtureRequest, place: Callable[[], tuple[str, str]]
) -> AsyncIterator[HotPages]:
    if request.param == "memory":
        yield MemoryPages()
        return
    store = RedisPages(*place())
    yield store
    await store.close()


async def test_pages_are_found_as_they_were_kept(pages: HotPages) -> None:
    """Those that are there, the newest of each; nothing of those that are not."""
    await pages.keep({"a": b"\x00old", "b": b"b"}, 60)
    await pages.keep({"a": b"\xffnew"}, 60)
    assert await pages.find(["a", "b", "c"]) == {"a": b"\xffnew", "b": b"b"}
    assert await pages.find([]) == {}


async def test_pages_run_out(pages: HotPages) -> None:
    """After its time a page is not there any more."""
    await pages.keep({"a": b"a"}, 0.02)
    async with asyncio.timeout(PATIENCE_S):
        while await pages.find(["a"]):  # noqa: ASYNC110 - a deadline is set
            await asyncio.sleep(0.01)


# --- wake-ups ----------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis"])
async def bells(
    request: pytest.FixtureRequest, place: Callable[[], tuple[str, str]]
) -> AsyncIterator[tuple[Wakeups, Wakeups]]:
    """One who rings, and one who waits."""
    if request.param == "memory":
        one = LocalWakeups()
        yield one, one
        return
    url, site = place()
    ringing = RedisWakeups(url, site, ["outbox", "other"])
    waiting = RedisWakeups(url, site, ["outbox", "other"])
    # Rings once when it begins to listen: something may have happened before.
    assert await waiting.wait("outbox", PATIENCE_S)
    yield ringing, waiting
    await ringing.close()
    await waiting.close()


async def test_a_ring_wakes_who_waits(bells: tuple[Wakeups, Wakeups]) -> None:
    """At once, and not those who wait for something else."""
    ringing, waiting = bells
    async with asyncio.TaskGroup() as tasks:
        woken = tasks.create_task(waiting.wait("outbox", PATIENCE_S))
        await asyncio.sleep(0)
        ringing.notify("outbox")
        assert await woken, "false is the end of the wait"


async def test_a_ring_before_the_wait_is_not_lost(
    bells: tuple[Wakeups, Wakeups],
) -> None:
    """Many rings without a waiter are one ring for the next waiter."""
    ringing, waiting = bells
    for _ in range(100):
        ringing.notify("outbox")
    assert await waiting.wait("outbox", PATIENCE_S)


async def test_without_a_ring_the_wait_ends_in_time(
    bells: tuple[Wakeups, Wakeups],
) -> None:
    """The job polls at its own interval then."""
    _, waiting = bells
    assert not await waiting.wait("outbox", 0.02)
