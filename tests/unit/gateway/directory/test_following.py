"""All providers are read portion by portion; a replaced roster leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Sequence

import pytest

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Clinic
from actors.errors import Unavailable
from care.directory.ports import RosterRow
from gateway.directory.roster.following import LiveRoster
from gateway.directory.roster.matching import Search
from tests.fakes.roster import MemoryRoster


class _Source(MemoryRoster):
    """A few providers, always said to be all new."""

    async def all(self) -> AsyncIterator[Sequence[RosterRow]]:
        clinic = Clinic(ClinicId("cln_1"), "Practice", "UTC", city="York")
        for part in range(3):
            yield [
                RosterRow(
                    ProviderId(f"prv_{part}_{one}"), f"Dr {one}", "skin", (), clinic
                )
                for one in range(50)
            ]


async def test_a_roster_that_is_replaced_is_freed_without_the_collector() -> None:
    """Rosters have no cycles, and are left out of collections."""
    source = _Source()
    live = LiveRoster(source)
    gc.collect()
    gc.disable()
    try:
        await live.step()
        assert live.roster is not None
        assert live.matcher is not None
        assert len(live.matcher.find(Search(words="skin york")).rows) == 150
        former, words = weakref.ref(live.roster), weakref.ref(live.roster.words)
        matcher = weakref.ref(live.matcher)
        source.is_lost = True
        await live.step()
        assert (live.builds, former(), words(), matcher()) == (2, None, None, None)
    finally:
        gc.enable()


async def test_a_failed_fill_is_told_and_the_next_one_reads_all() -> None:
    """Portions are read ahead; none is left out or taken in twice."""
    asked: list[int] = []

    class Counting(_Source):
        fails = True

        async def all(self) -> AsyncIterator[Sequence[RosterRow]]:
            number = 0
            async for rows in super().all():
                number += 1
                asked.append(number)
                if number == 3 and self.fails:
                    raise Unavailable("away")
                yield rows

    source = Counting()
    live = LiveRoster(source)
    with pytest.raises(Unavailable):
        await live.step()
    assert live.builds == 0
    source.fails = False
    asked.clear()
    await live.step()
    assert live.roster is not None
    assert (len(live.roster), asked) == (150, [1, 2, 3])


async def test_a_fill_that_is_cancelled_leaves_no_task() -> None:
    """As when a gateway stops while it starts."""
    waiting = asyncio.Event()

    class Slow(_Source):
        async def all(self) -> AsyncIterator[Sequence[RosterRow]]:
            async for rows in super().all():
                yield rows
                waiting.set()
                await asyncio.Event().wait()

    before = asyncio.all_tasks()
    filling = asyncio.ensure_future(LiveRoster(Slow()).step())
    await waiting.wait()
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert asyncio.all_tasks() == before
