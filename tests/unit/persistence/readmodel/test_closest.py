"""A search near a place keeps few rows in memory, however many there are."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any
from weakref import WeakSet

from persistence.readmodel.queries.directory import closest

PART = 50


class Row:
    """A row that can be counted while it lives."""

    def __init__(self, provider_id: str, latitude: float) -> None:
        self._values = (provider_id, latitude, 0.0)

    def __iter__(self) -> Any:
        return iter(self._values)


async def test_rows_are_forgotten_as_the_search_goes_on() -> None:
    """10,000 rows in parts of 50: the best ten in order, two parts alive at most."""
    rng = random.Random(3)
    places = {f"prv_{number}": rng.uniform(-80, 80) for number in range(10_000)}
    alive: WeakSet[Row] = WeakSet()
    most = 0

    async def parts() -> AsyncIterator[Sequence[Row]]:
        nonlocal most
        waiting = list(places.items())
        for at in range(0, len(waiting), PART):
            part = [Row(*pair) for pair in waiting[at : at + PART]]
            alive.update(part)
            most = max(most, len(alive))
            yield part
            del part

    found = await closest((10.0, 0.0), parts(), None, None, 10)
    expected = sorted(places, key=lambda one: abs(places[one] - 10.0))[:10]
    assert [provider for provider, _ in found] == expected
    assert most <= 2 * PART
