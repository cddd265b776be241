"""Controls of second factors: with its guard removed, each attack succeeds.

The attacks are in tests/unit/gateway/accounts/factors and test_email_change.py; those
files hold the controls of reused codes and of copied passkeys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import webauthn
from sqlalchemy import delete, select, update

from care.notices.messages import Channel
from gateway.access import rights
from gateway.accounts.factors import enrolment
from gateway.accounts.factors.enrolment import Enrolment
from gateway.accounts.factors.passkeys import Passkeys
from persistence.accounts import steps, store
from persistence.accounts.credentials import SqlCredentials
from persistence.accounts.factor_models import FactorRecord, RecoveryCodeRecord
from persistence.accounts.factors import SqlFactors
from persistence.accounts.models import AccountRecord
from persistence.grants import factor_resets
from persistence.notices import outbox
from tests.fixtures.accounts import (
    MIRA,
    PUBLIC,
    AccountApi,
    account_api,
    bearer,
    signed,
)
from tests.fixtures.factors import App, add_app, claims_of, finish, flow_of
from tests.fixtures.passkeys import PRESENT, SoftPasskey

SAM = "sam@example.org"
SAMS_PASSWORD = "seven quiet harbours"
PHONE, PREMIUM = "+4915112345678", "+49 900 1234567"


def _records(site: AccountApi) -> Any:
    factors: Any = site.auth.stores.factors
    return factors._records


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_flow_that_counts_no_tries_is_guessed_on(
    site: AccountApi, app: App, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """After six wrong codes the right one does not help; uncounted it does."""
    if not guarded:
        monkeypatch.setattr(steps, "TRIES_MAX", 1_000)
    flow = await flow_of(site)
    for _ in range(6):
        await finish(site, flow, "totp", {"code": app.wrong()})
    answer = await finish(site, flow, "totp", {"code": app.code()})
    assert answer.status_code == (410 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_recovery_code_that_is_not_used_up_works_again(
    site: AccountApi, mira: dict[str, Any], *, guarded: bool
) -> None:
    """Its row says that it was used; without that the paper is a second password."""
    _, codes = await add_app(site, mira)
    first = await finish(site, await flow_of(site), "recovery", {"code": codes[0]})
    assert first.status_code == 200, first.text
    if not guarded:
        async with _records(site).writing() as session:
            await session.execute(update(RecoveryCodeRecord).values(used_at=None))
    again = await finish(site, await flow_of(site), "recovery", {"code": codes[0]})
    assert again.status_code == (422 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_reset_that_clears_factors_lets_the_mailbox_in(
    site: AccountApi, app: App, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """As other programs did: then the mailbox alone signs in."""
    finish_reset = SqlCredentials.finish_reset

    async def clearing(self: SqlCredentials, *all_: Any, **more: Any) -> Any:
        async with self._records.writing() as session:
            await session.execute(delete(FactorRecord))
        return await finish_reset(self, *all_, **more)

    if not guarded:
        monkeypatch.setattr(SqlCredentials, "finish_reset", clearing)
    await site.post("password/forgot", {"email": MIRA})
    body = {"token": await site.link_token(), "password": SAMS_PASSWORD}
    assert (await site.post("password/reset", body)).status_code == 204
    signed = await site.sign_in(password=SAMS_PASSWORD)
    assert ("access_token" in signed) is not guarded


@pytest.mark.parametrize("guarded", [True, False])
async def test_proofs_that_do_not_age_let_an_open_page_add_a_factor(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """A page that was left open half an hour ago adds the finder's own app."""
    if not guarded:
        monkeypatch.setattr(rights, "PROOF_MS", 24 * 3_600_000)
    site.clock.step(1_800)
    old = (await site.refresh(mira["refresh_token"])).json()
    answer = await site.post("factors/totp", {}, bearer(old))
    assert answer.status_code == (403 if guarded else 200)


