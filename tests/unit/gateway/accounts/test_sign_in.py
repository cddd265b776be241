"""Registering, signing in and sessions, and the attacks on their tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.access.tokens import Role
from gateway.http.hosts import AllowedHosts
from tests.fakes.api import KEY, slot
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    PUBLIC,
    SAME_ORIGIN,
    AccountApi,
    account_api,
    bearer,
    code_of,
)

NEW_PASSWORD = "seven quiet harbours"


async def test_a_person_registers_confirms_signs_in_and_books(
    site: AccountApi,
) -> None:
    """End to end; the link is in the demo's outgoing messages, behind a #."""
    await site.api.add_provider()
    body = {"email": "Mira@Example.org", "password": PASSWORD, "terms": True}
    assert (await site.post("register", body)).json() == {"status": "accepted"}
    login = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    assert code_of(await site.post("login", login)) == (403, "verification_required")
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
        assert code_of(answer) == (410, "link_expired")


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
        assert code_of(answer) == (401, "unauthenticated")
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
        assert code_of(me) == expected


async def test_a_stolen_refresh_token_ends_the_session(
    site: AccountApi, mira: Any
) -> None:
    """Thief, then owner: both access tokens die, and the owner is told."""
    stolen = (await site.refresh(mira["refresh_token"])).json()
    assert (await site.me(stolen)).status_code == 200
    await site.auth.seen.note()
    site.clock.step(61)
    answer = await site.refresh(mira["refresh_token"])
    assert code_of(answer) == (401, "session_ended")
    for signed in (mira, stolen):
        assert code_of(await site.me(signed)) == (401, "unauthenticated")
    answer = await site.refresh(stolen["refresh_token"])
    assert code_of(answer) == (401, "session_ended")
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
        assert code_of(await site.refresh(forged)) == (401, "session_ended")
    assert (await site.refresh(mira["refresh_token"])).status_code == 200


async def test_signing_in_works_in_the_moment_of_an_end(
    site: AccountApi, mira: Any
) -> None:
    """Sessions are revoked by their id: a new one in the same millisecond is good."""
    out = await site.post("logout", {"everywhere": True}, bearer(mira))
    assert out.status_code == 204
    again = await site.sign_in()
    assert code_of(await site.me(mira)) == (401, "unauthenticated")
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
                assert code_of(await site.me(one)) == (401, "unauthenticated")


async def test_idle_sessions_end(site: AccountApi, mira: Any) -> None:
    """A page that is watched without any input does not keep its session."""
    token = mira["refresh_token"]
    for _ in range(29):
        site.clock.step(24 * 3600)
        token = (await site.refresh(token, active=False)).json()["refresh_token"]
    site.clock.step(24 * 3600)
    assert code_of(await site.refresh(token)) == (401, "session_ended")


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
    assert code_of(hidden) == (404, "session_not_found")
    assert (await site.client.delete(path, headers=bearer(mira))).status_code == 204
    assert code_of(await site.me(other)) == (401, "unauthenticated")
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
    assert code_of(await site.me(sam)) == (401, "unauthenticated")


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


async def test_control_without_the_guard_any_host_is_answered(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the check of the name that refuses it; the link stays the site's."""
    await site.register()
    monkeypatch.setattr(AllowedHosts, "allows", lambda *_: True)
    forged = {"Host": "evil.example"}
    answer = await site.post("password/forgot", {"email": MIRA}, forged)
    assert answer.status_code == 202
    (newest, *_) = await site.outgoing.latest(1)
    assert f"{PUBLIC}/#/reset-password?token=" in newest.message.text


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
