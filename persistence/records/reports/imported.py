"""Visits of another system, written into the read model as history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from care.reports.visits import ImportCount, ImportedVisit
from persistence.readmodel import tables as t
from persistence.sql.engine import writing
from persistence.sql.statements import portions

_BESIDE = ("provider_name", "age", "reminded", "day_only", "cancelled_at", "by_patient")
"""Fields that are columns of ``imported_visit``."""


class SqlImportedVisits:
    """Implements ImportedVisits on an engine with the role "writer"."""

    def __init__(self, writer: AsyncEngine) -> None:
        self._writer = writer

    async def put(self, visits: Sequence[ImportedVisit]) -> ImportCount:
        """See ImportedVisits.put."""
        async with writing(self._writer) as connection:
            return await connection.run_sync(_put, visits)


def _put(connection: Connection, visits: Sequence[ImportedVisit]) -> ImportCount:
    wanted: dict[str, _Rows] = {one.booking_id: _rows_of(one) for one in visits}
    known = _known(connection, sorted(wanted))
    former = _former(connection, wanted)
    moved = set(former.values())
    new = [one for one in wanted if one not in known and one not in moved]
    changed = [
        one
        for one, rows in wanted.items()
        if one in moved or (one in known and rows != known[one])
    ]
    for part in portions([*former, *changed]):
        for table in (t.appointment, t.imported_visit):
            connection.execute(delete(table).where(table.c.booking_id.in_(part)))
    written = [wanted[one] for one in (*new, *changed)]
    if written:
        connection.execute(insert(t.appointment), [rows[0] for rows in written])
        connection.execute(insert(t.imported_visit), [rows[1] for rows in written])
    return ImportCount(len(new), len(changed), len(wanted) - len(written))


def _former(connection: Connection, wanted: Mapping[str, _Rows]) -> dict[str, str]:
    """Ids that these visits had under another provider, and those that they have."""
    ids = {rows[1]["visit_key"]: one for one, rows in wanted.items()}
    beside, found = t.imported_visit.c, dict[str, str]()
    for part in portions(sorted(ids)):
        query = select(beside.booking_id, beside.visit_key)
        for row in connection.execute(query.where(beside.visit_key.in_(part))):
            if row.booking_id != ids[row.visit_key]:
                found[row.booking_id] = ids[row.visit_key]
    return found


_Rows = tuple[dict[str, Any], dict[str, Any]]
"""Of the appointment table, and beside it."""


def _rows_of(visit: ImportedVisit) -> _Rows:
    appointment = {
        "booking_id": visit.booking_id,
        "shard": t.IMPORTED_SHARD,
        "seq": 0,
        "epoch": 0,
        "version": 0,
        "provider_id": visit.provider_id,
        "patient_id": visit.patient_id,
        "status": visit.status.value,
        "visit_type": visit.visit_type,
        "start_minute": visit.start,
        "end_minute": visit.end,
        "busy_start": visit.start,
        "busy_end": visit.end,
        "location_id": "",
        "booked_at": visit.booked_at,
        "reason": "",
        "cancel_reason": "",
        "stranded": "",
        "confidential": False,
        "lane": 0,
    }
    beside = {
        "booking_id": visit.booking_id,
        "clinic_id": visit.clinic_id,
        "start_minute": visit.start,
        "visit_key": visit.booking_id.rpartition(".")[2],
        **{name: getattr(visit, name) for name in _BESIDE},
    }
    return appointment, beside


def _known(connection: Connection, ids: Sequence[str]) -> Mapping[str, _Rows]:
    """The rows of those that exist. A projected booking of the same id is none."""
    first: dict[str, dict[str, Any]] = {}
    second: dict[str, dict[str, Any]] = {}
    for part in portions(ids):
        for table, found in ((t.appointment, first), (t.imported_visit, second)):
            query = select(table).where(table.c.booking_id.in_(part))
            for row in connection.execute(query).mappings():
                found[row["booking_id"]] = dict(row)
    return {one: (first[one], second[one]) for one in second if one in first}
