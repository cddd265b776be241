"""Snapshots in memory: the twin of the real store, for tests and dry runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from actors.domain.ids import ProviderId, ShardId
from actors.errors import Fenced
from actors.ports import StoredCalendar


class _Shelf(Struct):
    epoch: int
    position: int
    calendars: dict[ProviderId, StoredCalendar]


class MemorySnapshots:
    """``actors.ports.SnapshotStore`` in memory; survives ``close``."""

    def __init__(self) -> None:
        """Empty."""
        self._shelves: dict[ShardId, _Shelf] = {}

    async def position(self, shard: ShardId) -> int:
        """See the port."""
        return self._shelves[shard].position if shard in self._shelves else 0

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        """See the port."""
        shelf = self._shelves.get(shard)
        stored = shelf.calendars if shelf else {}
        return {name: stored[name] for name in providers if name in stored}

    async def providers(self, shard: ShardId) -> Sequence[ProviderId]:
        """Whose calendars are stored, by id; for a rebuild of the read model."""
        return sorted(self._shelves[shard].calendars) if shard in self._shelves else []

    async def save(
        self, shard: ShardId, epoch: int, calendars: Mapping[ProviderId, StoredCalendar]
    ) -> None:
        """See the port."""
        self._entered(shard, epoch).calendars.update(calendars)

    async def advance(self, shard: ShardId, epoch: int, position: int) -> None:
        """See the port; a position never goes back."""
        shelf = self._entered(shard, epoch)
        shelf.position = max(shelf.position, position)

    async def close(self) -> None:
        """Nothing to release."""

    def _entered(self, shard: ShardId, epoch: int) -> _Shelf:
        shelf = self._shelves.setdefault(shard, _Shelf(0, 0, {}))
        if epoch < shelf.epoch:
            raise Fenced(f"snapshots of {shard}: epoch {epoch} after {shelf.epoch}")
        shelf.epoch = epoch
        return shelf
