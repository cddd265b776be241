"""Clinics are records of their own, and every page shows the same of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.errors import Unavailable
from tests.fakes.api import Api

CLINIC = {
    "name": "Praxis am Park",
    "time_zone": "UTC",
    "address": "Parkweg 1",
    "city": "Berlin",
    "country": "DE",
    "latitude": 52.5,
    "longitude": 13.4,
}
WHO = {"name": "Dr. New", "specialty": "GP"}


async def put(api: Api, path: str, body: Any, auth: Any = None) -> Any:
    response = await api.client.put(path, json=body, headers=auth or api.admin())
    return response.json() | {"status_code": response.status_code}


async def shown(api: Api, provider: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The clinic on a doctor's page, and the one in the search."""
    await api.project()
    page = await api.client.get(f"/v1/providers/{provider}")
    found = (await api.client.get("/v1/providers?limit=100")).json()["items"]
    (item,) = [one for one in found if one["provider_id"] == provider]
    return page.json()["clinic"], item["clinic"]


async def test_a_clinic_is_put_read_and_found(api: Api) -> None:
    """By its id and by words of its name and city; replaced as a whole."""
    made = await put(api, "/v1/clinics/cln_7", CLINIC)
    assert made["status_code"] == 200
    read = (await api.client.get("/v1/clinics/cln_7")).json()
    assert read == {"clinic_id": "cln_7", "postcode": "", "phone": ""} | CLINIC
    for words, expected in (("park berl", ["cln_7"]), ("hull", []), ("!", [])):
        found = await api.client.get(f"/v1/clinics?query={words}")
        assert [one["clinic_id"] for one in found.json()["items"]] == expected
    await put(api, "/v1/clinics/cln_7", {"name": "B", "time_zone": "UTC"})
    assert (await api.client.get("/v1/clinics/cln_7")).json()["city"] == ""


async def test_a_clinic_has_a_name(api: Api) -> None:
    """One of spaces is none, for a record and in a registration; nothing is kept."""
    for blank in (" ", "\u00a0"):
        body = {"clinic_id": "cln_7", "name": blank, "time_zone": "UTC"}
        made = await put(api, "/v1/clinics/cln_7", body)
        registered = await put(api, "/v1/providers/prv_7", WHO | {"clinic": body})
        for refused, field in ((made, "name"), (registered, "clinic.name")):
            assert refused["status_code"] == 422
            assert refused["errors"][0]["field"] == field
    assert (await api.client.get("/v1/clinics/cln_7")).status_code == 404


