"""Checks opening rules in a thread, one at a time.

Rules of a full body are tens of thousands of opening hours once their weeks are
expanded: milliseconds of a core, for which no other request of this gateway, or of
the shard, may wait. One thread runs the checks in turn, so that sixteen at once cost a
sixteenth of a core each, and not sixteen threads' share of the loop.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from actors.domain.ids import Millis
from actors.domain.rules import Availability
from actors.errors import Overloaded
from gateway.providers.opening_rules import AvailabilityRequest, availability_of

CHECKS_MAX: Final = 64
"""Checks running or waiting in one gateway: about a second's work."""


class RuleChecks:
    """Converts a client's rules to the domain's, or raises InvalidRequest."""

    def __init__(self, cell_minutes: int) -> None:
        self._cell = cell_minutes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rule-checks")
        self._waiting = 0

    async def rules_of(self, request: AvailabilityRequest, now: Millis) -> Availability:
        """The domain's rules.

        Raises:
            InvalidRequest: they are not valid, see ``availability_of``.
            Overloaded: ``CHECKS_MAX`` others wait.
        """
        if self._waiting >= CHECKS_MAX:
            raise Overloaded("Too many opening rules are being checked; try again.")
        self._waiting += 1
        check = asyncio.get_running_loop().run_in_executor(
            self._thread, availability_of, request, self._cell, now
        )
        # A cancelled caller does not stop the thread: the check counts until its end.
        check.add_done_callback(self._done)
        return await asyncio.shield(check)

    def _done(self, check: asyncio.Future[Availability]) -> None:
        self._waiting -= 1
        if not check.cancelled():
            # else the loop logs an unretrieved error of a cancelled caller
            check.exception()
