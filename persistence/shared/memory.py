"""The ports of care/sharing.py in one process: for an embedded site, and for tests."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

from actors.domain.ids import HoldId, Millis
from actors.ports import Clock
from care.sharing import HoldNote, Learn, Revocation, Spending, Standing

BUCKETS_MAX: Final = 100_000
PAGES_MAX: Final = 4_096


class MemoryBudgets:
    """Implements RateBudgets for the gateways of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, Millis]] = OrderedDict()

    async def settle(self, spendings: Sequence[Spending]) -> Sequence[float]:
        """See RateBudgets.settle."""
        return [self._settle(spending) for spending in spendings]

    def standing(self) -> Standing:
        """Always well."""
        return Standing(ok=True)

    def _settle(self, spent: Spending) -> float:
        now = self._clock.now()
        tokens, idle_ms = float(spent.burst), spent.over_ms
        if spent.key in self._buckets:
            tokens, since = self._buckets[spent.key]
            idle_ms = max(0, now - since)
        per_ms, burst = spent.rate_per_s / 1000, spent.burst
        # First it fills until the spending began, then it fills and is spent from.
        meanwhile_ms = min(idle_ms, spent.over_ms)
        tokens = min(burst, tokens + (idle_ms - meanwhile_ms) * per_ms)
        tokens = min(burst, tokens + meanwhile_ms * per_ms - spent.tokens)
        tokens = max(-burst, tokens)
        self._buckets[spent.key] = tokens, now
        self._buckets.move_to_end(spent.key)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return tokens


class MemoryHolds:
    """Implements SharedHolds for the gateways of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notes: dict[str, dict[HoldId, HoldNote]] = defaultdict(dict)

    async def exchange(
        self, notes: Sequence[HoldNote]
    ) -> Mapping[str, Sequence[HoldNote]]:
        """See SharedHolds.exchange."""
        for note in notes:
            self._notes[note.key][note.hold_id] = note
        return {note.key: await self.find(note.key) for note in notes}

    async def find(self, key: str) -> Sequence[HoldNote]:
        """See SharedHolds.find."""
        now, kept = self._clock.now(), self._notes.pop(key, {})
        live = {name: note for name, note in kept.items() if note.expires > now}
        if live:
            self._notes[key] = live
        return list(live.values())

    def standing(self) -> Standing:
        """Always well."""
        return Standing(ok=True)


class MemoryRevocations:
    """Implements Revocations in one process; they end with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: set[Revocation] = set()
        self._followers: list[Learn] = []

    async def add(self, revocation: Revocation) -> None:
        """See Revocations.add."""
        self._held.add(revocation)
        for learn in self._followers:
            learn([revocation])

    async def follow(self, learn: Learn) -> None:
        """See Revocations.follow."""
        now = self._clock.now()
        self._held = {one for one in self._held if one.until > now}
        if self._held:
            learn(list(self._held))
        self._followers.append(learn)
        try:
            await asyncio.Event().wait()
        finally:
            self._followers.remove(learn)

    def standing(self) -> Standing:
        """Always well."""
        return Standing(ok=True)


class MemoryPages:
    """Implements HotPages in one process; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def find(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """See HotPages.find."""
        now = monotonic()
        kept = {name: self._pages[name] for name in names if name in self._pages}
        return {name: page for name, (until, page) in kept.items() if until > now}

    async def keep(self, pages: Mapping[str, bytes], ttl_s: float) -> None:
        """See HotPages.keep."""
        until = monotonic() + ttl_s
        for name, page in pages.items():
            self._pages[name] = until, page
            self._pages.move_to_end(name)
        while len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)

    def standing(self) -> Standing:
        """Always well."""
        return Standing(ok=True)


class LocalWakeups:
    """Implements Wakeups in one process: between processes, jobs poll."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def notify(self, topic: str) -> None:
        """See Wakeups.notify."""
        self._bells[topic].set()

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """See Wakeups.wait."""
        wake_up = self._bells[topic]
        try:
            async with asyncio.timeout(timeout_s):
                await wake_up.wait()
        except TimeoutError:
            return False
        wake_up.clear()
        return True

    async def close(self) -> None:
        """See Wakeups.close."""
        self._bells.clear()
