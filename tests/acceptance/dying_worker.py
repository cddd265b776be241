"""``slotcast work`` that is killed as soon as it has written an offer down.

    python -m tests.acceptance.dying_worker

The data folder is that of the environment, as of the command.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Sequence

from care.waiting.entries import SlotOffer
from cluster.logs import log_to
from cluster.site.site import existing_site
from cluster.work import process
from persistence.patients.waiting import SqlWaitingList


class DyingList(SqlWaitingList):
    """Its process ends between the record of an offer and the calendar's answer."""

    async def begin_offers(self, offers: Sequence[SlotOffer]) -> Collection[str]:
        await super().begin_offers(offers)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it is dead")


async def main() -> None:
    site = existing_site(None)
    log_to(site.folder.logs / "worker-0.log", site.settings.log_level)
    vars(process)["SqlWaitingList"] = DyingList
    await process.work_until(site, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main())
