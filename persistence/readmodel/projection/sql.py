"""The projection store on SQL: rows, notices and offset in one transaction.

The transaction's first statement moves the offset, and only if it is where the
projector expects it: of two projectors one wins and the other's transaction is rolled
back. So no row needs a guard of its own, and every row is a plain INSERT, UPDATE or
DELETE: with "ON DUPLICATE KEY UPDATE" or REPLACE a booking can vanish from a table that
has a second unique key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

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
    Committed,
    Mismatch,
    Moved,
    Offset,
    Outcome,
    ParkKind,
    ShardAdvance,
    StoreUnavailable,
)
from persistence.sql.engine import is_data_error, lanes, reason_of
from persistence.sql.statements import many, marks


class _OffsetMoved(Exception):
    """The offset is not where the caller expected it: roll back."""


class _Collision(Exception):
    """Two shards inserted the same clinic at the same time; a retry finds the row."""


COLLISIONS_MAX = 3
"""Attempts after such collisions."""

T = TypeVar("T")


class SqlProjectionStore:
    """``ProjectionStore`` on an engine of role "projector"."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.lanes = lanes(engine)
        """How many transactions a projector may run concurrently."""

    async def offset(self, shard: ShardId) -> Offset:
        """The shard's offset."""
        return (await self.shard_offsets()).get(shard, Offset())

    async def shard_offsets(self) -> Mapping[ShardId, Offset]:
        """The offsets of all shards."""
        return await self._do(_offsets)

    async def apply(
        self,
        shard: ShardId,
        prev_seq: int,
        offset: Offset,
        operations: Sequence[Operation],
    ) -> Outcome:
        """Execute operations and move the offset; see the port."""
        try:
            plan = Plan(operations)
        except Poison as error:
            return Mismatch(ParkKind.POISON, str(error))
        batch = _Planned(shard, prev_seq, offset, plan)
        for _ in range(COLLISIONS_MAX):
            try:
                return await self._apply(batch)
            except _Collision:
                continue
        return await self._apply(batch, last=True)

    async def apply_together(self, batches: Sequence[ShardAdvance]) -> bool:
        """Apply all batches or none; see the port."""
        try:
            planned = [
                _Planned(one.shard, one.prev_seq, one.offset, Plan(one.operations))
                for one in batches
            ]
            await self._do(partial(_write_all, batches=planned))
        except (Poison, _OffsetMoved, BookingsMissing, StatementError, UnicodeError):
            return False  # applied alone, each batch reports its own outcome
        return True

    async def parked(self) -> Mapping[ParkKind, int]:
        """Number of parked events by reason."""
        return await self._do(_parked)

    async def _apply(self, batch: _Planned, *, last: bool = False) -> Outcome:
        try:
            await self._do(partial(_write_all, batches=[batch]))
        except _OffsetMoved:
            return Moved(await self.offset(batch.shard))
        except BookingsMissing as missing:
            return Mismatch(ParkKind.ORPHAN, str(missing))
        except IntegrityError as error:
            other = await self._do(partial(_holder, plan=batch.plan))
            if other:
                return Mismatch(
                    ParkKind.CLAIM, f"its time is claimed by {other}", other
                )
            if batch.plan.clinics and not last:
                # Another shard may have registered the same clinic meanwhile.
                raise _Collision from error
            return Mismatch(ParkKind.POISON, reason_of(error))
        except (StatementError, UnicodeError) as error:
            return Mismatch(ParkKind.POISON, reason_of(error))
        return Committed(batch.offset)

    async def close(self) -> None:
        """Does nothing: the engine belongs to the caller."""

    async def _do(self, work: Callable[[Connection], T]) -> T:
        """Run the batches in one transaction."""
        async with available(), self._engine.begin() as connection:
            return await connection.run_sync(work)


class _Planned(Struct, frozen=True):
    """A batch with its plan, ready to be written."""

    shard: ShardId
    prev_seq: int
    offset: Offset
    plan: Plan


def _offsets(connection: Connection) -> dict[ShardId, Offset]:
    table = t.projection_offset.c
    rows = connection.execute(select(table.shard, table.seq, table.epoch)).all()
    return {ShardId(row.shard): Offset(row.seq, row.epoch) for row in rows}


def _parked(connection: Connection) -> dict[ParkKind, int]:
    kind = t.projection_conflict.c.kind
    rows = connection.execute(select(kind, func.count()).group_by(kind)).all()
    return {ParkKind(row[0]): row[1] for row in rows}


