"""What notices say of visits, read for many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.ids import Minute
from actors.domain.messages.answers import BookingStatus, BookingView
from care.notices.ports import VisitHistory, VisitPlace
from persistence.readmodel import tables as t
from persistence.readmodel.queries.bookings import view_of
from persistence.sql.engine import reading
from persistence.sql.statements import portions


async def visits_told_of(
    engine: AsyncEngine, booking_ids: Sequence[str], moved: Sequence[str]
) -> tuple[Mapping[str, VisitHistory], Mapping[str, VisitPlace]]:
    """Visits by booking, with the starts of those in ``moved``; places by provider.

    Raises:
        Unavailable: the read model does not answer.
    """
    async with reading(engine) as connection:
        views: dict[str, BookingView] = {}
        for part in portions(booking_ids):
            query = select(t.appointment).where(t.appointment.c.booking_id.in_(part))
            for row in (await connection.execute(query)).mappings():
                view = view_of(row)
                views[view.booking_id] = view
        starts = await _starts(connection, moved)
        places = await _places(
            connection, sorted({one.provider_id for one in views.values()})
        )
    visits = {
        booking: VisitHistory(view, tuple(starts.get(booking, ())))
        for booking, view in views.items()
    }
    return visits, places


async def confidential_among(
    engine: AsyncEngine, booking_ids: Sequence[str]
) -> set[str]:
    """Which of these visits are confidential by now. Raises Unavailable."""
    row, found = t.appointment.c, set[str]()
    async with reading(engine) as connection:
        for part in portions(booking_ids):
            query = select(row.booking_id).where(
                row.booking_id.in_(part), row.confidential.is_(True)
            )
            found.update((await connection.scalars(query)).all())
    return found


async def places_of(
    engine: AsyncEngine, provider_ids: Sequence[str]
) -> Mapping[str, VisitPlace]:
    """Where these providers' visits take place. Raises Unavailable."""
    async with reading(engine) as connection:
        return await _places(connection, sorted(set(provider_ids)))


async def feed_visits(
    engine: AsyncEngine, *, patient: str, provider: str, first: int, limit: int
) -> tuple[Sequence[BookingView], Mapping[str, VisitPlace]]:
    """Visits of a patient, else of a provider, that begin from ``first`` on, by start.

    Cancelled ones are left out. Raises Unavailable.
    """
    row = t.appointment.c
    whose = row.patient_id == patient if patient else row.provider_id == provider
    query = (
        select(t.appointment)
        .where(
            whose,
            row.start_minute >= first,
            row.status != BookingStatus.CANCELLED.value,
        )
        .order_by(row.start_minute, row.booking_id)
        .limit(limit)
    )
    async with reading(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
        views = [view_of(one) for one in rows]
        providers = sorted({one.provider_id for one in views})
        return views, await _places(connection, providers)


async def _starts(
    connection: AsyncConnection, booking_ids: Sequence[str]
) -> Mapping[str, list[tuple[int, Minute]]]:
    row, found = t.appointment_history.c, defaultdict(list)
    for part in portions(booking_ids):
        query = (
            select(row.booking_id, row.version, row.start_minute)
            .where(row.booking_id.in_(part), row.start_minute.is_not(None))
            .order_by(row.booking_id, row.version)
        )
        for booking_id, version, start in await connection.execute(query):
            found[booking_id].append((version, Minute(start)))
    return found


async def _places(
    connection: AsyncConnection, provider_ids: Sequence[str]
) -> dict[str, VisitPlace]:
    provider, clinic, found = t.provider.c, t.clinic.c, {}
    for part in portions(provider_ids):
        query = (
            select(provider.provider_id, provider.name.label("provider"), t.clinic)
            .outerjoin(t.clinic, clinic.clinic_id == provider.clinic_id)
            .where(provider.provider_id.in_(part))
        )
        for row in (await connection.execute(query)).mappings():
            found[row["provider_id"]] = _place(row)
    return found


def _place(row: Any) -> VisitPlace:
    town = " ".join(part for part in (row["postcode"], row["city"]) if part)
    return VisitPlace(
        provider=row["provider"],
        clinic=row["name"] or "",
        address=", ".join(part for part in (row["address"], town) if part),
        phone=row["phone"] or "",
        time_zone=row["time_zone"] or "UTC",
    )
