"""The memory that a Redis has left, and whether its settings are still safe.

Read in the background, so that a check costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import monotonic

from actors.errors import JournalFull, JournalUnavailable, Unavailable
from persistence.findings import Finding
from persistence.redis.client import RedisStore
from persistence.redis.server import facts_of, findings_of, info_of

LOOK_EVERY_S = 1.0
INSPECT_EVERY_S = 30.0
MIB = 1024 * 1024
_LOG = logging.getLogger("slotcast.journal")


class RedisRoom:
    """The last known memory and settings of one server."""

    def __init__(self, store: RedisStore, budget_bytes: int = 0) -> None:
        """``budget_bytes`` bounds the server's memory below its own maxmemory."""
        self._store = store
        self._budget = budget_bytes
        self._used = 0
        self._bound = 0
        self._looked_at = -LOOK_EVERY_S
        self._inspected_at = monotonic()
        self._task: asyncio.Task[None] | None = None
        self._refused: Finding | None = None

    def pressure(self) -> float:
        """The used fraction, 0 to 1, at most about a second old."""
        if monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._begin_to_look()
        return min(1.0, self._used / self._bound) if self._bound else 0.0

    def demand(self, length: int) -> None:
        """Check that ``length`` more bytes may be written.

        Raises:
            JournalFull: the budget does not allow it.
            JournalUnavailable: the server's settings are no longer safe.
        """
        if self._refused is not None:
            raise _unavailable(self._refused)
        if self._budget and self._used + length > self._budget:
            raise JournalFull(
                f"{self._store.place} has reached the journal's budget of "
                f"{self._budget // MIB} MiB: raise it, or let the projection catch up",
                retry_after_s=10.0,
            )
        self._used += length

    async def inspect(self) -> None:
        """Check the server's settings now.

        Raises:
            JournalUnavailable: it does not answer, or its settings are not safe.
        """
        facts = await facts_of(self._store)
        self._know_memory(facts.info)
        self._judge(findings_of(facts, self._store.replicas))
        self._inspected_at = monotonic()
        if self._refused is not None:
            raise _unavailable(self._refused)

    async def close(self) -> None:
        """Stop the background checks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _begin_to_look(self) -> None:
        if self._task is not None and not self._task.done():
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # called outside an event loop: use the last known values
            return
        self._looked_at = monotonic()
        self._task = loop.create_task(self._look())

    async def _look(self) -> None:
        try:
            if monotonic() - self._inspected_at >= INSPECT_EVERY_S:
                await self.inspect()
            else:
                self._know_memory(info_of(await self._store.ask("INFO", "memory")))
        except Unavailable:
            return  # the journal's own calls report it; keep the last known values

    def _know_memory(self, info: Mapping[str, str]) -> None:
        overhead = int(info.get("mem_not_counted_for_evict", "0"))
        self._used = max(0, int(info.get("used_memory", "0")) - overhead)
        bounds = [self._budget, int(info.get("maxmemory", "0"))]
        known = [bound for bound in bounds if bound]
        self._bound = min(known) if known else int(info.get("total_system_memory", "0"))
        self._looked_at = monotonic()

    def _judge(self, findings: Sequence[Finding]) -> None:
        refusals = [one for one in findings if one.severity == "refuse"]
        first = refusals[0] if refusals else None
        if first is not None and first != self._refused:
            _LOG.error("nothing is acknowledged: %s %s", first.sentence, first.remedy)
        self._refused = first


def _unavailable(finding: Finding) -> JournalUnavailable:
    return JournalUnavailable(f"{finding.sentence} {finding.remedy}")
