"""``slotcast work`` with a clock that is ahead of the system's.

    python -m tests.acceptance.notices.later_worker SECONDS

The data folder is that of the environment, as of the command.
"""

from __future__ import annotations

import asyncio
import sys

from actors.domain.ids import Millis
from cluster.clock import SystemClock
from cluster.logs import log_to
from cluster.site.site import existing_site
from cluster.work.process import work_until


class LaterClock(SystemClock):
    """The system's clock, so many seconds ahead."""

    def __init__(self, seconds: int) -> None:
        self._ahead_ms = seconds * 1000

    def now(self) -> Millis:
        return Millis(super().now() + self._ahead_ms)


async def main(seconds: int) -> None:
    site = existing_site(None)
    log_to(site.folder.logs / "worker-0.log", site.settings.log_level)
    await work_until(site, asyncio.Event(), clock=LaterClock(seconds))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
