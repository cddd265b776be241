"""What a store for privacy promises, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import ACCESS_MS
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId
from care.accounts.ports import Flow, NewAccount
from care.keys.sealing import KeyEncryptionKeys
from care.notices.messages import Message
from care.privacy.requests import (
    DAY_MS,
    ErasureRefused,
    ErasureReport,
    RequestKind,
    Retention,
    SuccessorNeeded,
)
from persistence.accounts.models import (
    AccountRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
    SessionRecord,
)
from persistence.accounts.rows import email_place
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


async def _two_admins(records: Records) -> tuple[AccountId, AccountId]:
    """The registered account and another one, both administrators of all there is."""
    people = (AccountId("acc_1"), AccountId("acc_2"))
    async with records.writing() as session:
        first = await session.get_one(AccountRecord, people[0])
        session.add(
            AccountRecord(
                account_id=people[1],
                status="active",
                email=first.email,
                email_i="another",
                language="de",
                created_at=NOW,
            )
        )
        first.status = "active"
        await session.flush()
        for one in people:
            session.add(
                MembershipRecord(
                    membership_id=f"mem_{one}",
                    account_id=one,
                    clinic_id="cln_1",
                    role="clinic_admin",
                    since=1,
                    ended_key="",
                )
            )
            session.add(
                PlatformRoleRecord(
                    account_id=one, role="admin", tenant="", grant_id=one, since=1
                )
            )
        keys = await KeyRing(records, KEKS, SteppedClock(NOW)).of()
        second = await session.get_one(AccountRecord, people[1])
        second.email = keys.seal(email_place(people[1]), "noor@example.org")
    return people


async def test_of_two_last_administrators_one_stays(records: Records) -> None:
    """Both are erased at once: one is done, the other must name a successor."""
    people = await _two_admins(records)
    store = _store(records)
    assert (await store.holdings(people[0])).alone == []
    done = await asyncio.gather(
        *(store.erase_account(one, "acc_9", {}, now=NOW) for one in people),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, SuccessorNeeded)]
    assert [one.places for one in refused] == [("cln_1", "site")]
    (report,) = [one for one in done if isinstance(one, ErasureReport)]
    assert report.rows["membership"] == report.rows["platform_role"] == 1
    (left,) = set(people) - {report.account_id}
    assert (await store.holdings(AccountId(left))).alone == ["cln_1", "site"]


async def test_an_account_is_erased_whole_and_again_names_its_sessions(
    records: Records,
) -> None:
    """With its patient; repeated within a token's life, the sessions are said again."""
    people = await _two_admins(records)
    async with records.writing() as session:
        await session.execute(
            insert(SessionRecord).values(
                session_id="ses_1",
                account_id=people[0],
                salt=b"x",
                generation=1,
                seen_generation=0,
                rotated_at=NOW,
                created_at=NOW,
                authenticated_at=NOW,
                level=2,
                active_at=NOW,
                idle_ms=1,
                ends_at=NOW,
                delivery="body",
                agent="a browser",
            )
        )
    store = _store(records)
    first = await store.erase_account(people[0], "acc_9", {"fulfilled": 2}, now=NOW)
    assert (first.patient_id, first.account_id) == (MIRA, people[0])
    assert list(first.sessions) == ["ses_1"]
    assert {one.what for one in first.kept} >= {"membership"}
    again = await store.erase_account(people[0], "acc_9", {}, now=Millis(NOW + 1))
    assert list(again.sessions) == ["ses_1"]
    late = Millis(NOW + ACCESS_MS)
    assert not (await store.erase_account(people[0], "acc_9", {}, now=late)).sessions


async def test_a_legal_hold_keeps_the_account_too(records: Records) -> None:
    """What the law keeps of the patient is not erased by way of the account."""
    people = await _two_admins(records)
    async with records.writing() as session:
        await session.execute(update(PatientRecord).values(hold_until=NOW + 1))
    with pytest.raises(ErasureRefused):
        await _store(records).erase_account(people[0], "acc_9", {}, now=NOW)
    async with records.reading() as session:
        account = await session.get_one(AccountRecord, people[0])
    assert account.status == "active"
