"""Staff need a second factor, where the site says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from care.accounts.accounts import Delivery
from gateway.accounts.needs import Device, SignInProof
from gateway.wire.errors import SecondFactorRequired
from tests.fixtures.accounts import (
    AccountApi,
    account_api,
    bearer,
)
from tests.fixtures.factors import App, add_app, claims_of, coded, finish, flow_of

SAMS_PASSWORD = "seven quiet harbours"


async def _doctor(site: AccountApi) -> str:
    """The address of a doctor with a password and no factor."""
    await site.api.add_provider()
    await site.api.project()
    await site.post("demo", {"persona": "doctor", "delivery": "body"})
    await site.post("password/forgot", {"email": "doctor@demo.example.org"})
    body = {"token": await site.link_token(), "password": SAMS_PASSWORD}
    assert (await site.post("password/reset", body)).status_code == 204
    return "doctor@demo.example.org"


async def test_staff_add_a_factor_when_they_sign_in(site: AccountApi) -> None:
    """Without one they get no token; its proof finishes the sign-in."""
    email = await _doctor(site)
    flow = await flow_of(site, email, SAMS_PASSWORD)
    assert flow["status"] == "enrol_second_factor"
    begun = (await finish(site, flow, "factors/totp", {})).json()
    app = App(site, begun["secret"])
    confirm = f"factors/{begun['factor_id']}/confirm"
    wrong = await finish(site, flow, confirm, {"code": app.wrong()})
    assert coded(wrong) == (422, "invalid_code")
    done = await finish(site, flow, confirm, {"code": app.code()})
    assert done.status_code == 200, done.text
    assert len(done.json()["recovery_codes"]) == 10
    claims = claims_of(done.json())
    assert (claims["role"], claims["acr"]) == ("doctor", 2)
    used = await finish(site, flow, "factors/totp", {})
    assert coded(used) == (410, "flow_ended")
    # Their last factor stays, even for a fresh proof of both.
    path = f"/v1/auth/factors/{begun['factor_id']}"
    answer = await site.client.delete(path, headers=bearer(done.json()))
    assert coded(answer) == (409, "factor_required")
    assert (await flow_of(site, email, SAMS_PASSWORD))["status"] == "second_factor"


async def test_a_flow_for_the_first_factor_adds_no_second(site: AccountApi) -> None:
    """Begun before the owner added theirs, it has ended."""
    email = await _doctor(site)
    old = await flow_of(site, email, SAMS_PASSWORD)
    flow = await flow_of(site, email, SAMS_PASSWORD)
    begun = (await finish(site, flow, "factors/totp", {})).json()
    body = {"code": App(site, begun["secret"]).code()}
    assert (
        await finish(site, flow, f"factors/{begun['factor_id']}/confirm", body)
    ).is_success
    for kind in ("totp", "passkey"):
        answer = await finish(site, old, f"factors/{kind}", {})
        assert coded(answer) == (410, "flow_ended")


async def test_where_it_is_optional_staff_sign_in_without(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The option in its other position: no factor is asked for, nor kept."""
    async with account_api(request, tmp_path, staff_needs_factor=False) as site:
        email = await _doctor(site)
        signed = await site.sign_in(email, SAMS_PASSWORD)
        assert signed["context"]["role"] == "doctor"
        app, _ = await add_app(site, signed)
        flow = await flow_of(site, email, SAMS_PASSWORD)
        signed = (await finish(site, flow, "totp", {"code": app.code()})).json()
        listed = await site.client.get("/v1/auth/factors", headers=bearer(signed))
        path = f"/v1/auth/factors/{listed.json()['items'][0]['factor_id']}"
        gone = await site.client.delete(path, headers=bearer(signed))
        assert gone.status_code == 204


async def test_a_new_password_ends_what_the_old_one_began(site: AccountApi) -> None:
    """A flow that waits for a first factor is worth nothing after a reset."""
    email = await _doctor(site)
    flow = await flow_of(site, email, SAMS_PASSWORD)
    begun = (await finish(site, flow, "factors/totp", {})).json()
    site.clock.step(1)
    await site.post("password/forgot", {"email": email})
    body = {"token": await site.link_token(), "password": "violet kettle runs"}
    assert (await site.post("password/reset", body)).status_code == 204
    answer = await finish(site, flow, "factors/totp", {})
    assert coded(answer) == (410, "flow_ended")
    body = {"code": App(site, begun["secret"]).code()}
    confirm = f"factors/{begun['factor_id']}/confirm"
    assert coded(await finish(site, flow, confirm, body)) == (410, "flow_ended")


async def test_a_session_of_one_factor_takes_no_staff_role(site: AccountApi) -> None:
    """Neither when it is refreshed nor by changing the context."""
    await _doctor(site)
    doctor = (await site.post("demo", {"persona": "doctor", "delivery": "body"})).json()
    account_id = (await site.me(doctor)).json()["account_id"]
    with pytest.raises(SecondFactorRequired):
        await site.auth.sign_in.open(
            account_id, Device(delivery=Delivery.BODY), None, SignInProof(("pwd",))
        )
