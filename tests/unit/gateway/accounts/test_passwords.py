"""Passwords: changed, forgotten, refused, and guessed at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from care.accounts.throttling import FREE_ATTEMPTS
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    SAME_ORIGIN,
    AccountApi,
    account_api,
    bearer,
    code_of,
)

NEW_PASSWORD = "seven quiet harbours"


async def test_a_changed_password_ends_other_sessions(
    site: AccountApi, mira: Any
) -> None:
    """The own one lives; the old password does not; the owner is told."""
    other = await site.sign_in()
    body = {"password": NEW_PASSWORD}
    answer = await site.post("password/change", body, bearer(mira))
    assert answer.status_code == 204, answer.text
    assert (await site.me(mira)).status_code == 200
    assert code_of(await site.me(other)) == (401, "unauthenticated")
    old = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    assert code_of(await site.post("login", old)) == (401, "invalid_credentials")
    assert await site.sign_in(password=NEW_PASSWORD)


@pytest.mark.parametrize("way", ["change", "reset"])
async def test_a_sign_in_under_way_does_not_outlive_its_password(
    site: AccountApi, mira: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password was compared, and replaced before the session is opened: a
    thief who signs in again and again gets none that lasts."""
    real, compared, go_on = site.auth.passwords.verify, asyncio.Event(), asyncio.Event()

    async def verify(password: bytes, password_hash: str) -> bool:
        is_right = await real(password, password_hash)
        compared.set()
        await go_on.wait()
        return is_right

    old = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    with monkeypatch.context() as patched:
        patched.setattr(site.auth.passwords, "verify", verify)
        signing_in = asyncio.ensure_future(site.post("login", old))
        await compared.wait()
        if way == "change":
            body = {"password": NEW_PASSWORD}
            done = await site.post("password/change", body, bearer(mira))
        else:
            await site.post("password/forgot", {"email": MIRA})
            body = {"token": await site.link_token(), "password": NEW_PASSWORD}
            done = await site.post("password/reset", body)
        assert done.status_code == 204, done.text
        go_on.set()
        assert code_of(await signing_in) == (401, "invalid_credentials")
    signed = await site.sign_in(password=NEW_PASSWORD)
    items = (await site.client.get("/v1/auth/sessions", headers=bearer(signed))).json()
    assert len(items["items"]) == (2 if way == "change" else 1)


async def test_an_old_proof_is_asked_for_again(site: AccountApi, mira: Any) -> None:
    """After ten minutes a change needs the password; a wrong one does not help."""
    site.clock.step(601)
    signed = (await site.refresh(mira["refresh_token"])).json()
    body = {"password": NEW_PASSWORD}
    answer = await site.post("password/change", body, bearer(signed))
    assert code_of(answer) == (403, "reauthentication_required")
    wrong = await site.post("reauthenticate", {"password": "wrong one"}, bearer(signed))
    assert code_of(wrong) == (401, "invalid_credentials")
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
    assert code_of(weak) == (422, "password_refused")
    assert weak.json()["errors"][0]["message"].startswith("common")
    body = {"token": token, "password": NEW_PASSWORD}
    answer = await site.post("password/reset", body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert code_of(await site.post("password/reset", body)) == (410, "link_expired")
    assert code_of(await site.me(mira)) == (401, "unauthenticated")
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
    assert code_of(answer) == (422, "password_refused")
    assert answer.json()["errors"][0]["message"].startswith(word)
    assert site.auth.passwords.runs == before


async def test_spaces_of_a_password_count(site: AccountApi) -> None:
    """Nothing is cut off before it is hashed."""
    await site.register(password=" spaced out secret ")
    assert await site.sign_in(password=" spaced out secret ")
    body = {"email": MIRA, "password": "spaced out secret", "delivery": "body"}
    assert code_of(await site.post("login", body)) == (401, "invalid_credentials")


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
        assert code_of(await site.post("login", body)) == (401, "invalid_credentials")
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
