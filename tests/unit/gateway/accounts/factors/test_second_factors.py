"""Second factors: codes of apps and on paper, and attacks on them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from care.accounts.accounts import Delivery
from care.accounts.factors.totp import STEPS_BESIDE
from care.accounts.flows import TRIES_MAX
from care.accounts.ids import AccountId
from care.accounts.passwords import stamp_of
from care.accounts.throttling import CODES_AN_HOUR
from care.notices.messages import Message
from gateway.accounts.needs import Device, FactorAwaited, SignInProof
from gateway.accounts.refusals import InvalidCredentials
from persistence.accounts.factors import SqlFactors
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    SAME_ORIGIN,
    AccountApi,
    bearer,
)
from tests.fixtures.factors import App, add_app, claims_of, coded, finish, flow_of

PHONE = "+4915112345678"
SAM = "sam@example.org"
SAMS_PASSWORD = "seven quiet harbours"


async def test_a_second_factor_is_added_and_asked_for(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """The password alone gives a flow and no token; with the code both are proved."""
    assert (claims_of(mira)["acr"], claims_of(mira)["amr"]) == (1, ["pwd"])
    begun = (await site.post("factors/totp", {}, bearer(mira))).json()
    assert begun["uri"].startswith("otpauth://totp/Slotcast:")
    assert begun["qr_svg"].startswith("<svg")
    app, codes = await add_app(site, mira)
    assert len(set(codes)) == 10
    waiting = await flow_of(site)
    assert (waiting["status"], waiting["factors"]) == ("second_factor", ["totp"])
    signed = await finish(site, waiting, "totp", {"code": app.code()})
    assert signed.status_code == 200, signed.text
    claims = claims_of(signed.json())
    assert (claims["acr"], claims["amr"]) == (2, ["pwd", "otp"])
    assert claims["aat"] == site.clock.now()
    again = (await site.refresh(signed.json()["refresh_token"])).json()
    assert claims_of(again)["acr"] == 2
    listed = await site.client.get("/v1/auth/factors", headers=bearer(again))
    (factor,) = listed.json()["items"]
    assert (factor["kind"], listed.json()["recovery_codes_left"]) == ("totp", 10)
    assert "secret" not in factor
    kinds = [one.message.kind for one in await site.outgoing.latest(1)]
    assert kinds == ["factor_added"]


async def test_a_code_works_once(site: AccountApi, app: App) -> None:
    """32 sign-ins at once with one code, and one more: a single session."""
    flows = [await flow_of(site) for _ in range(8)]
    body = {"code": app.code()}
    answers = await asyncio.gather(
        *(finish(site, flow, "totp", body) for flow in flows * 4)
    )
    assert Counter(one.status_code for one in answers)[200] == 1
    assert {one.status_code for one in answers} <= {200, 422, 410, 429}


async def test_of_two_first_factors_at_one_time_one_is_added(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Two sessions of a password alone: the later would need the first factor."""
    begun = []
    for signed in (mira, await site.sign_in()):
        made = (await site.post("factors/totp", {}, bearer(signed))).json()
        begun.append((signed, made["factor_id"], App(site, made["secret"])))
    answers = await asyncio.gather(
        *(
            site.post(f"factors/{name}/confirm", {"code": app.code()}, bearer(signed))
            for signed, name, app in begun
        )
    )
    assert sorted(one.status_code for one in answers) in ([200, 403], [200, 410])
    listed = await site.client.get("/v1/auth/factors", headers=bearer(mira))
    assert len(listed.json()["items"]) == 1


