"""Registering, signing in, sessions and passwords, and the attacks on them.

One file because all attacks are on the same few routes of one small site.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from care.people.throttling import FREE_ATTEMPTS
from gateway.access.tokens import Role
from gateway.auth.cross_origin import check_same_origin
from tests.fakes.api import KEY, slot
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    PUBLIC,
    SAME_ORIGIN,
    AccountApi,
    account_api,
    bearer,
)

NEW_PASSWORD = "seven quiet harbours"


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """A demo site without accounts."""
    async with account_api(request, tmp_path) as opened:
        yield opened


@pytest.fixture
async def mira(site: AccountApi) -> dict[str, Any]:
    """Mira is registered, confirmed and signed in as a program."""
    await site.register()
    return await site.sign_in()


def _code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_person_registers_confirms_signs_in_and_books(
    site: AccountApi,
) -> None:
    """End to end; the link is in the demo's outgoing messages, behind a #."""
    await site.api.add_provider()
    body = {"email": "Mira@Example.org", "password": PASSWORD, "terms": True}
    assert (await site.post("register", body)).json() == {"status": "accepted"}
    login = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    assert _code(await site.post("login", login)) == (403, "verification_required")
    shown = (await site.client.get("/v1/auth/demo/messages")).json()["items"]
    assert [one["recipient"] for one in shown] == ["Mira@example.org"]
    assert f"{PUBLIC}/#/verify-email?token=" in shown[0]["text"]
    await site.post("verify-email", {"token": await site.link_token()})
    signed = await site.sign_in()
    assert signed["context"]["role"] == "patient"
    booked = await site.client.post("/v1/bookings", json=slot(), headers=bearer(signed))
    assert booked.status_code == 201, booked.text
    assert booked.json()["patient_id"] == signed["context"]["subject"]
    me = (await site.me(signed)).json()
    assert (me["email"], me["status"]) == ("Mira@example.org", "active")
    assert me["contexts"] == [signed["context"]] == [me["context"]]


async def test_a_link_works_once(site: AccountApi) -> None:
    """Opened again, or guessed, it is refused."""
    await site.register()
    token = await site.link_token()
    for wrong in (token, token[:-1] + "x", "0" * 40):
        answer = await site.post("verify-email", {"token": wrong})
        assert _code(answer) == (410, "link_expired")


# --- tokens ---


async def test_foreign_tokens_are_refused(site: AccountApi, mira: Any) -> None:
    """alg none, a wrong key, foreign issuer or audience, a refresh token as bearer,
    and claims of an identity that are not whole."""
    claims = jwt.decode(
        mira["access_token"],
        KEY,
        algorithms=["HS256"],
        audience="slotcast",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert jwt.encode(claims, KEY) == mira["access_token"]
    less = {name: value for name, value in claims.items() if name != "sid"}
    forged = [
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, b"x" * 32),
        jwt.encode(claims | {"iss": "other"}, KEY),
        jwt.encode(claims | {"aud": "other"}, KEY),
        jwt.encode(claims | {"gen": "1"}, KEY),
        jwt.encode(less, KEY),
        mira["refresh_token"],
    ]
    for token in forged:
        answer = await site.me({"access_token": token})
        assert _code(answer) == (401, "unauthenticated")
    assert (await site.me(mira)).status_code == 200


@pytest.mark.parametrize("demo_tokens", [True, False])
async def test_demo_tokens_are_taken_where_they_are_allowed(
    request: pytest.FixtureRequest, tmp_path: Path, demo_tokens: bool
) -> None:
    """They have no account, and with demo off they are refused."""
    async with account_api(request, tmp_path, demo_tokens=demo_tokens) as site:
        headers = site.api.patient()
        bookings = await site.client.get("/v1/bookings", headers=headers)
        assert bookings.status_code == (200 if demo_tokens else 401)
        me = await site.client.get("/v1/me", headers=headers)
        expected = (
            (403, "account_required") if demo_tokens else (401, "unauthenticated")
        )
        assert _code(me) == expected


