"""Bookings of patients on SQL, as of the projection."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import RowMapping, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import (
    BookingId,
    ClinicId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus, BookingView
from persistence.readmodel import tables as t
from persistence.readmodel.search_words import read_cursor, write_cursor
from persistence.sql.engine import reading


class HistoryEntry(Struct, frozen=True):
    """One event of a booking, with the old and new times if it moved the booking."""

    seq: int
    version: int
    kind: str
    at: Millis
    from_start: Minute | None
    to_start: Minute | None
    by_patient: bool | None
    reason: str


class SqlBookingHistory:
    """``BookingHistory`` on a pool of readers."""

    def __init__(self, readers: AsyncEngine) -> None:
        self._readers = readers

    async def of_patient(  # noqa: PLR0913 - one for each filter
        self,
        patient_id: PatientId,
        *,
        first: Minute | None,
        last: Minute | None,
        status: BookingStatus | None,
        after: str,
        limit: int,
        proxy: bool = False,
    ) -> tuple[Sequence[BookingView], str | None]:
        """A page by start then id, and the cursor of the next; see the port."""
        row = t.appointment.c
        start = row.start_minute
        wanted = [row.patient_id == patient_id]
        if after:
            from_start, from_id = read_cursor("b", after, (int, str))
            later = or_(start > from_start, row.booking_id > from_id)
            wanted.append(and_(start >= from_start, later))
        if first is not None:
            wanted.append(start >= first)
        if last is not None:
            wanted.append(start < last)
        if status is not None:
            wanted.append(row.status == status.value)
        if proxy:
            wanted.append(row.confidential.is_(False))
        order = select(t.appointment).where(*wanted).order_by(start, row.booking_id)
        async with reading(self._readers) as connection:
            rows = (await connection.execute(order.limit(limit + 1))).mappings().all()
        page = [view_of(found) for found in rows[:limit]]
        if len(rows) <= limit or not page:
            return page, None
        return page, write_cursor("b", page[-1].start, page[-1].booking_id)

    async def booking(self, booking_id: BookingId) -> BookingView | None:
        """One booking, also if it is no longer in its calendar's memory."""
        query = select(t.appointment).where(t.appointment.c.booking_id == booking_id)
        async with reading(self._readers) as connection:
            row = (await connection.execute(query)).mappings().first()
        return view_of(row) if row is not None else None

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """Whether a patient has ever had a booking at a clinic; see the port.

        What a file of past visits says gives no clinic a right to a patient.
        """
        row, provider = t.appointment.c, t.provider.c
        query = (
            select(row.booking_id)
            .join(t.provider, provider.provider_id == row.provider_id)
            .where(
                row.patient_id == patient_id,
                provider.clinic_id == clinic_id,
                row.shard != t.IMPORTED_SHARD,
            )
            .limit(1)
        )
        async with reading(self._readers) as connection:
            return (await connection.execute(query)).first() is not None

    async def history(self, booking_id: BookingId) -> Sequence[HistoryEntry]:
        """The events of a booking, oldest first; empty if it is unknown."""
        table = t.appointment_history
        query = (
            select(table)
            .where(table.c.booking_id == booking_id)
            .order_by(table.c.version)
        )
        async with reading(self._readers) as connection:
            rows = (await connection.execute(query)).mappings().all()
        entries: list[HistoryEntry] = []
        was: Minute | None = None
        for row in rows:
            entries.append(
                HistoryEntry(
                    seq=row["seq"],
                    version=row["version"],
                    kind=row["kind"],
                    at=row["at"],
                    from_start=was if row["start_minute"] is not None else None,
                    to_start=row["start_minute"],
                    by_patient=row["by_patient"],
                    reason=row["reason"],
                )
            )
            was = row["start_minute"] if row["start_minute"] is not None else was
        return entries


def view_of(row: RowMapping) -> BookingView:
    """A row of the appointment table as a booking."""
    return BookingView(
        provider_id=ProviderId(row["provider_id"]),
        epoch=row["epoch"],
        version=row["version"],
        booking_id=BookingId(row["booking_id"]),
        status=BookingStatus(row["status"]),
        patient_id=PatientId(row["patient_id"]),
        visit_type=VisitTypeId(row["visit_type"]),
        start=Minute(row["start_minute"]),
        end=Minute(row["end_minute"]),
        location_id=LocationId(row["location_id"]),
        booked_at=Millis(row["booked_at"]),
        reason=row["reason"],
        cancel_reason=row["cancel_reason"],
        stranded=row["stranded"],
        confidential=bool(row["confidential"]),
        lane=row["lane"],
    )