@pytest.fixture
async def strict(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """A site whose staff need a second factor."""
    async with account_api(request, tmp_path, staff_needs_factor=True) as opened:
        await opened.api.add_provider()
        await opened.api.project()
        yield opened


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_last_factor_that_may_go_leaves_a_doctor_with_a_password(
    strict: AccountApi, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Whether it is the last that a role needs is asked in the transaction."""
    remove = SqlFactors.remove

    async def letting(self: SqlFactors, *all_: Any, **more: Any) -> Any:
        return await remove(self, *all_, **{**more, "keep_last": False})

    if not guarded:
        monkeypatch.setattr(SqlFactors, "remove", letting)
    email = "doctor@demo.example.org"
    await strict.post("demo", {"persona": "doctor", "delivery": "body"})
    await strict.post("password/forgot", {"email": email})
    body = {"token": await strict.link_token(), "password": SAMS_PASSWORD}
    assert (await strict.post("password/reset", body)).status_code == 204
    flow = await flow_of(strict, email, SAMS_PASSWORD)
    begun = (await finish(strict, flow, "factors/totp", {})).json()
    code = {"code": App(strict, begun["secret"]).code()}
    name = begun["factor_id"]
    done = await finish(strict, flow, f"factors/{name}/confirm", code)
    path = f"/v1/auth/factors/{name}"
    answer = await strict.client.delete(path, headers=bearer(done.json()))
    assert answer.status_code == (409 if guarded else 204)


def _other_origin(passkey: SoftPasskey) -> dict[str, Any]:
    passkey.origin = "http://clinic.test.evil.example"
    return {"expected_origin": passkey.origin}


def _other_rp(passkey: SoftPasskey) -> dict[str, Any]:
    passkey.rp_id = "evil.example"
    return {"expected_rp_id": passkey.rp_id}


def _not_verified(passkey: SoftPasskey) -> dict[str, Any]:
    passkey.flags = PRESENT
    return {"require_user_verification": False}


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("spoil", [_other_origin, _other_rp, _not_verified])
async def test_a_check_that_compares_less_takes_a_foreign_passkey(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    spoil: Any,
    guarded: bool,
) -> None:
    """Origin, RP and verification are each what refuses a passkey without it."""
    passkey = SoftPasskey(PUBLIC)
    begun = (await site.post("factors/passkey", {}, bearer(mira))).json()
    body: dict[str, Any] = {"credential": passkey.create(begun["options"])}
    path = f"factors/{begun['factor_id']}/confirm"
    assert (await site.post(path, body, bearer(mira))).status_code == 200
    trusted, verify = spoil(passkey), webauthn.verify_authentication_response
    if not guarded:
        monkeypatch.setattr(
            webauthn,
            "verify_authentication_response",
            lambda **asked: verify(**asked | trusted),
        )
    begun = (await site.post("passkey/options", {"delivery": "body"})).json()
    body = {"flow": begun["flow"], "credential": passkey.get(begun["options"])}
    answer = await site.post("passkey", body)
    assert answer.status_code == (401 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_challenge_that_is_not_compared_takes_a_replay(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """An answer that was overheard is given to another sign-in."""
    passkey = SoftPasskey(PUBLIC)
    passkey.counts = False  # as synchronised ones: no count finds the replay
    begun = (await site.post("factors/passkey", {}, bearer(mira))).json()
    body: dict[str, Any] = {"credential": passkey.create(begun["options"])}
    path = f"factors/{begun['factor_id']}/confirm"
    assert (await site.post(path, body, bearer(mira))).status_code == 200
    proved, challenges = Passkeys.proved, list[bytes]()

    def replayed(
        self: Passkeys, answer: Any, challenge: bytes, *a: Any, **m: Any
    ) -> int:
        challenges.append(challenge)
        return proved(self, answer, challenges[0], *a, **m)

    if not guarded:
        monkeypatch.setattr(Passkeys, "proved", replayed)
    statuses, overheard = [], None
    for _ in range(2):
        begun = (await site.post("passkey/options", {"delivery": "body"})).json()
        overheard = overheard or passkey.get(begun["options"])
        body = {"flow": begun["flow"], "credential": overheard}
        statuses.append((await site.post("passkey", body)).status_code)
    assert statuses == [200, 401 if guarded else 200]


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_flow_that_is_no_accounts_is_finished_by_any_factor(
    site: AccountApi, app: App, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Mira's password and Sam's code: factors are those of the flow's account."""
    await site.register(SAM, SAMS_PASSWORD)
    sam = await site.sign_in(SAM, SAMS_PASSWORD)
    sams, _ = await add_app(site, sam)
    flow, of_account = await flow_of(site), SqlFactors.of_account
    if not guarded:

        async def of_sam(self: SqlFactors, _account_id: Any) -> Any:
            return await of_account(self, claims_of(sam)["acc"])

        monkeypatch.setattr(SqlFactors, "of_account", of_sam)
    answer = await finish(site, flow, "totp", {"code": sams.code()})
    assert answer.status_code == (422 if guarded else 200)


async def _sms_sent(site: AccountApi) -> int:
    return sum(one.message.kind == "sms_code" for one in await site.outgoing.latest(20))


@pytest.mark.parametrize("guarded", [True, False])
async def test_numbers_that_are_not_looked_at_earn_a_fraudster_money(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """Premium numbers are refused before anything is sent."""
    if not guarded:
        monkeypatch.setattr(enrolment, "mobile_number", lambda phone, _: phone)
    await site.post("factors/sms", {"phone": PREMIUM}, bearer(mira))
    assert await _sms_sent(site) == (0 if guarded else 1)


@pytest.mark.parametrize("guarded", [True, False])
async def test_phones_without_a_bound_get_a_sixth_code(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """Of a day, one a minute: without bounds each request costs a message."""
    if not guarded:
        monkeypatch.setitem(outbox._LIMITS, Channel.SMS, ())
    for _ in range(6):
        await site.post("factors/sms", {"phone": PHONE}, bearer(mira))
        site.clock.step(61)
    assert await _sms_sent(site) == (5 if guarded else 6)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_replaced_phone_that_is_not_told_hears_nothing(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """The old one is told in the transaction that replaces it."""
    if not guarded:

        async def none(*_all: Any) -> list[Any]:
            return []

        monkeypatch.setattr(Enrolment, "_told", none)
    for phone in (PHONE, "+4915112345679"):
        mira = (await site.refresh(mira["refresh_token"])).json()
        begun = await site.post("factors/sms", {"phone": phone}, bearer(mira))
        (sent, *_) = await site.outgoing.latest(1)
        path = f"factors/{begun.json()['factor_id']}/confirm"
        code = {"code": sent.message.text[:6]}
        added = await site.post(path, code, bearer(mira))
        assert added.status_code == 200, added.text
        site.clock.step(61)
    told = [one.message for one in await site.outgoing.latest(9)]
    replaced = [one.recipient for one in told if one.kind == "phone_replaced"]
    assert replaced == ([PHONE] if guarded else [])


@pytest.mark.parametrize("guarded", [True, False])
async def test_links_that_outlive_the_address_take_the_account_back(
    site: AccountApi,
    mira: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """A reset that waits in the old mailbox ends with the change."""
    if not guarded:

        async def none(*_all: Any) -> None:
            return None

        monkeypatch.setattr(store, "end_flows", none)
    await site.post("password/forgot", {"email": MIRA})
    waiting = await site.link_token()
    site.clock.step(1)
    await site.post("email/change", {"email": "new@example.org"}, bearer(mira))
    confirm = {"token": await _link_to(site, "new@example.org")}
    assert (await site.post("verify-email", confirm)).status_code == 200
    body = {"token": waiting, "password": SAMS_PASSWORD}
    answer = await site.post("password/reset", body)
    assert answer.status_code == (410 if guarded else 204)


@pytest.mark.parametrize("guarded", [True, False])
async def test_one_administrator_alone_removes_no_factor_at_once(
    site: AccountApi,
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    """A help desk that is talked into it has a day to hear of it; without, none."""
    if not guarded:
        monkeypatch.setattr(factor_resets, "FACTOR_RESET_WAIT_MS", 0)
    (account,) = await _accounts(site)
    helper = signed(site.api, "admin", "acc_9", account="acc_9")
    path = f"/v1/accounts/{account}/factors/reset"
    for _ in range(2):
        assert (await site.client.post(path, headers=helper)).status_code == 200
    begun = await site.sign_in()
    assert begun["status"] == ("second_factor" if guarded else "signed_in")


async def _accounts(site: AccountApi) -> list[str]:
    async with _records(site).reading() as session:
        return list(await session.scalars(select(AccountRecord.account_id)))


async def _link_to(site: AccountApi, email: str) -> str:
    for one in await site.outgoing.latest(9):
        if one.message.recipient == email and "token=" in one.message.text:
            return one.message.text.split("token=")[1].split()[0]
    raise AssertionError(f"no link went to {email}")
