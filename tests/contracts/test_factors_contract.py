"""What a store of factors, recovery codes and flows promises, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from actors.domain.ids import Millis, PatientId
from care.accounts.accounts import DAY_MS, SignInContext
from care.accounts.factors.ports import Removal
from care.accounts.factors.values import FACTORS_MAX, Factor, FactorId, FactorKind
from care.accounts.flows import TRIES_MAX, AwaitedStep, FlowKind, FlowOver
from care.accounts.ids import AccountId
from care.accounts.ports import AccountStores, DemoAccount, Flow
from care.accounts.throttling import CODES_AN_HOUR
from care.keys.sealing import KeyEncryptionKeys
from care.notices.messages import MAILS_AN_HOUR, SMS_A_DAY, Channel, Message
from persistence.accounts.models import AuthFlowRecord
from persistence.accounts.steps import KEPT_MS
from persistence.accounts.store import account_stores
from persistence.keys.ring import KeyRing
from persistence.notices.models import OutgoingMessageRecord
from persistence.privacy.erasing import erase
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

NOW = make.NOW
KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
MIRA = AccountId("acc_1")
SAM = AccountId("acc_2")
NOTICE = Message("factor_removed", "mira@example.org", "Told", "text")
PHONE = "+4915112345678"


@pytest.fixture(params=("sqlite", "asyncmy"))
async def records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Records]:
    """Empty records."""
    opened = Records(empty_records(request.param, request, tmp_path))
    yield opened
    await opened.close()


@pytest.fixture
async def stores(records: Records) -> AccountStores:
    """Two accounts."""
    made = account_stores(records, KeyRing(records, KEKS, SteppedClock(NOW)))
    for account_id in (MIRA, SAM):
        context = SignInContext("patient", account_id.replace("acc", "pat"))
        wanted = DemoAccount(account_id, f"{account_id}@example.org", context)
        await made.accounts.demo_account(wanted, now=NOW)
    return made


def _app(number: int = 1, account_id: AccountId = MIRA, **more: Any) -> Factor:
    return Factor(
        factor_id=FactorId(f"fac_{number}"),
        account_id=account_id,
        kind=FactorKind.TOTP,
        label="App",
        created_at=Millis(NOW + number),
        secret="JBSWY3DPEHPK3PXP",
        **more,
    )


def _passkey(number: int, account_id: AccountId = MIRA) -> Factor:
    return replace(
        _app(number, account_id),
        kind=FactorKind.PASSKEY,
        secret="",
        credential=b"credential",
        public_key=b"key" * 100,
        user_handle=b"h" * 32,
        sign_count=5,
    )


def _phone(number: int) -> Factor:
    return replace(_app(number), kind=FactorKind.SMS, secret=f"{PHONE}{number}")


async def test_factors_are_kept_as_they_were(
    stores: AccountStores, records: Records
) -> None:
    """The oldest first, each account its own, secrets never in the clear."""
    app, passkey = _app(1), _passkey(2)
    assert await stores.factors.add(app, codes=["abcd-efgh"])
    assert await stores.factors.add(passkey)
    assert await stores.factors.add(_app(3, SAM))
    assert await stores.factors.of_account(MIRA) == [app, passkey]
    assert await stores.factors.by_credential(b"credential") == passkey
    assert await stores.factors.by_credential(b"another") is None
    assert await stores.factors.codes_left(MIRA) == 1
    async with records.reading() as session:
        for table in ("factor", "recovery_code"):
            rows = (await session.execute(text(f"SELECT * FROM {table}"))).all()
            assert "JBSWY3DPEHPK3PXP" not in str(rows)
            assert "abcd" not in str(rows)


async def test_a_passkey_belongs_to_one_account(stores: AccountStores) -> None:
    """Its second registration is refused, for whichever account."""
    assert await stores.factors.add(_passkey(1))
    assert not await stores.factors.add(_passkey(2))
    assert not await stores.factors.add(_passkey(3, SAM))
    assert await stores.factors.of_account(SAM) == []


async def test_a_new_phone_replaces_the_old(stores: AccountStores) -> None:
    """There is one phone; other factors stay."""
    for factor in (_app(1), _phone(2), _phone(3)):
        assert await stores.factors.add(factor)
    assert await stores.factors.of_account(MIRA) == [_app(1), _phone(3)]


async def test_factors_of_an_account_are_bounded(stores: AccountStores) -> None:
    """Also when many are added at one time."""
    added = await asyncio.gather(
        *(stores.factors.add(_app(number)) for number in range(FACTORS_MAX + 4))
    )
    assert added.count(True) == FACTORS_MAX
    assert len(await stores.factors.of_account(MIRA)) == FACTORS_MAX


async def test_a_step_is_used_once(stores: AccountStores) -> None:
    """Of many at one time one uses it; older steps are refused afterwards."""
    await stores.factors.add(_app())
    fac = FactorId("fac_1")
    used = await asyncio.gather(
        *(stores.factors.use_step(fac, 100, now=NOW) for _ in range(16))
    )
    assert used.count(True) == 1
    assert not await stores.factors.use_step(fac, 99, now=NOW)
    assert await stores.factors.use_step(fac, 101, now=Millis(NOW + 9))
    (factor,) = await stores.factors.of_account(MIRA)
    assert (factor.last_step, factor.used_at) == (101, NOW + 9)


async def test_a_count_of_signatures_grows(stores: AccountStores) -> None:
    """Of many with the same one is taken; a synchronised passkey's stays 0."""
    await stores.factors.add(_passkey(1))
    fac = FactorId("fac_1")
    used = await asyncio.gather(
        *(stores.factors.use_passkey(fac, 6, now=NOW) for _ in range(8))
    )
    assert used.count(True) == 1
    for count, taken in ((5, False), (0, False), (7, True)):
        assert await stores.factors.use_passkey(fac, count, now=NOW) is taken
    synced = replace(_passkey(2), credential=b"synced", sign_count=0)
    await stores.factors.add(synced)
    for _ in range(2):
        assert await stores.factors.use_passkey(synced.factor_id, 0, now=NOW)


