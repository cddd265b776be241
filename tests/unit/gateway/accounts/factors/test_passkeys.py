"""Passkeys: one is both factors, and every way to cheat with one is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from care.accounts.factors.values import Factor, FactorId, FactorKind
from care.accounts.ids import AccountId
from gateway.accounts.factors.passkeys import Passkeys
from gateway.accounts.refusals import InvalidCredentials
from persistence.accounts.factors import SqlFactors
from tests import factories as make
from tests.fixtures.accounts import (
    PASSWORD,
    PUBLIC,
    SAME_ORIGIN,
    AccountApi,
    bearer,
)
from tests.fixtures.factors import claims_of, coded, finish, flow_of
from tests.fixtures.passkeys import PRESENT, SoftPasskey, b64, unb64

SAM = "sam@example.org"
SAMS_PASSWORD = "seven quiet harbours"


async def _register(
    site: AccountApi, signed: dict[str, Any], passkey: SoftPasskey
) -> Any:
    begun = (await site.post("factors/passkey", {}, bearer(signed))).json()
    body = {"credential": passkey.create(begun["options"]), "label": "Laptop"}
    path = f"factors/{begun['factor_id']}/confirm"
    return await site.post(path, body, bearer(signed))


@pytest.fixture
async def passkey(site: AccountApi, mira: dict[str, Any]) -> SoftPasskey:
    """Mira's passkey."""
    made = SoftPasskey(PUBLIC)
    added = await _register(site, mira, made)
    assert added.status_code == 200, added.text
    return made


async def _begin(site: AccountApi, **body: Any) -> dict[str, Any]:
    begun = await site.post("passkey/options", {"delivery": "body", **body})
    assert begun.status_code == 200, begun.text
    return dict(begun.json())


async def _sign_in(site: AccountApi, passkey: SoftPasskey) -> Any:
    begun = await _begin(site)
    credential = passkey.get(begun["options"])
    body = {"flow": begun["flow"], "credential": credential}
    return await site.post("passkey", body)


