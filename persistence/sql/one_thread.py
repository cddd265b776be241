"""One thread that runs blocking calls in order, of which a bounded number wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from actors.errors import Overloaded

T = TypeVar("T")
log = logging.getLogger(__name__)


class OneThread:
    """Runs calls one after the other, off the event loop. Must be closed after use.

    A call whose waiter was cancelled still ends if it had begun; one that had not is
    left out when it is reached.
    """

    def __init__(self, name: str, waiting_max: int) -> None:
        """The thread starts with the first call."""
        self._name = name
        self._max = waiting_max
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting = 0
        self._is_full = False
        self.refused = 0
        """Calls that found the queue full."""

    async def run(self, call: Callable[[], T]) -> T:
        """Run ``call`` when those before it are done.

        Raises:
            Overloaded: ``waiting_max`` calls wait or run; this one has not been begun.
        """
        if self._waiting >= self._max:
            self._refuse()
        is_given_up = False

        def work() -> T | None:
            return None if is_given_up else call()

        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        done.add_done_callback(self._count)
        try:
            # Shielded: one that is given up keeps its place until it is reached.
            return cast("T", await asyncio.shield(done))
        except asyncio.CancelledError:
            is_given_up = True
            raise

    def _count(self, _done: object) -> None:
        self._waiting -= 1
        # Said once of each throng, not of each request that it turns away.
        self._is_full = self._is_full and self._waiting > self._max // 2

    def close(self) -> None:
        """Finish queued calls and end the thread. Blocks until then."""
        self._threads.shutdown()

    def _refuse(self) -> None:
        self.refused += 1
        if not self._is_full:
            self._is_full = True
            log.warning(
                "%s: %d calls wait; more are refused until it is half of that",
                self._name,
                self._waiting,
            )
        raise Overloaded
