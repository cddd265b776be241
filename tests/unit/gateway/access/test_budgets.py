"""Rate limits over several gateways: one rate, and no request waits for the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from actors.errors import Unavailable
from care.sharing import Spending, Standing
from gateway.access.rate_budgets import Settlement
from gateway.access.tokens import Caller, Role
from gateway.http.limits import RateLimits
from gateway.wire.errors import TooManyRequests
from persistence.shared.memory import MemoryBudgets
from tests import factories as make
from tests.fakes.api import CONFIG
from tests.fakes.clocks import SteppedClock

RATE, BURST = 10.0, 40
LIMITED = replace(
    CONFIG,
    rate_limited=True,
    rate_per_s=RATE,
    rate_burst=BURST,
    anonymous_rate_per_s=RATE,
    anonymous_rate_burst=BURST,
)
CALLER = Caller(Role.PATIENT, "pat_1", make.NOW)


class Away:
    """A store that never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def settle(self, spendings: Sequence[Spending]) -> Sequence[float]:
        self.asked += 1
        raise Unavailable

    def standing(self) -> Standing:
        return Standing(ok=False, detail="away")


class Region:
    """Some gateways with one store and one clock."""

    def __init__(self, number: int, *, shared: bool = True) -> None:
        self.clock = SteppedClock(make.NOW)
        self.store = MemoryBudgets(self.clock)
        self.settlements = [
            Settlement(self.store, b"secret") if shared else None for _ in range(number)
        ]
        self.gateways = [
            RateLimits(LIMITED, self._seconds, settlement)
            for settlement in self.settlements
        ]

    def _seconds(self) -> float:
        return self.clock.now() / 1000

    async def passes(self, ms: int) -> None:
        self.clock.step(ms / 1000)
        for settlement in self.settlements:
            if settlement is not None:
                await settlement.settle()

    async def let_through(self, seconds: int, per_s: int) -> int:
        """How many requests pass at all gateways when each gets ``per_s``."""
        passed = 0
        for _ in range(seconds * 20):
            for gateway in self.gateways:
                passed += sum(admitted(gateway) for _ in range(per_s // 20))
            await self.passes(50)
        return passed


def admitted(gateway: RateLimits, caller: Caller | None = CALLER) -> bool:
    try:
        gateway.admit(caller, "192.0.2.1")
    except TooManyRequests:
        return False
    return True


async def test_a_flood_over_three_gateways_gets_one_rate() -> None:
    """One burst and one rate in all, and at most a block more at each gateway."""
    region = Region(3)
    passed = await region.let_through(30, 100)
    block = BURST // 8
    allowed = BURST + 30 * RATE
    assert 0.95 * allowed <= passed <= allowed + 3 * (block + 100 // 20)


async def test_without_settling_each_gateway_gives_the_whole_rate() -> None:
    """The control: what the test before would see if nothing was shared."""
    region = Region(3, shared=False)
    assert await region.let_through(30, 100) >= 2.9 * (30 * RATE)


async def test_somebody_below_the_limit_is_never_refused() -> None:
    """However their requests fall on the gateways, and a whole burst at one too."""
    region = Region(2)
    for round_ in range(200):
        assert admitted(region.gateways[round_ % 2])
        await region.passes(125)
    await region.passes(10_000)
    assert all(admitted(region.gateways[0]) for _ in range(BURST))


async def test_callers_have_buckets_of_their_own() -> None:
    """One person's flood affects no other caller, nor the address it comes from."""
    region = Region(2)
    await region.let_through(2, 100)
    other = replace(CALLER, subject="pat_2")
    assert admitted(region.gateways[0], other)
    assert admitted(region.gateways[1], None)


async def test_while_the_store_is_away_each_gateway_limits_by_itself() -> None:
    """The same rate and burst, per gateway; what could not be told is counted."""
    clock = SteppedClock(make.NOW)
    away = Away()
    settlement = Settlement(away, b"secret")
    gateway = RateLimits(LIMITED, lambda: clock.now() / 1000, settlement)
    assert sum(admitted(gateway) for _ in range(100)) == BURST
    assert not await settlement.settle()
    assert (away.asked, settlement.tally.untold) == (1, 1)
    clock.step(1_000 / 1000)
    assert sum(admitted(gateway) for _ in range(100)) == RATE


async def test_the_store_hears_no_names() -> None:
    """Neither a subject nor an address can be read from a bucket's key."""
    heard: list[str] = []

    class Listening(MemoryBudgets):
        async def settle(self, spendings: Sequence[Spending]) -> Sequence[float]:
            heard.extend(one.key for one in spendings)
            return await super().settle(spendings)

    settlement = Settlement(Listening(SteppedClock(make.NOW)), b"secret")
    gateway = RateLimits(LIMITED, lambda: 0.0, settlement)
    for _ in range(10):
        gateway.admit(CALLER, "")
        gateway.admit(None, "192.0.2.1")
    await settlement.settle()
    assert len(set(heard)) == 2
    assert not any("pat_1" in key or "192" in key for key in heard)


@pytest.mark.parametrize("kind", ["person", "address"])
async def test_what_waits_to_be_settled_is_bounded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too many callers at a time some are kept to this gateway, and counted."""
    monkeypatch.setattr("gateway.access.rate_budgets.DUE_MAX", 5)
    settlement = Settlement(Away(), b"secret")
    buckets = settlement.buckets(kind, 1.0, 1, lambda: 0.0)
    for number in range(8):
        buckets.take(str(number))
    assert settlement.tally.untold == 3