async def test_a_stolen_refresh_token_ends_the_session(
    site: AccountApi, mira: Any
) -> None:
    """Thief, then owner: both access tokens die, and the owner is told."""
    stolen = (await site.refresh(mira["refresh_token"])).json()
    assert (await site.me(stolen)).status_code == 200
    await site.auth.seen.note()
    site.clock.step(61)
    answer = await site.refresh(mira["refresh_token"])
    assert _code(answer) == (401, "session_ended")
    for signed in (mira, stolen):
        assert _code(await site.me(signed)) == (401, "unauthenticated")
    answer = await site.refresh(stolen["refresh_token"])
    assert _code(answer) == (401, "session_ended")
    kinds = [one.message.kind for one in await site.outgoing.latest(9)]
    assert kinds.count("session_reuse") == 1


async def test_a_lost_answer_is_repeated(site: AccountApi, mira: Any) -> None:
    """Ten minutes later, successor never seen: the same successor again."""
    first = (await site.refresh(mira["refresh_token"])).json()
    site.clock.step(600)
    again = (await site.refresh(mira["refresh_token"])).json()
    assert again["refresh_token"] == first["refresh_token"]
    assert (await site.me(again)).status_code == 200


async def test_racing_refreshes_get_one_successor(site: AccountApi, mira: Any) -> None:
    """24 at once with one token: each is answered, with the same successor."""
    answers = await asyncio.gather(
        *(site.refresh(mira["refresh_token"]) for _ in range(24))
    )
    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["refresh_token"] for one in answers}) == 1


async def test_a_forged_token_does_not_touch_the_session(
    site: AccountApi, mira: Any
) -> None:
    """A wrong mac on a real session is refused, and the session lives."""
    session, generation, _ = mira["refresh_token"].split(".")
    for forged in (f"{session}.{generation}.{'A' * 32}", "nonsense", ""):
        assert _code(await site.refresh(forged)) == (401, "session_ended")
    assert (await site.refresh(mira["refresh_token"])).status_code == 200


async def test_signing_in_works_in_the_moment_of_an_end(
    site: AccountApi, mira: Any
) -> None:
    """Sessions are revoked by their id: a new one in the same millisecond is good."""
    out = await site.post("logout", {"everywhere": True}, bearer(mira))
    assert out.status_code == 204
    again = await site.sign_in()
    assert _code(await site.me(mira)) == (401, "unauthenticated")
    assert (await site.me(again)).status_code == 200


async def test_an_end_and_a_refresh_at_once_leave_no_token(
    site: AccountApi, mira: Any
) -> None:
    """However they interleave, no access token works once the session has ended."""
    for _ in range(10):
        signed = await site.sign_in()
        refreshed, ended = await asyncio.gather(
            site.refresh(signed["refresh_token"]),
            site.post("logout", {}, bearer(signed)),
        )
        assert ended.status_code == 204
        for one in (signed, refreshed.json()):
            if "access_token" in one:
                assert _code(await site.me(one)) == (401, "unauthenticated")


async def test_idle_sessions_end(site: AccountApi, mira: Any) -> None:
    """A page that is watched without any input does not keep its session."""
    token = mira["refresh_token"]
    for _ in range(29):
        site.clock.step(24 * 3600)
        token = (await site.refresh(token, active=False)).json()["refresh_token"]
    site.clock.step(24 * 3600)
    assert _code(await site.refresh(token)) == (401, "session_ended")


async def test_sessions_are_listed_and_ended(site: AccountApi, mira: Any) -> None:
    """Each by its owner alone; another's and a missing one look the same."""
    other = await site.sign_in()
    listed = (await site.client.get("/v1/auth/sessions", headers=bearer(mira))).json()
    assert [one["current"] for one in listed["items"]].count(True) == 1
    await site.register("sam@example.org", NEW_PASSWORD)
    sam = await site.sign_in("sam@example.org", NEW_PASSWORD)
    (theirs,) = (one for one in listed["items"] if not one["current"])
    path = f"/v1/auth/sessions/{theirs['session_id']}"
    hidden = await site.client.delete(path, headers=bearer(sam))
    missing = await site.client.delete("/v1/auth/sessions/ses_0", headers=bearer(sam))
    assert hidden.content == missing.content
    assert _code(hidden) == (404, "session_not_found")
    assert (await site.client.delete(path, headers=bearer(mira))).status_code == 204
    assert _code(await site.me(other)) == (401, "unauthenticated")
    assert (await site.me(mira)).status_code == 200


