"""The projector of a node: of all nodes' projectors one works, the others stand by.

Which one is a matter of a lease in Redis, for speed alone: two at work would spend
their time on losing compare-and-sets, and lose nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal

from cluster.server.projector import NICENESS, project_until
from cluster.site.site import Site
from persistence.shared.lease import RedisLease, while_holding

log = logging.getLogger(__name__)


async def project_in_turn(site: Site) -> None:
    """Project whenever it is this process's turn, until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    os.nice(NICENESS)  # those who answer people come first
    url = site.settings.shared_redis
    if not url:
        await project_until(site, stop)
        return
    lease = RedisLease(
        url, site.settings.site, "projector", f"{os.getpid()}-{secrets.token_hex(8)}"
    )

    async def work(halt: asyncio.Event) -> None:
        log.info("this node projects")
        await project_until(site, halt)

    log.info("projector stands by")
    try:
        await while_holding(lease, work, stop)
    finally:
        await lease.close()
