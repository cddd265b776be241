"""Doctors and clinics edit what is said of a provider; no edit undoes another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.messages.commands import RegisterProvider, SetRetired
from actors.domain.messages.refusals import Refusal, RefusalCode
from tests import factories as make
from tests.fakes.api import Api
from tests.fixtures.accounts import account_api

PROFILE = "/v1/providers/prv_1/profile"
SAID = {
    "name": "Dr. Number 1",
    "specialty": "general practice",
    "languages": ["en", "de-CH"],
    "about": "Listens.\nOften.",
}


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with account_api(request, tmp_path) as opened:
        await opened.api.add_provider()
        yield opened.api


async def put(api: Api, body: Any, auth: Any, **headers: str) -> Any:
    return await api.client.put(PROFILE, json=body, headers={**auth, **headers})


async def test_a_doctor_says_what_they_speak_and_do(api: Api) -> None:
    """Languages and text are changed; the page shows them at once, visits stay."""
    before = (await api.client.get("/v1/providers/prv_1")).json()
    read = await api.client.get(PROFILE)
    made = await put(api, SAID, api.doctor(), **{"If-Match": read.headers["etag"]})
    assert made.status_code == 200, made.text
    again = await api.client.get(PROFILE)
    assert again.json() == made.json() == {"provider_id": "prv_1", **SAID}
    assert again.headers["etag"] == made.headers["etag"] != read.headers["etag"]
    after = (await api.client.get("/v1/providers/prv_1")).json()
    assert (after["languages"], after["about"]) == (SAID["languages"], SAID["about"])
    assert after["visit_types"] == before["visit_types"]
    assert after["clinic"] == before["clinic"]


@pytest.mark.parametrize("field", ["name", "specialty"])
async def test_a_doctor_does_not_rename_themselves(api: Api, field: str) -> None:
    """Name and specialty were checked by the clinic: its administrator changes them."""
    body = SAID | {field: "Other"}
    refused = await put(api, body, api.doctor())
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await put(api, body, api.clinic_admin())).status_code == 200
    assert (await put(api, body, api.clinic_admin("cln_2"))).status_code == 403
    assert (await api.client.get(PROFILE)).json()[field] == "Other"


async def test_a_profile_that_was_changed_meanwhile_is_not_replaced(api: Api) -> None:
    """By another edit 412 with the tag of what is there; by a booking it is not."""
    tag = {"If-Match": (await api.client.get(PROFILE)).headers["etag"]}
    await api.client.post(
        "/v1/bookings",
        json={
            "provider_id": "prv_1",
            "visit_type": "consult",
            "start": "2026-08-10T09:00:00Z",
        },
        headers=api.patient(),
    )
    first = await put(api, SAID, api.doctor(), **tag)
    assert first.status_code == 200, first.text
    late = await put(api, SAID | {"about": "Late."}, api.clinic_admin(), **tag)
    assert (late.status_code, late.json()["code"]) == (412, "version_behind")
    assert late.headers["etag"] == first.headers["etag"]
    assert (await api.client.get(PROFILE)).json()["about"] == SAID["about"]


def test_a_calendar_refuses_a_profile_made_from_another() -> None:
    """Even between the gateway's look and its command; retiring is no edit."""
    calendar = make.restored(make.a_calendar())
    read = calendar.state.profile
    assert read is not None
    other = make.a_profile(name="Dr. Other")

    def decide(command: RegisterProvider | SetRetired) -> Any:
        return make.play(calendar, command)

    assert isinstance(decide(make.set_retired(key="k1", retired=True)), tuple)
    edit = make.register(key="k2", profile=other, based_on=read)
    assert isinstance(decide(edit), tuple)
    assert calendar.state.retired
    stale = decide(make.register(key="k3", profile=read, based_on=read))
    assert isinstance(stale, Refusal)
    assert stale.code is RefusalCode.VERSION_BEHIND
    # Without it, and as journals before had it, any profile is replaced.
    assert isinstance(decide(make.register(key="k4", profile=read)), tuple)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (SAID | {"name": " "}, "name"),
        (SAID | {"about": "x" * 4_001}, "about"),
        (SAID | {"languages": ["x" * 36]}, "languages.0"),
        (SAID | {"photo": ""}, "photo"),
    ],
)
async def test_a_wrong_profile_is_refused_by_its_field(
    api: Api, body: Any, field: str
) -> None:
    """What is wrong is named, and nothing is changed."""
    refused = await put(api, body, api.clinic_admin())
    assert refused.status_code == 422, refused.text
    assert field in [one["field"] for one in refused.json()["errors"]]
    assert (await api.client.get(PROFILE)).json()["about"] == ""


async def test_missing_providers_have_no_profile(api: Api) -> None:
    """404, for reading and for writing."""
    for name in ("prv_9", "x"):
        path = f"/v1/providers/{name}/profile"
        assert (await api.client.get(path)).status_code == 404
        made = await api.client.put(path, json=SAID, headers=api.admin())
        assert made.status_code == 404
