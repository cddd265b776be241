"""Checks that each calendar in a backup belongs to exactly one shard.

The shards' journals are read one after another while the site serves. A calendar that
moves meanwhile (`slotcast cluster isolate`) may appear in two of them, or in none; an
interrupted move also leaves it in none. Such a backup could not be restored, so it is
not finished.
"""

from __future__ import annotations

from collections import Counter

from actors.domain.calendar.state import CalendarState
from actors.domain.ids import ProviderId, ShardId
from actors.domain.messages.events import (
    CalendarMovedIn,
    CalendarMovedOut,
    ProviderRegistered,
)
from actors.ports import Record
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle

NAMED_MAX = 3
"""Providers named in the error."""


class CalendarHomes:
    """Receives everything that is saved, shards in any order, and then checks it."""

    def __init__(self) -> None:
        self._last: dict[tuple[ProviderId, ShardId], tuple[int, bool]] = {}
        """A shard's newest statement on a calendar: its seq, and whether it belongs
        there."""

    def at_rest(self, shard: ShardId, seq: int, calendar: CalendarState) -> None:
        """A calendar that the shard stored at ``seq``."""
        if calendar.registered:
            here = calendar.left is None
            self._note(calendar.provider_id, shard, seq, here=here)

    def record(self, shard: ShardId, record: Record) -> None:
        """A record of the shard's journal."""
        event = record.event
        if isinstance(event, CalendarMovedOut):
            self._note(event.provider_id, shard, record.seq, here=False)
        elif isinstance(event, CalendarMovedIn | ProviderRegistered):
            self._note(event.provider_id, shard, record.seq, here=True)

    def check(self) -> None:
        """Return if every calendar belongs to exactly one shard. Raises Obstacle."""
        homes: Counter[ProviderId] = Counter()
        for (provider, _), (_, here) in self._last.items():
            homes[provider] += here
        astray = sorted(provider for provider, count in homes.items() if count != 1)
        if not astray:
            return
        names = ", ".join(astray[:NAMED_MAX])
        raise Obstacle(
            f"A calendar is moving to another shard ({names}): the backup could "
            "not be restored.",
            "Wait for `slotcast cluster isolate` to end, or run it again "
            "if it was interrupted; then start the backup again, in another place.",
            code=FOUND_A_PROBLEM,
        )

    def _note(
        self, provider: ProviderId, shard: ShardId, seq: int, *, here: bool
    ) -> None:
        known, _ = self._last.get((provider, shard), (0, False))
        if seq >= known:
            self._last[provider, shard] = seq, here
