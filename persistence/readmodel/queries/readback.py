"""All projected bookings and claims, for audits and backups."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.audit.audit import AuditedBooking
from actors.domain.ids import BookingId, PatientId, ProviderId
from actors.domain.messages.answers import BookingStatus
from persistence.readmodel.tables import IMPORTED_SHARD, appointment, slot_claim


async def projected_bookings(
    engine: AsyncEngine,
) -> dict[BookingId, AuditedBooking]:
    """Every appointment row that comes from a journal: imported ones do not."""
    a = appointment.c
    columns = (
        *(a.booking_id, a.provider_id, a.patient_id, a.status),
        *(a.start_minute, a.end_minute, a.busy_start, a.busy_end),
    )
    found: dict[BookingId, AuditedBooking] = {}
    async with engine.connect() as connection:
        projected = select(*columns).where(a.shard != IMPORTED_SHARD)
        async for row in await connection.stream(projected):
            found[BookingId(row.booking_id)] = AuditedBooking(
                provider_id=ProviderId(row.provider_id),
                patient_id=PatientId(row.patient_id),
                status=BookingStatus(row.status),
                start=row.start_minute,
                end=row.end_minute,
                busy_start=row.busy_start,
                busy_end=row.busy_end,
            )
    return found


async def projected_claims(
    engine: AsyncEngine,
) -> dict[tuple[ProviderId, int, int], BookingId]:
    """Every claimed cell in its lane, and its booking."""
    c = slot_claim.c
    found: dict[tuple[ProviderId, int, int], BookingId] = {}
    async with engine.connect() as connection:
        rows = await connection.stream(
            select(c.provider_id, c.cell, c.lane, c.booking_id)
        )
        async for row in rows:
            name = ProviderId(row.provider_id), row.cell, row.lane
            found[name] = BookingId(row.booking_id)
    return found
