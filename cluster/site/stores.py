"""Opens journal and snapshots of a site, in files or in Redis; drivers load on use.

Shards, projector, tools and verification all open them here. A shard's process imports
this, so it must not import FastAPI, SQLAlchemy or pydantic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import ProviderId, ShardId
from actors.ports import Journal, SnapshotStore


class StoresConfig(Struct, frozen=True):
    """Location of a site's journal and snapshots."""

    journal: str
    """A folder, or the URL of a Redis."""
    snapshots: str
    """A folder; not used when the journal is in Redis, which keeps both."""
    site: str = "slotcast"
    generation: int = 1
    replicas: int = 0
    budget_bytes: int = 0
    """Maximum size of the journal in bytes; 0: unlimited."""

    @property
    def in_redis(self) -> bool:
        """True if any machine can open these stores."""
        return self.journal.startswith(("redis://", "rediss://"))


class Snapshots(SnapshotStore, Protocol):
    """Snapshots that can also list their calendars."""

    async def providers(self, shard: ShardId) -> Sequence[ProviderId]:
        """Ids of the stored calendars."""
        ...


def open_journal(config: StoresConfig) -> Journal:
    """The journal; after use it must be closed."""
    if config.in_redis:
        from persistence.journal.redis.journal import RedisJournal

        return RedisJournal(
            config.journal,
            config.site,
            generation=config.generation,
            replicas=config.replicas,
            budget_bytes=config.budget_bytes,
        )
    from persistence.journal.files.journal import FileJournal

    return FileJournal(Path(config.journal), budget_bytes=config.budget_bytes)


def open_snapshots(config: StoresConfig) -> Snapshots:
    """The snapshots that belong to it; after use they must be closed."""
    if config.in_redis:
        from persistence.snapshots.redis import RedisSnapshots

        return RedisSnapshots(
            config.journal,
            config.site,
            generation=config.generation,
            replicas=config.replicas,
        )
    from persistence.snapshots.files import FileSnapshots

    return FileSnapshots(Path(config.snapshots))
