"""Converts stored calendars to rows, for a rebuild after trimming. Pure.

A snapshot holds a calendar's memory: profile, rules and bookings of the last 400 days,
not their history.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from actors.domain.calendar.at_rest import unpack
from actors.domain.calendar.lifecycle import BLOCKING
from actors.domain.calendar.snapshot import decode, encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import ProviderId, ShardId
from actors.domain.rules import Policy
from actors.placement import is_isolated
from actors.ports import Record, StoredCalendar
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.operations import (
    AddClaims,
    AddHistory,
    AddOutbox,
    Operation,
    Poison,
)
from persistence.readmodel.projection.operations_of import (
    CELL_MINUTES,
    appointment_of,
    calendar_operations,
    cells,
    claimed_lane,
    parked,
    profile_operations,
    project,
)
from persistence.readmodel.projection.store import Mismatch, Offset, Outcome, ParkKind


class Seed(Struct, frozen=True):
    """A calendar and the seq it was taken at."""

    seq: int
    calendar: CalendarState


class Seeds(Protocol):
    """Source of the stored calendars; see actors.ports.SnapshotStore."""

    async def position(self, shard: ShardId) -> int:
        """Every event up to here is in a stored calendar."""
        ...

    def calendars(self, shard: ShardId) -> AsyncIterator[Seed]:
        """All stored calendars of the shard."""
        ...


class ListedSnapshots(Protocol):
    """A snapshot store that can list its calendars."""

    async def position(self, shard: ShardId) -> int:
        """See actors.ports.SnapshotStore."""
        ...

    async def providers(self, shard: ShardId) -> Sequence[ProviderId]:
        """Ids of the stored calendars."""
        ...

    async def load(
        self, shard: ShardId, providers: Sequence[ProviderId]
    ) -> Mapping[ProviderId, StoredCalendar]:
        """See actors.ports.SnapshotStore."""
        ...


class SnapshotSeeds:
    """``Seeds`` from the snapshots that the shards keep."""

    def __init__(self, snapshots: ListedSnapshots, policy: Policy) -> None:
        self._snapshots = snapshots
        self._policy = policy

    async def position(self, shard: ShardId) -> int:
        """Every event up to here is in a stored calendar."""
        return await self._snapshots.position(shard)

    async def calendars(self, shard: ShardId) -> AsyncIterator[Seed]:
        """All stored calendars of the shard."""
        for provider in await self._snapshots.providers(shard):
            stored = (await self._snapshots.load(shard, [provider]))[provider]
            yield Seed(stored.seq, decode(stored.blob, self._policy))


def seed_operations(seed: Seed, *, cell_minutes: int = CELL_MINUTES) -> list[Operation]:
    """The rows of one stored calendar."""
    calendar = seed.calendar
    provider_id = calendar.provider_id
    operations = profile_operations(calendar, seed.seq)
    for booking in calendar.occupancy.bookings.values():
        put = appointment_of(
            booking, provider_id, calendar.version, seed.seq, calendar.epoch
        )
        operations.append(put)
        if booking.status in BLOCKING:
            first, last = cells(booking.busy_start, booking.busy_end, cell_minutes)
            lane = claimed_lane(booking.lane)
            claims = AddClaims(provider_id, booking.booking_id, first, last, lane)
            operations.append(claims)
    return operations


async def sown(
    shard: ShardId,
    seeds: Iterable[Seed],
    records: Sequence[Record],
    cell_minutes: int = CELL_MINUTES,
) -> list[Operation]:
    """Operations that bring an empty shard to the last of ``records``.

    Calendars are stored at different seqs: a record that its stored calendar already
    includes only adds history and notice. Events that do not fit are parked, as by the
    projector: each step is tried on the in-memory read model first.
    """
    twin, seen = MemoryReadModel(), {}
    operations: list[Operation] = []
    seq = 0
    for seed in seeds:
        seen[seed.calendar.provider_id] = seed.seq
        seq += 1
        some = _rows(shard, seed, cell_minutes)
        done = await twin.apply(shard, seq - 1, Offset(seq), some)
        if isinstance(done, Mismatch):
            message = f"{seed.calendar.provider_id}'s snapshot: {done.reason}"
            raise RebuildImpossible(message)
        operations.extend(some)
    for record in records:
        seq += 1
        known = record.seq <= seen.get(record.event.provider_id, 0)
        operations.extend(
            await _tried(
                twin,
                shard,
                Offset(seq),
                record,
                known=known,
                cell_minutes=cell_minutes,
            )
        )
    return operations


def _rows(shard: ShardId, seed: Seed, cell_minutes: int) -> list[Operation]:
    """The rows of a calendar that moved here, replacing those of the old shard."""
    if not is_isolated(shard):
        return seed_operations(seed, cell_minutes=cell_minutes)
    kept = unpack(encode(seed.calendar))[0]
    return calendar_operations(kept, seed.seq, kept.epoch, cell_minutes, replaces=True)


async def _tried(
    twin: MemoryReadModel,
    shard: ShardId,
    offset: Offset,
    record: Record,
    *,
    known: bool,
    cell_minutes: int,
) -> Sequence[Operation]:
    """A record's operations; only history and notice if its calendar includes it."""
    outcome: Outcome
    some: Sequence[Operation] = ()
    try:
        some = project(shard, record, cell_minutes=cell_minutes)
        if known:
            some = [one for one in some if isinstance(one, AddHistory | AddOutbox)]
        outcome = await twin.apply(shard, offset.seq - 1, offset, some)
    except Poison as error:
        outcome = Mismatch(ParkKind.POISON, str(error))
    if not isinstance(outcome, Mismatch):
        return some
    park = parked(record, outcome.kind, outcome.reason, outcome.other_booking_id)
    await twin.apply(shard, offset.seq - 1, offset, [park])
    return [park]


class RebuildImpossible(Exception):
    """Journal and snapshots together are incomplete."""
