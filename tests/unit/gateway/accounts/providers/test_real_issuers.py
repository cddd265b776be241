"""Signing in by a real issuer process: npm's oidc-provider, which enforces PKCE."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from actors.domain.ids import Millis
from care.accounts.providers import PRESETS
from gateway.accounts.providers import departing, vouching
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import (
    PUBLIC,
    SAME_ORIGIN,
    AccountApi,
    account_api,
    bearer,
)
from tests.fixtures.factors import add_app, claims_of
from tests.fixtures.oidc_issuer import Browser, OidcIssuer, oidc_issuer, told

Open = Callable[..., AbstractAsyncContextManager[AccountApi]]


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    """An issuer that keeps to the standard."""
    with oidc_issuer() as started:
        yield started


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """A site by the issuer's clock that knows these providers."""

    @asynccontextmanager
    async def open_site(
        found: OidcIssuer, **changes: object
    ) -> AsyncIterator[AccountApi]:
        clock = SteppedClock(Millis(time.time_ns() // 1_000_000))
        profile = found.profile(**{"email_trusted": True, **changes})
        async with account_api(
            request, tmp_path, clock=clock, identity_providers=(profile,)
        ) as site:
            yield site

    return open_site


async def _page(site: AccountApi, browser: Browser) -> dict[str, object]:
    """What the app does where the browser ends: it refreshes."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    answer = await site.client.post(
        "/v1/auth/refresh",
        json={"active": True},
        headers={"Cookie": cookie, **SAME_ORIGIN},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_first_sign_in_makes_an_account_and_the_next_finds_it(
    issuer: OidcIssuer, opened: Open
) -> None:
    """A patient, at the path that was asked for, signed in by cookie; once made."""
    async with opened(issuer) as site:
        listed = await site.client.get("/v1/auth/oidc")
        assert listed.json()["items"] == [{"name": "test", "title": "Test"}]
        browser = Browser(site)
        assert await browser.sign_in() == "/visits"
        first = await _page(site, browser)
        me = (await site.me(first)).json()
        assert (me["email"], me["status"]) == ("mira@example.org", "active")
        assert claims_of(first)["role"] == "patient"
        assert (claims_of(first)["acr"], claims_of(first)["amr"]) == (1, ["fed"])
        site.clock.step(1)
        again = Browser(site)
        assert await again.sign_in() == "/visits"
        me_again = (await site.me(await _page(site, again))).json()
        assert me_again["account_id"] == me["account_id"]
        other = Browser(site)
        await other.sign_in("sam")
        sam = (await site.me(await _page(site, other))).json()
        assert sam["account_id"] != me["account_id"]


async def test_a_second_factor_is_asked_for_as_after_a_password(
    issuer: OidcIssuer, opened: Open
) -> None:
    """The browser ends with a flow and no session; a code finishes it."""
    async with opened(issuer) as site:
        browser = Browser(site)
        await browser.sign_in()
        app, _ = await add_app(site, await _page(site, browser))
        again = Browser(site)
        end = await again.sign_in()
        assert urlsplit(end).path == "/visits"
        found = told(end)
        assert (found["status"], found["factors"]) == ("second_factor", "totp")
        assert not [one for one in again.cookies if "slotcast_rt" in one]
        done = await finish_in_page(site, found, app.code())
        assert claims_of(done)["amr"] == ["fed", "otp"]
        assert claims_of(done)["acr"] == 2


async def finish_in_page(
    site: AccountApi, flow: dict[str, str], code: str
) -> dict[str, object]:
    """The app sends the code."""
    answer = await site.post(f"flows/{flow['flow']}/totp", {"code": code}, SAME_ORIGIN)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_an_address_that_is_not_sure_is_confirmed_by_mail(
    issuer: OidcIssuer, opened: Open
) -> None:
    """No session before its link was opened; then the same way signs in."""
    async with opened(issuer, email_trusted=False) as site:
        browser = Browser(site)
        assert told(await browser.sign_in()) == {"error": "verification_required"}
        token = await site.link_token()
        assert told(await browser.sign_in()) == {"error": "verification_required"}
        answer = await site.post("verify-email", {"token": token})
        assert answer.status_code == 200
        assert await browser.sign_in() == "/visits"
        assert (await site.me(await _page(site, browser))).status_code == 200


async def test_a_wrong_verifier_is_refused_by_the_issuer(
    issuer: OidcIssuer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PKCE holds; control: the same way with the right one signs in (first test)."""
    real = departing.departure_url

    def with_another(profile, endpoints, waiting):  # type: ignore[no-untyped-def]
        return real(profile, endpoints, structs.replace(waiting, verifier="x" * 43))

    async with opened(issuer) as site:
        monkeypatch.setattr(vouching, "departure_url", with_another)
        browser = Browser(site)
        assert told(await browser.sign_in()) == {"error": "identity_refused"}
        assert not [one for one in browser.cookies if "slotcast_rt" in one]


async def test_a_code_of_another_persons_sign_in_signs_in_no_one(
    issuer: OidcIssuer, opened: Open
) -> None:
    """Swapped into one's own return, it fails: it is bound to another verifier."""
    async with opened(issuer) as site:
        thief, owner = Browser(site), Browser(site)
        stolen = await owner.come_back(await owner.leave())
        mine = await thief.come_back(await thief.leave(), "thief")
        code = parse_qs(urlsplit(stolen).query)["code"][0]
        own = parse_qs(urlsplit(mine).query)["code"][0]
        end = await thief.get(mine.replace(own, code))
        assert told(end.headers["location"]) == {"error": "identity_refused"}


async def test_facebooks_quirks(opened: Open) -> None:
    """No token endpoint in its discovery, nothing said of the address: endpoints are
    given, and a mail confirms."""
    quirks = ("no_token_endpoint", "silent", "post", "email_in_token")
    with oidc_issuer(*quirks) as found:
        given = {
            "authorization_endpoint": f"{found.issuer}/auth",
            "token_endpoint": f"{found.issuer}/token",
            "jwks_uri": f"{found.issuer}/jwks",
        }
        like = {
            key: value
            for key, value in PRESETS["facebook"].items()
            if key in ("client_auth", "email_trusted", "pkce", "nonce")
        }
        async with opened(found, **{"email_trusted": False, **given, **like}) as site:
            browser = Browser(site)
            assert told(await browser.sign_in()) == {"error": "verification_required"}
            body = {"token": await site.link_token()}
            assert (await site.post("verify-email", body)).status_code == 200
            assert await browser.sign_in() == "/visits"
        async with opened(found, **like) as site:  # control: by discovery alone
            answer = await site.client.get("/v1/auth/oidc/test/start")
            assert told(answer.headers["location"]) == {"error": "unavailable"}


async def test_linkedins_quirks(opened: Open) -> None:
    """An issuer with a path, no nonce in its token, no code_verifier: a profile."""
    quirks = ("path", "no_nonce", "no_pkce", "post", "email_in_token")
    with oidc_issuer(*quirks) as found:
        like = {
            key: value
            for key, value in PRESETS["linkedin"].items()
            if key in ("client_auth", "pkce", "nonce", "email_trusted")
        }
        async with opened(found, **like) as site:
            browser = Browser(site)
            assert await browser.sign_in() == "/visits"
        for strict in ("pkce", "nonce"):  # controls: strict in one of them
            fields = {key: value for key, value in like.items() if key != strict}
            async with opened(found, **fields) as site:
                end = await Browser(site).sign_in()
                assert told(end) == {"error": "identity_refused"}, strict


async def test_linking_a_provider_to_an_account_with_a_password(
    issuer: OidcIssuer, opened: Open
) -> None:
    """A known address leads to "sign in, then link"; linked, it signs in to the same
    account, and the owner is told."""
    async with opened(issuer) as site:
        await site.register()
        browser = Browser(site)
        assert told(await browser.sign_in()) == {"error": "link_required"}
        signed = await site.sign_in()
        begun = await site.client.post(
            "/v1/auth/oidc/test/link",
            json={"return_to": "/security"},
            headers={**bearer(signed), **SAME_ORIGIN},
        )
        assert begun.status_code == 200, begun.text
        browser.take(begun)
        back = await browser.come_back(begun.json()["url"])
        end = (await browser.get(back)).headers["location"]
        assert end == "/security#linked=test"
        assert [m.message.kind for m in await site.outgoing.latest(1)] == [
            "identity_linked"
        ]
        site.clock.step(1)
        assert await browser.sign_in() == "/visits"
        me = (await site.me(await _page(site, browser))).json()
        assert me["account_id"] == (await site.me(signed)).json()["account_id"]
        listed = await site.client.get("/v1/auth/identities", headers=bearer(signed))
        (one,) = listed.json()["items"]
        assert (one["provider"], one["label"]) == ("test", "mira@example.org")
        path = f"/v1/auth/identities/{one['identity_id']}"
        gone = await site.client.delete(path, headers=bearer(signed))
        assert gone.status_code == 204
        assert told(await browser.sign_in()) == {"error": "link_required"}


async def test_the_last_way_to_sign_in_cannot_be_removed(
    issuer: OidcIssuer, opened: Open
) -> None:
    """An account that only the provider opens keeps it until it has a password."""
    async with opened(issuer) as site:
        browser = Browser(site)
        await browser.sign_in()
        signed = await _page(site, browser)
        listed = await site.client.get("/v1/auth/identities", headers=bearer(signed))
        path = f"/v1/auth/identities/{listed.json()['items'][0]['identity_id']}"
        kept = await site.client.delete(path, headers=bearer(signed))
        assert (kept.status_code, kept.json()["code"]) == (409, "identity_required")
        body = {"password": "seven quiet harbours"}
        set_ = await site.post("password/change", body, bearer(signed))
        assert set_.status_code == 204
        gone = await site.client.delete(path, headers=bearer(signed))
        assert gone.status_code == 204


async def test_forged_hosts_do_not_change_where_the_provider_sends_back(
    issuer: OidcIssuer, opened: Open
) -> None:
    """redirect_uri is of the public URL, whatever Host and X-Forwarded-Host say."""
    async with opened(issuer) as site:
        for forged in (
            {"X-Forwarded-Host": "evil.example"},
            {"Host": "127.0.0.1", "X-Forwarded-Host": "evil.example"},
        ):
            answer = await site.client.get("/v1/auth/oidc/test/start", headers=forged)
            query = parse_qs(urlsplit(answer.headers["location"]).query)
            assert query["redirect_uri"] == [f"{PUBLIC}/v1/auth/oidc/test/callback"]
