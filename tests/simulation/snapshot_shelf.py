"""Snapshots at rest: the port's meaning in memory, with crashes before and after.

What ``save`` or ``advance`` returned from is durable; a crash within may leave it done
or not done. One shelf per machine; every activation reaches it through its own hands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.domain.ids import ProviderId
from actors.errors import Fenced
from actors.ports import StoredCalendar


class SnapshotShelf:
    """The stored calendars of one shard, and the epoch that stored last."""

    def __init__(self) -> None:
        self.calendars: dict[ProviderId, StoredCalendar] = {}
        self.position = 0
        self.epoch = 0

    def load(self, providers: Iterable[ProviderId]) -> dict[ProviderId, StoredCalendar]:
        """Those of them that were ever stored."""
        stored = self.calendars
        return {one: stored[one] for one in providers if one in stored}

    def save(self, epoch: int, calendars: Mapping[ProviderId, StoredCalendar]) -> None:
        """All of them or none. Raises Fenced."""
        self._fence(epoch)
        self.calendars.update(calendars)

    def advance(self, epoch: int, position: int) -> None:
        """Move the position. Raises Fenced."""
        self._fence(epoch)
        self.position = position

    def _fence(self, epoch: int) -> None:
        if epoch < self.epoch:
            raise Fenced(f"epoch {epoch} is shut out by {self.epoch}")
        self.epoch = epoch
