"""With a guard of the projection removed, its test must fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.domain.ids import ShardId
from persistence.readmodel import tables as t
from persistence.readmodel.projection import operations_of as projection
from persistence.readmodel.projection import plan as planning
from persistence.readmodel.projection import sql as projection_sql
from persistence.readmodel.projection.operations import DropClaims
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.readmodel.projection.store import Mismatch, Offset
from persistence.readmodel.tables import READ_MODEL
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from tests.contracts import test_projection_contract as contract
from tests.fixtures.rows import Rows, sql_summary
from tests.fixtures.story import SHARD, Story, StoryJournal
from tests.integration.projection import test_sqlite_rebuild as rebuilds


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite:///{tmp_path}/m.db"
    await migrate(url, READ_MODEL)
    opened = open_engine(url, "projector")
    yield opened
    await opened.dispose()


@pytest.fixture
def model(engine: AsyncEngine) -> contract.Model:
    async def rows() -> Rows:
        return await sql_summary(engine)

    return contract.Model(SqlProjectionStore(engine), rows)


def set_offset(
    connection: Connection, shard: ShardId, _prev: int, offset: Offset
) -> None:
    """What moving the offset would be without the compare."""
    table = t.projection_offset
    values = {"seq": offset.seq, "epoch": offset.epoch}
    mine = table.c.shard == shard
    done = connection.execute(update(table).where(mine).values(values))
    if not done.rowcount:
        row = {"shard": shard, "outbox_seq": 0, **values}
        connection.execute(insert(table).values(row))


async def test_without_the_compare_two_projectors_do_harm(
    model: contract.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compare-and-set on the offset is what makes two projectors harmless."""
    monkeypatch.setattr(projection_sql, "_move_offset", set_offset)
    with pytest.raises(AssertionError):
        await contract.test_two_projectors_are_harmless(model)


async def test_without_the_compare_an_old_batch_is_taken(
    model: contract.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch from an old offset is refused by nothing else."""
    monkeypatch.setattr(projection_sql, "_move_offset", set_offset)
    with pytest.raises(AssertionError):
        await contract.test_the_offset_guards_every_row(model)


async def test_without_claims_a_slot_given_twice_is_not_seen(
    model: contract.Model,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Claim rows are the detector: without them nothing notices."""

    def no_claims(_connection: Any, _plan: Any) -> None:
        """Writes none."""

    monkeypatch.setattr(projection_sql, "write_claims", no_claims)
    with pytest.raises(AssertionError):
        await contract.test_a_slot_given_twice_is_parked(model, caplog)


async def test_without_the_order_of_claims_the_detector_sleeps(
    model: contract.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All releases of a batch first: an overlap that was undone goes unseen."""
    planners = planning._PLANNERS

    def first(plan: planning.Plan, operation: DropClaims) -> None:
        plan._phase(0).drops.append(operation)
        adds = plan._phase(0).adds
        adds[:] = [a for a in adds if a.booking_id != operation.booking_id]

    monkeypatch.setitem(planners, DropClaims, first)
    with pytest.raises(AssertionError):
        await contract.test_a_double_booking_undone_in_the_same_batch_is_still_seen(
            model
        )


async def test_without_the_order_of_claims_the_detector_cries_wolf(
    model: contract.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All claims of a batch first: a slot that was given back raises an alarm."""

    def last(plan: planning.Plan, operation: DropClaims) -> None:
        plan._phase(1).drops.append(operation)

    monkeypatch.setitem(planning._PLANNERS, DropClaims, last)
    rows_before = await model.rows()
    assert rows_before["slot_claim"] == []
    # Record by record there is no false alarm, but the batch must have been refused.
    journal = StoryJournal()
    story = Story()
    journal.tell(SHARD, story.booked(1), story.cancelled(1), story.booked(2))
    operations = [
        op
        for record in journal.records[SHARD]
        for op in projection.project(SHARD, record)
    ]
    outcome = await model.store.apply(SHARD, 0, Offset(3, 1), operations)
    assert isinstance(outcome, Mismatch)


async def test_without_the_mark_a_rebuild_tells_everyone_again(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outbox mark is what keeps a rebuild quiet."""

    def all_of_it(connection: Connection, _shard: Any, plan: Any, _offset: Any) -> None:
        for add in plan.outbox:
            row = {"event_id": add.event_id + "'", "kind": add.kind, "attempts": 0}
            row.update(payload=add.payload, created_at=add.at)
            connection.execute(insert(t.outbox).values(row))

    monkeypatch.setattr(projection_sql, "_write_outbox", all_of_it)
    with pytest.raises(AssertionError):
        await rebuilds.test_a_lost_database_tells_nobody_of_the_past(engine)
