"""Inspection of a journal through its port, for any store.

``persistence/journal/files/inspect.py`` checks files byte by byte; this module checks
record by record: each is read, decoded, and must follow its predecessor.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from actors.domain.ids import ProviderId, ShardId
from actors.errors import JournalCorrupt
from actors.ports import Journal, Record
from persistence.journal.files.inspect import ShardReport, shown

READ_LIMIT = 2_000
"""Records read at a time: about a megabyte."""


async def first_seq(journal: Journal, shard: ShardId) -> int:
    """The seq of the first retained record; one past the end if there is none.

    Raises:
        JournalCorrupt: not even the last record can be read.
    """
    last = await journal.last_seq(shard)
    low, high = 0, last  # reading after ``high`` works and returns nothing
    while low < high:
        middle = (low + high) // 2
        try:
            await journal.read(shard, middle, 1)
        except JournalCorrupt:
            low = middle + 1
        else:
            high = middle
    return low + 1


async def verify(journal: Journal) -> list[ShardReport]:
    """Read every record of every shard; changes nothing."""
    return [await _verify(journal, shard) for shard in await journal.shards()]


async def _verify(journal: Journal, shard: ShardId) -> ShardReport:
    first = await first_seq(journal, shard)
    last = await journal.last_seq(shard)
    records = epoch = first_epoch = 0
    seq = first - 1
    damage = ""
    try:
        while seq < last:
            for record in await journal.read(shard, seq, READ_LIMIT):
                _must_follow(record, seq, epoch)
                seq, epoch = record.seq, record.epoch
                first_epoch = first_epoch or epoch
                records += 1
    except JournalCorrupt as error:
        damage = str(error)
    return ShardReport(
        shard,
        segments=1,
        records=records,
        first_seq=first if records else 0,
        last_seq=seq,
        first_epoch=first_epoch,
        last_epoch=epoch,
        damage=damage,
    )


def _must_follow(record: Record, seq: int, epoch: int) -> None:
    if record.seq != seq + 1 or record.epoch < epoch:
        raise JournalCorrupt(
            f"record {record.seq} of epoch {record.epoch} follows record {seq} of "
            f"epoch {epoch}"
        )


async def show(
    journal: Journal,
    *,
    shard: ShardId | None = None,
    provider: ProviderId | None = None,
    after_seq: int = 0,
    limit: int = 100,
    personal: bool = False,
) -> AsyncIterator[dict[str, Any]]:
    """Records as plain values, oldest first; see ``files/inspect.py``."""
    left = limit
    for one in [shard] if shard is not None else await journal.shards():
        async for record in _records(journal, one, after_seq):
            if left <= 0:
                return
            if provider is None or record.event.provider_id == provider:
                left -= 1
                yield shown(one, record, personal=personal)


async def _records(
    journal: Journal, shard: ShardId, after_seq: int
) -> AsyncIterator[Record]:
    seq = max(after_seq, await first_seq(journal, shard) - 1)
    while records := await journal.read(shard, seq, READ_LIMIT):
        for record in records:
            yield record
        seq = records[-1].seq


@runtime_checkable
class TellsEnds(Protocol):
    """A journal over a network, where each request is a round trip."""

    async def last_seqs(self, shards: Sequence[ShardId]) -> Mapping[ShardId, int]:
        """The durable ends of these shards; 0 for one without a record."""
        ...


async def ends_of(journal: Journal, shards: Collection[ShardId]) -> dict[ShardId, int]:
    """The durable ends, if one request returns all of them; else empty.

    Raises:
        JournalUnavailable: the journal does not answer.
    """
    if shards and isinstance(journal, TellsEnds):
        with suppress(JournalCorrupt):  # one shard's failure must not stop the rest
            return dict(await journal.last_seqs(tuple(shards)))
    return {}
