"""What a store of accounts promises, on every database."""

from __future__ import annotations

import asyncio
from typing import cast

import msgspec
import pytest
from sqlalchemy import func, select, text, update

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import (
    DAY_MS,
    AccountStatus,
    Delivery,
    EndedWhy,
    Session,
    SignInContext,
)
from care.accounts.flows import FlowKind
from care.accounts.ids import AccountId, SessionId
from care.accounts.passwords import stamp_of
from care.accounts.ports import AccountStores, DemoAccount, Flow, NewAccount
from care.accounts.throttling import FREE_ATTEMPTS
from care.notices.messages import (
    DELIVER,
    MAILS_AN_HOUR,
    Attempt,
    DeliveryStatus,
    Message,
)
from care.patients.profiles import PatientProfile
from persistence.accounts.models import AccountRecord
from persistence.accounts.sessions import SESSIONS_MAX, SqlSessions
from persistence.accounts.store import account_stores
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing
from persistence.notices.models import OutgoingMessageRecord
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.patients.store import SqlPatients
from persistence.sql.records import Records
from tests import factories as make

NOW = make.NOW
MIRA = "Mira@example.org"
WELCOME = Message("verify_email", MIRA, "Welcome", "a link")
KNOWN = Message("already_registered", MIRA, "Again?", "no link")
RESET = Message("reset_password", MIRA, "Reset", "a link")


@pytest.fixture
def store(records: Records, ring: KeyRing) -> AccountStores:
    """No accounts yet."""
    return account_stores(records, ring)


def _new(number: int = 1, email: str = MIRA) -> NewAccount:
    return NewAccount(
        account_id=AccountId(f"acc_{number}"),
        patient_id=PatientId(f"pat_{number}"),
        email=email,
        password_hash="a hash",
        language="de",
        verify=Flow(FlowKind.VERIFY_EMAIL, f"secret {number}", Millis(NOW + DAY_MS)),
    )


async def _registered(store: AccountStores) -> AccountId:
    await store.accounts.register(_new(), welcome=WELCOME, known=KNOWN, now=NOW)
    assert await store.accounts.verify_email("secret 1", now=NOW)
    return AccountId("acc_1")


def _session(number: int, account_id: AccountId) -> Session:
    return Session(
        session_id=SessionId(f"ses_{number}"),
        account_id=account_id,
        salt=b"salt",
        generation=1,
        seen_generation=0,
        rotated_at=NOW,
        created_at=NOW,
        authenticated_at=NOW,
        level=1,
        active_at=Millis(NOW + number),
        idle_ms=DAY_MS,
        ends_at=Millis(NOW + DAY_MS),
        delivery=Delivery.BODY,
        agent="a browser",
    )


async def _kinds(records: Records, ring: KeyRing) -> list[str]:
    latest = await SqlOutgoingMessages(records, ring).latest(50)
    return sorted(one.message.kind for one in latest)


