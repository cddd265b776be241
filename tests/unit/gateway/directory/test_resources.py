"""A clinic's rooms and equipment: its own people keep them, patients never see them."""

from __future__ import annotations

import pytest

from actors.domain.ids import ProviderId
from actors.domain.messages.commands import RegisterProvider
from tests import factories as make
from tests.fakes.answers import MemoryAnswers
from tests.fakes.api import Api
from tests.fixtures.resources import PATH, add_resource, take_leave

DAY = "from=2026-08-10&to=2026-08-10"


async def test_rooms_are_listed_before_equipment_by_name(api: Api) -> None:
    """At once at the gateway where they were added, and from the read model later."""
    await add_resource(api, "Scanner", "equipment", "ultrasound")
    await add_resource(api, "Room 2", "room", "quiet")
    await add_resource(api, "Room 1")
    for _ in range(2):
        found = (await api.client.get(PATH, headers=api.doctor())).json()["items"]
        assert [(one["kind"], one["name"], one["tags"]) for one in found] == [
            ("room", "Room 1", []),
            ("room", "Room 2", ["quiet"]),
            ("equipment", "Scanner", ["ultrasound"]),
        ]
        await api.project()


async def test_one_request_repeated_adds_one_room(api: Api) -> None:
    """Also if the answer of the first was never stored: its id follows from the key."""
    await api.project()
    headers = {**api.clinic_admin(), "Idempotency-Key": "k1"}
    body = {"kind": "room", "name": "Room 1"}
    first = await api.client.post(PATH, json=body, headers=headers)
    forgetful = api.ports.answers
    assert isinstance(forgetful, MemoryAnswers)
    forgetful.rows.clear()
    again = await api.client.post(PATH, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    found = await api.client.get(PATH, headers=api.clinic_admin())
    assert len(found.json()["items"]) == 1


async def test_a_room_is_renamed_and_its_tags_replaced(api: Api) -> None:
    """By its clinic's administrator; its hours stay."""
    room = await add_resource(api, "Room 1")
    body = {"name": " Theatre ", "tags": ["surgery", "surgery"]}
    done = await api.client.put(f"{PATH}/{room}", json=body, headers=api.clinic_admin())
    assert done.status_code == 200, done.text
    assert (done.json()["name"], done.json()["tags"]) == ("Theatre", ["surgery"])
    listed = (await api.client.get(PATH, headers=api.clinic_admin())).json()["items"]
    assert listed == [done.json()]
    rules = await api.client.get(
        f"/v1/providers/{room}/availability", headers=api.clinic_admin()
    )
    assert rules.json()["locations"][0]["weekly"]["monday"]


async def test_a_room_has_hours_leave_and_a_day_like_a_doctor(api: Api) -> None:
    """The routes of providers serve them, for the clinic's own people only."""
    room = await add_resource(api, "Room 1")
    await take_leave(api, room, "2026-08-10", "2026-08-11")
    for path in (f"schedule?{DAY}", "time-off", "availability"):
        own = await api.client.get(
            f"/v1/providers/{room}/{path}", headers=api.clinic_admin()
        )
        assert own.status_code == 200, own.text
        for who in (api.clinic_admin("cln_2"), api.patient()):
            other = await api.client.get(f"/v1/providers/{room}/{path}", headers=who)
            assert other.status_code == 403, other.text


async def test_a_room_is_retired_and_reinstated(api: Api) -> None:
    """It stays listed, marked at once; the routes are those of providers."""
    room = await add_resource(api, "Room 1")
    for verb, retired in (("retire", True), ("reinstate", False)):
        done = await api.client.post(
            f"/v1/providers/{room}/{verb}", headers=api.clinic_admin()
        )
        assert done.status_code == 200, done.text
        for _ in range(2):
            found = (await api.client.get(PATH, headers=api.clinic_admin())).json()
            assert [one["retired"] for one in found["items"]] == [retired]
            await api.project()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/profile",
        f"/slots?{DAY}",
        f"/slots?{DAY}&visit_type=consult",
        f"/slots?{DAY}&visit_type=0%2B30%2B0",
        "/slots",
    ],
)
async def test_to_the_public_a_room_does_not_exist(api: Api, path: str) -> None:
    """Equal to the byte to what an id is answered that no calendar has."""
    room = await add_resource(api, "Room 1")
    shown = await api.client.get(f"/v1/providers/{room}{path}")
    missing = await api.client.get(f"/v1/providers/prv_none{path}")
    assert shown.status_code == missing.status_code == 404
    assert shown.content == missing.content


@pytest.mark.parametrize("path", ["/v1/holds", "/v1/bookings"])
async def test_no_patient_takes_a_room_by_itself(api: Api, path: str) -> None:
    """Whatever visit type they name: as if there were no such provider."""
    room = await add_resource(api, "Room 1")
    body = {"visit_type": "consult", "start": "2026-08-10T09:00:00Z"}
    answers = [
        await api.client.post(
            path, json=body | {"provider_id": provider}, headers=api.patient()
        )
        for provider in (room, "prv_none")
    ]
    assert answers[0].status_code == answers[1].status_code == 404
    assert answers[0].content == answers[1].content
    # The wire knows no such visit type.
    body |= {"visit_type": "0+30+0", "provider_id": room}
    refused = await api.client.post(path, json=body, headers=api.patient())
    assert refused.status_code == 422, refused.text


async def test_no_search_finds_a_room(api: Api) -> None:
    """Neither by words nor as one of the clinic's doctors."""
    await add_resource(api, "Room 1")
    await api.project()
    for query in ("", "?query=room", "?clinic_id=cln_1", "?sort=soonest"):
        found = await api.client.get(f"/v1/providers{query}")
        names = {one["name"] for one in found.json()["items"]}
        assert names <= {"Dr. Number 1"}


async def test_a_room_stays_a_room(api: Api) -> None:
    """No registration makes a doctor of it, and it has no visit types of its own."""
    room = await add_resource(api, "Room 1")
    profile = make.a_profile()
    answer = await api.ports.calendars.ask(
        RegisterProvider(provider_id=room, key="k", profile=profile)
    )
    assert getattr(answer, "code", None) == "invalid_request"
    doctor = ProviderId("prv_1")
    view = await api.ports.calendars.ask(
        make.set_availability(provider_id=room, key="r")
    )
    assert getattr(view, "code", None) == "invalid_request"
    assert (await api.client.get(f"/v1/providers/{doctor}")).status_code == 200


async def test_another_clinics_room_is_not_renamed(api: Api) -> None:
    """Under a clinic of the caller's own, a foreign room is as a missing one."""
    room = await add_resource(api, "Room 1")
    await api.add_provider(2, clinic=make.a_clinic(2))
    await api.project()
    other = "/v1/clinics/cln_2/resources"
    answers = [
        await api.client.put(
            f"{other}/{one}", json={"name": "Mine"}, headers=api.clinic_admin("cln_2")
        )
        for one in (room, "prv_none", "prv_2")
    ]
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1


async def test_what_a_clinic_does_not_have_is_refused(api: Api) -> None:
    """Unknown clinics, kinds that there are not, too many tags."""
    body = {"kind": "room", "name": "Room 1"}
    gone = await api.client.post(
        "/v1/clinics/cln_9/resources", json=body, headers=api.admin()
    )
    assert (gone.status_code, gone.json()["code"]) == (404, "clinic_not_found")
    for wrong in ({"kind": "person"}, {"name": ""}, {"tags": ["x" * 41]}):
        refused = await api.client.post(
            PATH, json=body | wrong, headers=api.clinic_admin()
        )
        assert refused.status_code == 422, refused.text
