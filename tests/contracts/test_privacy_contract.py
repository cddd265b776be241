"""What a store for privacy promises, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from actors.domain.ids import Millis, PatientId
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId
from care.accounts.ports import Flow, NewAccount
from care.keys.sealing import KeyEncryptionKeys
from care.notices.messages import Message
from care.privacy.requests import DAY_MS, ErasureRefused, RequestKind, Retention
from persistence.accounts.models import AccountRecord, PatientRecord
from persistence.accounts.store import account_stores
from persistence.audit.sealing import AuditSealer
from persistence.keys.ring import KeyRing
from persistence.privacy.retaining import SqlRetention
from persistence.privacy.store import SqlPrivacy
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
NOW = make.NOW
MIRA = PatientId("pat_1")


@pytest.fixture(params=("sqlite", "asyncmy"))
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """One registered patient, with a session."""
    opened = Records(empty_records(request.param, request, tmp_path))
    ring = KeyRing(opened, KEKS, SteppedClock(NOW))
    message = Message("verify_email", "mira@example.org", "Welcome", "a link")
    new = NewAccount(
        account_id=AccountId("acc_1"),
        patient_id=MIRA,
        email="mira@example.org",
        password_hash="a hash",
        language="de",
        verify=Flow(FlowKind.VERIFY_EMAIL, "secret", Millis(NOW + DAY_MS)),
    )
    stores = account_stores(opened, ring)
    await stores.accounts.register(new, welcome=message, known=message, now=NOW)
    yield opened
    await opened.close()


def _store(records: Records) -> SqlPrivacy:
    return SqlPrivacy(records, KeyRing(records, KEKS, SteppedClock(NOW)))


async def test_an_erasure_is_whole_and_may_be_repeated(records: Records) -> None:
    """Rows are emptied, the report counts them, and a second one finds nothing."""
    store = _store(records)
    first = await store.erase(MIRA, "acc_9", {"fulfilled": 2}, now=NOW)
    assert first.rows["account"] == first.rows["password"] == 1
    assert first.rows["outgoing_message"] == 1
    second = await store.erase(MIRA, "acc_9", {}, now=NOW)
    assert "account" not in second.rows
    async with records.reading() as session:
        row = await session.get(PatientRecord, MIRA)
        account = await session.get(AccountRecord, "acc_1")
    assert row is not None
    assert account is not None
    assert (row.key_salt, row.profile, account.status) == (None, None, "erased")
    sealer = AuditSealer(records, KeyRing(records, KEKS, SteppedClock(NOW)))
    assert await sealer.step() == 2


async def test_a_refused_erasure_changes_nothing(records: Records) -> None:
    """A legal hold: neither the salt nor the account is touched, nor the trail."""
    async with records.writing() as session:
        await session.execute(update(PatientRecord).values(hold_until=NOW + 1))
    with pytest.raises(ErasureRefused):
        await _store(records).erase(MIRA, "acc_9", {}, now=NOW)
    async with records.reading() as session:
        row = (await session.scalars(select(PatientRecord))).one()
        account = (await session.scalars(select(AccountRecord))).one()
    assert row.key_salt is not None
    assert account.status != "erased"


async def test_requests_are_ordered_by_when_they_are_due(records: Records) -> None:
    """One of a kind is open at a time; a finished one is no longer listed."""
    store = _store(records)
    one = await store.ask(MIRA, RequestKind.CORRECT, "acc_1", now=NOW)
    assert await store.ask(MIRA, RequestKind.CORRECT, "acc_1", now=Millis(NOW + 1)) == (
        one
    )
    two = await store.ask(MIRA, RequestKind.ERASE, "acc_1", now=Millis(NOW + 2))
    assert list(await store.open_requests(limit=9)) == [one, two]
    await store.finish(one.request_id, {"decided_by": "acc_9"}, now=Millis(NOW + 3))
    assert list(await store.open_requests(limit=9)) == [two]
    done = await store.request(one.request_id)
    assert done is not None
    assert (done.done_at, done.report) == (NOW + 3, {"decided_by": "acc_9"})


async def test_retention_removes_what_is_over(records: Records) -> None:
    """Messages and links after their days, none before; again it finds nothing."""
    retention = SqlRetention(records, Retention(messages=2))
    assert sum((await retention.apply(now=NOW)).values()) == 0
    later = Millis(NOW + 30 * DAY_MS)
    removed = await retention.apply(now=later)
    assert (removed["outgoing_message"], removed["auth_flow"]) == (1, 1)
    assert sum((await retention.apply(now=later)).values()) == 0
