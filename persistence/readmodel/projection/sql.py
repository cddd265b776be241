"""The projection store on SQL: rows, notices and offset in one transaction.

The transaction's first statement moves the offset, and only if it stands where the
projector thinks: of two projectors one wins and the other's transaction is undone.
Then no row needs a guard of its own, and every row is a plain INSERT, UPDATE or
DELETE: with "ON DUPLICATE KEY UPDATE" or REPLACE a booking can vanish on a table that
has a second unique key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.ids import ShardId
from actors.placement import generation_of
from persistence.readmodel import tables as t
from persistence.readmodel.projection.operations import AddHistory, Operation, Poison
from persistence.readmodel.projection.plan import Plan
from persistence.readmodel.projection.sql_bookings import (
    BookingsMissing,
    fields_of,
    insert_rows,
    write_appointments,
    write_claims,
)
from persistence.readmodel.projection.sql_profiles import write_profiles
from persistence.readmodel.projection.sql_transfers import take_over
from persistence.readmodel.projection.store import (
    Applied,
    Moved,
    Offset,
    Outcome,
    ParkKind,
    Refused,
    StoreUnavailable,
)
from persistence.sql.engine import is_data_error, lanes, reason_of


class _OffsetMoved(Exception):
    """The offset is not where the caller thought: undo everything."""


class _Collision(Exception):
    """Two shards inserted one clinic at the same time: the second finds it there."""


COLLISIONS_MAX = 3
"""Tries again after such a collision."""


class SqlProjectionStore:
    """``ProjectionStore`` on an engine of role "projector"."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.lanes = lanes(engine)
        """How many shards a projector may write at one time."""

    async def offset(self, shard: ShardId) -> Offset:
        """Where the shard's projection stands."""
        return (await self.shard_offsets()).get(shard, Offset())

    async def shard_offsets(self) -> Mapping[ShardId, Offset]:
        """Where all projections stand."""
        table = t.projection_offset.c
        query = select(table.shard, table.seq, table.epoch)
        async with _available(), self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return {ShardId(row.shard): Offset(row.seq, row.epoch) for row in rows}

    async def apply(
        self,
        shard: ShardId,
        prev_seq: int,
        offset: Offset,
        operations: Sequence[Operation],
    ) -> Outcome:
        """Carry out operations and move the offset; see the port."""
        try:
            plan = Plan(operations)
        except Poison as error:
            return Refused(ParkKind.POISON, str(error))
        for _ in range(COLLISIONS_MAX):
            try:
                return await self._apply(shard, prev_seq, offset, plan)
            except _Collision:
                continue
        return await self._apply(shard, prev_seq, offset, plan, last=True)

    async def _apply(
        self,
        shard: ShardId,
        prev_seq: int,
        offset: Offset,
        plan: Plan,
        *,
        last: bool = False,
    ) -> Outcome:
        try:
            async with _available(), self._engine.begin() as connection:
                await _move_offset(connection, shard, prev_seq, offset)
                await _write(connection, shard, plan, offset)
        except _OffsetMoved:
            return Moved(await self.offset(shard))
        except BookingsMissing as missing:
            return Refused(ParkKind.ORPHAN, str(missing))
        except IntegrityError as error:
            other = await self._holder(plan)
            if other:
                return Refused(ParkKind.CLAIM, f"its time is claimed by {other}", other)
            if plan.clinics and not last:
                # Another shard may have registered a clinic of ours meanwhile.
                raise _Collision from error
            return Refused(ParkKind.POISON, reason_of(error))
        except (StatementError, UnicodeError) as error:
            return Refused(ParkKind.POISON, reason_of(error))
        return Applied(offset)

    async def parked(self) -> Mapping[ParkKind, int]:
        """How many events are kept aside, by reason."""
        kind = t.projection_conflict.c.kind
        query = select(kind, func.count()).group_by(kind)
        async with _available(), self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return {ParkKind(row[0]): row[1] for row in rows}

    async def _holder(self, plan: Plan) -> str:
        """The booking that already has a cell of this plan's claims, or ""."""
        claim = t.slot_claim.c
        async with _available(), self._engine.connect() as connection:
            for add in (add for phase in plan.claims for add in phase.adds):
                query = (
                    select(claim.booking_id)
                    .where(
                        claim.provider_id == add.provider_id,
                        claim.cell >= add.first,
                        claim.cell < add.last,
                        claim.lane == add.lane,
                        claim.booking_id != add.booking_id,
                    )
                    .limit(1)
                )
                holder: str | None = await connection.scalar(query)
                if holder is not None:
                    return holder
        return ""


