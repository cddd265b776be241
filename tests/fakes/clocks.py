"""Clocks that begin when a test says: one stands still until it is told to move."""

from __future__ import annotations

import time

from actors.domain.ids import Millis


class SteppedClock:
    """``Clock`` for tests."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._wrong = 0

    def now(self) -> Millis:
        return Millis(self._now + self._wrong)

    def steady(self) -> Millis:
        return Millis(self.now() - self._wrong)

    def step(self, seconds: float) -> None:
        self._now += int(seconds * 1000)

    def set_wrong(self, seconds: float) -> None:
        """What ``now`` shows is so much ahead of (or behind) what it should be."""
        self._wrong = int(seconds * 1000)


class RunningClock(SteppedClock):
    """The same, but it goes: for benchmarks, where windows have to end."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        self._began = time.monotonic()

    def now(self) -> Millis:
        ran = int(1000 * (time.monotonic() - self._began))
        return Millis(super().now() + ran)
