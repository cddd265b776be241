"""Whose clinic a provider belongs to, as the read model knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ProviderId
from persistence.readmodel import tables as t
from persistence.sql.engine import reading
from persistence.sql.statements import portions


async def clinics_of(
    engine: AsyncEngine, providers: Sequence[ProviderId]
) -> Mapping[ProviderId, str]:
    """The clinics of those providers that have a row. Raises Unavailable."""
    row, found = t.provider.c, {}
    async with reading(engine) as connection:
        for part in portions(providers):
            query = select(row.provider_id, row.clinic_id).where(
                row.provider_id.in_(part)
            )
            for one in (await connection.execute(query)).all():
                found[ProviderId(one.provider_id)] = str(one.clinic_id)
    return found
