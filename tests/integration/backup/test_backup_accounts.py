"""Accounts in a backup, from and to SQLite and MariaDB: every row, and they sign in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import Connection

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import DAY_MS, Delivery, Session
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId, SessionId
from care.accounts.ports import AccountStores, Flow, NewAccount
from care.notices.messages import Message
from care.patients.ports import NewPatient
from care.patients.profiles import PatientProfile
from cluster.backup.opening import opened_place
from cluster.backup.restoring import Restore
from cluster.backup.saving import AUDIT_ANCHORS, Backup
from cluster.backup.target import Target
from cluster.site.settings import read_settings
from cluster.site.site import Site
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.patients.store import SqlPatients
from persistence.records.models import RECORDS
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.factories import NOW
from tests.fakes.clocks import SteppedClock
from tests.fixtures.full_records import fill, plain_rows
from tests.fixtures.small_site import lived_in, made_site

if TYPE_CHECKING:
    from tests.fixtures.mariadb import MariaDbServer

pytestmark = pytest.mark.timeout(120)

MIRA = "mira@example.org"
BY_STORES = ("data_key", AUDIT_ANCHORS)
"""What is not filled at random: keys must open, and anchors are saved as files."""


def quiet(_text: str) -> None:
    """No terminal waits for words."""


def _database(kind: str, name: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of an empty database of this kind."""
    if kind == "sqlite":
        return {}
    server = cast("MariaDbServer", request.getfixturevalue("mariadb_server"))
    return {"database": server.url(server.create_database(f"accounts_{name}"))}


async def _do(site: Site, work: Callable[[Connection], Any]) -> Any:
    engine = open_engine(site.records_url, "upkeep")
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def _rows(site: Site) -> dict[str, list[Any]]:
    rows = await _do(site, lambda one: plain_rows(one, RECORDS.metadata))
    return {name: of for name, of in rows.items() if name != AUDIT_ANCHORS}


def _stores(site: Site) -> tuple[Records, KeyRing, AccountStores]:
    records = Records(site.records_url)
    ring = KeyRing(records, site.key_encryption_keys(), SteppedClock(NOW))
    return records, ring, account_stores(records, ring)


async def _people(site: Site) -> None:
    """A person with a session, a patient whose profile is sealed; rows everywhere."""
    await migrate(site.records_url, RECORDS)
    records, ring, stores = _stores(site)
    secret = Flow(FlowKind.VERIFY_EMAIL, "secret", Millis(NOW + DAY_MS))
    account, patient = AccountId("acc_mira"), PatientId("pat_mira")
    new = NewAccount(account, patient, MIRA, "a hash", "de", secret)
    mail = Message("verify_email", MIRA, "Welcome", "a link")
    await stores.accounts.register(new, welcome=mail, known=mail, now=NOW)
    assert await stores.accounts.verify_email("secret", now=NOW)
    await stores.sessions.open_session(_session(account))
    profile = PatientProfile(family_name="Zimtstern", birth_date="1980-02-29")
    known = NewPatient(PatientId("pat_known"), profile, account)
    await SqlPatients(records, ring).add(known, now=NOW)
    await records.close()
    await _do(site, lambda one: fill(one, 7, spared=BY_STORES))


def _session(account: AccountId) -> Session:
    return Session(
        session_id=SessionId("ses_mira"),
        account_id=account,
        salt=b"\x00salt\xff",
        generation=3,
        seen_generation=2,
        rotated_at=NOW,
        created_at=NOW,
        authenticated_at=NOW,
        level=2,
        active_at=NOW,
        idle_ms=DAY_MS,
        ends_at=Millis(NOW + DAY_MS),
        delivery=Delivery.COOKIE,
        agent="Żak's browser 🏥",
    )


@pytest.mark.parametrize(("old", "new"), [("sqlite", "asyncmy"), ("asyncmy", "sqlite")])
async def test_accounts_are_saved_and_restored(
    old: str, new: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Each row of each table is the same; people sign in, and what is sealed opens."""
    name = f"{old}_{new}"
    site = made_site(data=tmp_path / "old", **_database(old, f"of_{name}", request))
    await lived_in(site)
    await _people(site)
    before = await _rows(site)
    assert all(of for table, of in before.items() if table != "alembic_version")
    async with opened_place(str(tmp_path / "saved")) as place:
        # The layout is compared by the environment's settings; these are its own.
        saving = Backup(site, place, quiet, layout_now=lambda: site.layout)
        await saving.run(with_secrets=True)
    settings = read_settings(
        data=tmp_path / "new", **_database(new, f"to_{name}", request)
    )
    async with opened_place(str(tmp_path / "saved")) as place:
        verdict = await Restore(settings, place, quiet).run(again=False)
    assert verdict.problems == []
    restored = Site(settings, Target(settings).folder, site.layout)
    assert await _rows(restored) == before
    await _signs_in(restored)


async def _signs_in(site: Site) -> None:
    records, ring, stores = _stores(site)
    attempt = await stores.credentials.attempt(MIRA, known_device=True, now=NOW)
    assert attempt.account is not None
    account = attempt.account.account_id
    assert (account, attempt.password_hash) == ("acc_mira", "a hash")
    assert attempt.account.email == MIRA
    contexts = await stores.accounts.contexts(account)
    assert [one.name for one in contexts] == ["patient pat_mira"]
    assert await stores.sessions.sessions(account) == [_session(account)]
    found = await SqlPatients(records, ring).find(PatientId("pat_known"))
    assert found is not None
    assert found.profile.family_name == "Zimtstern"
    await records.close()
