"""The trimmer gives room back, shard by shard."""

from typing import Any, cast

from actors.domain.ids import Millis, ShardId
from actors.errors import JournalCorrupt
from cluster.server.projector import Trimmer
from persistence.readmodel.projection.store import Offset


class Stores:
    """A journal, snapshots and offsets of two shards; the first one is damaged."""

    def __init__(self) -> None:
        self.trimmed: list[tuple[ShardId, int]] = []

    def pressure(self) -> float:
        return 0.0

    async def shard_offsets(self) -> dict[ShardId, Offset]:
        return {ShardId("s0000"): Offset(9, 1), ShardId("s0001"): Offset(7, 1)}

    async def position(self, shard: ShardId) -> int:
        return 5

    async def trim(self, shard: ShardId, upto: int, before: Millis | None) -> None:
        if shard == "s0000":
            raise JournalCorrupt("a record has changed")
        self.trimmed.append((shard, upto))


async def test_damaged_shard_does_not_keep_the_others_from_being_trimmed() -> None:
    """Their journals would grow until the disk is full."""
    stores = Stores()
    every = cast("Any", stores)
    await Trimmer(every, every, every, 1_000).trim(Millis(10_000))
    assert stores.trimmed == [(ShardId("s0001"), 5)]


async def test_what_is_not_in_the_audit_trail_is_not_trimmed() -> None:
    """A change that was trimmed away before it was audited would be lost to it."""
    stores = Stores()
    every = cast("Any", stores)

    async def audited_to() -> dict[ShardId, int]:
        return {ShardId("s0001"): 3}

    await Trimmer(every, every, every, 1_000, audited_to).trim(Millis(10_000))
    assert stores.trimmed == [(ShardId("s0001"), 3)]