def _holder(connection: Connection, plan: Plan) -> str:
    """The booking that already has a cell of this plan's claims; "" if none."""
    claim = t.slot_claim.c
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
        holder: str | None = connection.scalar(query)
        if holder is not None:
            return holder
    return ""


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Translate errors of connection and server into StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        if is_data_error(error):
            raise
        raise StoreUnavailable(reason_of(error)) from error
    except (OSError, PoolTimeout) as error:
        raise StoreUnavailable(reason_of(error)) from error


def _move_offset(
    connection: Connection, shard: ShardId, prev_seq: int, offset: Offset
) -> None:
    """Compare-and-set: the shard's offset goes from ``prev_seq`` to ``offset``."""
    table = t.projection_offset
    moved = many(
        connection,
        _MOVE[connection.dialect.paramstyle],
        [(offset.seq, offset.epoch, shard, prev_seq)],
    )
    if moved == 1:
        return
    if prev_seq != 0:
        raise _OffsetMoved
    _must_be_in_force(connection, shard)
    row = {"shard": shard, "seq": offset.seq, "epoch": offset.epoch, "outbox_seq": 0}
    try:
        connection.execute(insert(table).values(row))
    except IntegrityError:
        raise _OffsetMoved from None


_MOVE = marks(
    "UPDATE projection_offset SET seq = ?, epoch = ? WHERE shard = ? AND seq = ?"
)
_TOLD = marks("SELECT outbox_seq FROM projection_offset WHERE shard = ?")
_TELL = marks("UPDATE projection_offset SET outbox_seq = ? WHERE shard = ?")


def _must_be_in_force(connection: Connection, shard: ShardId) -> None:
    """Refuse a projector of an old generation, which would project the past again.

    A resharding deletes the old shards' offsets; their events are in the rows already.

    Raises:
        StoreUnavailable: the read model follows newer journals.
    """
    mine = generation_of(shard)
    known = t.projection_offset.c.shard
    others = select(known).where(known.like("g%-%"), known.not_like(f"g{mine}-%"))
    newest = max(map(generation_of, connection.scalars(others)), default=0)
    if newest > mine:
        raise StoreUnavailable(
            f"the read model follows the journals of generation {newest}, and shard "
            f"{shard} is of generation {mine}: restart the process that projects it"
        )


def _write_all(connection: Connection, batches: Sequence[_Planned]) -> None:
    # The offsets first, and in one order, so that two projectors can wait for each
    # other only there and never deadlock.
    for one in sorted(batches, key=lambda one: one.shard):
        _move_offset(connection, one.shard, one.prev_seq, one.offset)
    for one in batches:
        _write(connection, one.shard, one.plan, one.offset)


def _write(connection: Connection, shard: ShardId, plan: Plan, offset: Offset) -> None:
    write_profiles(connection, shard, plan)
    take_over(connection, shard, plan.taken)
    write_appointments(connection, shard, plan)
    write_claims(connection, plan)
    if plan.history:
        rows = [_history_row(shard, add) for add in plan.history]
        insert_rows(connection, t.appointment_history, rows)
    if plan.parked:
        parked = [{"shard": shard, **fields_of(park)} for park in plan.parked]
        connection.execute(insert(t.projection_conflict), parked)
    if plan.outbox:
        _write_outbox(connection, shard, plan, offset)


def _history_row(shard: ShardId, add: AddHistory) -> tuple[Any, ...]:
    return (
        *(shard, add.seq, add.epoch, add.version, add.booking_id, add.provider_id),
        *(add.kind, add.at, add.start, add.end, add.by_patient, add.reason),
    )


def _write_outbox(
    connection: Connection, shard: ShardId, plan: Plan, offset: Offset
) -> None:
    style = connection.dialect.paramstyle
    # Read inside the transaction: a rebuild may have set the offset back before it.
    told = connection.exec_driver_sql(_TOLD[style], (shard,)).scalar() or 0
    rows = [
        (add.event_id, add.kind, _json(add.payload).decode(), add.at, add.at, 0)
        for add in plan.outbox
        if add.seq > told
    ]
    if not rows:
        return
    insert_rows(connection, t.outbox, rows, _NOTICE)
    many(connection, _TELL[style], [(offset.seq, shard)])


_NOTICE = ("event_id", "kind", "payload", "created_at", "due_at", "attempts")
_json = msgspec.json.Encoder().encode
