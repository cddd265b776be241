"""The demo region's patients have names, on demo sites only."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from actors.domain.ids import ClinicId, PatientId
from care.patients.demo import DEMO_PROFILES
from cluster.clock import SystemClock
from cluster.filling.patients import introduce, profile_of
from cluster.filling.sow import Met, sow
from cluster.site.data_folder import DataFolder
from cluster.site.settings import read_settings
from cluster.site.site import Site, make_site
from persistence.keys.ring import KeyRing
from persistence.patients.store import SqlPatients
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.unit.cluster.filling.test_seed import CalendarsHere

DAY = date(2026, 12, 1)


def _site(folder: Path, demo: str) -> Site:
    settings = read_settings(data=folder, demo=demo)
    folder.mkdir()
    data = DataFolder(folder)
    return Site(settings, data, make_site(data, settings, DAY, None))


async def _names(
    site: Site, booked: Met
) -> tuple[dict[PatientId, str], set[tuple[ClinicId, PatientId]]]:
    await migrate(site.records_url, RECORDS)
    records = Records(site.records_url)
    try:
        ring = KeyRing(records, site.key_encryption_keys(), SystemClock())
        store = SqlPatients(records, ring)
        people = [patient for _, patient in booked]
        names = await store.names(people)
        known = {
            (clinic, patient)
            for patient in names
            for clinic in await store.clinics_of(patient)
        }
        return dict(names), known
    finally:
        await records.close()


async def test_who_is_booked_in_the_region_is_known_by_name(tmp_path: Path) -> None:
    """Every patient of an accepted booking, at that clinic; the log-ins' people too."""
    met: Met = set()
    await sow(CalendarsHere(), DAY, lambda *_: None, met)
    assert len({clinic for clinic, _ in met}) == 12
    site = _site(tmp_path / "data", "on")
    await introduce(site, met)
    names, known = await _names(site, met)
    assert names == {patient: profile_of(patient).name for _, patient in met}
    assert known == met
    assert all(names[one] == profile.name for one, profile in DEMO_PROFILES.items())
    assert len(set(names.values())) > len(names) * 0.85


async def test_a_site_that_is_no_demo_gets_no_invented_people(tmp_path: Path) -> None:
    """Seeded for a load test behind a public address, say."""
    site = _site(tmp_path / "data", "off")
    met = {(ClinicId("cln_1"), PatientId("pat_7"))}
    await introduce(site, met)
    assert await _names(site, met) == ({}, set())
