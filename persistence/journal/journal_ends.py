"""Where the journals of several shards end: in one question, where one is enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

from actors.domain.ids import ShardId
from actors.errors import JournalCorrupt
from actors.ports import Journal


@runtime_checkable
class TellsEnds(Protocol):
    """A journal over a network, for which each question is a round trip."""

    async def last_seqs(self, shards: Sequence[ShardId]) -> Mapping[ShardId, int]:
        """The durable ends of these shards; 0 for one without a record."""
        ...


async def ends_of(journal: Journal, shards: Collection[ShardId]) -> dict[ShardId, int]:
    """The durable ends that cost one question together; empty if each costs its own.

    Raises:
        JournalUnavailable: the journal does not answer.
    """
    if shards and isinstance(journal, TellsEnds):
        with suppress(JournalCorrupt):  # one shard's trouble is not the others'
            return dict(await journal.last_seqs(tuple(shards)))
    return {}
