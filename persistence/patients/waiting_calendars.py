"""Whose calendars reserve for the waiting list: its scopes, and the read model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table, delete, false, or_, select
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import BookingId, ClinicId, Minute, PatientId, ProviderId
from care.waiting.entries import OpenSlot, WaitingScope
from persistence.patients.waiting_models import (
    WaitingCalendarRecord,
    WaitingEntryRecord,
)
from persistence.readmodel import tables as read_model
from persistence.readmodel.queries.told import visits_told_of
from persistence.sql.engine import reading
from persistence.sql.records import Records


class SqlWaitedCalendars:
    """Implements WaitedCalendars."""

    def __init__(self, records: Records, view: AsyncEngine) -> None:
        """``view``: the read model."""
        self._records = records
        self._view = view

    async def any_waits(self) -> bool:
        """See WaitedCalendars.any_waits."""
        async with self._records.reading() as session:
            one = await session.scalar(select(WaitingEntryRecord.entry_id).limit(1))
            return one is not None

    async def subjects(
        self, scope: WaitingScope, subject: str, *, after: str, limit: int
    ) -> Sequence[ProviderId]:
        """See WaitedCalendars.subjects."""
        if scope is WaitingScope.PROVIDER:
            return [ProviderId(subject)] if subject > after else []
        row = read_model.provider.c
        is_clinic = scope is WaitingScope.CLINIC
        which = row.clinic_id == subject if is_clinic else row.specialty == subject
        return await self._providers(which, after, limit)

    async def _providers(self, which: Any, after: str, limit: int) -> list[ProviderId]:
        row = read_model.provider.c
        query = select(row.provider_id).where(which, row.provider_id > after)
        async with reading(self._view) as connection:
            found = await connection.scalars(
                query.order_by(row.provider_id).limit(limit)
            )
            return [ProviderId(one) for one in found]

    async def covered(self, *, after: str, limit: int) -> Sequence[ProviderId]:
        """See WaitedCalendars.covered."""
        entry, told = WaitingEntryRecord, WaitingCalendarRecord
        named = select(entry.subject).where(
            entry.scope == WaitingScope.PROVIDER.value, entry.subject > after
        )
        known = select(told.provider_id).where(told.provider_id > after)
        wide = select(entry.scope, entry.subject).where(
            entry.scope != WaitingScope.PROVIDER.value
        )
        async with self._records.reading() as session:
            found = set(
                await session.scalars(
                    named.distinct().order_by(entry.subject).limit(limit)
                )
            )
            found |= set(
                await session.scalars(known.order_by(told.provider_id).limit(limit))
            )
            scopes = (await session.execute(wide.distinct())).all()
        row = read_model.provider.c
        of: dict[str, list[str]] = {one.value: [] for one in WaitingScope}
        for scope, subject in scopes:
            of[scope].append(subject)
        clinics = of[WaitingScope.CLINIC.value]
        specialties = of[WaitingScope.SPECIALTY.value]
        which = or_(
            row.clinic_id.in_(clinics) if clinics else false(),
            row.specialty.in_(specialties) if specialties else false(),
        )
        if scopes:
            found |= set(await self._providers(which, after, limit))
        return [ProviderId(one) for one in sorted(found)[:limit]]

    async def reserving_in(
        self, clinic_id: ClinicId, *, limit: int
    ) -> Sequence[ProviderId]:
        """See WaitedCalendars.reserving_in."""
        told, found = WaitingCalendarRecord.provider_id, list[ProviderId]()
        which, after = read_model.provider.c.clinic_id == clinic_id, ""
        while len(found) < limit:
            page = await self._providers(which, after, limit)
            query = select(told).where(told.in_(page)).order_by(told)
            async with self._records.reading() as session:
                found += map(ProviderId, await session.scalars(query))
            if len(page) < limit:
                break
            after = page[-1]
        return found[:limit]

    async def note_told(self, provider_id: ProviderId, *, reserves: bool) -> None:
        """See WaitedCalendars.note_told."""
        row = WaitingCalendarRecord
        table = cast(Table, row.__table__)
        mine = row.provider_id == provider_id
        async with self._records.reading() as session:
            known = await session.scalar(select(row.provider_id).where(mine))
        if (known is not None) is reserves:
            return
        async with self._records.writing() as session:
            if not reserves:
                await session.execute(delete(row).where(mine))
                return
            connection = await session.connection()
            is_sqlite = connection.dialect.name == "sqlite"
            statement: Any = (
                sqlite_insert(table).on_conflict_do_nothing()
                if is_sqlite
                else mysql_insert(table).prefix_with("IGNORE")
            )
            await connection.execute(statement, [{"provider_id": provider_id}])

    async def patient_of(self, booking_id: BookingId) -> PatientId | None:
        """See WaitedCalendars.patient_of."""
        row = read_model.appointment.c
        query = select(row.patient_id).where(row.booking_id == booking_id)
        async with reading(self._view) as connection:
            found = (await connection.scalars(query)).first()
        return None if found is None else PatientId(found)

    async def opened(self, booking_id: BookingId, version: int) -> OpenSlot | None:
        """See WaitedCalendars.opened."""
        visits, _ = await visits_told_of(self._view, [booking_id], [booking_id])
        visit = visits.get(booking_id)
        if visit is None:
            return None
        view, start = visit.view, visit.start_before(version)
        if start is None:
            return None
        return OpenSlot(
            provider_id=view.provider_id,
            visit_type=view.visit_type,
            start=start,
            end=Minute(start + view.end - view.start),
            location_id=view.location_id,
            version=version,
        )
