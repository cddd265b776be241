"""Checks of opening rules beside the event loop, one at a time.

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
"""Rules that are being checked or wait for it in one gateway; a second's work."""


class RuleChecks:
    """Turns what a client sent into rules, or says what is wrong with it."""

    def __init__(self, cell_minutes: int) -> None:
        self._cell = cell_minutes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rule-checks")
        self._waiting = 0

    async def rules_of(self, request: AvailabilityRequest, now: Millis) -> Availability:
        """The domain's rules.

        Raises:
            InvalidRequest: they make no sense, see ``availability_of``.
            Overloaded: ``CHECKS_MAX`` others wait.
        """
        if self._waiting >= CHECKS_MAX:
            raise Overloaded("Too many opening rules are being checked; try again.")
        self._waiting += 1
        check = asyncio.get_running_loop().run_in_executor(
            self._thread, availability_of, request, self._cell, now
        )
        # A caller that leaves does not end the thread's work: it counts until then.
        check.add_done_callback(self._done)
        return await asyncio.shield(check)

    def _done(self, check: asyncio.Future[Availability]) -> None:
        self._waiting -= 1
        if not check.cancelled():
            check.exception()  # else the loop complains where the caller has left
