"""Patients over REST: profiles, a clinic's list, names on pages, histories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import ClinicId, PatientId
from actors.errors import Unavailable
from gateway.bookings.names import PatientNames
from gateway.patients.service import PatientService
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import account_api, signed

BIRTH = {"family_name": "Müller", "birth_date": "1980-02-29"}
IN_BERLIN = {"address": {"city": "Berlin", "country": "DE"}}
PERSON = {
    "given_name": "Mira",
    **BIRTH,
    **IN_BERLIN,
    "phone": "030 1234567",
    "number": "P-17",
}


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """Two clinics with a provider each, and accounts' stores."""
    async with account_api(request, tmp_path, public_url="") as opened:
        await opened.api.add_provider(1)
        await opened.api.add_provider(2, clinic=make.a_clinic(2))
        yield opened.api


async def _added(api: Api, clinic: str = "cln_1", **more: Any) -> dict[str, Any]:
    body = PERSON | more
    staff = signed(api, "staff", clinic)
    path = f"/v1/clinics/{clinic}/patients"
    answer = await api.client.post(path, json=body, headers=staff)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_patient_keeps_their_own_profile(api: Api) -> None:
    """What is sent changes, the rest stays; a version that is behind is told."""
    mine = signed(api, "patient", "pat_7")
    first = await api.client.patch("/v1/me/profile", json=PERSON_CHANGE, headers=mine)
    assert first.status_code == 200, first.text
    assert first.json()["phone"] == "+49301234567"
    second = await api.client.patch(
        "/v1/me/profile", json={"language": "de"}, headers=mine
    )
    shown = (await api.client.get("/v1/me/profile", headers=mine)).json()
    assert shown == second.json()
    assert (shown["family_name"], shown["language"]) == ("Müller", "de")
    late = {"language": "fr", "version": first.json()["version"]}
    answer = await api.client.patch("/v1/me/profile", json=late, headers=mine)
    assert (answer.status_code, answer.json()["code"]) == (412, "version_behind")


