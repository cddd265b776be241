"""What one reader of a journal has read, for the audit trail."""

from __future__ import annotations

from collections.abc import Sequence

from actors.domain.ids import ShardId
from actors.ports import Record
from persistence.journal.recent import RECENT_MAX, RecentRecords
from tests.fixtures.events import tiny

SHARD = ShardId("s0000")


def _records(first: int, last: int) -> list[Record]:
    return [Record(seq, 1, tiny(seq)) for seq in range(first, last + 1)]


def _seqs(records: Sequence[Record]) -> list[int]:
    return [one.seq for one in records]


def test_records_are_taken_in_order_and_never_past_the_end_that_was_asked() -> None:
    """They are what the journal has after a position, until they are dropped."""
    recent = RecentRecords()
    recent.put(SHARD, _records(1, 5))
    recent.put(SHARD, _records(6, 9))
    assert _seqs(recent.take(SHARD, 3, 7)) == [4, 5, 6, 7]
    assert _seqs(recent.take(SHARD, 3, 99)) == [4, 5, 6, 7, 8, 9]
    assert _seqs(recent.take(SHARD, 9, 99)) == []
    recent.drop(SHARD, 7)
    assert _seqs(recent.take(SHARD, 7, 99)) == [8, 9]
    recent.drop(SHARD, 20)
    recent.put(SHARD, _records(10, 11))
    assert _seqs(recent.take(SHARD, 9, 99)) == [10, 11]


def test_nothing_is_skipped_where_records_are_missing() -> None:
    """After a gap, a second reading or too many, older ones are not there."""
    recent = RecentRecords()
    recent.put(SHARD, _records(1, 5))
    recent.put(SHARD, _records(7, 9))
    assert _seqs(recent.take(SHARD, 0, 99)) == _seqs(recent.take(SHARD, 5, 99)) == []
    assert _seqs(recent.take(SHARD, 6, 99)) == [7, 8, 9]
    recent.put(SHARD, _records(8, 10))
    assert _seqs(recent.take(SHARD, 7, 99)) == [8, 9, 10]
    recent.put(SHARD, _records(11, 10 + RECENT_MAX))
    assert recent.take(SHARD, 7, 99) == ()
    assert len(recent.take(SHARD, 10, 1 << 40)) == RECENT_MAX
    assert recent.take(ShardId("s0001"), 0, 99) == ()