async def test_a_registration_is_confirmed_once(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """The account is pending until its link is opened; the mail has its job."""
    await store.accounts.register(_new(), welcome=WELCOME, known=KNOWN, now=NOW)
    account = await store.accounts.find(AccountId("acc_1"))
    assert account is not None
    assert (account.status, account.email) == (AccountStatus.PENDING, MIRA)
    assert await store.accounts.contexts(AccountId("acc_1")) == [
        SignInContext("patient", "pat_1")
    ]
    (sent,) = await SqlOutgoingMessages(records, ring).latest(9)
    assert sent.message == WELCOME
    async with records.reading() as session:
        (job,) = (await session.scalars(select(JobRecord))).all()
    assert (job.kind, job.key, job.payload) == (DELIVER, sent.message_id, {})
    assert not await store.accounts.verify_email("another", now=NOW)
    assert not await store.accounts.verify_email("secret 1", now=Millis(NOW + DAY_MS))
    assert await store.accounts.verify_email("secret 1", now=NOW)
    assert not await store.accounts.verify_email("secret 1", now=NOW)
    account = await store.accounts.find(AccountId("acc_1"))
    assert account is not None
    assert account.status is AccountStatus.ACTIVE


async def test_one_address_has_one_account(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """Eight registrations at once: one account, the others are told by mail."""
    emails = [MIRA, MIRA.upper(), MIRA.lower(), MIRA] * 2
    await asyncio.gather(
        *(
            store.accounts.register(
                _new(n, email), welcome=WELCOME, known=KNOWN, now=NOW
            )
            for n, email in enumerate(emails)
        )
    )
    found = [await store.accounts.find(AccountId(f"acc_{n}")) for n in range(8)]
    assert len([one for one in found if one is not None]) == 1
    assert (await _kinds(records, ring)).count("verify_email") == 1


async def test_nothing_personal_is_stored_in_the_clear(
    store: AccountStores, records: Records
) -> None:
    """No column of any row has the address or a link's secret."""
    await store.accounts.register(_new(), welcome=WELCOME, known=KNOWN, now=NOW)
    async with records.reading() as session:
        for table in ("account", "outgoing_message", "auth_flow", "job", "password"):
            for row in await session.execute(text(f"SELECT * FROM {table}")):
                seen = " ".join(
                    one.decode("latin-1") if isinstance(one, bytes) else str(one)
                    for one in row
                ).lower()
                assert "mira" not in seen, table
                assert "secret" not in seen, table


async def test_attempts_are_counted_with_and_without_an_account(
    store: AccountStores,
) -> None:
    """A stranger waits after five; a known device and other addresses do not."""
    passwords = store.credentials
    await _registered(store)
    for email in (MIRA, "unknown@example.org"):
        made = [
            await passwords.attempt(email, known_device=False, now=NOW)
            for _ in range(FREE_ATTEMPTS + 1)
        ]
        assert [one.wait_ms for one in made] == [0] * FREE_ATTEMPTS + [1_000]
        assert {one.account is not None for one in made[:-1]} == {email == MIRA}
    owner = await passwords.attempt(MIRA, known_device=True, now=NOW)
    assert (owner.wait_ms, owner.password_hash) == (0, "a hash")
    await passwords.succeeded(MIRA, known_device=False)
    assert (await passwords.attempt(MIRA, known_device=False, now=NOW)).wait_ms == 0


async def test_attempts_at_once_are_all_counted(store: AccountStores) -> None:
    """Twenty at one time are five, however they interleave."""
    passwords = store.credentials
    made = await asyncio.gather(
        *(passwords.attempt(MIRA, known_device=False, now=NOW) for _ in range(20))
    )
    assert len([one for one in made if one.wait_ms == 0]) <= FREE_ATTEMPTS


async def test_of_racing_refreshes_one_rotates(store: AccountStores) -> None:
    """24 at once with one token: the generation is counted up once."""
    sessions = store.sessions
    session = _session(1, await _registered(store))
    await sessions.open_session(session)
    won = await asyncio.gather(
        *(sessions.rotate(session, active=True, now=Millis(NOW + 9)) for _ in range(24))
    )
    assert won.count(True) == 1
    after = await sessions.session(session.session_id)
    assert after is not None
    assert (after.generation, after.active_at) == (2, NOW + 9)


async def test_a_session_is_kept_as_it_was(store: AccountStores) -> None:
    """What was stored is read; seen generations only grow; an end stays."""
    sessions = store.sessions
    session = _session(1, await _registered(store))
    await sessions.open_session(session)
    assert await sessions.session(session.session_id) == session
    await sessions.note_seen({session.session_id: 3})
    await sessions.note_seen({session.session_id: 2, SessionId("ses_none"): 9})
    await sessions.prove(
        session.session_id, level=2, methods=("pwd", "otp"), now=Millis(NOW + 5)
    )
    for why in (EndedWhy.REUSE, EndedWhy.SIGNED_OUT):
        await sessions.end_session(session.session_id, why, now=Millis(NOW + 7))
    assert await sessions.session(session.session_id) == msgspec.structs.replace(
        session,
        seen_generation=3,
        authenticated_at=Millis(NOW + 5),
        level=2,
        methods=("pwd", "otp"),
        ended_at=Millis(NOW + 7),
        ended_why=EndedWhy.REUSE,
    )
    assert not await sessions.rotate(session, active=True, now=NOW)
    assert await sessions.sessions(session.account_id) == []


async def test_sessions_of_an_account_are_bounded(store: AccountStores) -> None:
    """One more than the bound ends the one that was idle longest, and names it.

    It is named again while its access token may live: a revocation may have failed.
    """
    sessions = store.sessions
    account = await _registered(store)
    for number in range(SESSIONS_MAX):
        assert await sessions.open_session(_session(number, account)) == []
    more = _session(SESSIONS_MAX, account)
    assert await sessions.open_session(more) == ["ses_0"]
    left = {one.session_id for one in await sessions.sessions(account)}
    assert len(left) == SESSIONS_MAX
    assert "ses_0" not in left
    again = await sessions.open_session(_session(SESSIONS_MAX + 1, account))
    assert again == ["ses_0", "ses_1"]


@pytest.mark.parametrize("status", [AccountStatus.DISABLED, AccountStatus.ERASED])
async def test_no_session_opens_for_an_account_that_is_shut(
    store: AccountStores, status: AccountStatus
) -> None:
    """Whatever the caller read before: the row decides, in the same transaction."""
    account = await _registered(store)
    records = cast("SqlSessions", store.sessions)._records
    async with records.writing() as session:
        await session.execute(update(AccountRecord).values(status=status.value))
    assert await store.sessions.open_session(_session(1, account)) is None
    assert await store.sessions.session(SessionId("ses_1")) is None


async def test_of_a_password_change_and_a_session_at_once_none_outlives_it(
    store: AccountStores,
) -> None:
    """However they race: with the old password's stamp it is refused, or it is among
    those that are ended after the change. The new stamp opens one."""
    account, old = await _registered(store), "a hash"
    notice = Message("password_changed", MIRA, "", "a text")
    for number in range(1, 9):
        new = f"hash {number}"

        async def change(new: str = new) -> None:
            credentials = store.credentials
            await credentials.set_password(account, new, notice=notice, now=NOW)
            await store.sessions.end_sessions(account, EndedWhy.PASSWORD, now=NOW)

        stale = _session(number, account)
        await asyncio.gather(
            change(), store.sessions.open_session(stale, password=stamp_of(old))
        )
        assert await store.sessions.sessions(account) == []
        old = new
    stale, fresh = _session(10, account), _session(11, account)
    assert await store.sessions.open_session(stale, password=stamp_of("a hash")) is None
    assert await store.sessions.open_session(fresh, password=stamp_of(old)) is not None
    assert await store.sessions.sessions(account) == [fresh]


async def test_all_sessions_end_but_one(store: AccountStores) -> None:
    """Those that ended are named, so that their tokens can be revoked."""
    sessions = store.sessions
    account = await _registered(store)
    for number in range(3):
        await sessions.open_session(_session(number, account))
    spare = SessionId("ses_1")
    ended = await sessions.end_sessions(
        account, EndedWhy.PASSWORD, spare=spare, now=NOW
    )
    assert sorted(ended) == ["ses_0", "ses_2"]
    assert [one.session_id for one in await sessions.sessions(account)] == [spare]


async def test_a_reset_link_works_once(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """It sets the password and confirms the address; an unknown address gets none."""
    passwords = store.credentials
    await store.accounts.register(_new(), welcome=WELCOME, known=KNOWN, now=NOW)
    flow = Flow(FlowKind.RESET_PASSWORD, "reset secret", Millis(NOW + 1_000))
    await passwords.begin_reset("unknown@example.org", flow, RESET, now=NOW)
    assert await passwords.reset_account("reset secret", now=NOW) is None
    await passwords.begin_reset(MIRA, flow, RESET, now=NOW)
    assert await _kinds(records, ring) == ["reset_password", "verify_email"]
    assert (
        await passwords.finish_reset("reset secret", "new", now=flow.expires_at) is None
    )
    assert not await store.accounts.verify_email("reset secret", now=NOW)
    found = await passwords.reset_account("reset secret", now=NOW)
    assert found is not None
    results = await asyncio.gather(
        *(passwords.finish_reset("reset secret", f"new {n}", now=NOW) for n in range(6))
    )
    assert sorted(filter(None, results)) == ["acc_1"]
    assert (await passwords.password_hash(found.account_id)).startswith("new")
    account = await store.accounts.find(found.account_id)
    assert account is not None
    assert account.status is AccountStatus.ACTIVE


async def test_mails_to_one_address_are_bounded(
    store: AccountStores, records: Records
) -> None:
    """More than three in an hour are dropped, and their links with them."""
    passwords = store.credentials
    await _registered(store)
    for number in range(6):
        flow = Flow(FlowKind.RESET_PASSWORD, f"reset {number}", Millis(NOW + DAY_MS))
        await passwords.begin_reset(MIRA, flow, RESET, now=NOW)
    async with records.reading() as session:
        rows = select(func.count()).select_from(OutgoingMessageRecord)
        assert (await session.execute(rows)).scalar_one() == MAILS_AN_HOUR
    assert await passwords.reset_account("reset 5", now=NOW) is None
    later = Millis(NOW + 3_600_001)
    flow = Flow(FlowKind.RESET_PASSWORD, "later", Millis(NOW + DAY_MS))
    await passwords.begin_reset(MIRA, flow, RESET, now=later)
    assert await passwords.reset_account("later", now=later) is not None


async def test_people_of_a_demo_site_are_made_once(store: AccountStores) -> None:
    """Each has the context of its role, and no password."""
    passwords = store.credentials
    doctor = SignInContext("doctor", "prv_1", "mem_1", "cln_1")
    admin = SignInContext("admin", "acc_9", "gra_1")
    for number, context in ((8, doctor), (9, admin)):
        wanted = DemoAccount(
            AccountId(f"acc_{number}"), f"{number}@example.org", context
        )
        first = await store.accounts.demo_account(wanted, now=NOW)
        again = msgspec.structs.replace(wanted, account_id=AccountId("acc_other"))
        assert await store.accounts.demo_account(again, now=NOW) == first
        assert await store.accounts.contexts(first.account_id) == [context]
        assert await passwords.password_hash(first.account_id) == ""


async def test_a_demo_patient_whom_a_clinic_knew_signs_in(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """The account is given to the patient who is there, whose name stays."""
    patients, mira = SqlPatients(records, ring), PatientId("pat_1")
    profile = PatientProfile(given_name="Mira", family_name="Berg")
    await patients.introduce({mira: profile}, [], now=NOW)
    context = SignInContext("patient", mira)
    wanted = DemoAccount(AccountId("acc_7"), "7@example.org", context)
    first = await store.accounts.demo_account(wanted, now=NOW)
    assert await store.accounts.contexts(first.account_id) == [context]
    found = await patients.find(mira)
    assert found is not None
    assert (found.account_id, found.profile) == (first.account_id, profile)


async def test_messages_are_marked_when_sent(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """A message can be found by its id, and says when it was handed over."""
    await store.accounts.register(_new(), welcome=WELCOME, known=KNOWN, now=NOW)
    messages = SqlOutgoingMessages(records, ring)
    (queued,) = await messages.latest(9)
    assert queued.sent_at is None
    sent = Attempt(queued.message_id, DeliveryStatus.SENT)
    await messages.settle([sent], now=Millis(NOW + 1))
    found = await messages.find([queued.message_id, "msg_none"])
    assert found == {
        queued.message_id: msgspec.structs.replace(
            queued, sent_at=Millis(NOW + 1), status=DeliveryStatus.SENT
        )
    }
