"""Work that goes on for as long as the process: one round that fails is not its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import structlog

AGAIN_S: Final = 1.0
"""The pause before work that failed begins again."""
COMPLAIN_S: Final = 60.0
"""Work that fails again and again is logged so often."""

log = structlog.get_logger("slotcast.gateway")


async def kept_going(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run ``job``, and begin it again whenever it ends, until cancelled."""
    complained_at = float("-inf")
    while True:
        try:
            await job()
        except Exception:
            now = monotonic()
            if now - complained_at > COMPLAIN_S:
                complained_at = now
                log.exception("work in the background begins again", part=name)
        await asyncio.sleep(AGAIN_S)
