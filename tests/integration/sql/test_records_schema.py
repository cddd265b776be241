"""The records' schema: its migrations make the tables of the models, everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from actors.errors import Unavailable
from persistence.jobs.models import JobRecord
from persistence.records.models import RECORDS
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.fixtures.read_model import empty_records

KINDS = ("sqlite", "asyncmy")


@pytest.mark.parametrize("kind", KINDS)
async def test_records_migrations_and_models_agree(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Upgrading an empty database gives just the tables of the models."""
    engine = open_engine(empty_records(kind, request, tmp_path), "reader")
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda c: compare_metadata(
                MigrationContext.configure(c, opts={"compare_type": False}),
                RECORDS.metadata,
            )
        )
    await engine.dispose()
    assert differences == []


async def test_records_on_sqlite_survive_a_power_cut(tmp_path: Path) -> None:
    """A commit is on the disk when it returns, and references are checked."""
    url = f"sqlite:///{tmp_path}/records.db"
    await migrate(url, RECORDS)
    records = Records(url)
    async with records.writing() as session:
        full = (await session.execute(text("PRAGMA synchronous"))).scalar_one()
        checked = (await session.execute(text("PRAGMA foreign_keys"))).scalar_one()
    await records.close()
    assert (full, checked) == (2, 1)


async def test_a_checkpoint_empties_the_log(tmp_path: Path) -> None:
    """Afterwards all that was written is in the file itself."""
    url = f"sqlite:///{tmp_path}/records.db"
    await migrate(url, RECORDS)
    records = Records(url)
    async with records.writing() as session:
        session.add(JobRecord(kind="k", key="1", payload={}, created_at=0))
    log = tmp_path / "records.db-wal"
    assert log.stat().st_size > 0
    await records.checkpoint()
    assert log.stat().st_size == 0
    await records.close()


async def test_missing_records_are_unavailable(tmp_path: Path) -> None:
    """A database that cannot be opened is a refusal that invites a retry."""
    records = Records(f"sqlite:///{tmp_path}/nowhere/records.db")
    with pytest.raises(Unavailable, match="the records"):
        async with records.reading() as session:
            await session.execute(text("SELECT 1"))
    await records.close()
