"""The system's clock: the only place in Slotcast that asks what time it is."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

from actors.domain.ids import Millis

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's clock goes on while the machine sleeps: waking up is no step of the clock."""


class SystemClock:
    """``now`` from the operating system; fits the ``SteadyClock`` port."""

    __slots__ = ()

    def now(self) -> Millis:
        """The current instant."""
        return Millis(time.time_ns() // 1_000_000)

    def steady(self) -> Millis:
        """Time since the machine started, time asleep included where it is told."""
        return Millis(time.clock_gettime_ns(_STEADY) // 1_000_000)

    def today(self) -> date:
        """The current date in UTC."""
        return datetime.now(UTC).date()
