"""What a store of identities promises, on every database."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs
from sqlalchemy import text

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import DAY_MS, AccountStatus, SignInContext
from care.accounts.factors.ports import Removal
from care.accounts.identities import IdentityId, LinkedIdentity, VouchedAccount
from care.accounts.ids import AccountId
from care.accounts.ports import AccountStores
from care.notices.messages import Message
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.sql.records import Records
from tests import factories as make

NOW = make.NOW
MIRA = "Mira@example.org"
WELCOME = Message("verify_email", MIRA, "Welcome", "a link")
KNOWN = Message("already_registered", MIRA, "Again?", "no link")
NOTICE = Message("identity_linked", MIRA, "Linked", "a text")


@pytest.fixture
def store(records: Records, ring: KeyRing) -> AccountStores:
    """No accounts yet."""
    return account_stores(records, ring)


def _identity(number: int = 1, subject: str = "subject-of-mira") -> LinkedIdentity:
    return LinkedIdentity(
        identity_id=IdentityId(f"idn_{number}"),
        account_id=AccountId(f"acc_{number}"),
        provider="test",
        issuer="https://id.example.org",
        subject=subject,
        label=MIRA,
        linked_at=NOW,
    )


def _new(
    number: int = 1, subject: str = "subject-of-mira", *, secret: str = ""
) -> VouchedAccount:
    return VouchedAccount(
        identity=_identity(number, subject),
        patient_id=PatientId(f"pat_{number}"),
        email=MIRA,
        language="de",
        verify_secret=secret,
        verify_until=Millis(NOW + DAY_MS),
    )


async def _register(store: AccountStores, new: VouchedAccount) -> AccountId | None:
    return await store.identities.register(new, welcome=WELCOME, known=KNOWN, now=NOW)


async def test_an_account_is_made_once_and_found_by_its_identity(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """Eight returns at once make one; a confirmed one is active, and no mail goes."""
    made = await asyncio.gather(*(_register(store, _new(n)) for n in range(8)))
    (one,) = set(made)
    assert one is not None
    issuer = "https://id.example.org"
    assert await store.identities.account_of(issuer, "subject-of-mira") == one
    assert await store.identities.account_of(issuer, "subject-of-Mira") is None
    assert await store.identities.account_of(
        "https://x.example", "subject-of-mira"
    ) is (None)
    account = await store.accounts.find(one)
    assert account is not None
    assert (account.status, account.language) == (AccountStatus.ACTIVE, "de")
    patient = one.replace("acc", "pat")
    assert await store.accounts.contexts(one) == [SignInContext("patient", patient)]
    assert await SqlOutgoingMessages(records, ring).latest(9) == []
    async with records.reading() as session:
        for row in await session.execute(text("SELECT * FROM identity")):
            seen = " ".join(
                item.decode("latin-1") if isinstance(item, bytes) else str(item)
                for item in row
            ).lower()
            assert "mira" not in seen


async def test_a_known_address_gets_no_second_account(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """None, and nothing is linked; the mail of an unsure one says so."""
    assert await _register(store, _new(1)) == "acc_1"
    for secret in ("", "a secret of a link"):
        other = _new(2, "another", secret=secret)
        assert await _register(store, other) is None
    issuer = "https://id.example.org"
    assert await store.identities.account_of(issuer, "another") is None
    latest = await SqlOutgoingMessages(records, ring).latest(9)
    assert [one.message.kind for one in latest] == ["already_registered"]


async def test_an_unsure_address_is_pending_until_its_link(
    store: AccountStores, records: Records, ring: KeyRing
) -> None:
    """It is confirmed as after a registration by password."""
    secret = "a secret of a link"
    assert await _register(store, _new(secret=secret)) == "acc_1"
    account = await store.accounts.find(AccountId("acc_1"))
    assert account is not None
    assert account.status is AccountStatus.PENDING
    latest = await SqlOutgoingMessages(records, ring).latest(9)
    assert [one.message.kind for one in latest] == ["verify_email"]
    assert await store.accounts.verify_email(secret, now=NOW)
    account = await store.accounts.find(AccountId("acc_1"))
    assert account is not None
    assert account.status is AccountStatus.ACTIVE


async def test_an_identity_is_linked_to_one_account(store: AccountStores) -> None:
    """Eight links at once from two accounts: one account has it."""
    for number, email in ((1, MIRA), (2, "sam@example.org")):
        new = structs.replace(_new(number, f"first {number}"), email=email)
        await _register(store, new)
    wanted = [
        structs.replace(
            _identity(number, "shared"),
            identity_id=IdentityId(f"idn_{number}_{n}"),
            issuer="https://other.example",
        )
        for number in (1, 2)
        for n in range(4)
    ]
    done = await asyncio.gather(
        *(store.identities.link(one, notice=NOTICE, now=NOW) for one in wanted)
    )
    owner = await store.identities.account_of("https://other.example", "shared")
    for one, linked in zip(wanted, done, strict=True):
        assert linked == (one.account_id == owner)
    assert owner is not None
    listed = await store.identities.of_account(owner)
    assert [one.label for one in listed] == [MIRA, MIRA]
    second = structs.replace(wanted[0], account_id=owner, subject="a second one")
    assert not await store.identities.link(second, notice=NOTICE, now=NOW)


async def test_the_last_way_to_sign_in_stays(store: AccountStores) -> None:
    """Two removals at once of the only two: one stays."""
    await _register(store, _new())
    one = AccountId("acc_1")
    other = structs.replace(
        _identity(), identity_id=IdentityId("idn_2"), issuer="https://other.example"
    )
    assert await store.identities.link(other, notice=NOTICE, now=NOW)

    async def unlink(name: str, account: str = "acc_1") -> Removal:
        return await store.identities.unlink(
            AccountId(account), IdentityId(name), notice=NOTICE, now=NOW
        )

    assert await unlink("idn_1", "acc_2") is Removal.UNKNOWN
    done = await asyncio.gather(unlink("idn_1"), unlink("idn_2"))
    assert sorted(done) == [Removal.LAST, Removal.REMOVED]
    (left,) = await store.identities.of_account(one)
    await store.credentials.set_password(one, "a hash", notice=NOTICE, now=NOW)
    assert await unlink(left.identity_id) is Removal.REMOVED
    assert await unlink(left.identity_id) is Removal.UNKNOWN
