"""A clinic that retires: in no search, nothing is booked there; visits stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from care.directory.entries import ClinicEntry
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import account_api, signed

CLINIC = "/v1/clinics/cln_1"


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """Doctors 1, 2 and 3 at clinic 1, doctor 4 at clinic 2; the third was retired."""
    async with account_api(request, tmp_path) as opened:
        api = opened.api
        for number in (1, 2, 3):
            await api.add_provider(number)
        await api.add_provider(4, clinic=make.a_clinic(2))
        await api.client.post("/v1/providers/prv_3/retire", headers=api.clinic_admin())
        await api.project()
        yield api


def admin(api: Api, clinic: str = "cln_1") -> dict[str, str]:
    return signed(api, "clinic_admin", clinic)


async def send(api: Api, verb: str, query: str = "", **auth: Any) -> Any:
    headers = auth.get("auth") or admin(api)
    return await api.client.post(f"{CLINIC}/{verb}{query}", headers=headers)


async def retired(api: Api) -> dict[str, bool]:
    return {
        f"prv_{n}": (await api.client.get(f"/v1/providers/prv_{n}")).json()["retired"]
        for n in (1, 2, 3, 4)
    }


async def listed(api: Api, query: str = "") -> list[str]:
    page = (await api.client.get(f"/v1/clinics{query}")).json()
    return [one["clinic_id"] for one in page["items"]]


async def test_a_clinic_retires_with_its_doctors_and_comes_back(api: Api) -> None:
    """Its own doctors only; who was retired before stays so; each may be repeated."""
    await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
    for _ in range(2):
        gone = await send(api, "retire")
        assert gone.status_code == 200, gone.text
    assert await retired(api) == {
        "prv_1": True,
        "prv_2": True,
        "prv_3": True,
        "prv_4": False,
    }
    assert (await api.client.get(f"{CLINIC}/directory-entry")).json()["retired"]
    refused = await api.client.post(
        "/v1/holds", json=slot(start="2026-08-10T10:00:00Z"), headers=api.patient()
    )
    assert refused.json()["code"] == "slot_not_offered"
    own = await api.client.get("/v1/providers/prv_1/schedule", headers=api.doctor())
    assert len(own.json()["bookings"]) == 1
    for _ in range(2):
        back = await send(api, "reactivate")
        assert back.json()["retired"] is False, back.text
    assert await retired(api) == {
        "prv_1": False,
        "prv_2": False,
        "prv_3": True,
        "prv_4": False,
    }


async def test_before_it_is_done_it_says_what_it_does(api: Api) -> None:
    """Doctor by doctor, the visits ahead and the next of them; nothing is changed."""
    await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
    for query in ("?dry_run=true", ""):
        said = (await send(api, "retire", query)).json()
        assert said == {
            "clinic_id": "cln_1",
            "retired": query == "",
            "providers": [
                {
                    "provider_id": "prv_1",
                    "name": "Dr. Number 1",
                    "visits": 1,
                    "next_start": "2026-08-10T09:00:00Z",
                },
                {
                    "provider_id": "prv_2",
                    "name": "Dr. Number 2",
                    "visits": 0,
                    "next_start": None,
                },
            ],
        }
        assert (await retired(api))["prv_1"] is (query == "")
    back = (await send(api, "reactivate", "?dry_run=true")).json()
    assert back["retired"] is True
    assert [one["provider_id"] for one in back["providers"]] == ["prv_1", "prv_2"]
    assert (await retired(api))["prv_1"]


async def test_a_retired_clinic_is_listed_only_when_asked_for(api: Api) -> None:
    """So that it can be found again by who reactivates it."""
    await send(api, "retire")
    assert await listed(api) == ["cln_2"]
    assert await listed(api, "?retired=true") == ["cln_1", "cln_2"]
    page = (await api.client.get("/v1/clinics?retired=true")).json()
    assert [one["retired"] for one in page["items"]] == [True, False]
    bad = await api.client.get("/v1/clinics?retired=yes")
    assert bad.status_code == 422


async def test_nothing_begins_at_a_retired_clinic(api: Api) -> None:
    """No doctor is reinstated or registered there: 409 until it is reactivated."""
    await send(api, "retire")
    back = await api.client.post("/v1/providers/prv_1/reinstate", headers=admin(api))
    profile = {"name": "Dr. New", "specialty": "GP", "clinic_id": "cln_1"}
    new = await api.client.put("/v1/providers/prv_9", json=profile, headers=api.admin())
    for refused in (back, new):
        assert (refused.status_code, refused.json()["code"]) == (409, "clinic_retired")
    await send(api, "reactivate")
    new = await api.client.put("/v1/providers/prv_9", json=profile, headers=api.admin())
    assert new.status_code == 200, new.text


async def test_an_edit_of_the_entry_leaves_the_mark(api: Api) -> None:
    """Whether a clinic is retired, and with whom, is no part of its entry's form."""
    await send(api, "retire")
    body = {"access_notes": "Closed since May."}
    await api.client.put(f"{CLINIC}/directory-entry", json=body, headers=admin(api))
    read = (await api.client.get(f"{CLINIC}/directory-entry")).json()
    assert (read["retired"], read["access_notes"]) == (True, "Closed since May.")
    await send(api, "reactivate")
    assert not (await retired(api))["prv_1"]


async def test_who_left_the_clinic_is_not_reinstated_with_it(api: Api) -> None:
    """A doctor who works elsewhere by now stays as they are."""
    await send(api, "retire")
    profile = make.a_profile(2, clinic=make.a_clinic(2))
    await api.ports.calendars.ask(
        make.register(provider_id=make.a_provider_id(2), profile=profile, key="move")
    )
    await send(api, "reactivate")
    assert (await retired(api))["prv_2"]


async def test_a_request_that_broke_off_is_completed(api: Api) -> None:
    """The mark is set first: repeated, the rest is done, and all come back."""
    entries = api.ports.entries
    assert entries is not None
    along = (make.a_provider_id(1), make.a_provider_id(2))
    mark = ClinicEntry(retired=True, retired_with=along)
    await entries.put_clinic(make.a_clinic().clinic_id, mark, None)
    await send(api, "retire")
    assert (await retired(api))["prv_1"]
    await send(api, "reactivate")
    assert not (await retired(api))["prv_2"]


async def test_it_needs_a_second_factor_and_the_clinic(api: Api) -> None:
    """Another clinic's administrator may not, nor one who proved a password only."""
    other = await send(api, "retire", auth=admin(api, "cln_2"))
    weak = await send(api, "retire", auth=signed(api, "clinic_admin", "cln_1", level=1))
    doctor = await send(api, "retire", auth=api.doctor())
    assert [one.json()["code"] for one in (other, weak, doctor)] == [
        "forbidden",
        "second_factor_required",
        "forbidden",
    ]
    missing = await api.client.post("/v1/clinics/cln_8/retire", headers=api.admin())
    assert missing.json()["code"] == "clinic_not_found"
