"""Administrators remove the factors of an account whose owner has lost all of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from care.accounts.accounts import SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from care.grants.values import PlatformRole
from tests.fixtures.accounts import AccountApi, bearer, signed
from tests.fixtures.factors import App, add_app, coded, finish, flow_of

DAY_S = 24 * 3600
Signed = dict[str, Any]


async def _administer(site: AccountApi, *accounts: str) -> None:
    """Make these accounts, which administer the platform from now on."""
    grants, accounts_of = site.api.ports.grants, site.api.ports.accounts
    assert grants is not None
    assert accounts_of is not None
    now = site.clock.now()
    for one in accounts:
        patient = SignInContext("patient", f"pat_{one}")
        wanted = DemoAccount(AccountId(one), f"{one}@example.org", patient)
        await accounts_of.accounts.demo_account(wanted, now=now)
        role = PlatformRole.ADMIN
        await grants.platform.grant(AccountId(one), role, "", f"plr_{one}", now=now)


async def _lost(site: AccountApi) -> tuple[str, App, Signed]:
    """Mira has an app; her account, the app, and where she is signed in.

    Two administrators have been that for a day.
    """
    await _administer(site, "acc_8", "acc_9")
    site.clock.step(DAY_S)
    await site.register()
    mine = await site.sign_in()
    app, _ = await add_app(site, mine)
    return (await site.me(mine)).json()["account_id"], app, mine


async def _reset(site: AccountApi, account: str, by: str) -> httpx.Response:
    who = signed(site.api, "admin", by, account=by)
    path = f"/v1/accounts/{account}/factors/reset"
    return await site.client.post(path, headers=who)


async def _told(site: AccountApi) -> list[str]:
    """Kinds of what Mira was sent about her factors."""
    ports = site.api.ports
    assert ports.outgoing is not None
    found = await ports.outgoing.latest(50)
    kinds = [one.message.kind for one in reversed(found)]
    return [kind for kind in kinds if kind.startswith("factors_reset")]


async def test_two_administrators_remove_them_at_once(site: AccountApi) -> None:
    """The owner is told of both steps, is signed out, and the password is enough."""
    account, _, mine = await _lost(site)
    asked = await _reset(site, account, "acc_8")
    assert asked.json()["status"] == "waiting", asked.text
    assert (await site.me(mine)).status_code == 200
    done = await _reset(site, account, "acc_9")
    assert done.json()["status"] == "done"
    assert await _told(site) == ["factors_reset_asked", "factors_reset"]
    assert (await site.me(mine)).status_code == 401
    again = await site.sign_in()
    listed = await site.client.get("/v1/auth/factors", headers=bearer(again))
    assert listed.json()["items"] == []


@pytest.mark.parametrize("pair", [("acc_9", "acc_7"), ("acc_7", "acc_9")])
async def test_a_new_administrator_is_no_second_one(
    site: AccountApi, pair: tuple[str, str]
) -> None:
    """An administrator could make an account of their own one, and be both."""
    account, _, _ = await _lost(site)
    await _administer(site, "acc_7")
    first, second = pair
    await _reset(site, account, first)
    site.clock.step(DAY_S - 1)
    assert (await _reset(site, account, second)).json()["status"] == "waiting"
    site.clock.step(1)
    assert (await _reset(site, account, second)).json()["status"] == "done"


@pytest.mark.parametrize("gone", ["taken", "disabled"])
async def test_what_a_former_administrator_asked_does_not_count(
    site: AccountApi, gone: str
) -> None:
    """Neither at once nor after the day: it is asked again, and waits again."""
    account, _, _ = await _lost(site)
    await _reset(site, account, "acc_8")
    grants, now = site.api.ports.grants, site.clock.now()
    assert grants is not None
    former, other = AccountId("acc_8"), AccountId("acc_9")
    if gone == "taken":
        await grants.platform.take(former, PlatformRole.ADMIN, "")
    else:
        await grants.platform.disable(former, other, now=now)
    site.clock.step(DAY_S)
    assert (await _reset(site, account, "acc_9")).json()["status"] == "waiting"
    assert (await _reset(site, account, "acc_9")).json()["status"] == "waiting"
    assert await _told(site) == ["factors_reset_asked"] * 2


async def test_one_administrator_waits_a_day(site: AccountApi) -> None:
    """To the millisecond; asking again in between changes and mails nothing."""
    account, _, _ = await _lost(site)
    first = (await _reset(site, account, "acc_9")).json()
    site.clock.step(DAY_S - 1)
    assert (await _reset(site, account, "acc_9")).json() == first
    site.clock.step(1)
    assert (await _reset(site, account, "acc_9")).json()["status"] == "done"
    assert len(await _told(site)) == 2


async def test_a_factor_that_is_used_stops_it(site: AccountApi) -> None:
    """It is not lost: neither the day nor another administrator completes it."""
    account, app, _ = await _lost(site)
    await _reset(site, account, "acc_9")
    site.clock.step(60)
    flow = await flow_of(site)
    assert (await finish(site, flow, "totp", {"code": app.code()})).is_success
    site.clock.step(DAY_S)
    for by in ("acc_8", "acc_8"):
        assert (await _reset(site, account, by)).json()["status"] == "waiting"
    assert (await flow_of(site))["status"] == "second_factor"


async def test_a_new_factor_stops_it_as_well(site: AccountApi) -> None:
    """Added by the owner after it was asked, it is not removed."""
    await site.register()
    mine = await site.sign_in()
    account = (await site.me(mine)).json()["account_id"]
    await _reset(site, account, "acc_9")
    site.clock.step(1)
    await add_app(site, mine)
    assert (await _reset(site, account, "acc_8")).json()["status"] == "waiting"
    assert (await flow_of(site))["status"] == "second_factor"


async def test_what_was_asked_is_taken_back_or_grows_old(site: AccountApi) -> None:
    """Then it begins again, with a day of its own."""
    account, _, _ = await _lost(site)
    await _reset(site, account, "acc_9")
    path = f"/v1/accounts/{account}/factors/reset"
    who = signed(site.api, "admin", "acc_8", account="acc_8")
    assert (await site.client.delete(path, headers=who)).status_code == 204
    assert (await _reset(site, account, "acc_8")).json()["status"] == "waiting"
    site.clock.step(7 * DAY_S)
    assert (await _reset(site, account, "acc_9")).json()["status"] == "waiting"


async def test_administrators_reset_no_factor_of_their_own(site: AccountApi) -> None:
    """And none of an account that is not there."""
    account, _, _ = await _lost(site)
    assert coded(await _reset(site, account, account)) == (403, "forbidden")
    missing = await _reset(site, "acc_none", "acc_9")
    assert coded(missing) == (404, "account_not_found")


async def test_an_account_is_signed_out_everywhere(site: AccountApi) -> None:
    """By an administrator; it may sign in again, with its factors."""
    account, _, mine = await _lost(site)
    who = signed(site.api, "admin", "acc_9", account="acc_9")
    path = f"/v1/accounts/{account}/sign-out"
    assert (await site.client.post(path, headers=who)).status_code == 204
    assert (await site.me(mine)).status_code == 401
    assert (await flow_of(site))["status"] == "second_factor"
    path = "/v1/accounts/acc_none/sign-out"
    assert (await site.client.post(path, headers=who)).status_code == 404
