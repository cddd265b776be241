"""Questions that only the owner of a shard may answer."""

import pytest

from actors.domain.messages.reads import (
    ReadBooking,
    ReadHold,
    ReadNextFree,
    ReadPositions,
    ReadProvider,
    ReadSchedule,
)
from actors.ports import Request
from tests.factories import a_booking_id, a_hold_id
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard import Bench

MINE = [
    ReadBooking(p.ANA, a_booking_id()),
    ReadHold(p.ANA, a_hold_id()),
    ReadSchedule(p.ANA, "2026-08-10", "2026-08-17"),
    ReadPositions((p.ANA,)),
]


@pytest.mark.parametrize("question", MINE, ids=lambda q: type(q).__name__)
def test_what_only_the_owner_may_say_is_checked(question: Request) -> None:
    """A former owner would deny a booking, or confirm a stale page, for ever."""
    bench = Bench().practice()
    bench.ask(ReadProvider(p.ANA))  # the window has advanced: nothing to write now
    bench.load([question])
    batch = bench.shard.begin([question], bench.now)
    assert batch.events == []
    assert batch.must_check


def test_a_directory_page_needs_no_check() -> None:
    """A stale soonest start informs; the calendar decides when it is asked for."""
    bench = Bench().practice()
    bench.ask(ReadProvider(p.ANA))
    batch = bench.shard.begin([ReadNextFree((p.ANA,))], bench.now)
    assert not batch.must_check
