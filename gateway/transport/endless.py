"""Background work for the life of the process, restarted when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import structlog

AGAIN_S: Final = 1.0
"""Pause before failed work is restarted, in seconds."""
COMPLAIN_S: Final = 60.0
"""Minimum interval of log lines for work that keeps failing, in seconds."""

log = structlog.get_logger("slotcast.gateway")


async def kept_going(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run ``job``, and restart it whenever it ends, until cancelled."""
    complained_at = float("-inf")
    while True:
        try:
            await job()
        except Exception:
            now = monotonic()
            if now - complained_at > COMPLAIN_S:
                complained_at = now
                log.exception("background work failed and is restarted", part=name)
        await asyncio.sleep(AGAIN_S)
