"""Codes by message: where they go, how many, and how long they are good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.accounts import (
    AccountApi,
    account_api,
    bearer,
)
from tests.fixtures.factors import claims_of, coded, finish, flow_of

PHONE = "+4915112345678"


async def _sms_code(site: AccountApi, phone: str = PHONE) -> str:
    for one in await site.outgoing.latest(9):
        if one.message.kind == "sms_code" and one.message.recipient == phone:
            return one.message.text[:6]
    raise AssertionError("no code was sent")


async def _add_phone(site: AccountApi, signed: dict[str, Any], phone: str) -> Any:
    begun = await site.post("factors/sms", {"phone": phone}, bearer(signed))
    assert begun.status_code == 200, begun.text
    path = f"factors/{begun.json()['factor_id']}/confirm"
    body = {"code": await _sms_code(site, phone), "label": "Mine"}
    answer = await site.post(path, body, bearer(signed))
    assert answer.status_code == 200, answer.text
    site.clock.step(61)
    return answer.json()


async def test_a_phone_gets_codes(site: AccountApi, mira: dict[str, Any]) -> None:
    """The message names the site, as phones fill it in; the code works once."""
    await _add_phone(site, mira, PHONE)
    flow = await flow_of(site)
    assert (flow["factors"], flow["phone"]) == (["sms"], "…678")
    assert (await finish(site, flow, "sms/send", {})).json() == {"status": "sent"}
    (sent, *_) = await site.outgoing.latest(1)
    assert (sent.message.recipient, sent.message.channel) == (PHONE, "sms")
    assert "@clinic.test #" in sent.message.text
    shown = (await site.client.get("/v1/auth/demo/messages")).json()["items"][0]
    assert (shown["channel"], shown["recipient"]) == ("sms", PHONE)
    code = await _sms_code(site)
    signed = await finish(site, flow, "sms", {"code": code})
    assert claims_of(signed.json())["amr"] == ["pwd", "sms"]
    again = await finish(site, await flow_of(site), "sms", {"code": code})
    assert coded(again) == (422, "invalid_code")


async def test_a_sent_code_ages(site: AccountApi, mira: dict[str, Any]) -> None:
    """After five minutes, or once another was sent, it is wrong."""
    await _add_phone(site, mira, PHONE)
    flow = await flow_of(site)
    await finish(site, flow, "sms/send", {})
    first = await _sms_code(site)
    site.clock.step(61)
    await finish(site, flow, "sms/send", {})
    second = await _sms_code(site)
    if first != second:
        answer = await finish(site, flow, "sms", {"code": first})
        assert coded(answer) == (422, "invalid_code")
    site.clock.step(300)
    answer = await finish(site, flow, "sms", {"code": second})
    assert coded(answer) == (422, "invalid_code")


@pytest.mark.parametrize(
    "phone",
    ["+49 900 1234567", "+44 909 8790000", "+49 30 1234567", "0151 12345678", "+4915"],
)
async def test_no_code_goes_to_premium_or_fixed_lines(
    site: AccountApi, mira: dict[str, Any], phone: str
) -> None:
    """Nor to what is no number: nothing is sent."""
    before = len(await site.outgoing.latest(20))
    answer = await site.post("factors/sms", {"phone": phone}, bearer(mira))
    assert coded(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "phone"
    assert len(await site.outgoing.latest(20)) == before


async def test_codes_go_to_allowed_countries(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The same number is refused where the site does not name its country."""
    for countries, status in ((("AT", "CH"), 422), (("DE",), 200)):
        folder = tmp_path / countries[0]
        folder.mkdir()
        async with account_api(request, folder, sms_countries=countries) as site:
            await site.register()
            signed = await site.sign_in()
            body = {"phone": PHONE}
            answer = await site.post("factors/sms", body, bearer(signed))
            assert answer.status_code == status
            sent = [one.message.kind for one in await site.outgoing.latest(9)]
            assert ("sms_code" in sent) is (status == 200)


async def test_the_sixth_code_of_a_day_is_not_sent(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Nor a second one within a minute; the code before stays good."""
    for _ in range(5):
        answer = await site.post("factors/sms", {"phone": PHONE}, bearer(mira))
        assert answer.status_code == 200
        hasty = await site.post("factors/sms", {"phone": PHONE}, bearer(mira))
        assert coded(hasty) == (429, "too_many_requests")
        site.clock.step(61)
    sixth = await site.post("factors/sms", {"phone": PHONE}, bearer(mira))
    assert coded(sixth) == (429, "too_many_requests")
    sent = [one.message.kind for one in await site.outgoing.latest(20)]
    assert sent.count("sms_code") == 5


async def test_the_old_phone_is_told_of_the_new(
    site: AccountApi, mira: dict[str, Any]
) -> None:
    """Its codes die with it, also one that was sent before the change."""
    await _add_phone(site, mira, PHONE)
    flow = await flow_of(site)
    await finish(site, flow, "sms/send", {})
    old_code = await _sms_code(site)
    raised = (await site.refresh(mira["refresh_token"])).json()
    await _add_phone(site, raised, "+4915112345679")
    told = [
        one.message.recipient
        for one in await site.outgoing.latest(5)
        if one.message.kind == "phone_replaced"
    ]
    assert told == [PHONE]
    answer = await finish(site, flow, "sms", {"code": old_code})
    assert coded(answer) == (422, "invalid_code")
    listed = await site.client.get("/v1/auth/factors", headers=bearer(raised))
    assert [one["phone"] for one in listed.json()["items"]] == ["+4915112345679"]
