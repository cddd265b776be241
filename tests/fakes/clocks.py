"""A clock that stands still until it is told to move."""

from __future__ import annotations

from actors.domain.ids import Millis


class SteppedClock:
    """``Clock`` for tests."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> Millis:
        return Millis(self._now)

    def step(self, seconds: float) -> None:
        self._now += int(seconds * 1000)
