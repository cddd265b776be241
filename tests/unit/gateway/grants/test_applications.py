"""Applications of doctors over REST: from the licence to the calendar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import ProviderId
from actors.domain.messages.commands import RegisterProvider
from actors.domain.messages.reads import ReadProvider
from persistence.grants.applications import SqlDoctorApplications
from tests import factories as make
from tests.fakes.api import Api
from tests.fixtures.accounts import AccountApi, account_api, bearer, signed


@pytest.fixture
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """Two clinics with two and one providers, and accounts."""
    async with account_api(request, tmp_path, public_url="") as found:
        await found.api.add_provider(1)
        await found.api.add_provider(3)
        await found.api.add_provider(2, clinic=make.a_clinic(2))
        await found.api.project()
        yield found


async def _of(api: Api, signed_in: dict[str, Any], path: str) -> Any:
    answer = await api.client.get(path, headers=bearer(signed_in))
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


APPLICATION = {
    "clinic_id": "cln_1",
    "name": "Dr. Ada Weiß",
    "specialty": "Cardiology",
    "country": "DE",
    "licence": "LANR 1",
}


async def test_an_approved_doctor_has_a_calendar(opened: AccountApi) -> None:
    """From the application to the schedule; another clinic has no part in it."""
    api = opened.api
    await opened.register()
    me = await opened.sign_in()
    path = "/v1/me/applications"
    made = await api.client.post(path, json=APPLICATION, headers=bearer(me))
    assert made.status_code == 201, made.text
    again = await api.client.post(path, json=APPLICATION, headers=bearer(me))
    assert again.json()["code"] == "application_exists"
    admin, other = (
        signed(api, "clinic_admin", "cln_1"),
        signed(api, "clinic_admin", "cln_2"),
    )
    one = f"/applications/{made.json()['application_id']}"
    provider = made.json()["provider_id"]
    for clinic in ("cln_1", "cln_2"):
        where = f"/v1/clinics/{clinic}{one}/approve"
        assert (await api.client.post(where, headers=other)).status_code == 404
    hidden = await api.client.get(f"/v1/providers/{provider}")
    assert hidden.status_code == 404
    listed = await api.client.get("/v1/clinics/cln_1/applications", headers=admin)
    assert [o["licence"] for o in listed.json()["items"]] == ["LANR 1"]
    where = f"/v1/clinics/cln_1{one}"
    await api.client.post("/v1/clinics/cln_1/retire", headers=admin)
    closed = await api.client.post(f"{where}/approve", headers=admin)
    assert (closed.status_code, closed.json()["code"]) == (409, "clinic_retired")
    await api.client.post("/v1/clinics/cln_1/reactivate", headers=admin)
    done = await api.client.post(f"{where}/approve", headers=admin)
    assert done.json()["status"] == "approved", done.text
    twice = await api.client.post(f"{where}/approve", headers=admin)
    assert twice.json()["code"] == "application_decided"
    doctor = await opened.sign_in(context=f"doctor {provider}")
    await _of(api, doctor, f"/v1/providers/{provider}/schedule")


async def test_applications_are_decided_without_naming_the_clinic(
    opened: AccountApi,
) -> None:
    """By the clinic's administrators and the platform's; others find nothing there."""
    api = opened.api
    await opened.register()
    me = await opened.sign_in()
    path, names = "/v1/applications", []
    for licence in ("LANR 1", "LANR 2"):
        body = {**APPLICATION, "licence": licence}
        made = await api.client.post(path, json=body, headers=bearer(me))
        assert made.status_code == 201, made.text
        names.append(made.json()["application_id"])
    admin, other, site = (
        signed(api, "clinic_admin", "cln_1"),
        signed(api, "clinic_admin", "cln_2"),
        signed(api, "admin", "acc_9"),
    )
    reason = {"reason": "The licence has expired."}
    for name in (names[0], "app_none"):
        for verb, sent in (("approve", None), ("reject", reason)):
            where = f"{path}/{name}/{verb}"
            hidden = await api.client.post(where, json=sent, headers=other)
            assert hidden.status_code == 404
            assert hidden.json()["code"] == "application_not_found"
    where = f"{path}/{names[0]}/reject"
    assert (await api.client.post(where, json=reason, headers=site)).status_code == 200
    where = f"{path}/{names[1]}/approve"
    assert (await api.client.post(where, headers=admin)).status_code == 200
    for who, wanted, seen in (
        (admin, "", set(names)),
        (admin, "?status=approved", {names[1]}),
        (site, "?status=rejected", {names[0]}),
        (other, "", set()),
        (bearer(me), "?status=rejected", {names[0]}),
        (bearer(await opened.sign_in()), "?status=withdrawn", set()),
    ):
        listed = await api.client.get(path + wanted, headers=who)
        assert listed.status_code == 200, listed.text
        found = {one["application_id"] for one in listed.json()["items"]}
        assert found == seen, wanted
    weak = signed(api, "clinic_admin", "cln_1", level=1)
    refused = await api.client.get(path, headers=weak)
    assert refused.json()["code"] == "second_factor_required"


async def test_a_licence_is_not_blocked_by_a_strangers_application(
    opened: AccountApi,
) -> None:
    """Its doctor is approved, although a stranger wrote it down before."""
    api, path = opened.api, "/v1/me/applications"
    await opened.register("eve@example.org")
    eve = await opened.sign_in("eve@example.org")
    first = await api.client.post(path, json=APPLICATION, headers=bearer(eve))
    await opened.register()
    me = await opened.sign_in()
    made = await api.client.post(path, json=APPLICATION, headers=bearer(me))
    assert made.status_code == 201, made.text
    admin = signed(api, "clinic_admin", "cln_1")
    where = "/v1/clinics/cln_1/applications"
    mine = f"{where}/{made.json()['application_id']}/approve"
    assert (await api.client.post(mine, headers=admin)).status_code == 200
    hers = f"{where}/{first.json()['application_id']}/approve"
    refused = await api.client.post(hers, headers=admin)
    assert refused.json()["code"] == "licence_taken"
    provider = first.json()["provider_id"]
    gone = await api.client.get(f"/v1/providers/{provider}")
    assert gone.status_code == 404  # no calendar was begun
    again = {**APPLICATION, "licence": "LANR 2"}
    more = await api.client.post(path, json=again, headers=bearer(me))
    second = f"{where}/{more.json()['application_id']}/approve"
    refused = await api.client.post(second, headers=admin)
    assert refused.json()["code"] == "role_exists"
    provider = more.json()["provider_id"]
    assert (await api.client.get(f"/v1/providers/{provider}")).status_code == 404


async def test_an_account_has_so_many_open_applications(opened: AccountApi) -> None:
    """The next one is refused with its own code."""
    api, path = opened.api, "/v1/me/applications"
    await opened.register()
    me = await opened.sign_in()
    for n in range(5):
        body = {**APPLICATION, "licence": f"LANR {n}"}
        made = await api.client.post(path, json=body, headers=bearer(me))
        assert made.status_code == 201
    body = {**APPLICATION, "licence": "LANR 8"}
    refused = await api.client.post(path, json=body, headers=bearer(me))
    assert refused.json()["code"] == "too_many_applications"


async def test_a_rejected_or_withdrawn_application_gives_nothing(
    opened: AccountApi,
) -> None:
    """The applicant reads the reason; the licence may be used again."""
    api = opened.api
    await opened.register()
    me, path = await opened.sign_in(), "/v1/me/applications"
    made = await api.client.post(path, json=APPLICATION, headers=bearer(me))
    where = f"/v1/clinics/cln_1/applications/{made.json()['application_id']}/reject"
    admin = signed(api, "clinic_admin", "cln_1")
    reason = {"reason": "The licence has expired."}
    assert (await api.client.post(where, json=reason, headers=admin)).status_code == 200
    mine = (await _of(api, me, path))["items"]
    assert [(o["status"], o["reason"]) for o in mine] == [
        ("rejected", reason["reason"])
    ]
    again = await api.client.post(path, json=APPLICATION, headers=bearer(me))
    own = f"{path}/{again.json()['application_id']}"
    assert (await api.client.delete(own, headers=bearer(me))).status_code == 204
    gone = await api.client.delete(own, headers=bearer(me))
    assert gone.json()["code"] == "application_decided"
    roles = (await opened.me(me)).json()["contexts"]
    assert [one["role"] for one in roles] == ["patient"]


async def test_an_application_withdrawn_during_its_approval_offers_nothing(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calendar that was begun is retired: no search finds it."""
    api = opened.api
    await opened.register()
    me, path = await opened.sign_in(), "/v1/me/applications"
    made = (await api.client.post(path, json=APPLICATION, headers=bearer(me))).json()
    commands = api.app.state.services.commands
    send = commands.send

    async def sent(command: Any) -> Any:
        answer = await send(command)
        if isinstance(command, RegisterProvider):
            own = f"{path}/{made['application_id']}"
            gone = await api.client.delete(own, headers=bearer(me))
            assert gone.status_code == 204
        return answer

    monkeypatch.setattr(commands, "send", sent)
    where = f"/v1/clinics/cln_1/applications/{made['application_id']}/approve"
    admin = signed(api, "clinic_admin", "cln_1")
    answer = await api.client.post(where, headers=admin)
    assert answer.json()["code"] == "application_decided"
    provider = ProviderId(made["provider_id"])
    view = await api.app.state.ports.calendars.ask(ReadProvider(provider))
    assert view.profile.retired