async def test_a_token_in_the_query_is_not_read(site: AccountApi, mira: Any) -> None:
    """It is refused as an unknown parameter, and its value is not repeated."""
    path = f"/v1/me?access_token={mira['access_token']}"
    answer = await site.client.get(path)
    assert answer.status_code in (401, 422)
    assert mira["access_token"] not in answer.text


async def test_two_identities_never_mix(site: AccountApi, mira: Any) -> None:
    """With the cookie of one and the bearer of another, the bearer alone counts."""
    await site.register("sam@example.org", NEW_PASSWORD)
    sam = await site.sign_in("sam@example.org", NEW_PASSWORD)
    body = {"email": MIRA, "password": PASSWORD}
    page = (await site.post("login", body, SAME_ORIGIN)).json()
    out = await site.post("logout", {}, SAME_ORIGIN | bearer(sam))
    assert out.status_code == 204
    assert (await site.me(page)).status_code == 200
    assert _code(await site.me(sam)) == (401, "unauthenticated")


# --- passwords ---


async def test_a_changed_password_ends_other_sessions(
    site: AccountApi, mira: Any
) -> None:
    """The own one lives; the old password does not; the owner is told."""
    other = await site.sign_in()
    body = {"password": NEW_PASSWORD}
    answer = await site.post("password/change", body, bearer(mira))
    assert answer.status_code == 204, answer.text
    assert (await site.me(mira)).status_code == 200
    assert _code(await site.me(other)) == (401, "unauthenticated")
    old = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    assert _code(await site.post("login", old)) == (401, "invalid_credentials")
    assert await site.sign_in(password=NEW_PASSWORD)


async def test_an_old_proof_is_asked_for_again(site: AccountApi, mira: Any) -> None:
    """After ten minutes a change needs the password; a wrong one does not help."""
    site.clock.step(601)
    signed = (await site.refresh(mira["refresh_token"])).json()
    body = {"password": NEW_PASSWORD}
    answer = await site.post("password/change", body, bearer(signed))
    assert _code(answer) == (403, "reauthentication_required")
    wrong = await site.post("reauthenticate", {"password": "wrong one"}, bearer(signed))
    assert _code(wrong) == (401, "invalid_credentials")
    proof = await site.post("reauthenticate", {"password": PASSWORD}, bearer(signed))
    assert proof.status_code == 200, proof.text
    answer = await site.post("password/change", body, bearer(proof.json()))
    assert answer.status_code == 204


async def test_a_forgotten_password_is_reset_once(site: AccountApi, mira: Any) -> None:
    """Without signing in; every session ends; a weak password leaves the link."""
    answer = await site.post("password/forgot", {"email": MIRA.upper()})
    assert answer.status_code == 202
    token = await site.link_token()
    weak = await site.post("password/reset", {"token": token, "password": "Password1"})
    assert _code(weak) == (422, "password_refused")
    assert weak.json()["errors"][0]["message"].startswith("common")
    body = {"token": token, "password": NEW_PASSWORD}
    answer = await site.post("password/reset", body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert _code(await site.post("password/reset", body)) == (410, "link_expired")
    assert _code(await site.me(mira)) == (401, "unauthenticated")
    assert await site.sign_in(password=NEW_PASSWORD)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("Password1", "common"),
        ("slotcast2026", "about_you"),
        (MIRA, "about_you"),
        ("short", "too_short"),
        ("x" * 2_000, "too_long"),
        ("e" + "\u0301" * 1_024, "too_long"),
        ("nul\0 in the middle", "not_text"),
    ],
)
async def test_weak_and_monstrous_passwords_are_refused_unhashed(
    site: AccountApi, password: str, word: str
) -> None:
    """422 with the reason's word, and no hash is run."""
    before = site.auth.passwords.runs
    body = {"email": MIRA, "password": password, "terms": True}
    answer = await site.post("register", body)
    assert _code(answer) == (422, "password_refused")
    assert answer.json()["errors"][0]["message"].startswith(word)
    assert site.auth.passwords.runs == before


