"""``/v1/push``: a browser is shown notices of the account that is signed in there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from persistence.notices.models import PushSubscriptionRecord
from persistence.notices.push.subscriptions import SqlPushSubscriptions
from tests.fixtures.accounts import AccountApi, account_api, bearer, code_of, signed

ENDPOINT = "https://push.example.org/send/secret"
BODY: dict[str, Any] = {
    "endpoint": ENDPOINT,
    "keys": {"p256dh": "B" + 86 * "A", "auth": 22 * "A"},
}


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    async with account_api(request, tmp_path) as made:
        await made.register()
        yield made


async def kept(api: AccountApi) -> list[PushSubscriptionRecord]:
    push = api.api.ports.push
    assert push is not None
    assert isinstance(push.subscriptions, SqlPushSubscriptions)
    async with push.subscriptions._records.reading() as session:
        return list(await session.scalars(select(PushSubscriptionRecord)))


async def test_a_browser_subscribes_and_unsubscribes(api: AccountApi) -> None:
    """With the site's key, for its session; once more has no effect. Nothing that is
    kept shows where it is."""
    mine = bearer(await api.sign_in())
    key = await api.client.get("/v1/push/key", headers=mine)
    assert key.json() == {"public_key": "key", "devices": False}
    for _ in range(2):
        answer = await api.client.post("/v1/push/subscribe", json=BODY, headers=mine)
        assert answer.status_code == 204
    (row,) = await kept(api)
    assert ENDPOINT.encode() not in row.content
    assert "push.example" not in row.subscription_id
    other = signed(api.api, "patient", "pat_9", "acc_9")
    for who, left in ((other, 1), (mine, 0), (mine, 0)):
        gone = {"endpoint": ENDPOINT}
        answer = await api.client.post("/v1/push/unsubscribe", json=gone, headers=who)
        assert answer.status_code == 204
        assert len(await kept(api)) == left


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endpoint": "http://push.example.org/x"}, "endpoint"),
        ({"endpoint": "https://169.254.169.254/latest"}, "endpoint"),
        ({"endpoint": "https://redis:6379/x"}, "endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": 22 * "A"}}, "keys.p256dh"),
        ({"keys": {"p256dh": "B" + 86 * "A", "auth": "A"}}, "keys.auth"),
    ],
)
async def test_what_is_no_subscription_is_refused(
    api: AccountApi, change: dict[str, Any], field: str
) -> None:
    """With the field; nothing is kept."""
    mine = bearer(await api.sign_in())
    wrong = {**BODY, **change}
    answer = await api.client.post("/v1/push/subscribe", json=wrong, headers=mine)
    assert code_of(answer) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert await kept(api) == []


async def test_a_browser_needs_an_account(api: AccountApi) -> None:
    """A patient's or a guardian's."""
    doctor = signed(api.api, "doctor", "prv_1")
    for who in (doctor, api.api.patient()):
        answer = await api.client.post("/v1/push/subscribe", json=BODY, headers=who)
        assert code_of(answer) == (403, "forbidden")


DEVICE = "dGhpcyBp:" + 60 * "A"


async def test_an_app_is_registered_and_removed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Beside browsers, on sites that send to apps; its token is sealed."""
    token = {"token": DEVICE}
    async with account_api(request, tmp_path) as api:
        await api.register()
        mine = bearer(await api.sign_in())
        shown = await api.client.get("/v1/push/key", headers=mine)
        assert shown.json()["devices"] is False
        path = "/v1/push/devices"
        answer = await api.client.post(path, json=token, headers=mine)
        assert code_of(answer) == (422, "invalid_request")
        ports = api.api.ports
        assert ports.push is not None
        object.__setattr__(ports, "push", replace(ports.push, takes_devices=True))
        for _ in range(2):
            answer = await api.client.post(path, json=token, headers=mine)
            assert answer.status_code == 204
        (row,) = await kept(api)
        assert DEVICE.encode() not in row.content
        wrong = await api.client.post(path, json={"token": "a b"}, headers=mine)
        assert code_of(wrong) == (422, "invalid_request")
        other = signed(api.api, "patient", "pat_9", "acc_9")
        for who, left in ((other, 1), (mine, 0), (mine, 0)):
            gone = await api.client.post(f"{path}/remove", json=token, headers=who)
            assert gone.status_code == 204
            assert len(await kept(api)) == left
