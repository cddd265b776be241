"""Clinics and providers say in the directory what their calendars do not know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.errors import Unavailable
from tests.fakes.api import Api
from tests.fixtures.accounts import account_api

PROVIDER = "/v1/providers/prv_1/directory-entry"
CLINIC = "/v1/clinics/cln_1/directory-entry"
PRICED = {"visit_type": "consult", "price": 6500, "currency": "EUR", "remote": True}


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """A provider at a clinic that is a record."""
    async with account_api(request, tmp_path) as opened:
        await opened.api.add_provider()
        await opened.client.put(
            "/v1/clinics/cln_1",
            json={"name": "Clinic 1", "time_zone": "UTC"},
            headers=opened.api.admin(),
        )
        yield opened.api


async def put(api: Api, path: str, body: Any, auth: Any, **headers: str) -> Any:
    return await api.client.put(path, json=body, headers={**auth, **headers})


async def test_a_doctor_says_what_visits_cost(api: Api) -> None:
    """Kept as it was put, read by anyone; a remote visit makes it telehealth."""
    bare = await api.client.get(PROVIDER)
    assert (bare.json()["accepts_new"], bare.json()["version"]) == (True, 0)
    body = {"accepts_new": False, "insurances": ["AOK", "aok"], "services": [PRICED]}
    made = await put(api, PROVIDER, body, api.doctor())
    assert made.status_code == 200, made.text
    read = (await api.client.get(PROVIDER)).json()
    assert read == made.json()
    assert read == {
        "provider_id": "prv_1",
        "accepts_new": False,
        "telehealth": True,
        "insurances": ["AOK"],
        "services": [PRICED],
        "rating": None,
        "version": 1,
        "photo": None,
        "photo_large": None,
    }


async def test_a_clinic_says_how_it_is_reached(api: Api) -> None:
    """By its administrator, for everyone."""
    body = {
        "step_free": "partly",
        "access_notes": "Ring at the side door.\nThe lift is behind it.",
        "website": "https://praxis.example/way",
        "insurances": ["Bupa"],
    }
    made = await put(api, CLINIC, body, api.clinic_admin())
    assert made.status_code == 200, made.text
    read = (await api.client.get(CLINIC)).json()
    assert {key: read[key] for key in body} == body
    assert read["version"] == 1


@pytest.mark.parametrize("path", [PROVIDER, CLINIC])
async def test_an_edit_does_not_undo_another(api: Api, path: str) -> None:
    """With If-Match only the version that was read is replaced, by none of another."""
    tag = (await api.client.get(path)).headers["etag"]
    body = {"insurances": ["AOK"]}
    first = await put(api, path, body, api.admin(), **{"If-Match": tag})
    second = await put(api, path, {}, api.admin(), **{"If-Match": tag})
    other = await put(api, path, {}, api.admin(), **{"If-Match": '"prv_2.e1"'})
    third = await put(api, path, {}, api.admin(), **{"If-Match": first.headers["etag"]})
    assert [one.status_code for one in (first, second, other, third)] == [
        200,
        412,
        412,
        200,
    ]
    assert second.json()["code"] == "version_behind"
    assert third.json()["version"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"services": [{"visit_type": "nothing"}]}, "services.0.visit_type"),
        ({"services": [{"visit_type": "consult", "price": 5}]}, "services.0"),
        ({"services": [PRICED | {"price": -1}]}, "services.0.price"),
        ({"services": [PRICED | {"currency": "euro"}]}, "services.0.currency"),
        ({"services": [PRICED, PRICED]}, "body"),
        ({"insurances": ["a\u202eb"]}, "insurances.0"),
        ({"insurances": ["x"] * 61}, "insurances"),
        ({"photo": "x"}, "photo"),
    ],
)
async def test_a_wrong_entry_is_refused_by_its_field(
    api: Api, body: Any, field: str
) -> None:
    """What is wrong is named, and nothing is kept."""
    refused = await put(api, PROVIDER, body, api.doctor())
    assert refused.status_code == 422, refused.text
    assert field in [one["field"] for one in refused.json()["errors"]]
    assert (await api.client.get(PROVIDER)).json()["version"] == 0


@pytest.mark.parametrize(
    ("website", "status"),
    [
        ("", 200),
        ("https://praxis.example", 200),
        ("http://praxis.example:8080/way/?a=b@c#d", 200),
        ("https://bank.example@evil.example/", 422),
        ("https://praxis.example/\u202egpj.exe", 422),
        ("https:///way", 422),
        ("javascript:alert(1)", 422),
        ("https://praxis.example/a\nb", 422),
    ],
)
async def test_a_website_leads_where_it_seems_to(
    api: Api, website: str, status: int
) -> None:
    """No name stands before the host, and nothing turns the direction of letters."""
    said = await put(api, CLINIC, {"website": website}, api.clinic_admin())
    assert said.status_code == status, said.text


async def test_missing_clinics_and_providers_have_no_entry(api: Api) -> None:
    """404, for reading and for writing."""
    for path in ("/v1/providers/prv_9", "/v1/providers/x", "/v1/clinics/cln_9"):
        where = f"{path}/directory-entry"
        assert (await api.client.get(where)).status_code == 404
        assert (await put(api, where, {}, api.admin())).status_code == 404


async def test_specialties_are_listed_in_a_language(api: Api) -> None:
    """Titles in the one that was asked for, names in all."""
    items = (await api.client.get("/v1/specialties?language=de")).json()["items"]
    (skin,) = [one for one in items if one["specialty"] == "dermatology"]
    assert (skin["title"], skin["built_in"]) == ("Dermatologie", True)
    assert "Hautarzt" in skin["names"]["de"]["synonyms"]
    titles = [one["title"] for one in items]
    assert titles == sorted(titles)


async def test_a_site_adds_specialties_and_takes_them_back(api: Api) -> None:
    """Its own are listed; a built-in one is as it was when what was said is dropped."""
    names = {"en": {"title": "Skin medicine", "synonyms": ["skin", "Skin"]}}
    path = "/v1/specialties/dermatology"
    made = await put(api, path, {"names": names}, api.admin())
    assert made.json()["names"]["en"]["synonyms"] == ["skin"]

    async def skin() -> Any:
        items = (await api.client.get("/v1/specialties")).json()["items"]
        (one,) = [one for one in items if one["specialty"] == "dermatology"]
        return one["title"], one["built_in"]

    assert await skin() == ("Skin medicine", False)
    stale = await put(api, path, {"names": names}, api.admin(), **{"If-Match": '"s0"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_behind")
    tag = {"If-Match": made.json()["tag"]}
    again = await put(api, path, {"names": names}, api.admin(), **tag)
    assert again.json() == made.json()
    dropped = await api.client.delete(path, headers=api.admin())
    assert dropped.status_code == 204
    assert await skin() == ("Dermatology", True)
    gone = await api.client.delete(path, headers=api.admin())
    assert (gone.status_code, gone.json()["code"]) == (404, "specialty_not_found")
    empty = await put(api, path, {"names": {}}, api.admin())
    assert empty.status_code == 422


class _Away:
    """Calendars whose journal is away."""

    async def ask(self, _request: object) -> object:
        raise Unavailable


async def test_an_entry_is_edited_while_the_calendar_is_away(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its visit types are then those of the directory; others have to wait."""
    await api.project()
    monkeypatch.setattr(api.app.state.directory, "_calendars", _Away())
    made = await put(api, PROVIDER, {"services": [PRICED]}, api.admin())
    assert made.status_code == 200, made.text
    wrong = {"services": [{"visit_type": "nothing"}]}
    refused = await put(api, PROVIDER, wrong, api.admin())
    assert refused.status_code == 422
    unknown = PROVIDER.replace("prv_1", "prv_9")
    assert (await put(api, unknown, {}, api.admin())).status_code == 503