async def test_a_number_of_signs_alone_is_no_licence(opened: AccountApi) -> None:
    """It would be the same as every other one: 422, naming the field."""
    await opened.register()
    me, path = bearer(await opened.sign_in()), "/v1/me/applications"
    body = {**APPLICATION, "licence": "---", "registry": "GMC"}
    refused = await opened.api.client.post(path, json=body, headers=me)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["field"] == "licence"
    body["licence"] = "-1-"
    made = await opened.api.client.post(path, json=body, headers=me)
    assert (made.status_code, made.json()["registry"]) == (201, "GMC")


async def test_of_two_approvals_that_race_one_begins_a_calendar(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked before either is stored: the later one's calendar is closed."""

    async def free(*_of: Any) -> None: ...

    monkeypatch.setattr(SqlDoctorApplications, "check", free)
    api, made = opened.api, []
    for email in ("eve@example.org", "mira@example.org"):
        await opened.register(email)
        me = bearer(await opened.sign_in(email))
        made.append(
            await api.client.post("/v1/me/applications", json=APPLICATION, headers=me)
        )
    admin = signed(api, "clinic_admin", "cln_1")
    where = "/v1/clinics/cln_1/applications"
    ways = [f"{where}/{one.json()['application_id']}/approve" for one in made]
    done = await asyncio.gather(*(api.client.post(way, headers=admin) for way in ways))
    assert sorted(one.status_code for one in done) == [200, 409]
    for application, answer in zip(made, done, strict=True):
        if answer.status_code == 409:
            assert answer.json()["code"] == "licence_taken"
        provider = application.json()["provider_id"]
        page = await api.client.get(f"/v1/providers/{provider}")
        assert page.json().get("retired", False) == (answer.status_code == 409)