async def test_clinics_come_in_pages(api: Api) -> None:
    """By name; the pages hold each clinic once."""
    for number in range(5):
        body = CLINIC | {"name": f"Praxis {5 - number}"}
        await put(api, f"/v1/clinics/cln_p{number}", body)
    seen, cursor = [], ""
    while True:
        page = await api.client.get(f"/v1/clinics?query=praxis&limit=2&cursor={cursor}")
        seen += [one["clinic_id"] for one in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if not cursor:
            break
    assert seen == ["cln_p4", "cln_p3", "cln_p2", "cln_p1", "cln_p0"]
    bad = await api.client.get("/v1/clinics?cursor=x")
    assert bad.json()["errors"][0]["field"] == "cursor"


async def test_registering_a_provider_takes_nothing_from_a_clinic(
    api: Api,
) -> None:
    """Partial details of a known clinic change neither search nor any page."""
    await put(api, "/v1/clinics/cln_7", CLINIC)
    first = await put(api, "/v1/providers/prv_7", WHO | {"clinic_id": "cln_7"})
    partial = {"clinic_id": "cln_7", "name": "Other", "time_zone": "Europe/Berlin"}
    second = await put(api, "/v1/providers/prv_8", WHO | {"clinic": partial})
    assert first["clinic"] == second["clinic"]
    for provider in ("prv_7", "prv_8"):
        page, item = await shown(api, provider)
        assert page == item == first["clinic"]
        assert page["city"] == "Berlin"


async def test_a_change_of_a_clinic_is_on_every_page(api: Api) -> None:
    """Each doctor's page and the search show the record, old copies never."""
    new = {"clinic_id": "cln_7", **CLINIC}
    for provider in ("prv_7", "prv_8"):
        await put(api, f"/v1/providers/{provider}", WHO | {"clinic": new})
        await shown(api, provider)
    moved = CLINIC | {"address": "Neue Straße 2", "city": "Potsdam"}
    await put(api, "/v1/clinics/cln_7", moved, api.clinic_admin("cln_7"))
    for provider in ("prv_7", "prv_8"):
        page, item = await shown(api, provider)
        assert page == item
        assert page["city"] == "Potsdam"
    api.read_model.reset()
    assert (await api.client.get("/v1/clinics/cln_7")).json()["city"] == "Potsdam"


async def test_a_clinic_keeps_its_zone_while_it_has_providers(api: Api) -> None:
    """Calendars count days in it; an empty clinic may change it."""
    await put(api, "/v1/clinics/cln_7", CLINIC)
    berlin = CLINIC | {"time_zone": "Europe/Berlin"}
    assert (await put(api, "/v1/clinics/cln_7", berlin))["status_code"] == 200
    await put(api, "/v1/providers/prv_7", WHO | {"clinic_id": "cln_7"})
    await api.project()
    refused = await put(api, "/v1/clinics/cln_7", CLINIC)
    assert refused["errors"][0]["field"] == "time_zone"


async def test_what_is_wrong_with_a_clinic_is_said(api: Api) -> None:
    """Unknown zones, other ids, unknown clinics, and both ways of naming at once."""
    nowhere = await put(api, "/v1/clinics/cln_7", CLINIC | {"time_zone": "Mars"})
    assert nowhere["errors"][0]["field"] == "time_zone"
    other = await put(api, "/v1/clinics/cln_7", CLINIC | {"clinic_id": "cln_8"})
    assert other["errors"][0]["field"] == "clinic_id"
    unknown = await put(api, "/v1/providers/prv_7", WHO | {"clinic_id": "cln_9"})
    assert (unknown["status_code"], unknown["code"]) == (404, "clinic_not_found")
    both = WHO | {"clinic_id": "cln_1", "clinic": CLINIC | {"clinic_id": "cln_1"}}
    for body in (both, WHO):
        assert (await put(api, "/v1/providers/prv_7", body))["status_code"] == 422
    for path in ("/v1/clinics/cln_9", "/v1/clinics/nonsense"):
        missing = await api.client.get(path)
        assert missing.json()["code"] == "clinic_not_found"


async def test_pages_are_shown_while_the_directory_is_away(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A doctor's page then has the copy that their calendar carries."""

    async def away(_ids: object) -> Any:
        raise Unavailable

    monkeypatch.setattr(api.read_model, "clinics", away)
    page = await api.client.get("/v1/providers/prv_1")
    assert (page.status_code, page.json()["clinic"]["clinic_id"]) == (200, "cln_1")


async def test_a_record_that_was_changed_meanwhile_is_not_overwritten(
    api: Api,
) -> None:
    """412 version_behind with the newer ETag; with that one, or without any, 200."""
    path, admin = "/v1/clinics/cln_7", api.admin()

    async def change(name: str, tag: str | None) -> Any:
        headers = admin | ({} if tag is None else {"If-Match": tag})
        body = CLINIC | {"name": name}
        return await api.client.put(path, json=body, headers=headers)

    absent = await change("A", "*")
    assert (absent.status_code, absent.json()["code"]) == (412, "version_behind")
    first = (await change("A", None)).headers["etag"]
    assert first == (await api.client.get(path)).headers["etag"]
    second = await change("B", first)
    assert second.status_code == 200
    behind = await change("C", first)
    assert (behind.status_code, behind.json()["code"]) == (412, "version_behind")
    assert behind.headers["etag"] == second.headers["etag"] != first
    assert (await api.client.get(path)).json()["name"] == "B"
    for tag in (behind.headers["etag"], "*", None):
        assert (await change("C", tag)).status_code == 200
    for strange in ("nonsense", '"r1"', 'W/"c"', '""'):
        assert (await change("D", strange)).status_code == 412


async def test_of_two_changes_at_once_of_the_same_record_one_is_made(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when both had read it before either wrote: the store compares again."""
    path, admin = "/v1/clinics/cln_7", api.admin()
    made = await api.client.put(path, json=CLINIC, headers=admin)
    directory = api.ports.directory
    inner, both = directory.replace_clinic, asyncio.Barrier(2)

    async def together(*records: Any) -> bool:
        await both.wait()
        return await inner(*records)

    monkeypatch.setattr(directory, "replace_clinic", together)
    headers = admin | {"If-Match": made.headers["etag"]}
    answers = await asyncio.gather(
        *(
            api.client.put(path, json=CLINIC | {"city": city}, headers=headers)
            for city in ("Bonn", "Kiel")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
