"""Spans of cells as bits."""

from __future__ import annotations

import pytest

from actors.domain.time.grid import Bitmap, all_of, any_of, bits, ones


def test_bits_lists_the_places_of_set_bits() -> None:
    """Ascending, and none for nothing."""
    assert bits(0) == []
    assert bits(0b1011) == [0, 1, 3]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_any_and_all_of_neighbours(count: int) -> None:
    """They say of each place what a loop over its neighbours says."""
    mask = 0b1110_1111_1011_1111_1101
    places = range(20)
    for place in places:
        near = [mask >> (place + k) & 1 for k in range(count)]
        assert any_of(mask, count) >> place & 1 == any(near)
        assert all_of(mask, count) >> place & 1 == all(near)


def test_a_span_may_cross_pages() -> None:
    """What is added over an edge is found and removed on both sides of it."""
    cells = Bitmap(10)
    cells.add(7, 13)
    assert cells.pages == {0: ones(3) << 7, 1: ones(3)}
    assert cells.hits(0, 8)
    assert cells.hits(12, 20)
    assert not cells.hits(0, 7)
    assert not cells.hits(13, 20)
    assert cells.hits(5, 15)
    assert not cells.hits(15, 25)
    assert cells.cut(5, 15) == ones(6) << 2
    cells.remove(8, 20)
    assert cells.pages == {0: 1 << 7}
    cells.remove(0, 10)
    assert cells.pages == {}


def test_spans_before_the_epoch_work_too() -> None:
    """Negative cells are cells like any other."""
    cells = Bitmap(10)
    cells.add(-3, 2)
    assert cells.hits(-1, 0)
    assert not cells.hits(-10, -3)
