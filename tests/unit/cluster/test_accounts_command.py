"""``slotcast accounts``: the first administrator of a site; a last one is helped."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from care.accounts.accounts import AccountStatus, SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from cluster.checks.doctor import examine
from cluster.cli import app
from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.records.models import RECORDS
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.fixtures.small_site import made_site

EMAIL = "ada@example.org"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """With one account, which is a patient and has a factor and a code."""
    made = made_site(data=tmp_path / "data")
    asyncio.run(migrate(made.records_url, RECORDS))
    asyncio.run(_fill(made))
    _write(
        made,
        "INSERT INTO factor (factor_id, account_id, kind, label, last_step, credential,"
        " public_key, user_handle, sign_count, created_at) VALUES"
        " ('fac_1', 'acc_1', 'totp', 'phone', 0, x'', x'', x'', 0, 1)",
    )
    _write(made, "INSERT INTO recovery_code VALUES ('acc_1', 'a hash', NULL)")
    return made


async def _fill(site: Site) -> None:
    records, clock = Records(site.records_url), SystemClock()
    try:
        ring = KeyRing(records, site.key_encryption_keys(), clock)
        context = SignInContext("patient", "pat_1")
        wanted = DemoAccount(AccountId("acc_1"), EMAIL, context)
        stores = account_stores(records, ring)
        await stores.accounts.demo_account(wanted, now=clock.now())
    finally:
        await records.close()


def _write(site: Site, statement: str) -> None:
    with closing(sqlite3.connect(site.folder.records_file)) as database, database:
        database.execute(statement)


def _rows(site: Site, query: str) -> list[Any]:
    with closing(sqlite3.connect(site.folder.records_file)) as database:
        return database.execute(query).fetchall()


def _call(site: Site, *words: str) -> Result:
    folder = str(site.folder.path)
    return CliRunner().invoke(app, ["accounts", *words, "--data", folder])


def test_a_site_gets_its_first_administrator(site: Site) -> None:
    """By the address, however it is written; once, and with its entry of the trail."""
    found = {one.name: one for one in asyncio.run(examine(site))}
    assert "no account" in found["administrator"].said
    done = _call(site, "make-admin", "Ada@Example.org")
    assert done.exit_code == 0, done.output
    held = _rows(site, "SELECT account_id, role, tenant FROM platform_role")
    assert held == [("acc_1", "admin", "")]
    found = {one.name: one for one in asyncio.run(examine(site))}
    assert found["administrator"].said == "1 can sign in"
    again = _call(site, "make-admin", EMAIL)
    assert "already" in again.output
    entries = _rows(site, "SELECT actor, action FROM audit_pending")
    assert entries == [("operator", "grant_platform_role")]


def test_an_account_that_cannot_sign_in_administers_nothing(site: Site) -> None:
    """Unknown and unconfirmed addresses are refused, with what to do."""
    unknown = _call(site, "make-admin", "eve@example.org")
    assert isinstance(unknown.exception, Obstacle)
    pending = AccountStatus.PENDING.value
    _write(site, f"UPDATE account SET status = '{pending}'")
    refused = _call(site, "make-admin", EMAIL)
    assert isinstance(refused.exception, Obstacle)
    assert _rows(site, "SELECT * FROM platform_role") == []


def test_lost_factors_are_removed(site: Site) -> None:
    """Factors and codes are gone, the owner is told, the trail has it."""
    done = _call(site, "reset-factors", EMAIL)
    assert done.exit_code == 0, done.output
    for table in ("factor", "recovery_code"):
        assert _rows(site, f"SELECT * FROM {table}") == []
    assert len(_rows(site, "SELECT * FROM outgoing_message")) == 1
    entries = _rows(site, "SELECT actor, action FROM audit_pending")
    assert entries == [("operator", "reset_factors")]
    unknown = _call(site, "reset-factors", "eve@example.org")
    assert isinstance(unknown.exception, Obstacle)
