"""What an issuer, a browser or a page between them may forge: nothing is signed in.

Each forgery has a control: with its guard taken out the same forgery signs in.

One file because all of them forge one step or another of the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from gateway.accounts.providers import id_tokens, issuers, provider_routes, vouching
from gateway.accounts.providers.id_tokens import CHECKS, Claims, Expected
from gateway.accounts.providers.returning import own_path
from tests.fixtures.accounts import SAME_ORIGIN, AccountApi, bearer
from tests.fixtures.fake_issuer import (
    ISSUER,
    Endless,
    FakeIssuer,
    signed_by_another,
    signed_with_public_key,
    unsigned,
)
from tests.fixtures.oidc_issuer import Browser, told

REFUSED = {"error": "identity_refused"}


async def _sign_in(
    site: AccountApi,
    fake: FakeIssuer,
    browser: Browser | None = None,
    **back: str,
) -> str:
    """The whole way with what the issuer says now; where the browser ends."""
    browser = browser or Browser(site)
    asked = fake.gone_to(await browser.leave())
    brought = {"code": "a code", "state": asked["state"], "iss": ISSUER, **back}
    callback = f"/v1/auth/oidc/test/callback?{urlencode(brought)}"
    answer = await browser.get(callback)
    assert answer.status_code == 302, answer.text
    end: str = answer.headers["location"]
    is_signed_in = any("slotcast_rt" in one for one in browser.cookies)
    assert is_signed_in == ("#" not in end), end
    return end


async def test_what_holds_signs_in(site: AccountApi, fake: FakeIssuer) -> None:
    """The control of all below: the issuer as it is."""
    assert await _sign_in(site, fake) == "/visits"


CLAIMS: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "audience": {"aud": "another client"},
    "audiences": {"aud": ["slotcast", "another client"]},
    "party": {"azp": "another client"},
    "nonce": {"nonce": "of another sign-in"},
    "no nonce": {"nonce": None},
    "expired": {"iat": 1, "exp": 2},
    "no end": {"exp": None},
    "future": {"iat": 32_503_680_000, "exp": 32_503_680_300},
    "not yet": {"nbf": 32_503_680_000},
    "old": {"iat": 1_000_000_000},
    "text": {"exp": "32503680000"},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "number": {"sub": 7},
}
_GUARD = {
    "issuer": "issuer",
    "no issuer": "issuer",
    "audience": "audience",
    "audiences": "audience",
    "party": "party",
    "nonce": "nonce",
    "no nonce": "nonce",
    "expired": "times",
    "no end": "times",
    "future": "times",
    "not yet": "times",
    "old": "times",
    "text": "times",
}
"""Lie -> the check that finds it; without a subject no account can be found."""


async def test_a_claim_that_does_not_hold_is_refused(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Signed by the issuer, and yet not for this sign-in at this client."""
    for lie, claims in CLAIMS.items():
        fake.claims = claims
        assert told(await _sign_in(site, fake)) == REFUSED, lie


