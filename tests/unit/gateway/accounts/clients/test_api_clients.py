"""API clients: client credentials, scopes, rotation, the end, and attacks on them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from actors.errors import Unavailable
from care.accounts.clients import CLIENTS_MAX
from gateway.access import rights
from persistence.accounts import clients as store
from tests import factories as make
from tests.fixtures.accounts import AccountApi, bearer, code_of, signed

CLIENTS = "/v1/clinics/cln_1/api-clients"
SCOPES = ["read_schedule", "read_availability"]
GRANT = {"grant_type": "client_credentials"}


def _admin(site: AccountApi, clinic: str = "cln_1", **more: Any) -> dict[str, str]:
    return signed(site.api, "clinic_admin", clinic, **more)


async def _make(site: AccountApi, **more: Any) -> dict[str, Any]:
    body = {"name": "Portal", "scopes": SCOPES, **more}
    made = await site.client.post(CLIENTS, json=body, headers=_admin(site))
    assert made.status_code == 201, made.text
    return dict(made.json())


def _basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


async def _token(site: AccountApi, made: dict[str, Any], **form: str) -> httpx.Response:
    headers = _basic(made["client"]["client_id"], made["client_secret"])
    return await site.client.post("/v1/oauth/token", data=GRANT | form, headers=headers)


async def _schedule(
    site: AccountApi, token: dict[str, Any], provider: str = "prv_1"
) -> httpx.Response:
    path = f"/v1/providers/{provider}/schedule"
    return await site.client.get(path, headers=bearer(token))


@pytest.fixture
async def made(site: AccountApi) -> dict[str, Any]:
    """A client of clinic 1, whose provider is 1."""
    await site.api.add_provider()
    return await _make(site)


async def test_a_client_gets_tokens_for_its_secret(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """Ten minutes, its clinic's role, its scopes; no refresh token."""
    answer = await _token(site, made)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()
    assert (token["token_type"], token["scope"]) == (
        "Bearer",
        "read_schedule read_availability",
    )
    assert 590 <= token["expires_in"] <= 600
    assert "refresh_token" not in token
    assert (await _schedule(site, token)).status_code == 200
    listed = (await site.client.get(CLIENTS, headers=_admin(site))).json()["items"]
    assert [one["client_id"] for one in listed] == [made["client"]["client_id"]]
    assert listed[0]["used_at"] is not None
    assert made["client_secret"] not in str(listed)