async def test_a_recovery_code_is_used_once(stores: AccountStores) -> None:
    """By its owner, however it is typed; renewed ones replace it."""
    factors = stores.factors
    await factors.add(_app(), codes=["abcd-efgh", "jkmn-pqrs"])
    use = {"notice": NOTICE, "now": NOW}
    assert not await factors.use_code(SAM, "abcd-efgh", **use)  # type: ignore[arg-type]
    used = await asyncio.gather(
        *(factors.use_code(MIRA, "ABCD EFGH", **use) for _ in range(8))  # type: ignore[arg-type]
    )
    assert used.count(True) == 1
    assert await factors.codes_left(MIRA) == 1
    await factors.renew_codes(MIRA, ["tuvw-xyza"], notice=NOTICE, now=NOW)
    assert not await factors.use_code(MIRA, "jkmn-pqrs", **use)  # type: ignore[arg-type]
    assert await factors.codes_left(MIRA) == 1


async def test_a_notice_always_goes(stores: AccountStores, records: Records) -> None:
    """However many messages an address has had; what strangers ask for does not."""
    wanted = MAILS_AN_HOUR + 2
    for _ in range(wanted):
        await stores.factors.renew_codes(MIRA, ["abcd"], notice=NOTICE, now=NOW)
    flow = Flow(FlowKind.RESET_PASSWORD, "reset", Millis(NOW + DAY_MS))
    email = f"{MIRA}@example.org"
    asked = replace(NOTICE, kind="reset_password", recipient=email)
    await stores.credentials.begin_reset(email, flow, asked, now=NOW)
    for _ in range(wanted):
        await stores.factors.renew_codes(
            MIRA, ["abcd"], notice=replace(NOTICE, recipient=email), now=NOW
        )
    flow = replace(flow, secret="again")
    await stores.credentials.begin_reset(email, flow, asked, now=NOW)
    assert await stores.credentials.reset_account("reset", now=NOW) is not None
    assert await stores.credentials.reset_account("again", now=NOW) is None
    async with records.reading() as session:
        kinds = list(await session.scalars(select(OutgoingMessageRecord.kind)))
    assert kinds.count(NOTICE.kind) == 2 * wanted
    assert kinds.count(asked.kind) == 1