@asynccontextmanager
async def _available() -> AsyncIterator[None]:
    """Turn trouble of connection and server into StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        if is_data_error(error):
            raise
        raise StoreUnavailable(reason_of(error)) from error
    except (OSError, PoolTimeout) as error:
        raise StoreUnavailable(reason_of(error)) from error


async def _move_offset(
    connection: AsyncConnection, shard: ShardId, prev_seq: int, offset: Offset
) -> None:
    """Compare-and-set: the shard's offset goes from ``prev_seq`` to ``offset``."""
    table = t.projection_offset
    moved = await connection.execute(
        update(table)
        .where(table.c.shard == shard, table.c.seq == prev_seq)
        .values(seq=offset.seq, epoch=offset.epoch)
    )
    if moved.rowcount == 1:
        return
    if prev_seq != 0:
        raise _OffsetMoved
    await _must_be_in_force(connection, shard)
    row = {"shard": shard, "seq": offset.seq, "epoch": offset.epoch, "outbox_seq": 0}
    try:
        await connection.execute(insert(table).values(row))
    except IntegrityError:
        raise _OffsetMoved from None


async def _must_be_in_force(connection: AsyncConnection, shard: ShardId) -> None:
    """A projector that was there before a resharding does not begin the past anew.

    The old shards' offsets are forgotten then; all they tell is in the rows already.

    Raises:
        StoreUnavailable: the read model follows newer journals.
    """
    mine = generation_of(shard)
    known = t.projection_offset.c.shard
    others = select(known).where(known.like("g%-%"), known.not_like(f"g{mine}-%"))
    newest = max(map(generation_of, await connection.scalars(others)), default=0)
    if newest > mine:
        raise StoreUnavailable(
            f"the read model follows the journals of generation {newest}, and shard "
            f"{shard} is of generation {mine}: restart whoever still projects it"
        )


async def _write(
    connection: AsyncConnection, shard: ShardId, plan: Plan, offset: Offset
) -> None:
    await write_profiles(connection, shard, plan)
    await take_over(connection, shard, plan.taken)
    await write_appointments(connection, shard, plan)
    await write_claims(connection, plan)
    if plan.history:
        rows = [_history_row(shard, add) for add in plan.history]
        await insert_rows(connection, t.appointment_history, rows)
    if plan.parked:
        parked = [{"shard": shard, **fields_of(park)} for park in plan.parked]
        await connection.execute(insert(t.projection_conflict), parked)
    if plan.outbox:
        await _write_outbox(connection, shard, plan, offset)


def _history_row(shard: ShardId, add: AddHistory) -> tuple[Any, ...]:
    return (
        *(shard, add.seq, add.epoch, add.version, add.booking_id, add.provider_id),
        *(add.kind, add.at, add.start, add.end, add.by_patient, add.reason),
    )


async def _write_outbox(
    connection: AsyncConnection, shard: ShardId, plan: Plan, offset: Offset
) -> None:
    table = t.projection_offset
    here = table.c.shard == shard
    # Read here, not before: a rebuild may have set the offset back in the meantime.
    told = await connection.scalar(select(table.c.outbox_seq).where(here)) or 0
    rows = [
        {
            "event_id": add.event_id,
            "kind": add.kind,
            "payload": add.payload,
            "created_at": add.at,
            "due_at": add.at,
            "attempts": 0,
        }
        for add in plan.outbox
        if add.seq > told
    ]
    if not rows:
        return
    await connection.execute(insert(t.outbox), rows)
    await connection.execute(update(table).where(here).values(outbox_seq=offset.seq))
