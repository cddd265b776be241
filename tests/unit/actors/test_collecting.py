"""Calendars that are kept for long cost the garbage collector nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis
from actors.domain.messages.reads import ReadNextFree, ReadProvider
from actors.hosting import collecting
from actors.hosting.collecting import leave_out_survivors
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard import Bench


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _calendars() -> int:
    return sum(isinstance(one, CalendarState) for one in gc.get_objects())


def _used() -> Bench:
    """A shard whose calendar was asked and told all sorts of things."""
    bench = Bench().practice()
    bench.ask(
        p.slots(),
        ReadProvider(p.ANA),
        ReadNextFree((p.ANA,), 8),
        p.hold("a"),
        p.confirm("a"),
        replace(p.book("b"), start=p.NINE + 60),
        p.cancel("b"),
    )
    bench.now = Millis(bench.now + 8 * 24 * 3_600_000)
    bench.ask(p.slots(), ReadNextFree((p.ANA,), 8))
    return bench


def test_a_calendar_that_leaves_memory_is_freed_without_the_collector() -> None:
    """Calendars have no cycles: what was left out of collections does not stay."""
    with _without_collector():
        bench = _used()
        assert _calendars() == 1
        bench.shard.abandon()
        assert _calendars() == 0


def test_control_a_calendar_in_a_cycle_would_stay() -> None:
    """The test above would see it."""
    with _without_collector():
        bench = _used()
        (state,) = (one for one in gc.get_objects() if isinstance(one, CalendarState))
        cycle: list[object] = [state]
        cycle.append(cycle)
        del state, cycle
        bench.shard.abandon()
        assert _calendars() == 1


def test_what_survives_a_full_collection_is_left_out_of_the_next() -> None:
    """And is freed all the same when nothing refers to it."""
    kept = [[number] for number in range(1_000)]
    before = gc.get_freeze_count()
    try:
        leave_out_survivors()
        leave_out_survivors()
        assert gc.callbacks.count(collecting._freeze) == 1
        gc.collect()
        frozen = gc.get_freeze_count()
        assert frozen - before >= len(kept)
        ids = set(map(id, gc.get_objects()))
        assert not ids & set(map(id, kept))
        del kept
        assert gc.get_freeze_count() <= frozen - 1_000
    finally:
        gc.callbacks.remove(collecting._freeze)