async def test_control_without_its_check_a_claim_signs_in(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is this check that refuses it, and no other."""
    for lie, guard in _GUARD.items():
        fake.claims = CLAIMS[lie]
        left = tuple(one for one in CHECKS if one.__name__ != f"_check_{guard}")
        assert len(left) == len(CHECKS) - 1
        monkeypatch.setattr(id_tokens, "CHECKS", left)
        assert await _sign_in(site, fake) == "/visits", lie


FORGERIES = (unsigned, signed_with_public_key, signed_by_another)


async def test_a_token_that_the_issuer_did_not_sign_is_refused(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """No algorithm ``none``, no HMAC by the public key, no other key of this name."""
    for forge in FORGERIES:
        fake.forge = forge
        assert told(await _sign_in(site, fake)) == REFUSED, forge.__name__


async def test_control_without_the_signature_a_forgery_signs_in(
    site: AccountApi,
    fake: FakeIssuer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read without its signature, every forgery says what is expected."""

    def unverified(token: str, _keys: Any, expected: Expected) -> Claims:
        import jwt

        claims: Claims = jwt.decode(token, options={"verify_signature": False})
        for check in CHECKS:
            check(claims, expected)
        return claims

    monkeypatch.setattr(issuers, "checked_claims", unverified)
    for forge in FORGERIES:
        fake.forge = forge
        assert await _sign_in(site, fake) == "/visits", forge.__name__


# --- the browser's way back ---


async def test_a_return_to_another_browser_signs_in_no_one(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """A stranger who makes a browser open the address of their own sign-in: without a
    flow, and with a flow of its own."""
    stranger, victim = Browser(site), Browser(site)
    asked = fake.gone_to(await stranger.leave())
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
    for _ in range(2):
        end = (await victim.get(callback)).headers["location"]
        assert end == "/#error=flow_ended"
        assert not [one for one in victim.cookies if "slotcast_rt" in one]
        await victim.leave()
    fake.gone_to(await stranger.leave())
    assert fake.calls.count("id.example.org/token") == 0


async def test_control_without_the_state_a_foreign_return_signs_in(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the comparison of the state that refuses it."""
    monkeypatch.setattr(vouching, "_is_same", lambda one, other: True)
    assert await _sign_in(site, fake, state="of another browser") == "/visits"


async def test_a_return_works_once(site: AccountApi, fake: FakeIssuer) -> None:
    """Twice one after the other and eight times at once: one session."""
    browser = Browser(site)
    asked = fake.gone_to(await browser.leave())
    cookies = dict(browser.cookies)
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"

    async def again() -> str:
        other = Browser(site)
        other.cookies = dict(cookies)
        end: str = (await other.get(callback)).headers["location"]
        return end

    ends = await asyncio.gather(*(again() for _ in range(8)))
    assert sorted(ends) == sorted(["/visits", *["/#error=flow_ended"] * 7])
    assert await again() == "/#error=flow_ended"


async def test_control_without_its_use_a_return_works_again(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the flow's single use that ends it."""
    flows = site.auth.stores.flows
    monkeypatch.setattr(flows, "use", flows.find)
    browser = Browser(site)
    asked = fake.gone_to(await browser.leave())
    cookies = dict(browser.cookies)
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    for _ in range(2):
        browser.cookies = dict(cookies)
        path = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
        assert (await browser.get(path)).headers["location"] == "/visits"
        site.clock.step(1)


async def test_the_flow_ends_after_ten_minutes(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """A browser that comes back later begins again."""
    browser = Browser(site)
    asked = fake.gone_to(await browser.leave())
    site.clock.step(10 * 60)
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    path = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
    assert (await browser.get(path)).headers["location"] == "/#error=flow_ended"


async def test_an_answer_of_another_issuer_is_refused(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """RFC 9207: ``iss`` is another, or is missing although it always says it. The code
    is not shown to anyone."""
    for issuer in ("https://evil.example", ""):
        assert told(await _sign_in(site, fake, iss=issuer)) == REFUSED
    assert "id.example.org/token" not in fake.calls


async def test_control_without_the_issuer_parameter_it_signs_in(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the comparison of ``iss`` that refuses it."""

    async def unchecked(*_: object) -> None:
        return None

    monkeypatch.setattr(vouching, "_check_sender", unchecked)
    assert await _sign_in(site, fake, iss="https://evil.example") == "/visits"


async def test_who_declines_at_the_provider_comes_back_without_a_session(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Whatever the provider calls it, and however long it goes on about it."""
    for error in ("access_denied", "x" * 3000, "<script>"):
        end = await _sign_in(site, fake, error=error, code="", hd="example.org")
        assert end == "/visits#error=identity_refused"


async def test_the_cookie_of_a_flow_is_lax_and_for_this_host(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """It must come along from the provider's page, and no script may read it."""
    answer = await site.client.get("/v1/auth/oidc/test/start")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-slotcast_oidc_")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "path=/", "samesite=lax", "max-age=600"} <= attributes
    assert answer.headers["cache-control"] == "no-store"
    assert fake.calls == ["id.example.org/.well-known/openid-configuration"]


FOREIGN_PATHS = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "visits",
    "",
    "/v1/auth/logout",
    "/visits#flow=forged",
    "/" + "a" * 600,
]


_ENDS: list[tuple[dict[str, Any], str]] = [
    ({}, "/"),
    ({"aud": "x"}, "/#error=identity_refused"),
]


async def test_only_paths_of_this_site_are_gone_on_at(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Anything else is the start page: after signing in, and after a failure."""
    for path, (claims, end) in product(FOREIGN_PATHS, _ENDS):
        fake.claims = claims
        browser = Browser(site)
        asked = fake.gone_to(await browser.leave(path))
        back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
        callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
        assert (await browser.get(callback)).headers["location"] == end, path


@pytest.mark.parametrize("path", ["/", "/visits", "/p/prv_1?week=2026-W33&x=a%20b"])
def test_own_paths_stay_as_they_are(path: str) -> None:
    """With their parameters."""
    assert own_path(path) == path


async def test_control_without_the_guard_a_foreign_path_is_gone_on_at(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is own_path that keeps browsers here."""
    for module in (vouching, provider_routes):
        monkeypatch.setattr(module, "own_path", lambda path: path)
    browser = Browser(site)
    asked = fake.gone_to(await browser.leave("//evil.example"))
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    answer = await browser.get(f"/v1/auth/oidc/test/callback?{urlencode(back)}")
    assert answer.headers["location"] == "//evil.example"


# --- other people's accounts ---


async def test_a_known_address_takes_over_no_account(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Verified or not: its account is not signed in to, nor linked."""
    await site.register()
    owner = await site.sign_in()
    emails = ("mira@example.org", "MIRA@example.org")
    for verified, email in product((True, False, None, "true"), emails):
        fake.claims = {
            "email_verified": verified,
            "sub": "a stranger",
            "email": email,
        }
        is_sure = verified in (True, "true")
        error = "link_required" if is_sure else "verification_required"
        assert told(await _sign_in(site, fake)) == {"error": error}
    listed = await site.client.get("/v1/auth/identities", headers=bearer(owner))
    assert listed.json()["items"] == []
    sessions = await site.client.get("/v1/auth/sessions", headers=bearer(owner))
    assert len(sessions.json()["items"]) == 1


async def test_control_linking_by_address_would_take_an_account_over(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a store that finds accounts by their address, the stranger is the owner."""
    await site.register()
    owner = (await site.me(await site.sign_in())).json()["account_id"]
    identities = site.auth.stores.identities

    async def by_address(*_: object, **__: object) -> str:
        return str(owner)

    monkeypatch.setattr(identities, "register", by_address)
    fake.claims = {"sub": "a stranger"}
    assert await _sign_in(site, fake) == "/visits"


async def test_control_an_unknown_address_signs_in(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """It is the account of the address that stands in the way, not the stranger."""
    await site.register()
    fake.claims = {"sub": "a stranger", "email": "sam@example.org"}
    assert await _sign_in(site, fake) == "/visits"


async def test_an_unsure_address_does_not_tell_whether_it_has_an_account(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """The answers are alike; the mail tells its recipient."""
    await site.register()
    ends = []
    for email in ("mira@example.org", "new@example.org"):
        fake.claims = {"sub": email, "email": email, "email_verified": False}
        ends.append(await _sign_in(site, fake))
    assert ends[0] == ends[1] == "/visits#error=verification_required"
    kinds = {one.message.recipient: one.message.kind for one in await _sent(site)}
    assert kinds == {
        "mira@example.org": "already_registered",
        "new@example.org": "verify_email",
    }


async def _sent(site: AccountApi) -> list[Any]:
    return list(await site.outgoing.latest(2))


async def test_who_resets_an_unconfirmed_account_has_it_alone(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """A stranger signed in with another's address first; its owner asks for a password,
    which confirms it: the stranger's identity opens it no more."""
    fake.claims = {"sub": "a stranger", "email_verified": False}
    await _sign_in(site, fake)
    site.clock.step(1)  # two links go to one address; the newest is told by its time
    await site.post("password/forgot", {"email": "mira@example.org"})
    body = {"token": await site.link_token(), "password": "seven quiet harbours"}
    assert (await site.post("password/reset", body)).status_code == 204
    assert (await site.sign_in(password="seven quiet harbours"))["access_token"]
    assert told(await _sign_in(site, fake)) == {"error": "verification_required"}


async def test_an_identity_belongs_to_one_account(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Linked by its owner, another account cannot link it; twice by one is no error."""
    fake.claims = {"email": "other@example.org"}
    await _sign_in(site, fake)
    await site.register()
    signed = await site.sign_in()
    for subject, end in (
        ("mira", "/#error=identity_taken"),
        ("another", "/#linked=test"),
        ("another", "/#linked=test"),
        ("a third", "/#error=identity_taken"),
    ):
        fake.claims = {"sub": subject}
        begun = await site.client.post(
            "/v1/auth/oidc/test/link",
            json={},
            headers={**bearer(signed), **SAME_ORIGIN},
        )
        browser = Browser(site)
        browser.take(begun)
        asked = fake.gone_to(begun.json()["url"])
        back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
        callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
        assert (await browser.get(callback)).headers["location"] == end


async def test_linking_ends_with_its_session(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Signed out in between, the return links nothing."""
    await site.register()
    signed = await site.sign_in()
    headers = {**bearer(signed), **SAME_ORIGIN}
    begun = await site.client.post("/v1/auth/oidc/test/link", json={}, headers=headers)
    assert (await site.post("logout", {}, bearer(signed))).status_code == 204
    browser = Browser(site)
    browser.take(begun)
    asked = fake.gone_to(begun.json()["url"])
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
    end = (await browser.get(callback)).headers["location"]
    assert end == "/#error=session_ended"


async def test_without_an_address_there_is_no_account(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """Nothing can be sent to it: the provider does not tell one, or none that is."""
    for email in (None, "", "no address", 7, "a@b@c"):
        fake.claims = {"email": email}
        assert told(await _sign_in(site, fake)) == {"error": "email_missing"}


# --- an issuer that does not answer as it should ---


def _redirect() -> httpx.Response:
    where = {"location": "http://169.254.169.254/latest/meta-data"}
    return httpx.Response(302, headers=where)


BROKEN: dict[str, Callable[[FakeIssuer], None]] = {
    "redirected discovery": lambda it: it.answers.update(
        {"/.well-known/openid-configuration": _redirect()}
    ),
    "inner token endpoint": lambda it: it.answers.update(
        {
            "/.well-known/openid-configuration": httpx.Response(
                200, json=it.discovery(token_endpoint="http://169.254.169.254/token")
            )
        }
    ),
    "inner keys": lambda it: it.answers.update(
        {
            "/.well-known/openid-configuration": httpx.Response(
                200, json=it.discovery(jwks_uri="https://10.0.0.1/jwks")
            )
        }
    ),
    "another's discovery": lambda it: it.answers.update(
        {
            "/.well-known/openid-configuration": httpx.Response(
                200, json=it.discovery(issuer="https://evil.example")
            )
        }
    ),
    "redirected token": lambda it: it.answers.update({"/token": _redirect()}),
    "redirected keys": lambda it: it.answers.update({"/jwks": _redirect()}),
    "no json": lambda it: it.answers.update({"/token": httpx.Response(200, text="ok")}),
    "no keys": lambda it: it.answers.update({"/jwks": httpx.Response(200, json=[])}),
    "broken keys": lambda it: it.answers.update(
        {"/jwks": httpx.Response(200, json={"keys": [{"kty": "EC"}, 7]})}
    ),
    "deep json": lambda it: it.answers.update(
        {"/jwks": httpx.Response(200, text="[" * 100_000)}
    ),
    "ten megabytes of keys": lambda it: it.answers.update(
        {"/jwks": httpx.Response(200, content=b" " * 10_000_000)}
    ),
    "compressed": lambda it: it.answers.update(
        {"/jwks": httpx.Response(200, headers={"content-encoding": "gzip"})}
    ),
    "error": lambda it: it.answers.update({"/token": httpx.Response(500)}),
}


async def test_a_broken_issuer_is_a_bounded_error(
    site: AccountApi, fake: FakeIssuer
) -> None:
    """The browser ends at a page with ``unavailable``; no other host was asked."""
    issuer = site.auth.vouching._issuers["test"]
    for name, break_it in BROKEN.items():
        fake.answers.clear()
        issuer._endpoints = issuer._keys = issuer._failed_at = None
        break_it(fake)
        assert await _try(site, fake) == "/visits#error=unavailable", name
    assert {one.partition("/")[0] for one in fake.calls} == {"id.example.org"}


async def _try(site: AccountApi, fake: FakeIssuer) -> str:
    """Begin to sign in, and come back if there was a way to leave; where it ends."""
    browser = Browser(site)
    answer = await browser.get("/v1/auth/oidc/test/start?return_to=/visits")
    end = answer.headers["location"]
    if end.startswith(ISSUER):
        asked = fake.gone_to(end)
        back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
        callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
        end = (await browser.get(callback)).headers["location"]
    assert not [one for one in browser.cookies if "slotcast_rt" in one]
    return str(end)


async def test_control_without_the_check_of_endpoints_others_are_asked(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is is_safe_url that keeps a document from sending us anywhere."""
    BROKEN["inner token endpoint"](fake)
    monkeypatch.setattr(issuers, "is_safe_url", lambda url, issuer: True)
    assert await _sign_in(site, fake) == "/visits"
    assert "169.254.169.254/token" in fake.calls


async def test_control_a_followed_redirect_would_reach_an_inner_address(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the client that does not follow."""
    BROKEN["redirected keys"](fake)
    fake.answers["/latest/meta-data"] = httpx.Response(404, json={})

    class Following(httpx.AsyncClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "follow_redirects": True})

    monkeypatch.setattr(
        "gateway.accounts.providers.issuers.httpx.AsyncClient", Following
    )
    await _sign_in(site, fake)
    assert "169.254.169.254/latest/meta-data" in fake.calls


async def test_an_answer_is_read_as_far_as_its_bound(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body without end costs 256 KiB; control: with a higher bound, more is read."""
    issuer = site.auth.vouching._issuers["test"]
    for bound in (issuers.ANSWER_BYTES_MAX, 2 * 1024 * 1024):
        issuer._failed_at = None
        monkeypatch.setattr(issuers, "ANSWER_BYTES_MAX", bound)
        body = Endless()
        fake.answers["/jwks"] = httpx.Response(200, stream=body)
        assert told(await _sign_in(site, fake)) == {"error": "unavailable"}
        assert bound < body.sent <= bound + 128 * 1024


async def test_a_slow_issuer_is_given_up(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its deadline; those who wait are bounded, and a further one is refused."""
    monkeypatch.setattr(issuers, "ANSWER_S", 0.05)
    never = asyncio.Event()

    class Silent(FakeIssuer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await never.wait()
            raise AssertionError

    issuer = site.auth.vouching._issuers["test"]
    browser = Browser(site)
    asked = fake.gone_to(await browser.leave())
    monkeypatch.setattr(issuer, "_transport", Silent(fake.clock))
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
    end = (await browser.get(callback)).headers["location"]
    assert end == "/visits#error=unavailable"
    monkeypatch.setattr(issuers, "REQUESTS_MAX", 0)
    monkeypatch.setattr(issuer, "_transport", fake)
    fake.calls.clear()
    assert told(await _sign_in(site, fake)) == {"error": "unavailable"}
    assert fake.calls == []


async def test_control_without_its_deadline_a_slow_issuer_holds_the_request(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 41: the request waits as long as the issuer does, here until let go."""
    monkeypatch.setattr(issuers, "ANSWER_S", None)
    asked_for, answer_now = asyncio.Event(), asyncio.Event()

    class Slow(FakeIssuer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked_for.set()
            await answer_now.wait()
            return await fake.handle_async_request(request)

    browser = Browser(site)
    asked = fake.gone_to(await browser.leave())
    issuer = site.auth.vouching._issuers["test"]
    monkeypatch.setattr(issuer, "_transport", Slow(fake.clock))
    back = {"code": "a code", "state": asked["state"], "iss": ISSUER}
    callback = f"/v1/auth/oidc/test/callback?{urlencode(back)}"
    waiting = asyncio.ensure_future(browser.get(callback))
    await asked_for.wait()
    await asyncio.wait({waiting}, timeout=0.1)  # twice the deadline of the test before
    assert not waiting.done()
    answer_now.set()
    assert (await waiting).headers["location"] == "/visits"


async def test_requests_that_wait_for_a_broken_issuer_fail_with_the_first(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten at once ask it once; five seconds later it is asked again. Control: without
    the memory of a failure each asks, one after the other."""
    issuer = site.auth.vouching._issuers["test"]
    discovery = "id.example.org/.well-known/openid-configuration"
    seconds = 1000.0
    monkeypatch.setattr(issuer, "_now", lambda: seconds)
    fake.answers["/.well-known/openid-configuration"] = httpx.Response(500)

    async def leave() -> str:
        answer = await site.client.get("/v1/auth/oidc/test/start")
        return str(answer.headers["location"])

    ends = await asyncio.gather(*(leave() for _ in range(10)))
    assert set(ends) == {"/#error=unavailable"}
    assert fake.calls.count(discovery) == 1
    fake.answers.clear()
    assert await leave() == "/#error=unavailable"
    seconds += issuers.FAILED_S
    assert (await leave()).startswith(ISSUER)
    issuer._endpoints = None
    fake.answers["/.well-known/openid-configuration"] = httpx.Response(500)
    fake.calls.clear()
    monkeypatch.setattr(issuers, "FAILED_S", 0.0)
    await asyncio.gather(*(leave() for _ in range(10)))
    assert fake.calls.count(discovery) == 10


async def test_a_new_key_is_fetched_once_and_unknown_ones_at_most_once_a_minute(
    site: AccountApi, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An issuer changes its key: the next sign-in works. Tokens with invented ids make
    no more requests than one a minute."""
    from joserfc.jwk import ECKey

    issuer = site.auth.vouching._issuers["test"]
    seconds = 1000.0
    monkeypatch.setattr(issuer, "_now", lambda: seconds)
    assert await _sign_in(site, fake) == "/visits"
    site.clock.step(1)
    fake.key = ECKey.generate_key("P-256", parameters={"kid": "second"})
    fake.published = [fake.key]
    assert told(await _sign_in(site, fake)) == REFUSED
    assert fake.calls.count("id.example.org/jwks") == 1
    seconds += issuers.KEYS_APART_S
    assert await _sign_in(site, fake) == "/visits"
    assert fake.calls.count("id.example.org/jwks") == 2
    fake.key = ECKey.generate_key("P-256", parameters={"kid": "invented"})
    for _ in range(3):
        assert told(await _sign_in(site, fake)) == REFUSED
    assert fake.calls.count("id.example.org/jwks") == 2
    assert fake.calls.count("id.example.org/.well-known/openid-configuration") == 1


async def test_an_unknown_provider_is_not_there(site: AccountApi) -> None:
    """Neither to leave for nor to come back from."""
    answer = await site.client.get("/v1/auth/oidc/evil/start")
    assert answer.status_code == 404
    answer = await site.client.get("/v1/auth/oidc/evil/callback?code=c&state=s")
    assert answer.headers["location"] == "/#error=flow_ended"
