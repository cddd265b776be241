"""Writes bookings and claims: many rows in few statements, on every dialect.

A driver for a server sends the rows of an INSERT as one statement, but UPDATEs and
DELETEs one by one, a round trip each. So on servers claims are deleted by lists of
bookings, and where many bookings change, their rows are read, deleted and inserted with
the new values. No other transaction writes them: this one has locked the offset of
their shard. SQLite has no round trips: one prepared statement for all rows is fastest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, delete, insert, select

from actors.domain.ids import ShardId
from persistence.readmodel import tables as t
from persistence.readmodel.projection.operations import (
    AddClaims,
    ChangeAppointment,
    DropClaims,
    PutAppointment,
)
from persistence.readmodel.projection.plan import Plan
from persistence.sql.statements import many, portions

FEW = 4
"""Up to this many changes are faster one by one on a server."""

_COLUMN_OF = {"start": "start_minute", "end": "end_minute"}
"""Fields whose columns have other names, since END is a keyword of SQL."""


class BookingsMissing(Exception):
    """Bookings that are to change do not exist."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} booking(s) to change do not exist")


def fields_of(operation: Any) -> dict[str, Any]:
    """An operation's fields by name."""
    return {name: getattr(operation, name) for name in operation.__struct_fields__}


def appointment_row(shard: ShardId, put: PutAppointment) -> tuple[Any, ...]:
    """A booking as a row of the appointment table, in the order of its columns."""
    return (
        *(put.booking_id, shard, put.seq, put.epoch, put.version, put.provider_id),
        *(put.patient_id, put.status.value, put.visit_type, put.start, put.end),
        *(put.busy_start, put.busy_end, put.location_id, put.booked_at, put.reason),
        *(put.cancel_reason, put.stranded, put.confidential, put.lane),
    )


def write_appointments(connection: Connection, shard: ShardId, plan: Plan) -> None:
    """Insert the batch's new bookings and change older ones.

    Raises:
        BookingsMissing: roll back.
    """
    rows = [appointment_row(shard, put) for put in plan.appointments.values()]
    changes = list(plan.changes.values())
    if len(changes) > FEW and connection.dialect.name != "sqlite":
        rows += _taken_out(connection, changes)
    elif changes:
        _change_in_place(connection, changes)
    if rows:
        insert_rows(connection, t.appointment, rows)


def _taken_out(
    connection: Connection, changes: Sequence[ChangeAppointment]
) -> list[tuple[Any, ...]]:
    """Delete the rows of these bookings; returns the changed rows for insertion."""
    booking_id = t.appointment.c.booking_id
    rows: dict[str, dict[str, Any]] = {}
    for some in portions([change.booking_id for change in changes]):
        here = booking_id.in_(some)
        found = connection.execute(select(t.appointment).where(here))
        rows.update((row["booking_id"], dict(row)) for row in found.mappings())
        connection.execute(delete(t.appointment).where(here))
    if len(rows) < len(changes):
        raise BookingsMissing(len(changes) - len(rows))
    for change in changes:
        rows[change.booking_id].update(_columns_of(change))
    columns = t.appointment.columns.keys()
    return [tuple(row[column] for column in columns) for row in rows.values()]


def _change_in_place(
    connection: Connection, changes: Iterable[ChangeAppointment]
) -> None:
    """One statement for all changes of the same columns."""
    alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for change in changes:
        columns = _columns_of(change)
        row = (*columns.values(), change.booking_id)
        alike.setdefault(tuple(columns), []).append(row)
    missing = 0
    for names, rows in alike.items():
        changed = many(connection, _update_text(names, connection.dialect), rows)
        missing += len(rows) - changed
    if missing:
        raise BookingsMissing(missing)


def _columns_of(change: ChangeAppointment) -> dict[str, Any]:
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


def write_claims(connection: Connection, plan: Plan) -> None:
    """Release and claim cells, in the order of the plan."""
    for phase in plan.claims:
        if phase.drops:
            _drop_claims(connection, phase.drops)
        if phase.adds:
            insert_rows(connection, t.slot_claim, claim_rows(phase.adds))


def _drop_claims(connection: Connection, drops: Sequence[DropClaims]) -> None:
    if connection.dialect.name == "sqlite":
        many(connection, _DROP_CLAIMS, [(drop.booking_id,) for drop in drops])
        return
    booking_id = t.slot_claim.c.booking_id
    for some in portions([drop.booking_id for drop in drops]):
        connection.execute(delete(t.slot_claim).where(booking_id.in_(some)))


_DROP_CLAIMS = "DELETE FROM slot_claim WHERE booking_id = ?"


def claim_rows(adds: Iterable[AddClaims]) -> list[tuple[Any, ...]]:
    """One row for every cell of these claims, in the order of the table's columns."""
    return [
        (add.provider_id, cell, add.lane, add.booking_id)
        for add in adds
        for cell in range(add.first, add.last)
    ]


def insert_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[tuple[Any, ...]],
    columns: tuple[str, ...] = (),
) -> None:
    """Insert rows of plain values without SQLAlchemy's processing of each value.

    ``columns`` are in the order of the table; none: all of them. On servers this
    becomes a multi-row statement: the drivers join only plain ``VALUES (%s, …)``,
    without functions or casts.
    """
    many(connection, _insert_text(table, columns, connection.dialect), rows)


@lru_cache(maxsize=64)
def _insert_text(table: Table, columns: tuple[str, ...], dialect: Dialect) -> str:
    names = columns or None
    return str(insert(table).compile(dialect=dialect, column_keys=names))


@lru_cache(maxsize=64)
def _update_text(columns: tuple[str, ...], dialect: Dialect) -> str:
    """An UPDATE with the columns' values in order, then the booking's id."""
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    sets = ", ".join(f"{t.appointment.c[name].name} = {mark}" for name in columns)
    # Names of columns, no values.
    return f"UPDATE appointment SET {sets} WHERE booking_id = {mark}"  # noqa: S608  # nosec B608
