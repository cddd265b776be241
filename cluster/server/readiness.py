"""The last steps of a start: the read model and readiness agree with the terminal."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from actors.errors import SchedulingError

if TYPE_CHECKING:
    from gateway.config import GatewayPorts
    from gateway.system.health import Health

WITHIN_S: Final = 10.0
"""How long a start waits for it; then the server says that it is ready all the same,
and ``/readyz`` names what is missing."""
ASKED_EVERY_S: Final = 0.05
SHOWN_WITHIN_S: Final = 30.0
"""How long the first start waits for the read model of what was just seeded."""


async def until_shown(ports: GatewayPorts) -> None:
    """Wait until the read model shows what was seeded; bounded."""
    for shard in ports.links.shards():
        with contextlib.suppress(SchedulingError):
            status = await ports.links.status(shard)
            await ports.progress.reached(
                shard, status.last_seq, timeout_s=SHOWN_WITHIN_S
            )


async def until_ready(health: Health) -> None:
    """Wait until every required check is ok; bounded.

    The last look at the shards may be from just before they opened, and stands for a
    second: each try asks the shards again.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WITHIN_S):
            health.accounts.expire()
            while not (await health.readiness()).ready:
                await asyncio.sleep(ASKED_EVERY_S)
                health.accounts.expire()
