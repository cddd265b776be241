"""The system's clock: the only module that reads it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

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
