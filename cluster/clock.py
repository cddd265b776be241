"""The system's clock: the only module that reads it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

from actors.domain.ids import Millis

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux this clock also counts suspended time, so that a resume is no clock step."""


def now_micros() -> int:
    """The current instant in whole microseconds, for log lines."""
    return time.time_ns() // 1000


class SystemClock:
    """``now`` from the operating system; fits the ``SteadyClock`` port."""

    __slots__ = ()

    def now(self) -> Millis:
        """The current instant."""
        return Millis(time.time_ns() // 1_000_000)

    def steady(self) -> Millis:
        """Time since boot, including suspended time where the system reports it."""
        return Millis(time.clock_gettime_ns(_STEADY) // 1_000_000)

    def today(self) -> date:
        """The current date in UTC."""
        return datetime.now(UTC).date()


class EarlierClock(SystemClock):
    """The system's clock, set back by a fixed time; a demo's past is made by it."""

    __slots__ = ("_back_ms",)

    def __init__(self, back: timedelta) -> None:
        self._back_ms = int(back.total_seconds() * 1000)

    def now(self) -> Millis:
        """The instant that was the current one so long ago."""
        return Millis(super().now() - self._back_ms)