async def test_a_passkey_signs_in_without_a_name(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """It says whose it is, and counts as both factors."""
    begun = (await site.post("factors/passkey", {}, bearer(mira))).json()
    options = begun["options"]
    assert options["rp"]["id"] == "clinic.test"
    chosen = options["authenticatorSelection"]
    assert chosen["userVerification"] == chosen["residentKey"] == "required"
    assert "mira" not in str(options["user"]["id"]).lower()
    passkey = SoftPasskey(PUBLIC)
    assert (await _register(site, mira, passkey)).status_code == 200
    signed = await _sign_in(site, passkey)
    assert signed.status_code == 200, signed.text
    claims = claims_of(signed.json())
    assert (claims["acr"], claims["amr"]) == (2, ["hwk"])
    me = await site.me(signed.json())
    assert me.json() == (await site.me(mira)).json()
    listed = await site.client.get("/v1/auth/factors", headers=bearer(signed.json()))
    (factor,) = listed.json()["items"]
    assert (factor["kind"], factor["label"]) == ("passkey", "Laptop")
    assert factor["used_at"] is not None


async def test_a_page_keeps_a_passkeys_session_in_its_cookie(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """And pages of other origins neither begin nor finish such a sign-in."""
    foreign = {"Sec-Fetch-Site": "same-site"}
    refused = await site.post("passkey/options", {}, foreign)
    assert coded(refused) == (403, "cross_origin")
    begun = (await site.post("passkey/options", {}, SAME_ORIGIN)).json()
    credential = passkey.get(begun["options"])
    body = {"flow": begun["flow"], "credential": credential}
    assert coded(await site.post("passkey", body, foreign)) == (403, "cross_origin")
    signed = await site.post("passkey", body, SAME_ORIGIN)
    assert signed.json()["refresh_token"] is None
    assert len(signed.headers.get_list("set-cookie")) == 2


async def test_a_passkey_is_a_second_factor_too(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """After the password, and only the account's own."""
    flow = await flow_of(site)
    assert flow["factors"] == ["passkey"]
    begun = (await finish(site, flow, "webauthn/options", {})).json()
    (allowed,) = begun["options"]["allowCredentials"]
    assert allowed["id"] == b64(passkey.credential)
    body = {"credential": passkey.get(begun["options"])}
    signed = await finish(site, flow, "webauthn", body)
    assert claims_of(signed.json())["amr"] == ["pwd", "hwk"]
    used = await finish(site, flow, "webauthn", body)
    assert coded(used) == (410, "flow_ended")


def _other_origin(passkey: SoftPasskey) -> None:
    passkey.origin = "http://clinic.test.evil.example"


def _other_port(passkey: SoftPasskey) -> None:
    passkey.origin = f"{PUBLIC}:8001"


def _other_rp(passkey: SoftPasskey) -> None:
    passkey.rp_id = "evil.example"


def _no_verification(passkey: SoftPasskey) -> None:
    passkey.flags = PRESENT


def _foreign_handle(passkey: SoftPasskey) -> None:
    passkey.handle = b"another account's handle, 32 byte"


def _other_key(passkey: SoftPasskey) -> None:
    passkey.key = SoftPasskey(PUBLIC).key


HOSTILE = [
    _other_origin,
    _other_port,
    _other_rp,
    _no_verification,
    _foreign_handle,
    _other_key,
]


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda one: one.__name__.strip("_"))
async def test_a_passkey_that_does_not_hold_is_refused(
    site: AccountApi, passkey: SoftPasskey, spoil: Callable[[SoftPasskey], None]
) -> None:
    """Another origin, RP, account or key, or an owner who was not verified: 401."""
    good = await _sign_in(site, passkey)
    assert good.status_code == 200  # control: unspoilt, it holds
    spoil(passkey)
    assert coded(await _sign_in(site, passkey)) == (401, "invalid_credentials")


async def test_the_handle_is_compared_here(
    site: AccountApi, passkey: SoftPasskey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the library alone takes a passkey that names another account."""
    monkeypatch.setattr(Passkeys, "names", lambda *_, **__: True)
    _foreign_handle(passkey)
    assert (await _sign_in(site, passkey)).status_code == 200


async def test_only_after_the_password_a_passkey_may_be_silent(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """Older authenticators name no account; without a name nothing else does."""
    passkey.handle = b""
    assert coded(await _sign_in(site, passkey)) == (401, "invalid_credentials")
    flow = await flow_of(site)
    begun = (await finish(site, flow, "webauthn/options", {})).json()
    body = {"credential": passkey.get(begun["options"])}
    assert (await finish(site, flow, "webauthn", body)).status_code == 200


async def test_a_challenge_is_used_once(site: AccountApi, passkey: SoftPasskey) -> None:
    """Replayed, also many times at once, an answer signs in once; another challenge
    does not take it."""
    begun = await _begin(site)
    credential = passkey.get(begun["options"])
    body = {"flow": begun["flow"], "credential": credential}
    answers = await asyncio.gather(*(site.post("passkey", body) for _ in range(8)))
    assert sorted(one.status_code for one in answers) == [200] + [410] * 7
    other = await _begin(site)
    body = {"flow": other["flow"], "credential": credential}
    assert coded(await site.post("passkey", body)) == (401, "invalid_credentials")


async def test_a_challenge_ages(site: AccountApi, passkey: SoftPasskey) -> None:
    """After ten minutes it has ended."""
    begun = await _begin(site)
    credential = passkey.get(begun["options"])
    site.clock.step(600)
    body = {"flow": begun["flow"], "credential": credential}
    assert coded(await site.post("passkey", body)) == (410, "flow_ended")


async def test_a_copied_passkey_is_noticed_by_its_count(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """A count of signatures that does not grow is a copy's."""
    for _ in range(2):
        assert (await _sign_in(site, passkey)).status_code == 200
    passkey.count -= 1
    assert coded(await _sign_in(site, passkey)) == (401, "invalid_credentials")


async def test_a_synchronised_passkey_counts_nothing(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Its count is always 0, and it signs in again and again."""
    passkey = SoftPasskey(PUBLIC)
    passkey.counts = False
    assert (await _register(site, mira, passkey)).status_code == 200
    for _ in range(2):
        assert (await _sign_in(site, passkey)).status_code == 200


async def test_a_flow_is_not_finished_with_a_foreign_passkey(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """Sam's passkey in Mira's flow is refused, and no session begins."""
    await site.register(SAM, SAMS_PASSWORD)
    sam = await site.sign_in(SAM, SAMS_PASSWORD)
    sams = SoftPasskey(PUBLIC)
    assert (await _register(site, sam, sams)).status_code == 200
    flow = await flow_of(site)
    begun = (await finish(site, flow, "webauthn/options", {})).json()
    body = {"credential": sams.get(begun["options"])}
    answer = await finish(site, flow, "webauthn", body)
    assert coded(answer) == (401, "invalid_credentials")


async def test_a_passkey_is_registered_once(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """Neither for its account again nor for another one."""
    await site.register(SAM, SAMS_PASSWORD)
    sam = await site.sign_in(SAM, SAMS_PASSWORD)
    assert coded(await _register(site, sam, passkey)) == (409, "factor_limit")


@pytest.mark.parametrize(
    "spoil", [_other_origin, _other_rp, _no_verification], ids=lambda one: one.__name__
)
async def test_only_a_registration_that_holds_is_stored(
    site: AccountApi, mira: dict[str, Any], spoil: Callable[[SoftPasskey], None]
) -> None:
    """Of another origin or RP, or without its owner verified, it is refused."""
    passkey = SoftPasskey(PUBLIC)
    spoil(passkey)
    answer = await _register(site, mira, passkey)
    assert coded(answer) == (401, "invalid_credentials")
    assert "access_token" in await site.sign_in()


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"id": 7},
        {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": None},
        {"id": "é", "response": {"clientDataJSON": "x"}},
        {"id": "AAAA", "rawId": "BBBB", "response": {"userHandle": 5}},
    ],
    ids=str,
)
async def test_nonsense_is_no_passkey(
    site: AccountApi, passkey: SoftPasskey, credential: dict[str, Any]
) -> None:
    """Whatever JSON comes is refused like a passkey that does not hold."""
    begun = await _begin(site)
    body = {"flow": begun["flow"], "credential": credential}
    assert coded(await site.post("passkey", body)) == (401, "invalid_credentials")
    known = {**credential, "id": b64(passkey.credential)}
    begun = await _begin(site)
    body = {"flow": begun["flow"], "credential": known}
    assert coded(await site.post("passkey", body)) == (401, "invalid_credentials")


async def test_a_passkey_proves_an_identity_again(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """In the same session, whose tokens are fresh afterwards."""
    signed = (await _sign_in(site, passkey)).json()
    site.clock.step(601)
    old = (await site.refresh(signed["refresh_token"])).json()
    refused = await site.post("factors/totp", {}, bearer(old))
    assert coded(refused) == (403, "reauthentication_required")
    flow = (await site.post("reauthenticate/flow", {}, bearer(old))).json()
    begun = (await finish(site, flow, "webauthn/options", {})).json()
    body = {"credential": passkey.get(begun["options"])}
    proved = await finish(site, flow, "webauthn", body)
    assert proved.json()["refresh_token"] is None
    assert claims_of(proved.json())["sid"] == claims_of(old)["sid"]
    begun = await site.post("factors/totp", {}, bearer(proved.json()))
    assert begun.status_code == 200


async def test_a_proof_for_an_ended_session_opens_none(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """The flow that would prove its identity again has nothing to prove."""
    signed = (await _sign_in(site, passkey)).json()
    flow = (await site.post("reauthenticate/flow", {}, bearer(signed))).json()
    begun = (await finish(site, flow, "webauthn/options", {})).json()
    await site.post("logout", {"everywhere": True}, bearer(signed))
    body = {"credential": passkey.get(begun["options"])}
    answer = await finish(site, flow, "webauthn", body)
    assert coded(answer) == (401, "session_ended")


async def test_without_the_count_a_copy_passes(
    site: AccountApi, passkey: SoftPasskey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: a store that knows no count takes a copy, and a racing replay."""
    real = SqlFactors.by_credential

    async def forgetful(self: SqlFactors, credential: bytes) -> Any:
        from msgspec.structs import replace

        found = await real(self, credential)
        return None if found is None else replace(found, sign_count=0)

    async def always(*_: Any, **__: Any) -> bool:
        return True

    assert (await _sign_in(site, passkey)).status_code == 200
    passkey.count -= 1
    monkeypatch.setattr(SqlFactors, "by_credential", forgetful)
    assert (await _sign_in(site, passkey)).status_code == 401
    passkey.count -= 1
    monkeypatch.setattr(SqlFactors, "use_passkey", always)
    assert (await _sign_in(site, passkey)).status_code == 200


async def test_a_password_sign_in_still_asks(
    site: AccountApi, passkey: SoftPasskey
) -> None:
    """An account with a passkey does not fall back to its password alone."""
    assert (await site.sign_in(password=PASSWORD))["status"] == "second_factor"


def _spoilt(answer: dict[str, Any], draw: Random) -> dict[str, Any]:
    """The answer with some bytes of one of its parts exchanged, cut off or added."""
    response = dict(answer["response"])
    name = draw.choice(sorted(response))
    raw = bytearray(unb64(response[name]))
    for _ in range(draw.randrange(1, 4)):
        if raw and draw.random() < 0.7:
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        elif draw.random() < 0.5:
            del raw[draw.randrange(len(raw) + 1) :]
        else:
            raw += draw.randbytes(5)
    return {**answer, "response": {**response, name: b64(bytes(raw))}}


def test_damaged_answers_are_refused_and_nothing_else() -> None:
    """A thousand of each kind: none holds, and none breaks the server."""
    draw, challenge, handle = Random(7), b"c" * 32, b"h" * 32
    passkeys, passkey = Passkeys(PUBLIC), SoftPasskey(PUBLIC)
    options = passkeys.registration(challenge, handle, "mira@example.org", [])
    created = passkey.create(options)
    made = passkeys.registered(created, challenge)
    factor = Factor(
        factor_id=FactorId("fac_1"),
        account_id=AccountId("acc_1"),
        kind=FactorKind.PASSKEY,
        label="",
        created_at=make.NOW,
        credential=made.credential,
        public_key=made.public_key,
        user_handle=handle,
    )
    given = passkey.get(passkeys.authentication(challenge))
    assert passkeys.proved(given, challenge, factor) == 1
    held = 0
    for _ in range(1_000):
        for work in (
            lambda: passkeys.registered(_spoilt(created, draw), challenge),
            lambda: passkeys.proved(
                _spoilt(given, draw), challenge, factor, is_nameless=True
            ),
        ):
            with suppress(InvalidCredentials):
                held += work() is not None
    # A registration is signed by nothing: other keys and ids in it are as good.
    assert held < 1_000