async def test_spaces_of_a_password_count(site: AccountApi) -> None:
    """Nothing is cut off before it is hashed."""
    await site.register(password=" spaced out secret ")
    assert await site.sign_in(password=" spaced out secret ")
    body = {"email": MIRA, "password": "spaced out secret", "delivery": "body"}
    assert _code(await site.post("login", body)) == (401, "invalid_credentials")


# --- guessing ---


async def test_known_and_unknown_addresses_are_answered_alike(
    site: AccountApi, mira: Any
) -> None:
    """Same status and bytes at register, login and forgot, the wait included."""
    requests: list[tuple[str, dict[str, Any]]] = [
        ("register", {"password": PASSWORD, "terms": True}),
        ("password/forgot", {}),
        *[("login", {"password": "wrong one", "delivery": "body"})] * 7,
    ]
    for path, more in requests:
        known = await site.post(path, {"email": MIRA, **more})
        unknown = await site.post(path, {"email": f"not.{MIRA}", **more})
        assert known.status_code == unknown.status_code
        assert known.content == unknown.content
        if path == "login":
            assert known.status_code in (401, 429)


async def test_an_unknown_address_costs_a_hash(site: AccountApi, mira: Any) -> None:
    """Wrong passwords of both run one hash of the same parameters each."""
    for email in (MIRA, "unknown@example.org"):
        before = site.auth.passwords.runs
        body = {"email": email, "password": "wrong one", "delivery": "body"}
        assert _code(await site.post("login", body)) == (401, "invalid_credentials")
        assert site.auth.passwords.runs == before + 1


async def test_an_attacker_cannot_lock_the_owner_out(site: AccountApi) -> None:
    """Strangers wait; the owner's browser, which signed in before, does not."""
    await site.register()
    body = {"email": MIRA, "password": PASSWORD}
    assert (await site.post("login", body, SAME_ORIGIN)).status_code == 200
    wrong = {"email": MIRA, "password": "wrong one", "delivery": "body"}
    answers = [await site.post("login", wrong) for _ in range(FREE_ATTEMPTS + 3)]
    assert [one.status_code for one in answers[-3:]] == [429] * 3
    assert "retry-after" in answers[-1].headers
    stranger = await site.post("login", body | {"delivery": "body"})
    assert stranger.status_code == 429
    assert (await site.post("login", body, SAME_ORIGIN)).status_code == 200


