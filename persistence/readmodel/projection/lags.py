"""How far the read model is behind the journal."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt
from actors.ports import Journal, Record
from care.readmodel import ShardLag
from persistence.journal.scan import ends_of
from persistence.readmodel.projection.store import Offset, ProjectionStore


async def lag(journal: Journal, store: ProjectionStore) -> list[ShardLag]:
    """How far each shard's projection is behind its journal, in events and time."""
    offsets = await store.shard_offsets()
    lags: list[ShardLag] = []
    shards = sorted(set(await journal.shards()) | set(offsets))
    ends = await ends_of(journal, shards)
    for shard in shards:
        offset = offsets.get(shard, Offset())
        last = ends[shard] if shard in ends else await journal.last_seq(shard)
        waiting: Sequence[Record] = ()
        if last > offset.seq:
            waiting = await _first(journal, shard, offset.seq)
        lags.append(
            ShardLag(
                shard=shard,
                epoch=offset.epoch,
                projected_seq=offset.seq,
                journal_seq=last,
                oldest_waiting_at=waiting[0].event.at if waiting else None,
            )
        )
    return lags


async def _first(journal: Journal, shard: ShardId, after: int) -> Sequence[Record]:
    try:
        return await journal.read(shard, after, 1)
    except JournalCorrupt:
        return ()  # trimmed: the projector reports that as an error
