"""The port of a projector's store: rows and offsets.

Adapters: persistence/readmodel/projection/sql.py and the twin in
persistence/readmodel/memory/readmodel.py. One contract suite runs on both
(tests/contracts/test_projection_contract.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import ShardId
from persistence.readmodel.projection.operations import Operation


class Offset(Struct, frozen=True):
    """How far a shard is projected: its last record's seq and epoch; 0 for nothing."""

    seq: int = 0
    epoch: int = 0


class Committed(Struct, frozen=True):
    """Rows, notices and offset are committed."""

    offset: Offset


class Moved(Struct, frozen=True):
    """Nothing was done: the offset is not where the caller expected it."""

    offset: Offset


class ParkKind(StrEnum):
    """Why an event cannot be projected."""

    CLAIM = "claim"
    """A cell is claimed by another booking: a slot was given twice."""
    ORPHAN = "orphan"
    """The event changes a booking that the read model does not have."""
    POISON = "poison"
    """The event cannot be decoded or stored."""


class Mismatch(Struct, frozen=True):
    """Nothing was done: an operation does not fit the existing rows."""

    kind: ParkKind
    reason: str
    other_booking_id: str = ""


Outcome = Committed | Moved | Mismatch


class StoreUnavailable(Exception):
    """The store cannot be reached, or may or may not have committed.

    After this, read the offset again before anything else.
    """


class ShardAdvance(Struct, frozen=True):
    """One shard's ``operations``, which move its offset from ``prev_seq``."""

    shard: ShardId
    prev_seq: int
    offset: Offset
    operations: Sequence[Operation]


class ProjectionStore(Protocol):
    """Rows, notices and offsets, written together or not at all."""

    async def offset(self, shard: ShardId) -> Offset:
        """The shard's offset. Raises StoreUnavailable."""
        ...

    async def shard_offsets(self) -> Mapping[ShardId, Offset]:
        """The offsets of all shards. Raises StoreUnavailable."""
        ...

    async def apply(
        self,
        shard: ShardId,
        prev_seq: int,
        offset: Offset,
        operations: Sequence[Operation],
    ) -> Outcome:
        """Execute operations in order and move the offset from ``prev_seq``.

        One transaction. If the offset is not at ``prev_seq`` nothing is done, so two
        projectors cannot write the same records twice. Notices up to the shard's outbox
        mark are skipped: they were written before a rebuild.

        Raises:
            StoreUnavailable: the outcome is unknown; read the offset again.
        """
        ...

    async def apply_together(self, batches: Sequence[ShardAdvance]) -> bool:
        """Apply the batches of different shards in one transaction, or none of them.

        Fewer transactions cost less. False: nothing was done, because one of the
        batches would not be ``Committed``; applied alone, each gets its own outcome.

        Raises:
            StoreUnavailable: the outcome is unknown; read the offsets again.
        """
        ...

    async def parked(self) -> Mapping[ParkKind, int]:
        """Number of parked events by reason."""
        ...
