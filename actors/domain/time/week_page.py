"""A week page of slots with their states, from which views are cut."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from actors.domain.messages.answers import BOOKED, FREE, HELD
from actors.domain.time.grid import bits

_NO_HELD = str.maketrans({"0": FREE, "1": BOOKED})
_BASE = 3 * ord("0")
_MIXED = bytes(_BASE) + (FREE + BOOKED + HELD + BOOKED).encode() + bytes(252 - _BASE)
"""Digits added up, held ones twice: 0 is free, 1 booked, 2 held, 3 both."""


class PageView:
    """The slots of one visit type in one week page, ready to hand out."""

    __slots__ = ("_pick", "seen", "starts", "states", "where")

    def __init__(self, offered: int, origin: int, cell: int) -> None:
        places = bits(offered)
        self.starts = [(origin + place) * cell for place in places]
        self.states = FREE * len(places)
        self.where: list[int] = []
        """The place of each start, where there are several: see answers.SlotsView."""
        self.seen: tuple[int | None, ...] = ()
        """The cells that ``states`` was made from."""
        self._pick: Callable[[str], tuple[str, ...] | str] = (
            itemgetter(*places) if places else _nothing
        )

    def paint(self, booked: int, held: int, size: int) -> None:
        """Set ``states`` from the starts that booked and held cells block."""
        mark = 1 << size
        text = f"{booked | mark:b}"
        if held:
            digits = int.from_bytes(text.encode(), "big")
            digits += 2 * int.from_bytes(f"{held | mark:b}".encode(), "big")
            text = digits.to_bytes(size + 1, "big").translate(_MIXED).decode()
        else:
            text = text.translate(_NO_HELD)
        self.states = "".join(self._pick(text[:0:-1]))


def _nothing(_text: str) -> str:
    return ""
