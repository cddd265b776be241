"""What one reader of a journal has read, for another one in the same process.

Reading and decoding a record twice costs more than what is done with it. Records are
dropped when the second reader is done with them, so that nothing is kept at rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.domain.ids import ShardId
from actors.ports import Record

RECENT_MAX: Final = 4_000
"""Records of one shard that wait for the second reader; it reads older ones itself."""


class RecentRecords:
    """Consecutive records of each shard that the first reader has read."""

    def __init__(self) -> None:
        self._of: dict[ShardId, list[Record]] = {}

    def put(self, shard: ShardId, records: Sequence[Record]) -> None:
        """Keep what was read; after a gap or a second reading only that."""
        if not records:
            return
        known = self._of.get(shard)
        if known and known[-1].seq + 1 == records[0].seq:
            known.extend(records)
        else:
            known = self._of[shard] = list(records)
        del known[:-RECENT_MAX]

    def take(self, shard: ShardId, after: int, last: int) -> Sequence[Record]:
        """The records after a position up to ``last``; empty if they are not here."""
        known = self._of.get(shard)
        if not known or known[0].seq > after + 1:
            return ()
        first = known[0].seq
        return known[after + 1 - first : max(0, last + 1 - first)]

    def drop(self, shard: ShardId, upto: int) -> None:
        """Forget what the second reader is done with."""
        known = self._of.get(shard)
        if known:
            del known[: max(0, upto + 1 - known[0].seq)]
            if not known:
                del self._of[shard]