async def test_spraying_from_one_address_is_throttled(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """One password over many accounts: sixty, then no more."""
    async with account_api(request, tmp_path, rate_limited=True) as site:
        statuses = []
        for number in range(70):
            body = {"email": f"{number}@example.org", "password": "Summer2026!"}
            answer = await site.post("login", body | {"delivery": "body"})
            statuses.append(answer.status_code)
        assert statuses[:60] == [401] * 60
        assert set(statuses[61:]) == {429}


async def test_invented_names_forget_no_victim(site: AccountApi, mira: Any) -> None:
    """Counts are rows: other names push none of them out."""
    wrong = {"password": "wrong one", "delivery": "body"}
    for _ in range(FREE_ATTEMPTS):
        await site.post("login", {"email": MIRA, **wrong})
    for number in range(60):
        await site.post("login", {"email": f"{number}@example.org", **wrong})
    assert (await site.post("login", {"email": MIRA, **wrong})).status_code == 429


async def test_a_crowd_of_sign_ins_is_shed(site: AccountApi, mira: Any) -> None:
    """400 at once: a bounded number is hashed, the others are told to come again."""
    answers = await asyncio.gather(
        *(site.auth.passwords.verify(b"wrong one", "") for _ in range(400)),
        return_exceptions=True,
    )
    done = [one for one in answers if one is False]
    assert 32 < len(done) <= 64
    assert {type(one).__name__ for one in answers} == {"bool", "Unavailable"}


# --- pages of other origins ---

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://clinic.test:8001"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda h: "-".join(h.values()))
async def test_pages_of_other_origins_change_nothing(
    site: AccountApi, headers: dict[str, str]
) -> None:
    """Refresh, sign-out and sign-in with cookies are refused to them."""
    await site.register()
    body = {"email": MIRA, "password": PASSWORD}
    page = (await site.post("login", body, SAME_ORIGIN)).json()
    cookies = dict(site.client.cookies)
    for path, sent in (
        ("refresh", {"active": True}),
        ("logout", {}),
        ("login", body),
        ("demo", {"persona": "patient"}),
    ):
        answer = await site.post(path, sent, headers)
        assert _code(answer) == (403, "cross_origin")
        assert "set-cookie" not in answer.headers
    assert dict(site.client.cookies) == cookies
    assert (await site.me(page)).status_code == 200
    own = await site.post("refresh", {"active": True}, {"Origin": PUBLIC})
    assert own.status_code == 200


async def test_a_form_cannot_use_the_cookie(site: AccountApi) -> None:
    """Only JSON is taken: what any page's form could send is not."""
    await site.register()
    await site.post("login", {"email": MIRA, "password": PASSWORD}, SAME_ORIGIN)
    answer = await site.client.post(
        "/v1/auth/refresh",
        content='{"active": true}',
        headers={"Content-Type": "text/plain", **SAME_ORIGIN},
    )
    assert answer.status_code in (415, 422)
    assert "set-cookie" not in answer.headers


def test_the_guard_is_what_refuses() -> None:
    """Control: without Sec-Fetch-Site and Origin the same request passes."""

    class Request:
        def __init__(self) -> None:
            self.headers = {"content-type": "application/json", "host": "clinic.test"}

    check_same_origin(Request(), PUBLIC)  # type: ignore[arg-type]


async def test_cookies_have_their_attributes(site: AccountApi) -> None:
    """HttpOnly, Secure, Strict, for this host alone; cleared when the session ended."""
    await site.register()
    body = {"email": MIRA, "password": PASSWORD}
    answer = await site.post("login", body, SAME_ORIGIN)
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert answer.json()["refresh_token"] is None
    assert answer.headers["cache-control"] == "no-store"
    for cookie in cookies:
        assert cookie.startswith("__Host-slotcast_")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "path=/", "samesite=strict"} <= attributes
        assert not any(one.startswith("domain") for one in attributes)
    forgetful = await site.post("login", body | {"remember": False}, SAME_ORIGIN)
    (last,) = (
        one
        for one in forgetful.headers.get_list("set-cookie")[-1:]
        if "slotcast_rt" in one
    )
    assert "max-age" not in last.lower()
    assert (await site.post("logout", {}, SAME_ORIGIN)).status_code == 204
    ended = await site.post("refresh", {"active": True}, SAME_ORIGIN)
    assert _code(ended) == (401, "session_ended")
    assert "max-age=0" in ended.headers["set-cookie"].lower()


async def test_links_lead_to_the_public_url(site: AccountApi) -> None:
    """Whatever name a request gives in X-Forwarded-Host, mails do not repeat it."""
    await site.register()
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    await site.post("password/forgot", {"email": MIRA}, forged)
    other = await site.post(
        "password/forgot", {"email": MIRA}, {"Host": "evil.example"}
    )
    assert other.status_code == 421
    (newest, *_) = await site.outgoing.latest(1)
    assert f"{PUBLIC}/#/reset-password?token=" in newest.message.text
    assert "evil" not in newest.message.text


# --- a demo site ---


@pytest.mark.parametrize("persona", ["patient", "doctor", "clinic_admin", "admin"])
async def test_a_demo_site_has_people_of_every_role(
    site: AccountApi, persona: str
) -> None:
    """One click signs in; again it is the same account."""
    await site.api.add_provider()
    await site.api.project()
    accounts, signed = set(), {}
    for _ in range(2):
        body = {"persona": persona, "delivery": "body"}
        signed = (await site.post("demo", body)).json()
        assert signed["context"]["role"] == Role(persona).value
        accounts.add((await site.me(signed)).json()["account_id"])
    assert len(accounts) == 1
    if persona in ("doctor", "clinic_admin"):
        answer = await site.client.get(
            "/v1/providers/prv_1/schedule", headers=bearer(signed)
        )
        assert answer.status_code == 200


async def test_other_sites_have_no_demo(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Neither people nor messages."""
    async with account_api(request, tmp_path, demo=False) as site:
        assert (await site.post("demo", {"persona": "admin"})).status_code == 404
        assert (await site.client.get("/v1/auth/demo/messages")).status_code == 404
