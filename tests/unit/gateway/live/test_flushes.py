"""Whose turn it is: answers first, then every topic's watchers in turns."""

from __future__ import annotations

import asyncio

from gateway.live.core.frames import Frame
from gateway.live.transport.write_scheduler import (
    LANE_WRITES,
    WRITES_AT_ONCE,
    WriteScheduler,
)
from tests.fakes.adopting_site import until

DELTA = Frame(b"delta")


class Note:
    """Notes its flushes."""

    def __init__(self, name: str, order: list[str]) -> None:
        self._name, self._order = name, order

    def flush(self) -> None:
        self._order.append(self._name)

    def cut_off(self) -> None:
        raise AssertionError


async def test_others_have_their_turn_in_a_large_fan_out() -> None:
    """After so many writes the event loop runs what waits."""
    order: list[str] = []
    flushes = WriteScheduler()
    for _ in range(2 * WRITES_AT_ONCE + 1):
        flushes.add(Note("flush", order), DELTA)
    assert flushes.waiting == 2 * WRITES_AT_ONCE + 1
    asyncio.get_running_loop().call_soon(order.append, "other")
    await until(lambda: len(order) == 2 * WRITES_AT_ONCE + 2)
    assert order.index("other") == WRITES_AT_ONCE
    assert (flushes.waiting, flushes.backlog_s) == (0, 0)


async def test_a_small_topic_does_not_wait_for_a_large_one() -> None:
    """Each frame's receivers have a lane; answers go before all of them."""
    order: list[str] = []
    flushes = WriteScheduler()
    for _ in range(10 * WRITES_AT_ONCE):
        flushes.add(Note("large", order), DELTA)
    small = Frame(b"small")
    for _ in range(10):
        flushes.add(Note("small", order), small)
    flushes.add_urgent(Note("answer", order))
    await until(lambda: not flushes.waiting)
    assert order[0] == "answer"
    assert order[1 : 1 + LANE_WRITES] == ["large"] * LANE_WRITES
    assert order[1 + LANE_WRITES :][:10] == ["small"] * 10


async def test_a_flush_may_make_others_due_with_the_same_frame() -> None:
    """Two who are owed the same page: the second is relieved after the first left."""
    order: list[str] = []
    flushes = WriteScheduler()
    page = Frame(b"page")

    class Owed(Note):
        """Is relieved by its first flush, and takes the page."""

        def flush(self) -> None:
            super().flush()
            if order.count(self._name) == 1:
                flushes.add(self, page)

    flushes.add(Owed("one", order), DELTA)
    await until(lambda: not flushes.waiting)
    flushes.add(Note("new", order), page)
    for name in ("two", "three"):
        flushes.add(Owed(name, order), Frame(name.encode()))
    await until(lambda: not flushes.waiting)
    assert order[:3] == ["one", "one", "new"]
    assert sorted(order[3:]) == ["three", "three", "two", "two"]


async def test_what_a_write_cost_in_a_storm_is_forgotten_in_the_calm() -> None:
    """Few writes cannot be measured, and must not keep topics slow for ever."""
    order: list[str] = []
    flushes = WriteScheduler()
    first = flushes.write_s
    flushes.write_s = 1000 * first
    for _ in range(150):
        for _ in range(WRITES_AT_ONCE):
            flushes.add(Note("flush", order), DELTA)
        await until(lambda: not flushes.waiting)
    assert first <= flushes.write_s < 2 * first
