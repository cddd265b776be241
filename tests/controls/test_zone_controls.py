"""The tests of wall clocks can fail: with the guard removed, the walk finds it."""

from __future__ import annotations

import pytest

from actors.domain.time.grid import ones
from actors.domain.time.openings import Days, LocationHours
from tests.properties.test_zones import (
    test_every_zone_offers_what_its_clocks_show_when_they_change as walk_all_changes,
)


def test_hours_from_their_first_to_their_last_instant_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Offering all between the two passes of a repeated hour is found."""
    whole = LocationHours._shown

    def without_cuts(place: LocationHours, days: Days, first: int, count: int) -> int:
        found = whole(place, days, first, count)
        return ones(found.bit_length()) & -(found & -found)

    monkeypatch.setattr(LocationHours, "_shown", without_cuts)
    with pytest.raises(AssertionError):
        walk_all_changes()
