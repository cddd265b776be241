"""The plain alternative, for comparison: FastAPI, SQLAlchemy, a lock, a table.

What a good team would build first: one transaction per booking that locks the
provider, looks for an overlap, inserts and commits durably. SQLite has no row locks,
so the lock is ``BEGIN IMMEDIATE``; ``synchronous=FULL`` makes the commit durable.

    uvicorn --factory loadtests.bench.plain_server:create
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from sqlalchemy import Index, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from loadtests.bench.plain_tables import Appointment, Base, Provider, Wish

Index("by_provider", Appointment.provider_id, Appointment.start)


def create() -> FastAPI:
    """The application, on the SQLite file named by ``PLAIN_DB``."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{os.environ['PLAIN_DB']}", pool_size=8
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _tune(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=60000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _lock(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    @event.listens_for(engine.sync_engine, "connect")
    def _manual(connection: object, _: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with sessions() as session, session.begin():
            for number in range(int(os.environ.get("PLAIN_PROVIDERS", "64"))):
                session.add(Provider(id=f"prv_bench{number:03d}"))
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/bookings", status_code=201)
    async def book(wish: Wish) -> dict[str, object]:
        start = int(wish.start.timestamp()) // 60
        async with sessions() as session, session.begin():
            return await _insert(session, wish, start, start + wish.minutes)

    return app


async def _insert(
    session: AsyncSession, wish: Wish, start: int, end: int
) -> dict[str, object]:
    """Lock, check for an overlap, insert; 409 when the time is taken."""
    locked = select(Provider).where(Provider.id == wish.provider_id).with_for_update()
    if (await session.scalars(locked)).first() is None:
        raise HTTPException(404, "no such provider")
    overlap = select(Appointment.id).where(
        Appointment.provider_id == wish.provider_id,
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
