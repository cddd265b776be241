"""Claims of visits long past are let go, and of no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import select

from actors.domain.ids import Millis, ShardId
from persistence.readmodel import tables as t
from persistence.readmodel.projection import claim_purge
from persistence.readmodel.projection.claim_purge import (
    KEEP_MS,
    ClaimPurge,
    oldest_kept,
)
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.sql.engine import open_engine
from tests.fixtures.read_model import empty_read_model
from tests.fixtures.story import NINE, SHARD, FixedClock, Story, StoryJournal

DAY = 24 * 60


@pytest.mark.parametrize("kind", ["sqlite", "asyncmy", "aiomysql"])
async def test_only_old_claims_go(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the time of the shard's newest event, step by step, round after round."""
    monkeypatch.setattr(claim_purge, "PROVIDERS_PER_STEP", 2)
    monkeypatch.setattr(claim_purge, "CELLS_PER_STEP", 288)
    engine = open_engine(empty_read_model(kind, request, tmp_path), "projector")
    journal = StoryJournal()
    stories = [Story(number) for number in range(1, 6)]
    for story in stories:
        visits = [story.booked(n, NINE + n * DAY) for n in range(1, 8)]
        journal.tell(SHARD, story.registered(), *visits)
    quiet = Story(9)
    journal.tell(ShardId("s0001"), quiet.registered(), quiet.booked(1))
    projector = Projector(journal, SqlProjectionStore(engine), FixedClock())
    await projector.step()
    purge = ClaimPurge(engine, 5)
    assert [await purge.step() for _ in range(4)] == [0, 0, 0, 0]

    newest = (NINE + 4 * DAY) * 60_000 + KEEP_MS
    arrived = structs.replace(stories[0].arrived(7), at=Millis(newest))
    journal.tell(SHARD, arrived)
    await projector.step()
    while sum([await purge.step() for _ in range(4)]):
        pass
    async with engine.connect() as connection:
        claim = t.slot_claim.c
        rows = (await connection.execute(select(claim.booking_id, claim.cell))).all()
    await engine.dispose()
    cut = oldest_kept(newest, 5)
    assert min(cell for booking, cell in rows if booking != "bkg_9.1") == cut
    kept = {booking for booking, _ in rows}
    assert kept == {f"bkg_{p}.{n}" for p in range(1, 6) for n in range(4, 8)} | {
        "bkg_9.1"  # its shard has seen nothing newer
    }
