"""Controls of what signing in reads and shows: with its guard removed, it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import ClinicId
from actors.errors import Unavailable
from care.accounts.throttling import FREE_ATTEMPTS
from gateway.access.revocations import RevokedTokens
from gateway.accounts import registration, service
from gateway.http import features
from gateway.http.features import caller_of
from persistence.accounts import credentials, sessions
from persistence.patients.store import SqlPatients
from persistence.sql.records import Records
from tests.fakes.api import slot
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    SAME_ORIGIN,
    AccountApi,
    account_api,
    bearer,
    code_of,
    signed,
)

WRONG = {"email": MIRA, "password": "wrong one", "delivery": "body"}
SAM = "sam@example.org"


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """Mira is registered."""
    async with account_api(request, tmp_path) as opened:
        await opened.register()
        yield opened


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_body_without_a_bound_is_read_to_its_end(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Attack 68: 413 after 64 KiB, on routes of FastAPI too."""
    pieces = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal pieces
        yield b'{"email": "'
        for _ in range(1_000):
            pieces += 1
            yield b"x" * 1_024
        yield b'"}'

    if not guarded:

        async def unbounded(request: Any) -> Any:
            return request

        monkeypatch.setattr(features, "_with_body", unbounded)
    headers = {"Content-Type": "application/json"}
    path = "/v1/auth/password/forgot"
    answer = await site.client.post(path, content=body(), headers=headers)
    assert answer.status_code == (413 if guarded else 422)
    assert pieces <= 70 if guarded else pieces == 1_000
    answer = await site.client.post(path, content=b" " * 70_000, headers=headers)
    assert answer.status_code == (413 if guarded else 422)


@pytest.mark.parametrize("guarded", [True, False])
async def test_sessions_without_a_bound_pile_up(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Attack 68: with two as the bound, the third sign-in ends the first."""
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 2 if guarded else 10_000)
    signed_in = [await site.sign_in() for _ in range(3)]
    path = "/v1/auth/sessions"
    listed = await site.client.get(path, headers=bearer(signed_in[-1]))
    assert len(listed.json()["items"]) == (2 if guarded else 3)


@pytest.mark.parametrize("password", ["x" * 1_048_576, "e" + "\u0301" * 1_024, "n\0"])
async def test_passwords_that_are_not_measured_are_hashed(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Attack 27, at signing in: 4xx without a hash; unmeasured it costs one."""
    if len(password) > 60_000:  # longer bodies are refused before
        site.api.app.state.gate = _wide(site.api.app.state.gate)
    before = site.auth.passwords.runs
    answer = await site.post("login", WRONG | {"password": password})
    assert code_of(answer) == (422, "password_refused")
    assert site.auth.passwords.runs == before
    for module in (service, registration):
        monkeypatch.setattr(module, "prepared", str.encode)
    answer = await site.post("login", WRONG | {"password": password})
    assert code_of(answer) == (401, "invalid_credentials")
    assert site.auth.passwords.runs == before + 1


def _wide(gate: Any) -> Any:
    return type(gate)(
        gate.authenticator, gate.limits, body_bytes_max=2**24, refused=gate.refused
    )


async def test_counts_in_a_table_that_is_full_forget_the_victim(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 25: ten places for counts, and invented names push Mira's out."""
    places: dict[str, int] = {}

    def counted(_session: Any, index: str, *_all: Any, **_more: Any) -> int:
        count = places.pop(index, 0) + 1
        places[index] = count
        while len(places) > 10:
            places.pop(next(iter(places)))
        return 60_000 if count > FREE_ATTEMPTS else 0

    monkeypatch.setattr(credentials, "count_attempt", counted)
    answers = [await site.post("login", WRONG) for _ in range(FREE_ATTEMPTS + 1)]
    assert answers[-1].status_code == 429
    for number in range(12):
        await site.post("login", WRONG | {"email": f"{number}@example.org"})
    assert (await site.post("login", WRONG)).status_code == 401


@pytest.mark.parametrize("guarded", [True, False])
async def test_of_a_cookie_and_a_token_of_two_accounts_one_counts(
    site: AccountApi, guarded: bool
) -> None:
    """Attack 12: who signs out is the token's; without it Mira's session ends too.

    A refresh goes by the cookie alone: what it gives is Mira's, whatever the token.
    """
    await site.register(SAM)
    sam = await site.sign_in(SAM)
    body = {"email": MIRA, "password": PASSWORD}
    mira = (await site.post("login", body, SAME_ORIGIN)).json()
    both = {**SAME_ORIGIN, **bearer(sam)}
    fresh = (await site.post("refresh", {"active": True}, both)).json()
    assert fresh["context"] == mira["context"] != sam["context"]
    if not guarded:
        site.api.app.dependency_overrides[caller_of] = lambda: None
    assert (await site.post("logout", {}, both)).status_code == 204
    site.api.app.dependency_overrides.clear()
    assert (await site.me(fresh)).status_code == (200 if guarded else 401)
    assert (await site.me(sam)).status_code == (401 if guarded else 200)


async def test_a_search_that_asks_for_no_clinic_finds_foreign_patients(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 46: a number of clinic 2 is found by clinic 1."""
    api = site.api
    body = {"family_name": "Berg", "birth_date": "1980-02-29", "number": "P-1"}
    theirs = signed(api, "staff", "cln_2")
    made = await site.client.post(
        "/v1/clinics/cln_2/patients", json=body, headers=theirs
    )
    assert made.status_code == 201, made.text
    asked = {"number": "P-1"}
    path, ours = "/v1/clinics/cln_1/patients/search", signed(api, "staff", "cln_1")
    found = await site.client.post(path, json=asked, headers=ours)
    missing = await site.client.post(path, json={"number": "P-2"}, headers=ours)
    assert found.content == missing.content
    assert found.headers.keys() == missing.headers.keys()
    search = SqlPatients.search

    async def anywhere(self: Any, _clinic: Any, *all_: Any, **more: Any) -> Any:
        return await search(self, ClinicId("cln_2"), *all_, **more)

    monkeypatch.setattr(SqlPatients, "search", anywhere)
    found = await site.client.post(path, json=asked, headers=ours)
    assert len(found.json()["items"]) == 1


def _away(*_all: Any) -> AbstractAsyncContextManager[Any]:
    raise Unavailable("the records do not answer")


@pytest.mark.parametrize("guarded", [True, False])
async def test_without_the_database_bookings_go_on_and_revocations_hold(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Attack 64: signing in is 503; a session that ended before stays out by memory."""
    await site.api.add_provider()
    mira, left = await site.sign_in(), await site.sign_in()
    await site.post("logout", {}, bearer(left))
    for name in ("reading", "writing", "transact"):
        monkeypatch.setattr(Records, name, _away)
    if not guarded:
        monkeypatch.setattr(RevokedTokens, "covers", lambda *_: False)
    body = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    assert (await site.post("login", body)).status_code == 503
    for who, start, status in (
        (mira, "2026-08-10T09:00:00Z", 201),
        (left, "2026-08-10T10:00:00Z", 401 if guarded else 201),
    ):
        booked = await site.client.post(
            "/v1/bookings", json=slot(start=start), headers=bearer(who)
        )
        assert booked.status_code == status, booked.text
