"""The system's clock: the only place in Slotcast that asks what time it is."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

from actors.domain.ids import Millis


class SystemClock:
    """``now`` from the operating system; fits the ``Clock`` port."""

    __slots__ = ()

    def now(self) -> Millis:
        """The current instant."""
        return Millis(time.time_ns() // 1_000_000)

    def today(self) -> date:
        """The current date in UTC."""
        return datetime.now(UTC).date()
