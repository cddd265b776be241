"""The plain alternative on MariaDB or MySQL: what a careful team would build first.

FastAPI, SQLAlchemy and asyncmy; one READ COMMITTED transaction per booking that locks
the provider's row (``SELECT … FOR UPDATE``), looks for an overlap, inserts, commits.
A unique key on provider and start is the last safeguard. The overlap query reads a
short range of an index, not the whole calendar. No token is checked, no idempotency
key is kept, nothing is pushed.

    PLAIN_URL=mysql+asyncmy://… PLAIN_POOL=16 \
        uvicorn --factory loadtests.bench.plain_sql:create --workers 2
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from sqlalchemy import Index, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from loadtests.bench.plain_tables import (
    LONGEST_MINUTES,
    Appointment,
    Base,
    Provider,
    Wish,
)

Index("provider_start", Appointment.provider_id, Appointment.start, unique=True)


def _engine(pool: int) -> AsyncEngine:
    return create_async_engine(
        os.environ["PLAIN_URL"],
        isolation_level="READ COMMITTED",
        pool_size=pool,
        max_overflow=0,
        pool_timeout=120,
        pool_pre_ping=False,  # saves a round trip, in favour of the plain server
    )


async def prepare(providers: int) -> None:
    """Drop and create the tables of ``PLAIN_URL``, with providers."""
    engine = _engine(1)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
        rows = [{"id": f"prv_bench{number:03d}"} for number in range(providers)]
        await connection.execute(insert(Provider), rows)
    await engine.dispose()


def create() -> FastAPI:
    """The application; ``PLAIN_POOL`` connections in each worker."""
    engine = _engine(int(os.environ.get("PLAIN_POOL", "16")))
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/bookings", status_code=201)
    async def book(wish: Wish) -> dict[str, object]:
        start = int(wish.start.timestamp()) // 60
        try:
            async with sessions() as session, session.begin():
                return await _insert(session, wish, start, start + wish.minutes)
        except IntegrityError as error:
            raise HTTPException(409, "taken") from error

    return app


async def _insert(
    session: AsyncSession, wish: Wish, start: int, end: int
) -> dict[str, object]:
    """Lock, check for an overlap, insert; 409 when the time is taken."""
    locked = select(Provider.id).where(Provider.id == wish.provider_id)
    if (await session.scalars(locked.with_for_update())).first() is None:
        raise HTTPException(404, "no such provider")
    overlap = select(Appointment.id).where(
        Appointment.provider_id == wish.provider_id,
        Appointment.start > start - LONGEST_MINUTES,
        Appointment.start < end,
        Appointment.end > start,
    )
    if (await session.scalars(overlap.limit(1))).first() is not None:
        raise HTTPException(409, "taken")
    made = Appointment(
        provider_id=wish.provider_id, patient_id=wish.patient_id, start=start, end=end
    )
    session.add(made)
    await session.flush()
    return {"booking_id": made.id, "start": wish.start.isoformat()}
