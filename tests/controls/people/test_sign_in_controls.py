"""Controls of signing in: with its guard removed, each attack succeeds.

The attacks themselves are in tests/unit/gateway/accounts; their own files hold the
controls of codes, passkeys, API clients and interleavings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import Millis
from care.accounts.refreshing import Judgement
from care.accounts.throttling import FREE_ATTEMPTS, Attempts
from care.sharing import Revocation, RevocationKind
from gateway.accounts import hashing, registration, routes, service
from gateway.accounts.hashing import ArgonPasswords
from persistence.accounts import credentials
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    SAME_ORIGIN,
    AccountApi,
    account_api,
)

WRONG = {"email": MIRA, "password": "wrong one", "delivery": "body"}


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """Mira is registered."""
    async with account_api(request, tmp_path) as opened:
        await opened.register()
        yield opened


async def test_a_server_that_repeats_every_token_never_finds_a_thief(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reuse means is judged by generations: else thief and owner both go on."""
    signed = await site.sign_in()
    monkeypatch.setattr(
        service,
        "judge",
        lambda session, generation, _now: (
            Judgement.ROTATE if generation == session.generation else Judgement.REPEAT
        ),
    )
    token = signed["refresh_token"]
    stolen = (await site.refresh(token)).json()
    await site.me(stolen)
    await site.auth.seen.note()
    site.clock.step(61)
    assert (await site.refresh(token)).status_code == 200


async def test_a_server_that_checks_no_mac_takes_forged_tokens(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session's id alone would do, and that is in its access tokens."""
    signed = await site.sign_in()
    session = signed["refresh_token"].split(".")[0]
    forged = f"{session}.1.{'A' * 32}"
    assert (await site.refresh(forged)).status_code == 401
    monkeypatch.setattr(service, "is_genuine", lambda *_: True)
    assert (await site.refresh(forged)).status_code == 200


async def test_a_revocation_by_time_refuses_who_signs_in_again_at_once(
    site: AccountApi,
) -> None:
    """Ending by the exact session does not (the attack's test)."""
    signed = await site.sign_in()
    now = site.clock.now()
    subject = signed["context"]["subject"]
    gone = Revocation(RevocationKind.SUBJECT, subject, now, Millis(now + 600_000))
    site.api.app.state.services.shared.revoked.learn([gone])
    again = await site.sign_in()
    assert (await site.me(again)).status_code == 401


async def test_a_server_that_knows_no_devices_lets_owners_be_locked_out(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their browser waits with the attacker."""
    body = {"email": MIRA, "password": PASSWORD}
    assert (await site.post("login", body, SAME_ORIGIN)).status_code == 200
    monkeypatch.setattr(routes, "is_known", lambda *_: False)
    for _ in range(FREE_ATTEMPTS + 1):
        await site.post("login", WRONG)
    assert (await site.post("login", body, SAME_ORIGIN)).status_code == 429


async def test_a_server_that_counts_nothing_checks_every_guess(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred wrong passwords, a hundred hashes."""

    def uncounted(_attempts: Attempts, now: Millis) -> Attempts:
        return Attempts(0, now)

    monkeypatch.setattr(credentials, "next_attempt", uncounted)
    before = site.auth.passwords.runs
    answers = [await site.post("login", WRONG) for _ in range(100)]
    assert {one.status_code for one in answers} == {401}
    assert site.auth.passwords.runs == before + 100


async def test_an_address_without_limits_sprays_on(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """One password over seventy accounts: all are tried."""
    async with account_api(request, tmp_path, rate_limited=False) as site:
        statuses = set()
        for number in range(70):
            body = WRONG | {"email": f"{number}@example.org"}
            statuses.add((await site.post("login", body)).status_code)
        assert statuses == {401}


async def test_a_pool_without_a_bound_takes_the_whole_crowd(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 at once: none is told to come again."""
    monkeypatch.setattr(hashing, "WAITING_MAX", 1_000)
    answers = await asyncio.gather(
        *(site.auth.passwords.verify(b"wrong one", "") for _ in range(400))
    )
    assert set(answers) == {False}


async def test_a_server_that_saves_the_hash_tells_who_has_an_account(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its time: one of the two runs a hash, the other none."""
    real = ArgonPasswords.verify

    async def saving(self: ArgonPasswords, password: bytes, stored: str) -> bool:
        return bool(stored) and await real(self, password, stored)

    monkeypatch.setattr(ArgonPasswords, "verify", saving)
    runs = []
    for email in (MIRA, "unknown@example.org"):
        before = site.auth.passwords.runs
        await site.post("login", WRONG | {"email": email})
        runs.append(site.auth.passwords.runs - before)
    assert runs == [1, 0]


async def test_a_server_that_judges_no_password_takes_weak_ones(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list and the words about the owner are what refuses."""
    body = {"email": "sam@example.org", "password": "Password1", "terms": True}
    assert (await site.post("register", body)).status_code == 422
    monkeypatch.setattr(registration, "weakness_of", lambda *_: None)
    assert (await site.post("register", body)).status_code == 202


async def test_a_server_that_asks_no_origin_lets_other_pages_refresh(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SameSite alone does not keep another port of the host away."""
    body = {"email": MIRA, "password": PASSWORD}
    await site.post("login", body, SAME_ORIGIN)
    foreign: dict[str, Any] = {"Sec-Fetch-Site": "same-site"}
    refused = await site.post("refresh", {"active": True}, foreign)
    assert refused.status_code == 403
    monkeypatch.setattr(routes, "check_same_origin", lambda *_: None)
    taken = await site.post("refresh", {"active": True}, foreign)
    assert taken.status_code == 200
