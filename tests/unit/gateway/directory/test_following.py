"""A roster that is replaced leaves nothing behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator, Sequence

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Clinic
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
