"""A site whose cells are not of five minutes: its claims are numbered by its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.site.stores import open_journal, open_snapshots
from persistence.readmodel.rebuilding.from_calendars import SnapshotSeeds
from persistence.readmodel.rebuilding.rebuild import rebuild
from persistence.sql.engine import open_engine
from tests.fixtures.small_site import lived_in, made_site
from tests.integration.backup.test_backup import backed_up, restored, trimmed_backup
from tests.integration.moving.test_resharding import resharded, verified

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("SLOTCAST_CELL_MINUTES", "15")
    return await lived_in(made_site(data=tmp_path / "data"))


async def test_caught_up_after_a_resharding(site: Site) -> None:
    """What the read model lacked is claimed in the site's cells."""
    assert (await verified(await resharded(site, 3))).problems == []


async def test_restored(site: Site, tmp_path: Path) -> None:
    """A backup whose SQL is behind is a site again."""
    await backed_up(site, str(tmp_path / "saved"))
    verdict = await restored(str(tmp_path / "saved"), tmp_path / "new")
    assert verdict.problems == []


@pytest.mark.parametrize("trimmed", [False, True])
async def test_made_anew(site: Site, tmp_path: Path, *, trimmed: bool) -> None:
    """From the journal, and from calendars at rest."""
    after = await resharded(site, 3) if not trimmed else site
    if trimmed:
        await trimmed_backup(site, tmp_path)
    journal, snapshots = open_journal(after.stores), open_snapshots(after.stores)
    engine = open_engine(after.database_url, "upkeep")
    policy = after.settings.policy
    seeds = SnapshotSeeds(snapshots, policy)
    clock, cell_minutes = SystemClock(), policy.cell_minutes
    await rebuild(journal, engine, clock, seeds=seeds, cell_minutes=cell_minutes)
    await engine.dispose()
    await snapshots.close()
    await journal.close()
    assert (await verified(after)).problems == []