async def test_the_last_factor_stays_where_one_is_needed(
    stores: AccountStores,
) -> None:
    """Also when the last two are removed at one time; without need it goes, and the
    recovery codes with it."""
    factors = stores.factors
    await factors.add(_app(1), codes=["abcd-efgh"])
    await factors.add(_app(2))

    async def remove(number: int, keep_last: bool = True) -> Removal:
        fac = FactorId(f"fac_{number}")
        return await factors.remove(
            MIRA, fac, keep_last=keep_last, notices=[NOTICE], now=NOW
        )

    done = await asyncio.gather(remove(1), remove(2))
    assert sorted(done) == [Removal.LAST, Removal.REMOVED]
    (left,) = await factors.of_account(MIRA)
    number = int(left.factor_id.removeprefix("fac_"))
    assert (
        await factors.remove(SAM, left.factor_id, keep_last=False, now=NOW)
        is Removal.UNKNOWN
    )
    assert await remove(number, keep_last=False) is Removal.REMOVED
    assert await factors.codes_left(MIRA) == 0
    assert await remove(number) is Removal.UNKNOWN


async def test_codes_of_an_hour_are_counted(stores: AccountStores) -> None:
    """At one time or one by one: so many, then none until the hour is over."""
    waits = await asyncio.gather(
        *(stores.factors.count_try(MIRA, now=NOW) for _ in range(CODES_AN_HOUR + 6))
    )
    assert len([one for one in waits if one == 0]) <= CODES_AN_HOUR
    while not await stores.factors.count_try(MIRA, now=NOW):
        pass
    assert await stores.factors.count_try(SAM, now=NOW) == 0
    assert await stores.factors.count_try(MIRA, now=Millis(NOW + 3_599_999)) == 1
    assert await stores.factors.count_try(MIRA, now=Millis(NOW + 3_600_000)) == 0
    await stores.factors.forget_tries(MIRA)
    assert await stores.factors.count_try(MIRA, now=NOW) == 0


def _step(payload: str = "what it remembers", **more: Any) -> AwaitedStep:
    values: dict[str, Any] = {
        "kind": FlowKind.SIGN_IN,
        "account_id": MIRA,
        "payload": payload,
        "expires_at": Millis(NOW + 1_000),
    }
    return AwaitedStep(**{**values, **more})


async def test_a_flow_is_used_once(stores: AccountStores, records: Records) -> None:
    """By its secret and kind, before its end; its payload is sealed."""
    flows = stores.flows
    await flows.begin("secret", _step(), now=NOW)
    nameless = _step(kind=FlowKind.PASSKEY, account_id=None)
    await flows.begin("nameless", nameless, now=NOW)
    assert await flows.find("nameless", FlowKind.PASSKEY, now=NOW) == nameless
    assert await flows.find("another", FlowKind.SIGN_IN, now=NOW) is None
    assert await flows.find("secret", FlowKind.PASSKEY, now=NOW) is None
    end = Millis(NOW + 1_000)
    assert await flows.use("secret", FlowKind.SIGN_IN, now=end) is None
    async with records.reading() as session:
        rows = (await session.execute(text("SELECT * FROM auth_flow"))).all()
    assert "remembers" not in str(rows)
    assert "secret" not in str(rows)
    used = await asyncio.gather(
        *(flows.use("secret", FlowKind.SIGN_IN, now=NOW) for _ in range(8))
    )
    assert [one for one in used if one is not None] == [_step()]
    assert await flows.find("secret", FlowKind.SIGN_IN, now=NOW) is None


async def test_tries_of_a_flow_are_bounded(stores: AccountStores) -> None:
    """At one time no more get through than one by one; one more ends it."""
    await stores.flows.begin("secret", _step(), now=NOW)
    tries = await asyncio.gather(
        *(
            stores.flows.count_try("secret", FlowKind.SIGN_IN, now=NOW)
            for _ in range(TRIES_MAX * 3)
        )
    )
    assert len([one for one in tries if one is not None]) == TRIES_MAX
    assert await stores.flows.use("secret", FlowKind.SIGN_IN, now=NOW) is None