async def test_a_client_reaches_what_its_scopes_name(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """Beyond: 403; a narrower token reaches less; one beyond its own is refused."""
    token = (await _token(site, made)).json()
    path = "/v1/providers/prv_1/time-off"
    assert code_of(await site.client.get(path, headers=bearer(token))) == (
        403,
        "forbidden",
    )
    path = "/v1/providers/prv_1/availability"
    narrow = (await _token(site, made, scope="read_schedule")).json()
    assert narrow["scope"] == "read_schedule"
    refused = await site.client.get(path, headers=bearer(narrow))
    assert code_of(refused) == (403, "forbidden")
    done = await site.client.get(path, headers=bearer(token))
    assert done.status_code == 200, done.text
    wide = await _token(site, made, scope="read_schedule read_time_off")
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    for path in ("/v1/me", "/v1/auth/sessions", CLIENTS, "/v1/roles"):
        answer = await site.client.get(path, headers=bearer(token))
        assert answer.status_code == 403, path


async def test_without_the_check_scopes_would_mean_nothing(
    site: AccountApi, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the role alone may read time off."""
    monkeypatch.setattr(rights, "_check_scope", lambda *_: None)
    token = (await _token(site, made)).json()
    path = "/v1/providers/prv_1/time-off"
    answer = await site.client.get(path, headers=bearer(token))
    assert answer.status_code == 200


async def test_a_client_belongs_to_one_clinic(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """Another clinic's calendars and clients are none of its, nor of that clinic's
    administrators."""
    await site.api.add_provider(2, clinic=make.a_clinic(2))
    token = (await _token(site, made)).json()
    assert (await _schedule(site, token, "prv_2")).status_code == 403
    foreign = _admin(site, "cln_2")
    client_id = made["client"]["client_id"]
    hidden = await site.client.get(CLIENTS, headers=foreign)
    missing = await site.client.get("/v1/clinics/cln_0/api-clients", headers=foreign)
    assert hidden.content == missing.content
    assert code_of(hidden) == (404, "clinic_not_found")
    own = f"/v1/clinics/cln_2/api-clients/{client_id}"
    for ask in (
        site.client.delete(own, headers=foreign),
        site.client.post(f"{own}/rotate", json={}, headers=foreign),
    ):
        assert code_of(await ask) == (404, "api_client_not_found")
    assert (await _schedule(site, token)).status_code == 200


async def test_clients_are_made_with_both_proofs(site: AccountApi) -> None:
    """Two factors, freshly proved; other people of the clinic know of none."""
    body = {"name": "Portal", "scopes": SCOPES}
    now = site.clock.now()
    for headers, code in (
        (_admin(site, level=1), "second_factor_required"),
        (_admin(site, proved_at=now - 600_000), "reauthentication_required"),
    ):
        answer = await site.client.post(CLIENTS, json=body, headers=headers)
        assert code_of(answer) == (403, code)
    staff = signed(site.api, "staff", "cln_1")
    answer = await site.client.post(CLIENTS, json=body, headers=staff)
    assert code_of(answer) == (403, "forbidden")


@pytest.mark.parametrize("scope", ["read_notes", "everything", "glass:pat_1", ""])
async def test_a_scope_is_what_a_service_may_do(site: AccountApi, scope: str) -> None:
    """Nothing else can be given away, not even by an administrator."""
    body = {"name": "Portal", "scopes": [scope]}
    answer = await site.client.post(CLIENTS, json=body, headers=_admin(site))
    assert code_of(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "scopes"


async def test_a_secret_is_rotated_with_an_overlap(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """Both work for a day, then the new one alone; a second rotation ends the first
    at once, and so does one that says so."""
    path = f"{CLIENTS}/{made['client']['client_id']}/rotate"

    async def rotate(**body: Any) -> dict[str, Any]:
        answer = await site.client.post(path, json=body, headers=_admin(site))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def works(*which: dict[str, Any]) -> list[bool]:
        return [(await _token(site, one)).status_code == 200 for one in which]

    second = await rotate()
    assert second["client"]["old_secret_until"] is not None
    assert await works(made, second) == [True, True]
    site.clock.step(24 * 3600)
    assert await works(made, second) == [False, True]
    third = await rotate()
    assert await works(second, third) == [True, True]
    fourth = await rotate(at_once=True)
    assert await works(made, second, third, fourth) == [False, False, False, True]


async def test_without_its_end_the_old_secret_would_work_on(
    site: AccountApi, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: what is compared besides the hash."""
    path = f"{CLIENTS}/{made['client']['client_id']}/rotate"
    body = {"at_once": True}
    await site.client.post(path, json=body, headers=_admin(site))
    assert (await _token(site, made)).status_code == 401

    def is_old(row: Any, hashed: str, _now: int) -> bool:
        return bool(row.old_hash == hashed)

    monkeypatch.setattr(store, "_is_right", is_old)
    assert (await _token(site, made)).status_code == 200


async def test_a_revoked_client_is_out_at_once(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """Its tokens too; another client of the clinic goes on."""
    other = await _make(site, name="Other")
    token, others = [(await _token(site, one)).json() for one in (made, other)]
    path = f"{CLIENTS}/{made['client']['client_id']}"
    gone = await site.client.delete(path, headers=_admin(site))
    assert gone.status_code == 204
    assert code_of(await _schedule(site, token)) == (401, "unauthenticated")
    assert (await _token(site, made)).status_code == 401
    assert (await _schedule(site, others)).status_code == 200
    again = await site.client.delete(path, headers=_admin(site))
    assert code_of(again) == (404, "api_client_not_found")


async def test_a_client_whose_end_failed_half_way_can_be_ended_again(
    site: AccountApi, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end was not told to other gateways, or not stored: said so, and repeated."""
    token = (await _token(site, made)).json()
    path = f"{CLIENTS}/{made['client']['client_id']}"
    clients, revocations = site.auth.stores.clients, site.api.ports.revocations

    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable("the store is away")

    for store_, method in ((revocations, "add"), (clients, "revoke")):
        with monkeypatch.context() as patch:
            patch.setattr(store_, method, away)
            failed = await site.client.delete(path, headers=_admin(site))
            assert failed.status_code == 503
    gone = await site.client.delete(path, headers=_admin(site))
    assert gone.status_code == 204
    assert code_of(await _schedule(site, token)) == (401, "unauthenticated")
    assert (await _token(site, made)).status_code == 401


async def test_control_without_its_revocation_a_token_lives_on(
    site: AccountApi, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the revocation by id that ends tokens, not the row."""
    token = (await _token(site, made)).json()

    async def silent(_: Any) -> None:
        return None

    monkeypatch.setattr(site.auth.sign_in, "revoke_tokens_of", silent)
    path = f"{CLIENTS}/{made['client']['client_id']}"
    assert (await site.client.delete(path, headers=_admin(site))).status_code == 204
    assert (await _schedule(site, token)).status_code == 200


async def test_a_client_ends_with_its_days(site: AccountApi) -> None:
    """Its last token does not outlive it."""
    await site.api.add_provider()
    made = await _make(site, days=1)
    site.clock.step(24 * 3600 - 60)
    token = (await _token(site, made)).json()
    assert token["expires_in"] <= 60
    site.clock.step(66)
    assert code_of(await _schedule(site, token)) == (401, "unauthenticated")
    assert (await _token(site, made)).status_code == 401


@pytest.mark.parametrize(
    ("form", "headers", "error"),
    [
        ({"grant_type": "password"}, {}, "unsupported_grant_type"),
        ({}, {}, "invalid_request"),
        (GRANT, {}, "invalid_client"),
        (GRANT, {"Authorization": "Bearer x"}, "invalid_client"),
        (GRANT, {"Authorization": "Basic !"}, "invalid_client"),
        (GRANT, {"Authorization": "Basic eA=="}, "invalid_client"),
        (GRANT, _basic("cli_0", "secret"), "invalid_client"),
        (GRANT, {"Content-Type": "application/json"}, "invalid_request"),
    ],
    ids=str,
)
async def test_errors_are_those_of_the_standard(
    site: AccountApi, form: dict[str, str], headers: dict[str, str], error: str
) -> None:
    """RFC 6749, section 5.2: 400, or 401 with the scheme to use."""
    answer = await site.client.post("/v1/oauth/token", data=form, headers=headers)
    is_client = error == "invalid_client"
    assert (answer.status_code, answer.json()["error"]) == (
        401 if is_client else 400,
        error,
    )
    assert ("www-authenticate" in answer.headers) is is_client


async def test_a_field_that_comes_twice_is_refused(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """Two readers would read two requests."""
    headers = _basic(made["client"]["client_id"], made["client_secret"])
    headers |= {"Content-Type": "application/x-www-form-urlencoded"}
    body = "grant_type=client_credentials&scope=read_availability&scope=read_schedule"
    answer = await site.client.post("/v1/oauth/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_wrong_secret_and_an_unknown_client_look_the_same(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """To the byte."""
    wrong = await _token(site, made | {"client_secret": "wrong"})
    gone = {"client": {"client_id": "cli_0"}, "client_secret": "wrong"}
    unknown = await _token(site, gone)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content


async def test_clients_of_a_clinic_are_bounded(
    site: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were revoked do not count."""
    assert CLIENTS_MAX >= 10
    monkeypatch.setattr(store, "CLIENTS_MAX", 2)
    first = await _make(site)
    await _make(site)
    body = {"name": "Portal", "scopes": SCOPES}
    full = await site.client.post(CLIENTS, json=body, headers=_admin(site))
    assert code_of(full) == (409, "api_client_limit")
    path = f"{CLIENTS}/{first['client']['client_id']}"
    await site.client.delete(path, headers=_admin(site))
    await _make(site)


async def test_rotations_at_once_leave_one_new_secret(
    site: AccountApi, made: dict[str, Any]
) -> None:
    """The last and the one before it work; the others were never good for long."""
    path = f"{CLIENTS}/{made['client']['client_id']}/rotate"
    answers = await asyncio.gather(
        *(site.client.post(path, json={}, headers=_admin(site)) for _ in range(5))
    )
    assert {one.status_code for one in answers} == {200}
    works = [(await _token(site, one.json())).status_code for one in answers]
    assert sorted(works) == [200, 200, 401, 401, 401]
    assert (await _token(site, made)).status_code == 401
