"""Work that runs beside a block of code, and no longer than it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def alongside(
    work: Coroutine[Any, Any, None],
) -> AsyncIterator[asyncio.Task[None]]:
    """Run ``work`` beside the block, and no longer than it."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
