"""Calendars that move between shards, in the read model.

A calendar's rows already exist when it comes to another shard: its first record there
takes them over and inserts missing ones. So that record waits until the calendar's
former shard is projected up to the move, and is projected apart from other records.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, select, update

from actors.domain.ids import ShardId
from actors.domain.messages.events import CalendarMovedIn
from actors.ports import Record
from persistence.readmodel import tables as t
from persistence.readmodel.projection.operations import TakeBookings
from persistence.readmodel.projection.sql_bookings import (
    appointment_row,
    claim_rows,
    insert_rows,
)
from persistence.sql.statements import portions

TOGETHER_BYTES = 256 * 1024
"""Bound on one transaction's transfers: about a hundred calendars with few bookings."""


def portion(records: Sequence[Record]) -> Sequence[Record]:
    """The records to project together: transfers only, or no transfers."""
    room = TOGETHER_BYTES
    for place, record in enumerate(records):
        event = record.event
        if isinstance(event, CalendarMovedIn):
            if place and (room <= 0 or not _comes(records[0])):
                return records[:place]
            room -= len(event.state)
        elif _comes(records[0]):
            return records[:place]
    return records


def _comes(record: Record) -> bool:
    return isinstance(record.event, CalendarMovedIn)


def origins(records: Sequence[Record]) -> dict[ShardId, int]:
    """How far other shards must be projected before these records can be."""
    needed: dict[ShardId, int] = {}
    for record in records:
        event = record.event
        if isinstance(event, CalendarMovedIn):
            known = needed.get(event.from_shard, 0)
            needed[event.from_shard] = max(known, event.from_seq)
    return needed


def take_over(
    connection: Connection, shard: ShardId, takes: Sequence[TakeBookings]
) -> None:
    """Assign rows to this shard, and insert missing ones.

    Imported visits of the provider are in no calendar, and stay where they are.
    """
    row = t.appointment.c
    for take in takes:
        mine = and_(row.provider_id == take.provider_id, row.shard != t.IMPORTED_SHARD)
        if take.replaces:
            _drop(connection, take)
        connection.execute(
            update(t.appointment)
            .where(mine)
            .values(shard=shard, seq=take.seq, epoch=take.epoch)
        )
        query = select(row.booking_id).where(mine)
        known = set(connection.scalars(query).all())
        rows = [
            appointment_row(shard, put)
            for put in take.bookings
            if put.booking_id not in known
        ]
        if rows:
            insert_rows(connection, t.appointment, rows)
        claims = claim_rows(add for add in take.claims if add.booking_id not in known)
        if claims:
            insert_rows(connection, t.slot_claim, claims)


def _drop(connection: Connection, take: TakeBookings) -> None:
    for some in portions([put.booking_id for put in take.bookings]):
        for table in (t.appointment, t.slot_claim):
            connection.execute(delete(table).where(table.c.booking_id.in_(some)))
