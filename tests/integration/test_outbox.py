"""Claiming, sending and giving up notices, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import Millis
from persistence.notices.outbox import ATTEMPTS_MAX, Outbox, OutboxCounts
from persistence.readmodel import tables as t
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.sql.engine import open_engine
from tests.fixtures.read_model import SQL, empty_read_model
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal

NOW = Millis(1_000_000)


@pytest.fixture(params=SQL)
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AsyncEngine]:
    """Five notices that wait."""
    opened = open_engine(empty_read_model(request.param, request, tmp_path), "writer")
    story, journal = Story(), StoryJournal()
    journal.tell(SHARD, *(story.booked(n, NINE + 60 * n) for n in range(5)))
    await Projector(journal, SqlProjectionStore(opened), FixedClock()).step()
    yield opened
    await opened.dispose()


async def test_notices_are_claimed_oldest_first(engine: AsyncEngine) -> None:
    """A claim names the event, the kind, the payload and the attempt."""
    outbox = Outbox(engine)
    claimed = await outbox.claim("a", now=NOW, lease_ms=1_000, limit=2)
    assert [one.event_id for one in claimed] == ["s0000-1", "s0000-2"]
    assert claimed[0].kind == "booking.booked"
    assert claimed[0].payload["booking_id"] == "bkg_1.0"
    assert claimed[0].attempt == 1


async def test_two_senders_never_hold_one_notice(engine: AsyncEngine) -> None:
    """Whoever asks at the same time gets others."""
    one, two = Outbox(engine), Outbox(engine)
    batches = await asyncio.gather(
        *(box.claim("x", now=NOW, lease_ms=1_000, limit=2) for box in (one, two, one))
    )
    ids = [notice.id for batch in batches for notice in batch]
    assert len(ids) == len(set(ids)) == 5


async def test_a_dead_senders_claim_runs_out(engine: AsyncEngine) -> None:
    """After the lease another sender gets it, and the first can no more mark it."""
    outbox = Outbox(engine)
    (first,) = await outbox.claim("dies", now=NOW, lease_ms=1_000, limit=1)
    assert len(await outbox.claim("b", now=NOW, lease_ms=9_000, limit=9)) == 4
    assert not await outbox.claim("b", now=Millis(NOW + 999), lease_ms=1, limit=9)
    later = Millis(NOW + 1_000)
    (again,) = await outbox.claim("b", now=later, lease_ms=1_000, limit=9)
    assert (again.id, again.attempt) == (first.id, 2)
    assert not await outbox.sent(first, now=later)
    assert await outbox.sent(again, now=later)
    assert not await outbox.sent(again, now=later)
    assert await outbox.counts() == OutboxCounts(waiting=4, sent=1, dead=0)


async def test_failures_wait_longer_each_time(engine: AsyncEngine) -> None:
    """The wait doubles; after the last attempt a person must look."""
    outbox, now = Outbox(engine), NOW
    waits = []
    for attempt in range(1, ATTEMPTS_MAX + 1):
        (notice,) = await outbox.claim("a", now=now, lease_ms=10, limit=1)
        assert notice.attempt == attempt
        assert await outbox.failed(notice, "refused", now=now)
        async with engine.connect() as connection:
            row = t.outbox.c
            due = await connection.scalar(select(row.due_at).where(row.id == notice.id))
        if due is not None:
            waits.append(due - now)
            now = Millis(due)
            others = await outbox.claim("b", now=Millis(now - 1), lease_ms=1, limit=9)
            for other in others:
                await outbox.sent(other, now=now)
    assert waits[:3] == [1_000, 2_000, 4_000]
    assert len(waits) == ATTEMPTS_MAX - 1
    assert max(waits) <= 3_600_000
    assert (await outbox.counts()).dead == 1
    assert await outbox.revive(now=now) == 1
    (notice,) = await outbox.claim("a", now=now, lease_ms=10, limit=1)
    assert notice.attempt == 1
