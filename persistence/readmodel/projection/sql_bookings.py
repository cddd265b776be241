"""Bookings and their claims: many rows in few statements, on every dialect the same.

A driver sends many rows of an INSERT as one statement, but UPDATEs and DELETEs one by
one, a round trip each. So claims go by lists of bookings, and where many bookings
change, their rows are read, deleted and inserted as they shall be. Nobody else writes
them: the transaction has moved the offset of their shard, and holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.ids import ShardId
from persistence.readmodel import tables as t
from persistence.readmodel.projection.operations import (
    AddClaims,
    ChangeAppointment,
    PutAppointment,
)
from persistence.readmodel.projection.plan import Plan

IDS_PER_STATEMENT = 500
"""Ids in one IN list: well under SQLite's and the servers' bounds."""
FEW = 4
"""So many changes are quicker made one by one."""

_COLUMN_OF = {"start": "start_minute", "end": "end_minute"}
"""Fields whose columns are named otherwise, since END is a word of SQL."""


class BookingsMissing(Exception):
    """Bookings that are to change are not there."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} booking(s) to change are not there")


def fields_of(operation: Any) -> dict[str, Any]:
    """An operation's fields by name."""
    return {name: getattr(operation, name) for name in operation.__struct_fields__}


def appointment_row(shard: ShardId, put: PutAppointment) -> dict[str, Any]:
    """A booking as a row of the appointment table."""
    row = fields_of(put)
    row["start_minute"] = row.pop("start")
    row["end_minute"] = row.pop("end")
    row["status"] = put.status.value
    row["shard"] = shard
    return row


async def write_appointments(
    connection: AsyncConnection, shard: ShardId, plan: Plan
) -> None:
    """Insert the batch's new bookings and change older ones.

    Raises:
        BookingsMissing: undo everything.
    """
    rows = [appointment_row(shard, put) for put in plan.appointments.values()]
    changes = list(plan.changes.values())
    if len(changes) > FEW:
        rows += await _taken_out(connection, changes)
    elif changes:
        await _change_one_by_one(connection, changes)
    if rows:
        columns = t.appointment.columns.keys()
        values = [tuple(row[column] for column in columns) for row in rows]
        await insert_rows(connection, t.appointment, values)


async def _taken_out(
    connection: AsyncConnection, changes: Sequence[ChangeAppointment]
) -> list[dict[str, Any]]:
    """Delete the rows of these bookings; the rows as they shall be."""
    booking_id = t.appointment.c.booking_id
    rows: dict[str, dict[str, Any]] = {}
    for some in _portions([change.booking_id for change in changes]):
        here = booking_id.in_(some)
        found = await connection.execute(select(t.appointment).where(here))
        rows.update((row["booking_id"], dict(row)) for row in found.mappings())
        await connection.execute(delete(t.appointment).where(here))
    if len(rows) < len(changes):
        raise BookingsMissing(len(changes) - len(rows))
    for change in changes:
        rows[change.booking_id].update(_changes_of(change))
    return list(rows.values())


async def _change_one_by_one(
    connection: AsyncConnection, changes: Sequence[ChangeAppointment]
) -> None:
    booking_id = t.appointment.c.booking_id
    missing = 0
    for change in changes:
        statement = update(t.appointment).where(booking_id == change.booking_id)
        done = await connection.execute(statement.values(_changes_of(change)))
        missing += done.rowcount != 1
    if missing:
        raise BookingsMissing(missing)


def _changes_of(change: ChangeAppointment) -> dict[str, Any]:
    columns = {
        _COLUMN_OF.get(name, name): value.value if isinstance(value, Enum) else value
        for name, value in change.changes.items()
    }
    return {
        "seq": change.seq,
        "epoch": change.epoch,
        "version": change.version,
        **columns,
    }


async def write_claims(connection: AsyncConnection, plan: Plan) -> None:
    """Give back and claim cells, in the order of the plan."""
    booking_id = t.slot_claim.c.booking_id
    for phase in plan.claims:
        for some in _portions([drop.booking_id for drop in phase.drops]):
            await connection.execute(delete(t.slot_claim).where(booking_id.in_(some)))
        if phase.adds:
            await insert_rows(connection, t.slot_claim, claim_rows(phase.adds))


def claim_rows(adds: Iterable[AddClaims]) -> list[tuple[Any, ...]]:
    """One row for every cell of these claims, in the order of the table's columns."""
    return [
        (add.provider_id, cell, add.lane, add.booking_id)
        for add in adds
        for cell in range(add.first, add.last)
    ]


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        yield ids[start : start + IDS_PER_STATEMENT]


async def insert_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert whole rows of plain values; what SQLAlchemy would do to each is spared.

    On the servers a multi-row statement: the drivers join ``VALUES (%s, …)`` alone,
    without any function or cast among them.
    """
    statement = _insert_text(table, connection.dialect)
    await connection.exec_driver_sql(statement, list(rows))


@lru_cache(maxsize=64)
def _insert_text(table: Table, dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect))
