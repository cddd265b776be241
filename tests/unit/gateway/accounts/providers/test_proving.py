"""Proving who one is by signing in at a linked provider again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.accounts.providers import vouching
from tests.fixtures.accounts import SAME_ORIGIN, AccountApi, bearer, code_of
from tests.fixtures.fake_issuer import ISSUER, FakeIssuer
from tests.fixtures.oidc_issuer import Browser

LATER_S = 11 * 60
"""Longer than a sign-in counts as a proof."""
REFUSED = "/me#error=identity_refused"


async def _went(
    site: AccountApi, fake: FakeIssuer, signed: Mapping[str, Any], verb: str
) -> tuple[dict[str, str], str]:
    """The whole way to the provider and back: what it was asked, where it ends."""
    begun = await site.client.post(
        f"/v1/auth/oidc/test/{verb}",
        json={"return_to": "/me"},
        headers={**bearer(signed), **SAME_ORIGIN},
    )
    assert begun.status_code == 200, begun.text
    browser = Browser(site)
    browser.take(begun)
    asked = fake.gone_to(begun.json()["url"])
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    answer = await browser.get(f"/v1/auth/oidc/test/callback?{urlencode(back)}")
    assert not any("slotcast_rt" in one for one in browser.cookies)
    return asked, answer.headers["location"]


async def _linked(site: AccountApi, fake: FakeIssuer) -> dict[str, Any]:
    """Someone signed in, whose account at the provider is linked, a while ago."""
    await site.register()
    signed = await site.sign_in()
    asked, end = await _went(site, fake, signed, "link")
    assert end == "/me#linked=test"
    assert not {"prompt", "max_age"} & asked.keys()
    site.clock.step(LATER_S)
    return await _again(site, signed)


async def _again(site: AccountApi, signed: Mapping[str, Any]) -> dict[str, Any]:
    answer = await site.refresh(signed["refresh_token"])
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _may(site: AccountApi, signed: Mapping[str, Any]) -> bool:
    """Whether the session may do what needs a proof within ten minutes."""
    answer = await site.client.post(
        "/v1/auth/oidc/test/link",
        json={},
        headers={**bearer(signed), **SAME_ORIGIN},
    )
    if answer.status_code != 200:
        assert code_of(answer) == (403, "reauthentication_required")
    return answer.status_code == 200


async def test_signing_in_at_the_provider_again_is_a_proof(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """It is asked to ask the person, and says when they signed in; the session goes
    on, and its next token may do what needs a proof."""
    signed = await _linked(site, fake)
    assert not await _may(site, signed)
    fake.claims = {"auth_time": fake.clock.now() // 1000}
    asked, end = await _went(site, fake, signed, "prove")
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert end == "/me#proved=test"
    signed = await _again(site, signed)
    assert await _may(site, signed)
    assert (await site.me(signed)).json()["email"]
    site.clock.step(LATER_S)
    assert not await _may(site, await _again(site, signed))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "another"},
        {"auth_time": None},
        {"auth_time": "now"},
        {"auth_time": True},
        {"auth_time": 1_000_000_000},
    ],
)
async def test_what_does_not_prove_it_is_refused(
    site: AccountApi, fake: FakeIssuer, claims: dict[str, Any]
) -> None:
    """Another person's account there, and a session there that went on silently."""
    signed = await _linked(site, fake)
    fake.claims = {"auth_time": fake.clock.now() // 1000, **claims}
    _, end = await _went(site, fake, signed, "prove")
    assert end == REFUSED
    assert not await _may(site, await _again(site, signed))


async def test_control_without_its_time_a_silent_return_proves(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider asked nothing: the person at the browser may be another one."""
    signed = await _linked(site, fake)
    monkeypatch.setattr(vouching, "_signed_in_since", lambda *_: True)
    _, end = await _went(site, fake, signed, "prove")
    assert end == "/me#proved=test"


async def test_a_proof_links_nothing_and_ends_with_its_session(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Of a provider that is not linked; and signed out in between."""
    await site.register()
    signed = await site.sign_in()
    fake.claims = {"auth_time": fake.clock.now() // 1000}
    _, end = await _went(site, fake, signed, "prove")
    assert end == REFUSED
    found = await site.client.get("/v1/auth/identities", headers=bearer(signed))
    assert found.json()["items"] == []
    begun = await site.client.post(
        "/v1/auth/oidc/test/prove",
        json={"return_to": "/me"},
        headers={**bearer(signed), **SAME_ORIGIN},
    )
    assert (await site.post("logout", {}, bearer(signed))).status_code == 204
    browser = Browser(site)
    browser.take(begun)
    asked = fake.gone_to(begun.json()["url"])
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    answer = await browser.get(f"/v1/auth/oidc/test/callback?{urlencode(back)}")
    assert answer.headers["location"] == "/me#error=session_ended"
