"""Records in a backup: what no journal holds comes back with the rest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from actors.domain.ids import ShardId
from care.audit.verifying import AuditReport
from care.jobs.jobs import NewJob
from cluster.backup.opening import opened_place
from cluster.backup.restoring import Restore
from cluster.backup.saving import Backup
from cluster.clock import SystemClock
from cluster.site.settings import read_settings
from cluster.site.site import Site, existing_site
from cluster.site.stores import open_journal
from persistence.audit.anchors import AuditAnchors
from persistence.audit.following import JournalAudit
from persistence.audit.store import SqlAudit
from persistence.jobs.queue import SqlJobQueue
from persistence.keys.ring import KeyRing
from persistence.readmodel.queries.clinics import clinics_of
from persistence.records.models import RECORDS as SCHEMA_OF_RECORDS
from persistence.sql.engine import open_engine
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


async def _trail_of(site: Site) -> tuple[AuditReport, int]:
    """The trail's verification, after the journal was followed once more."""
    clock = SystemClock()
    records = Records(site.records_url)
    engine = open_engine(site.database_url, "reader")
    ring = KeyRing(records, site.key_encryption_keys(), clock)
    anchors = AuditAnchors(records, ring, clock, site.audit_anchors)
    journal = open_journal(site.stores)

    async def projected_to() -> dict[ShardId, int]:
        return dict.fromkeys(await journal.shards(), 1 << 40)

    follower = JournalAudit(
        journal,
        records,
        ring,
        clock,
        clinics_of=partial(clinics_of, engine),
        projected_to=projected_to,
    )
    followed = await follower.step()
    await anchors.step()
    report = await SqlAudit(records, ring, anchors).verify()
    await journal.close()
    await engine.dispose()
    await records.close()
    return report, followed


async def test_the_audit_trail_and_its_anchors_are_restored(tmp_path: Path) -> None:
    """It verifies, and neither the restore nor a rebuild of SQL repeats an entry."""
    site = made_site(data=tmp_path / "old")
    await lived_in(site)
    await migrate(site.records_url, SCHEMA_OF_RECORDS)
    before, followed = await _trail_of(site)
    assert followed > 0
    assert before.ok, before
    assert before.anchors > 0
    place = tmp_path / "saved"
    async with opened_place(str(place)) as opened:
        await Backup(site, opened, quiet).run(with_secrets=True)
    async with opened_place(str(place)) as opened:
        await Restore(read_settings(data=tmp_path / "new"), opened, quiet).run(
            again=False
        )
    new = existing_site(tmp_path / "new")
    rebuilt = run_command("projection", "rebuild", SLOTCAST_DATA=str(new.folder.path))
    assert rebuilt.returncode == 0, rebuilt.stderr
    after, followed = await _trail_of(new)
    assert after.ok, after
    assert after.anchors >= before.anchors
    assert (followed, after.entries) == (0, before.entries)
    shown = run_command("audit", "verify", SLOTCAST_DATA=str(new.folder.path))
    assert (shown.returncode, "is whole" in shown.stdout) == (0, True), shown.stderr
