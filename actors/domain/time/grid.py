"""The grid of cells: spans of time as bits of integers.

A cell is the smallest piece of a calendar's time; cell ``c`` begins at minute
``c * cell_minutes`` since the Unix epoch. Bits live on pages of one week, so that a
calendar pays only for weeks that hold something, and no operation touches more than
a few hundred bytes. Spans are half-open, ``[first, last)``, in cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

PAGE_MINUTES = 7 * 24 * 60
"""A page is a week: longer than any visit with its buffers, so that such a span
never reaches beyond the next page."""

CELL_MINUTES = (1, 3, 5, 15)
"""Cells divide a quarter of an hour, since the offsets of zones are whole quarters."""


def ones(count: int) -> int:
    """``count`` set bits, lowest first."""
    return (1 << count) - 1


@lru_cache(maxsize=4096)
def every(step: int, count: int) -> int:
    """Each ``step``-th of ``count`` bits, from the lowest on."""
    marks = -(-count // step)
    return ones(step * marks) // ones(step)


def bits(mask: int) -> list[int]:
    """The places of the set bits, ascending."""
    text = f"{mask:b}"[::-1]
    places = []
    place = text.find("1")
    while place >= 0:
        places.append(place)
        place = text.find("1", place + 1)
    return places


def any_of(mask: int, count: int) -> int:
    """Bit ``i`` is set where any of the bits ``i .. i + count - 1`` is."""
    have = 1
    while have < count:
        step = min(have, count - have)
        mask |= mask >> step
        have += step
    return mask


def all_of(mask: int, count: int) -> int:
    """Bit ``i`` is set where all of the bits ``i .. i + count - 1`` are."""
    have = 1
    while have < count:
        step = min(have, count - have)
        mask &= mask >> step
        have += step
    return mask


class Bitmap:
    """A sparse set of cells: week pages of bits, empty pages left out."""

    __slots__ = ("pages", "size")

    def __init__(self, size: int) -> None:
        """``size`` is the number of cells of a page."""
        self.size = size
        self.pages: dict[int, int] = {}

    def add(self, first: int, last: int) -> None:
        """Set the cells of a span."""
        size = self.size
        page, offset = divmod(first, size)
        pages = self.pages
        if offset + last - first <= size:
            pages[page] = pages.get(page, 0) | ((1 << last - first) - 1) << offset
            return
        for page, mask in self._parts(first, last):
            pages[page] = pages.get(page, 0) | mask

    def remove(self, first: int, last: int) -> None:
        """Clear the cells of a span."""
        size = self.size
        page, offset = divmod(first, size)
        pages = self.pages
        if offset + last - first <= size:
            left = pages.get(page, 0) & ~(((1 << last - first) - 1) << offset)
            if left:
                pages[page] = left
            else:
                pages.pop(page, None)
            return
        for page, mask in self._parts(first, last):
            left = pages.get(page, 0) & ~mask
            if left:
                pages[page] = left
            else:
                pages.pop(page, None)

    def hits(self, first: int, last: int) -> bool:
        """Whether any cell of a span is set."""
        size = self.size
        page, offset = divmod(first, size)
        if offset + last - first <= size:
            found = self.pages.get(page)
            return (
                found is not None and found >> offset & ((1 << last - first) - 1) != 0
            )
        return self.cut(first, last) != 0

    def cut(self, first: int, last: int) -> int:
        """The cells of a span as one integer, bit 0 for ``first``."""
        found = 0
        for page in range(first // self.size, (last - 1) // self.size + 1):
            mask = self.pages.get(page)
            if mask:
                shift = page * self.size - first
                found |= mask << shift if shift >= 0 else mask >> -shift
        return found & ones(last - first)

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The pages of a span, each with its bits."""
        size = self.size
        while first < last:
            page, offset = divmod(first, size)
            count = min(last - first, size - offset)
            yield page, ones(count) << offset
            first += count
