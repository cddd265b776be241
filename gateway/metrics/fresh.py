"""What collectors tell that SQL has to be asked for: at most every few seconds.

A store that does not answer does not delay the page of metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Generic, TypeVar

TIMEOUT_S: Final = 1.0
"""How long a store may take to answer."""

T = TypeVar("T")


class Fresh(Generic[T]):
    """The newest answer of a store; None if it did not answer."""

    def __init__(self, read: Callable[[], Awaitable[T]], fresh_s: float) -> None:
        self.found: T | None = None
        self.fresh_s = fresh_s
        """Seconds between two questions."""
        self._read = read
        self._at = float("-inf")
        self._asking = asyncio.Lock()

    async def refresh(self) -> None:
        """Ask, unless the answer is fresh. Raises nothing."""
        async with self._asking:
            if monotonic() - self._at < self.fresh_s:
                return
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self.found = await self._read()
            except Exception:  # noqa: BLE001 - whatever SQL says, it does not answer
                self.found = None
            self._at = monotonic()