async def test_a_flow_keeps_what_it_is_told(stores: AccountStores) -> None:
    """And nothing of it if the message of that may not be sent."""
    flows = stores.flows
    end = Millis(NOW + 2 * DAY_MS)
    await flows.begin("secret", _step(expires_at=end), now=NOW)
    sms = Message("sms_code", PHONE, "", "123456", Channel.SMS)
    later = [Millis(NOW + 60_001 * number) for number in range(SMS_A_DAY + 1)]
    for at in later[:SMS_A_DAY]:
        assert await flows.keep("secret", f"kept {at}", message=sms, now=at)
        assert not await flows.keep("secret", "hasty", message=sms, now=at)
    assert not await flows.keep("secret", "sixth", message=sms, now=later[-1])
    assert not await flows.begin("other", _step(), message=sms, now=later[-1])
    found = await flows.find("secret", FlowKind.SIGN_IN, now=NOW)
    assert found == _step(f"kept {later[-2]}", expires_at=end)
    assert await flows.find("other", FlowKind.SIGN_IN, now=NOW) is None
    tomorrow = Millis(NOW + DAY_MS + 60_001 * 6)
    assert await flows.begin("other", _step(), message=sms, now=tomorrow)


async def test_no_message_is_sent_for_a_flow_that_was_used(
    stores: AccountStores,
) -> None:
    """Between its look-up and the message: nothing is kept, and no message counted."""
    flows = stores.flows
    sms = Message("sms_code", PHONE, "", "123456", Channel.SMS)
    await flows.begin("used", _step(), now=NOW)
    await flows.begin("over", _step(), now=NOW)
    await flows.begin("open", _step(), now=NOW)
    assert await flows.use("used", FlowKind.SIGN_IN, now=NOW)
    with pytest.raises(FlowOver):
        await flows.keep("used", "late", message=sms, now=NOW)
    ended = _step().expires_at
    with pytest.raises(FlowOver):
        await flows.keep("over", "late", message=sms, now=ended)
    # One a minute goes to a phone: this is the first, so neither of those went.
    assert await flows.keep("open", "kept", message=sms, now=NOW)


async def test_old_flows_are_deleted(stores: AccountStores, records: Records) -> None:
    """New ones take those along that ended long ago."""
    await stores.flows.begin("old", _step(), now=NOW)
    await stores.flows.begin("younger", _step(), now=Millis(NOW + KEPT_MS))
    end = Millis(NOW + 1_001 + KEPT_MS)
    await stores.flows.begin("new", _step(expires_at=end), now=end)
    async with records.reading() as session:
        rows = (await session.scalars(select(AuthFlowRecord.expires_at))).all()
    assert list(rows) == [end]


async def test_an_erased_phone_has_no_messages_left(
    stores: AccountStores, records: Records
) -> None:
    """Codes that were sent to it go with the account; another's stay."""
    phone = _phone(1)
    await stores.factors.add(phone)
    for number, secret in ((phone.secret, "mine"), (f"{PHONE}7", "another's")):
        sms = Message("sms_code", number, "", "123456", Channel.SMS)
        assert await stores.flows.begin(secret, _step(), message=sms, now=NOW)
    keys = await KeyRing(records, KEKS, SteppedClock(NOW)).of()
    async with records.writing() as session:
        await erase(session, keys, PatientId("pat_1"), "acc_9", {}, NOW)
    async with records.reading() as session:
        kinds = list(await session.scalars(select(OutgoingMessageRecord.kind)))
    assert kinds == ["sms_code"]
    assert await stores.factors.of_account(MIRA) == []


async def test_recovery_codes_come_with_the_first_factor_alone(
    stores: AccountStores,
) -> None:
    """Of many that would be the first at one time, one is, and its codes count."""
    added = await asyncio.gather(
        *(stores.factors.add(_app(one), codes=[f"code-{one}"]) for one in range(6))
    )
    assert sum(added) == 1
    (factor,) = await stores.factors.of_account(MIRA)
    assert factor.factor_id == _app(added.index(True)).factor_id
    assert await stores.factors.codes_left(MIRA) == 1
