"""Records in a backup: what no journal holds comes back with the rest."""

from __future__ import annotations

from pathlib import Path

from care.jobs.jobs import NewJob
from cluster.backup.opening import opened_place
from cluster.backup.restoring import Restore
from cluster.backup.saving import Backup
from cluster.site.settings import read_settings
from cluster.site.site import existing_site
from persistence.jobs.queue import SqlJobQueue
from persistence.records.models import RECORDS as SCHEMA_OF_RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.factories import NOW
from tests.fixtures.server import run_command
from tests.fixtures.small_site import lived_in, made_site


def quiet(_text: str) -> None:
    """No terminal waits for words."""


async def test_records_are_restored_and_a_rebuild_leaves_them_alone(
    tmp_path: Path,
) -> None:
    """Rows that no journal holds come back, and rebuilding SQL does not touch them."""
    site = made_site(data=tmp_path / "old")
    await lived_in(site)
    await migrate(site.records_url, SCHEMA_OF_RECORDS)
    job = NewJob("remind", "bkg_1/24h", NOW, {"booking_id": "bkg_1"})
    records = Records(site.records_url)
    assert await SqlJobQueue(records.engine).add([job], now=NOW) == 1
    await records.close()
    place = tmp_path / "saved"
    async with opened_place(str(place)) as opened:
        await Backup(site, opened, quiet).run(with_secrets=False)
    async with opened_place(str(place)) as opened:
        await Restore(read_settings(data=tmp_path / "new"), opened, quiet).run(
            again=False
        )
    new = existing_site(tmp_path / "new")
    rebuilt = run_command("projection", "rebuild", SLOTCAST_DATA=str(new.folder.path))
    assert rebuilt.returncode == 0, rebuilt.stderr
    records = Records(new.records_url)
    claimed = await SqlJobQueue(records.engine).claim(
        "w", kinds={"remind"}, now=NOW, lease_ms=1, limit=9
    )
    await records.close()
    assert [(one.key, one.payload) for one in claimed] == [(job.key, job.payload)]
