"""Restores journals into Redis, and removes the remains of an interrupted restore."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.ids import ShardId
from actors.ports import Record
from persistence.journal.redis.generations import forget_keys
from persistence.journal.redis.journal import RedisJournal
from persistence.redis.client import RedisStore


class RedisJournalImport:
    """Writes the journals of an empty site; each record keeps its seq and epoch."""

    def __init__(
        self, url: str, site: str, *, generation: int = 1, replicas: int = 0
    ) -> None:
        self._journal = RedisJournal(
            url, site, generation=generation, replicas=replicas
        )

    async def write(self, shard: ShardId, records: Sequence[Record]) -> None:
        """Add records, which must follow those written before.

        Raises:
            Fenced: they do not follow.
            JournalUnavailable, JournalFull: not all was written; start again.
        """
        await self._journal.restore(shard, records)

    async def finish(self, shard: ShardId, epoch: int) -> None:
        """Raise the epoch above those that only snapshots have.

        A shard's next owner gets a higher one than ``epoch``, so that its snapshots are
        not mistaken for those of an older owner.
        """
        sealed = await self._journal.seal(shard)
        while sealed.epoch < epoch:
            sealed = await self._journal.seal(shard)

    async def close(self) -> None:
        """Close the connections."""
        await self._journal.close()


async def forget_site(url: str, site: str) -> None:
    """Delete all that is kept under the site's prefix; the layout last.

    Raises:
        JournalUnavailable: no answer; call it again.
    """
    store = RedisStore(url, name="slotcast-restore")
    layout = f"{site}:layout".encode()
    try:
        await forget_keys(store, site, lambda key: key != layout)
        await store.ask("UNLINK", layout)
    finally:
        await store.close()