PERSON_CHANGE = {name: value for name, value in PERSON.items() if name != "number"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "12"),
        ("email", "mira@"),
        ("birth_date", "2999-01-01"),
        ("birth_date", "1700-01-01"),
        ("patient_id", "pat_2"),
        ("account_id", "acc_2"),
        ("given_name", "a\nb"),
    ],
)
async def test_what_is_no_profile_is_refused_by_field(
    api: Api, field: str, value: str
) -> None:
    """422 names the field; ids and foreign owners cannot be put into a body."""
    answer = await api.client.patch(
        "/v1/me/profile", json={field: value}, headers=signed(api, "patient", "pat_7")
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_staff_find_the_patients_of_their_clinic_alone(api: Api) -> None:
    """By name and birth, phone, address and number; at another clinic there is none."""
    made = await _added(api, email="Mira@example.org")
    assert made["patient_id"].startswith("pat_")
    for asked in (
        BIRTH | {"family_name": "muller"},
        {"phone": "+49 30 1234567"},
        {"email": "mira@EXAMPLE.org"},
        {"number": "P-17"},
    ):
        for clinic, count in (("cln_1", 1), ("cln_2", 0)):
            answer = await api.client.post(
                f"/v1/clinics/{clinic}/patients/search",
                json=asked,
                headers=signed(api, "staff", clinic),
            )
            assert len(answer.json()["items"]) == count, (asked, clinic)
    path = f"/v1/clinics/cln_1/patients/{made['patient_id']}"
    doctor = signed(api, "doctor", "prv_1")
    assert (await api.client.get(path, headers=doctor)).json() == made


async def test_a_clinic_adds_a_person_once(api: Api) -> None:
    """The same name and birth, or number, is refused; the first can be insisted on."""
    await _added(api)
    staff, path = signed(api, "staff", "cln_1"), "/v1/clinics/cln_1/patients"
    for body, code in (
        (PERSON, "patient_known"),
        (PERSON | {"even_if_known": True}, "number_taken"),
        (PERSON | {"even_if_known": True, "number": "P-18"}, None),
    ):
        answer = await api.client.post(path, json=body, headers=staff)
        assert answer.json().get("code") == code


async def test_staff_cannot_name_a_patient_whom_their_clinic_does_not_know(
    api: Api,
) -> None:
    """Of another clinic or of none: one answer, and no profile is to be had."""
    foreign = (await _added(api, "cln_2"))["patient_id"]
    staff = signed(api, "staff", "cln_1")
    for path in ("/v1/bookings", "/v1/holds"):
        answers = [
            await api.client.post(
                path, json=slot() | {"patient_id": patient}, headers=staff
            )
            for patient in (foreign, "pat_none")
        ]
        assert [one.status_code for one in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    for patient in (foreign, "pat_none"):
        answer = await api.client.get(f"/v1/patients/{patient}", headers=staff)
        assert answer.json()["code"] == "patient_not_found"


async def test_staff_book_for_patients_of_their_clinic(api: Api) -> None:
    """The control: one whom the clinic knows is booked, and read."""
    patient = (await _added(api))["patient_id"]
    staff = signed(api, "staff", "cln_1")
    booked = await api.client.post(
        "/v1/bookings", json=slot() | {"patient_id": patient}, headers=staff
    )
    assert booked.status_code == 201, booked.text
    shown = await api.client.get(f"/v1/patients/{patient}", headers=staff)
    assert shown.status_code == 200


async def test_who_books_becomes_known_to_the_clinic(api: Api) -> None:
    """By the booking at once in the background, and by the read model without it."""
    mine = signed(api, "patient", "pat_7")
    await api.client.patch("/v1/me/profile", json=BIRTH, headers=mine)
    booked = await api.client.post("/v1/bookings", json=slot(), headers=mine)
    assert booked.status_code == 201
    staff = signed(api, "staff", "cln_1")
    services = api.app.state.services
    assert (
        await api.client.get("/v1/patients/pat_7", headers=staff)
    ).status_code == 404
    await api.project()
    assert await services.known.is_known(ClinicId("cln_1"), PatientId("pat_7"))
    assert await services.acquaintances.tell()
    found = await api.client.post(
        "/v1/clinics/cln_1/patients/search", json=BIRTH, headers=staff
    )
    assert [one["patient_id"] for one in found.json()["items"]] == ["pat_7"]
    clinics = await api.client.get("/v1/me/clinics", headers=mine)
    assert clinics.json() == {"items": ["cln_1"]}


class _CountedNames:
    """Patients of whom only names are asked; counts the reads."""

    def __init__(self, away: bool = False) -> None:
        self.reads: list[Sequence[PatientId]] = []
        self._away = away

    async def names(self, patient_ids: Sequence[PatientId]) -> Mapping[PatientId, str]:
        self.reads.append(patient_ids)
        if self._away:
            raise Unavailable("the records are away")
        return {one: f"Name of {one}" for one in patient_ids}


@pytest.mark.parametrize("away", [False, True])
async def test_pages_show_names_by_one_read_or_without(api: Api, away: bool) -> None:
    """Three bookings of two patients: one read; while SQL is away, no names."""
    for hour, number in ((9, 1), (10, 1), (11, 2)):
        start = f"2026-08-10T{hour:02}:00:00Z"
        await api.client.post(
            "/v1/bookings", json=slot(start=start), headers=api.patient(number)
        )
    counted = _CountedNames(away)
    names = PatientNames(counted)  # type: ignore[arg-type]
    api.app.state.services.providers.names = names
    path = "/v1/providers/prv_1/schedule?from=2026-08-10"
    answer = await api.client.get(path, headers=signed(api, "staff", "cln_1"))
    shown = [one["patient_name"] for one in answer.json()["bookings"]]
    told = ["Name of pat_1", "Name of pat_1", "Name of pat_2"]
    assert shown == (["", "", ""] if away else told)
    assert len(counted.reads) == 1
    demo = await api.client.get(path, headers=api.doctor())
    assert {one["patient_name"] for one in demo.json()["bookings"]} == {""}
    assert len(counted.reads) == 1


async def test_a_patients_own_list_shows_their_name(api: Api) -> None:
    """From the profile, never from the journal."""
    mine = signed(api, "patient", "pat_7")
    await api.client.patch("/v1/me/profile", json=PERSON_CHANGE, headers=mine)
    await api.client.post("/v1/bookings", json=slot(), headers=mine)
    page = (await api.client.get("/v1/bookings", headers=mine)).json()
    assert [one["patient_name"] for one in page["items"]] == ["Mira Müller"]


async def test_a_history_grows_and_is_corrected_by_later_notes(api: Api) -> None:
    """Newest first, page by page; a note is replaced once, and stays readable."""
    mine, path = signed(api, "patient", "pat_7"), "/v1/me/notes"
    ids = []
    for text in ("one", "two", "three"):
        body = {"kind": "condition", "text": text}
        ids.append(
            (await api.client.post(path, json=body, headers=mine)).json()["note_id"]
        )
    fixed = {"kind": "condition", "text": "two, really", "replaces": ids[1]}
    assert (await api.client.post(path, json=fixed, headers=mine)).status_code == 201
    again = await api.client.post(path, json=fixed, headers=mine)
    assert again.json()["code"] == "note_replaced"
    seen: list[dict[str, Any]] = []
    query = "?limit=1"
    while True:
        page = (await api.client.get(path + query, headers=mine)).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        query = f"?limit=1&cursor={page['next_cursor']}"
    assert sorted(one["text"] for one in seen) == ["one", "three", "two", "two, really"]
    old = next(one for one in seen if one["note_id"] == ids[1])
    new = next(one for one in seen if one["text"] == "two, really")
    assert (old["replaced_by"], new["replaces"]) == (new["note_id"], ids[1])
    foreign = {"kind": "other", "text": "x", "replaces": ids[0]}
    other = signed(api, "patient", "pat_8")
    answer = await api.client.post(path, json=foreign, headers=other)
    assert answer.json()["code"] == "note_replaced"


async def test_new_patients_have_ids_that_cannot_be_found_by_trying(api: Api) -> None:
    """Their ids are made of the gateway's random tokens, 96 bits each."""
    service: PatientService = api.app.state.patients
    assert service is not None
    first, second = await _added(api), await _added(api, family_name="Berg", number="")
    tokens = {one["patient_id"].removeprefix("pat_") for one in (first, second)}
    assert len(tokens) == 2
    assert all(len(one) >= 16 for one in tokens)
