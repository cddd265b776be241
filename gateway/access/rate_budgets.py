"""Rate limits that all gateways share, without a call to the store in a request.

A request is decided by local state and costs a look-up. Once a caller has spent a block
here, an eighth of the burst, the block is settled in the background: the shared store
deducts it, and answers what is left over all gateways, debts included. So a caller
below the limit never waits and is never refused; a caller above it gets the one rate in
the long run over any number of gateways, and once at most a block more per gateway,
plus the requests made during one settlement.

While the store is away each gateway limits by itself, at the same rate.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic
from typing import Final

from msgspec import Struct

from actors.errors import Unavailable
from care.sharing import RateBudgets, Spending

BUCKETS_MAX: Final = 50_000
BLOCKS_PER_BURST: Final = 8
AT_ONCE_MAX: Final = 256
"""Buckets in one settlement: half a millisecond of the store's time."""
DUE_MAX: Final = 10_000
"""Buckets that may wait for settlement; spending beyond is not shared."""
GATHER_S: Final = 0.01
PAUSE_AWAY_S: Final = 0.25


class Bucket:
    """One caller's tokens as known to this gateway, and unreported spending."""

    __slots__ = ("first", "since", "spent", "tokens")

    def __init__(self, tokens: float, now: float) -> None:
        self.tokens = tokens
        self.since = now
        self.spent = 0
        self.first = now


class TokenBuckets:
    """Many token buckets with the same rate, by key.

    ``due`` is called once for each bucket that has spent a block, until ``collect``.
    """

    def __init__(
        self,
        rate_per_s: float,
        burst: int,
        now: Callable[[], float] = monotonic,
        due: Callable[[str], None] | None = None,
    ) -> None:
        if rate_per_s <= 0 or burst < 1:
            raise ValueError("rate_per_s must be above 0 and burst at least 1")
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._block = max(1, burst // BLOCKS_PER_BURST)
        self._now = now
        self._due = due
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, count: int = 1) -> float:
        """Take tokens: 0.0 if there were enough, else the seconds until there are."""
        now = self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._new(key, now)
        else:
            self._buckets.move_to_end(key)
        filled = bucket.tokens + (now - bucket.since) * self.rate_per_s
        bucket.tokens = filled if filled < self.burst else self.burst
        bucket.since = now
        if bucket.tokens < count:
            return (count - bucket.tokens) / self.rate_per_s
        bucket.tokens -= count
        if self._due is not None:
            if not bucket.spent:
                bucket.first = now
            bucket.spent += 1
            if bucket.spent == self._block:
                self._due(key)
        return 0.0

    def collect(self, key: str) -> tuple[int, int]:
        """Take the unreported spending, and the milliseconds over which it occurred."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0, 0
        spent, bucket.spent = bucket.spent, 0
        return spent, int((self._now() - bucket.first) * 1000)

    def settled(self, key: str, left: float) -> None:
        """Set the tokens left over all gateways, less what was spent here since."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.tokens = left - bucket.spent
            bucket.since = self._now()

    def _new(self, key: str, now: float) -> Bucket:
        bucket = self._buckets[key] = Bucket(float(self.burst), now)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return bucket


class SettlementTally(Struct):
    """Counts since the start of this process."""

    settlements: int = 0
    buckets: int = 0
    untold: int = 0
    """Buckets whose spending was never reported to the other gateways."""


class Settlement:
    """Reports local spending to the shared store, in the background."""

    def __init__(self, store: RateBudgets, secret: bytes) -> None:
        self.store = store
        self.tally = SettlementTally()
        self._secret = blake2b(secret).digest()[:32]
        self._due: dict[tuple[str, str], TokenBuckets] = {}
        self._news = asyncio.Event()

    def buckets(
        self, kind: str, rate_per_s: float, burst: int, now: Callable[[], float]
    ) -> TokenBuckets:
        """A group of buckets that are settled under their own name."""

        def due(key: str) -> None:
            if len(self._due) >= DUE_MAX:
                self.tally.untold += 1
                return
            self._due[kind, key] = made
            self._news.set()

        made = TokenBuckets(rate_per_s, burst, now, due)
        return made

    async def run(self) -> None:
        """Settle until cancelled."""
        while True:
            await self._news.wait()
            if not await self.settle():
                await asyncio.sleep(PAUSE_AWAY_S)
            elif len(self._due) < AT_ONCE_MAX:
                await asyncio.sleep(GATHER_S)

    async def settle(self) -> bool:
        """One settlement of what is due; False if the store is away."""
        batch = list(self._due.items())[:AT_ONCE_MAX]
        for place, _ in batch:
            del self._due[place]
        if not self._due:
            self._news.clear()
        if not batch:
            return True
        spendings = [self._spending(*place, buckets) for place, buckets in batch]
        try:
            left = await self.store.settle(spendings)
        except Unavailable:
            # Not reported again, since it might count twice: too generous is the
            # smaller error.
            self.tally.untold += len(batch)
            return False
        self.tally.settlements += 1
        self.tally.buckets += len(batch)
        for ((_, key), buckets), tokens in zip(batch, left, strict=True):
            buckets.settled(key, tokens)
        return True

    def _spending(self, kind: str, key: str, buckets: TokenBuckets) -> Spending:
        spent, over_ms = buckets.collect(key)
        return Spending(
            self._name(kind, key), spent, over_ms, buckets.rate_per_s, buckets.burst
        )

    def _name(self, kind: str, key: str) -> str:
        # A plain hash of an address could be reversed by trying all addresses.
        text = f"{kind}:{key}".encode()
        return blake2b(text, digest_size=12, key=self._secret).hexdigest()