async def test_without_the_compare_and_set_a_code_works_again(
    site: AccountApi, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: what the test above would find."""

    async def always(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr(SqlFactors, "use_step", always)
    statuses = []
    for _ in range(2):
        flow = await flow_of(site)
        answer = await finish(site, flow, "totp", {"code": app.code()})
        statuses.append(answer.status_code)
    assert statuses == [200, 200]


async def test_the_code_that_proved_an_app_signs_in_no_more(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Watched over a shoulder, it is worth nothing."""
    begun = (await site.post("factors/totp", {}, bearer(mira))).json()
    app = App(site, begun["secret"])
    path = f"factors/{begun['factor_id']}/confirm"
    await site.post(path, {"code": app.code()}, bearer(mira))
    answer = await finish(site, await flow_of(site), "totp", {"code": app.code()})
    assert coded(answer) == (422, "invalid_code")


@pytest.mark.parametrize(
    ("steps", "is_good"),
    [(-2, False), (-STEPS_BESIDE, True), (0, True), (STEPS_BESIDE, True), (2, False)],
)
async def test_codes_beside_the_present_are_good(
    site: AccountApi, app: App, steps: int, *, is_good: bool
) -> None:
    """One step before and after; others are not."""
    site.clock.step(60)
    answer = await finish(site, await flow_of(site), "totp", {"code": app.code(steps)})
    assert (answer.status_code == 200) is is_good


@pytest.mark.parametrize("code", ["１２３４５６", "12345a", " 12345 ", "0123456"])
async def test_a_code_is_six_plain_digits(
    site: AccountApi, app: App, code: str
) -> None:
    """Nothing else is compared, whatever script its digits are of."""
    answer = await finish(site, await flow_of(site), "totp", {"code": code})
    assert answer.status_code == 422


async def test_the_sixth_wrong_code_ends_the_flow(site: AccountApi, app: App) -> None:
    """Afterwards even the right one does not help; a new sign-in does."""
    flow = await flow_of(site)
    for _ in range(TRIES_MAX):
        answer = await finish(site, flow, "totp", {"code": app.wrong()})
        assert coded(answer) == (422, "invalid_code")
    for code in (app.wrong(), app.code()):
        answer = await finish(site, flow, "totp", {"code": code})
        assert coded(answer) == (410, "flow_ended")
    answer = await finish(site, await flow_of(site), "totp", {"code": app.code()})
    assert answer.status_code == 200


async def test_new_flows_give_no_more_codes(site: AccountApi, app: App) -> None:
    """Ten an hour an account, in however many flows; then the right one waits too."""
    tried = 0
    while tried < CODES_AN_HOUR:
        flow = await flow_of(site)
        for _ in range(TRIES_MAX):
            answer = await finish(site, flow, "totp", {"code": app.wrong()})
            assert answer.status_code == 422
            tried += 1
    answer = await finish(site, await flow_of(site), "totp", {"code": app.code()})
    assert coded(answer) == (429, "too_many_requests")
    site.clock.step(3600)
    answer = await finish(site, await flow_of(site), "totp", {"code": app.code()})
    assert answer.status_code == 200


async def test_a_flow_ends_after_ten_minutes(site: AccountApi, app: App) -> None:
    """And one that was used is used; ids that were never given are not told apart."""
    late = await flow_of(site)
    used = await flow_of(site)
    assert (await finish(site, used, "totp", {"code": app.code()})).is_success
    site.clock.step(600)
    answers = [
        await finish(site, flow, "totp", {"code": app.code()})
        for flow in (late, used, {"flow": "x" * 43})
    ]
    assert [coded(one) for one in answers] == [(410, "flow_ended")] * 3
    assert len({one.content for one in answers}) == 1


async def test_a_recovery_code_works_once(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """However it is typed; its owner is told; twice at once it is still once."""
    _, codes = await add_app(site, mira)
    typed = codes[0].upper().replace("-", " ")
    flows = [await flow_of(site) for _ in range(4)]
    answers = await asyncio.gather(
        *(finish(site, flow, "recovery", {"code": typed}) for flow in flows)
    )
    assert sorted(one.status_code for one in answers) == [200, 422, 422, 422]
    (signed,) = (one.json() for one in answers if one.is_success)
    assert claims_of(signed)["amr"] == ["pwd", "recovery"]
    listed = await site.client.get("/v1/auth/factors", headers=bearer(signed))
    assert listed.json()["recovery_codes_left"] == 9
    kinds = [one.message.kind for one in await site.outgoing.latest(2)]
    assert "recovery_code_used" in kinds


async def test_renewed_codes_replace_the_old(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Ten others; those before are dead."""
    app, old = await add_app(site, mira)
    signed = await finish(site, await flow_of(site), "totp", {"code": app.code()})
    made = await site.post("recovery-codes", {}, bearer(signed.json()))
    new = made.json()["recovery_codes"]
    assert (len(new), set(new) & set(old)) == (10, set())
    for code, status in ((old[0], 422), (new[0], 200)):
        flow = await flow_of(site)
        answer = await finish(site, flow, "recovery", {"code": code})
        assert answer.status_code == status


async def test_a_flow_is_not_finished_with_the_factor_of_another(
    site: AccountApi, app: App
) -> None:
    """Sam's code is a wrong one in Mira's flow, and stays good for Sam."""
    await site.register(SAM, SAMS_PASSWORD)
    sam = await site.sign_in(SAM, SAMS_PASSWORD)
    sams, codes = await add_app(site, sam)
    flow = await flow_of(site)
    for by, code in (("totp", sams.code()), ("recovery", codes[0])):
        answer = await finish(site, flow, by, {"code": code})
        assert coded(answer) == (422, "invalid_code")
    own = await flow_of(site, SAM, SAMS_PASSWORD)
    assert (await finish(site, own, "totp", {"code": sams.code()})).is_success


async def test_a_reset_leaves_the_second_factor(site: AccountApi, app: App) -> None:
    """A new password does not sign in past the code."""
    await site.post("password/forgot", {"email": MIRA})
    body = {"token": await site.link_token(), "password": SAMS_PASSWORD}
    answer = await site.post("password/reset", body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    waiting = await site.sign_in(password=SAMS_PASSWORD)
    assert waiting["status"] == "second_factor"


async def test_adding_a_factor_needs_a_fresh_proof(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Older than ten minutes it is refused, from the first step to the last."""
    begun = (await site.post("factors/totp", {}, bearer(mira))).json()
    site.clock.step(601)
    old = (await site.refresh(mira["refresh_token"])).json()
    confirm = f"factors/{begun['factor_id']}/confirm"
    for path, body in (
        ("factors/totp", {}),
        ("factors/sms", {"phone": PHONE}),
        ("factors/passkey", {}),
        ("recovery-codes", {}),
        (confirm, {"code": App(site, begun["secret"]).code()}),
    ):
        answer = await site.post(path, body, bearer(old))
        assert coded(answer) == (403, "reauthentication_required")
    proved = await site.post("reauthenticate", {"password": PASSWORD}, bearer(old))
    begun = await site.post("factors/totp", {}, bearer(proved.json()))
    assert begun.status_code == 200


@pytest.mark.parametrize("replaced", ["before the flow", "before its end"])
async def test_a_flow_does_not_outlive_the_password_that_began_it(
    site: AccountApi, mira: dict[str, Any], app: App, replaced: str
) -> None:
    """Nor can one begin with a password that was replaced since it was compared."""
    account = AccountId((await site.me(mira)).json()["account_id"])
    stored = await site.auth.stores.credentials.password_hash(account)
    proof = SignInProof(("pwd",), password=stamp_of(stored))

    async def replace_password() -> None:
        notice = Message("password_changed", MIRA, "", "a text")
        await site.auth.stores.credentials.set_password(
            account, stored + "x", notice=notice, now=site.clock.now()
        )

    async def begin() -> FactorAwaited:
        made = await site.auth.sign_in.admit(account, _program(), None, proof)
        assert isinstance(made, FactorAwaited)
        return made

    if replaced == "before the flow":
        await replace_password()
        with pytest.raises(InvalidCredentials):
            await begin()
        return
    waiting = {"flow": (await begin()).flow}
    await replace_password()
    answer = await finish(site, waiting, "totp", {"code": app.code()})
    assert coded(answer) == (410, "flow_ended")


async def test_the_password_alone_adds_no_second_one(
    site: AccountApi, mira: dict[str, Any], app: App
) -> None:
    """A session that proved one factor cannot add a factor beside the owner's."""
    old = await site.auth.sign_in.open(
        (await site.me(mira)).json()["account_id"],
        _program(),
        None,
        SignInProof(("pwd",)),
    )
    signed = {"access_token": old.access}
    answer = await site.post("factors/totp", {}, bearer(signed))
    assert coded(answer) == (403, "second_factor_required")
    proof = await site.post("reauthenticate", {"code": app.code()}, bearer(signed))
    assert claims_of(proof.json())["acr"] == 2
    answer = await site.post("factors/totp", {}, bearer(proof.json()))
    assert answer.status_code == 200


def _program() -> Any:
    return Device(delivery=Delivery.BODY)


async def test_removing_a_factor_needs_both_proofs(
    site: AccountApi, mira: dict[str, Any], app: App
) -> None:
    """A level and its freshness; another's factor and a missing one look the same."""
    (factor,) = (
        await site.client.get("/v1/auth/factors", headers=bearer(mira))
    ).json()["items"]
    path = f"/v1/auth/factors/{factor['factor_id']}"
    answer = await site.client.delete(path, headers=bearer(mira))
    assert coded(answer) == (403, "second_factor_required")
    signed = await finish(site, await flow_of(site), "totp", {"code": app.code()})
    site.clock.step(601)
    late = (await site.refresh(signed.json()["refresh_token"])).json()
    answer = await site.client.delete(path, headers=bearer(late))
    assert coded(answer) == (403, "reauthentication_required")
    fresh = await site.post("reauthenticate", {"code": app.code()}, bearer(late))
    await site.register(SAM, SAMS_PASSWORD)
    sam = await site.sign_in(SAM, SAMS_PASSWORD)
    sams, _ = await add_app(site, sam)
    flow = await flow_of(site, SAM, SAMS_PASSWORD)
    sam = (await finish(site, flow, "totp", {"code": sams.code()})).json()
    hidden = await site.client.delete(path, headers=bearer(sam))
    missing = await site.client.delete("/v1/auth/factors/fac_0", headers=bearer(sam))
    assert hidden.content == missing.content
    assert coded(hidden) == (404, "factor_not_found")
    gone = await site.client.delete(path, headers=bearer(fresh.json()))
    assert gone.status_code == 204
    assert "access_token" in await site.sign_in()


async def test_a_page_finishes_its_own_sign_in_alone(
    site: AccountApi, app: App
) -> None:
    """Where a cookie will be set, pages of other origins are refused."""
    body = {"email": MIRA, "password": PASSWORD, "delivery": "cookie"}
    flow = (await site.post("login", body, SAME_ORIGIN)).json()
    path = f"flows/{flow['flow']}/totp"
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = await site.post(path, {"code": app.code()}, foreign)
    assert coded(answer) == (403, "cross_origin")
    answer = await site.post(path, {"code": app.code()}, SAME_ORIGIN)
    assert answer.json()["refresh_token"] is None
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    refreshed = await site.post("refresh", {"active": True}, SAME_ORIGIN)
    assert claims_of(refreshed.json())["acr"] == 2


async def test_a_shared_computer_forgets_after_a_refresh_too(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Without remember, no later cookie outlives the browser."""
    body = {"email": MIRA, "password": PASSWORD, "remember": False}
    first = await site.post("login", body, SAME_ORIGIN)
    again = await site.post("refresh", {"active": True}, SAME_ORIGIN)
    for answer in (first, again):
        (cookie,) = (
            one for one in answer.headers.get_list("set-cookie") if "slotcast_rt" in one
        )
        assert "max-age" not in cookie.lower()
