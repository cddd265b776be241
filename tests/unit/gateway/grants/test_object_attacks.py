"""Attacks on objects of others: tenants, doctors of two clinics, removed members.

Each has a control: with its guard removed the attack succeeds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import PatientId
from gateway.access.ended_grants import EndedGrants
from gateway.access.known_patients import KnownPatients
from gateway.access.revocations import RevokedTokens
from gateway.access.rights import Access
from gateway.access.table import Permission
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import AccountApi, account_api, bearer, signed

REASON = {"reason": "unconscious, no papers"}


@pytest.fixture
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """Two clinics with a provider each, and accounts."""
    async with account_api(request, tmp_path, public_url="") as found:
        await found.api.add_provider(1)
        await found.api.add_provider(2, clinic=make.a_clinic(2))
        await found.api.project()
        yield found


async def _patient_of(api: Api, clinic: str) -> str:
    """A patient whom a clinic adds; its id."""
    body = {"family_name": "Berg", "birth_date": "1980-02-29", "number": "P-1"}
    answer = await api.client.post(
        f"/v1/clinics/{clinic}/patients",
        json=body,
        headers=signed(api, "staff", clinic),
    )
    return str(answer.json()["patient_id"])


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_foreign_patient_cannot_be_booked_to_see_them(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """404 like a patient who does not exist; unguarded, the booking is made."""
    api = opened.api
    foreign = await _patient_of(api, "cln_2")
    if not guarded:

        async def let_pass(*_all: Any) -> None:
            return None

        monkeypatch.setattr(Access, "check_named", let_pass)
    answer = await api.client.post(
        "/v1/bookings",
        json=slot() | {"patient_id": foreign},
        headers=signed(api, "staff", "cln_1"),
    )
    assert answer.status_code == (404 if guarded else 201)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_foreign_profile_is_not_read_by_its_id(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A doctor of another clinic reads nothing; unguarded, all of it."""
    api = opened.api
    foreign = await _patient_of(api, "cln_2")
    if not guarded:

        async def knows(*_all: Any) -> bool:
            return True

        monkeypatch.setattr(KnownPatients, "is_known", knows)
    answer = await api.client.get(
        f"/v1/patients/{foreign}", headers=signed(api, "doctor", "prv_1")
    )
    assert answer.status_code == (404 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_doctor_of_two_clinics_acts_in_one_at_a_time(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A token of one calendar is no right to the other, though the account has both."""
    api = opened.api
    if not guarded:
        monkeypatch.setattr(Access, "decide", lambda *_all: Permission.YES)
    first = signed(api, "doctor", "prv_1", account="acc_both")
    for number, path in ((1, "/v1/providers/prv_1"), (2, "/v1/providers/prv_2")):
        answer = await api.client.get(f"{path}/schedule", headers=first)
        allowed = number == 1 or not guarded
        assert answer.status_code == (200 if allowed else 403)


async def test_ids_and_roles_in_bodies_change_nothing(opened: AccountApi) -> None:
    """Owners are never read from a body: the field is refused by its name."""
    api = opened.api
    mine, staff = signed(api, "patient", "pat_1"), signed(api, "staff", "cln_1")
    patient = {"family_name": "Berg"}
    admin = signed(api, "clinic_admin", "cln_1")
    for method, path, body, auth in (
        ("PATCH", "/v1/me/profile", {"given_name": "M"}, mine),
        ("POST", "/v1/me/notes", {"kind": "other", "text": "x"}, mine),
        ("POST", "/v1/clinics/cln_1/patients", patient, staff),
        ("POST", "/v1/clinics/cln_1/patients/search", {"number": "1"}, staff),
        ("PATCH", "/v1/clinics/cln_1/options", {}, admin),
    ):
        for field in ("clinic_id", "patient_id", "account_id", "role"):
            sent = body | {field: "cln_2"}
            answer = await api.client.request(method, path, json=sent, headers=auth)
            assert answer.status_code == 422, (path, field)
            assert answer.json()["errors"][0]["field"] == field


async def test_a_cursor_of_one_patient_shows_nothing_of_them_to_another(
    opened: AccountApi,
) -> None:
    """It says where to go on in the list of the caller."""
    api = opened.api
    one, two = signed(api, "patient", "pat_1"), signed(api, "patient", "pat_2")
    for text in ("a", "b"):
        note = {"kind": "other", "text": text}
        await api.client.post("/v1/me/notes", json=note, headers=one)
    page = (await api.client.get("/v1/me/notes?limit=1", headers=one)).json()
    path = f"/v1/me/notes?cursor={page['next_cursor']}"
    assert (await api.client.get(path, headers=one)).json()["items"]
    assert (await api.client.get(path, headers=two)).json()["items"] == []


async def test_searches_tell_nothing_of_another_tenant(opened: AccountApi) -> None:
    """A number and a name that are taken elsewhere are free, and found nowhere."""
    api = opened.api
    await _patient_of(api, "cln_2")
    staff = signed(api, "staff", "cln_1")
    path = "/v1/clinics/cln_1/patients"
    for asked in ({"number": "P-1"}, {"number": "P-none"}):
        answer = await api.client.post(f"{path}/search", json=asked, headers=staff)
        assert answer.content == b'{"items":[]}'
    assert await _patient_of(api, "cln_1")


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_glass_ends_with_the_membership_that_it_was_broken_in(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A removed doctor's token of it is refused; without the end it would live on."""
    api = opened.api
    assert api.ports.patients is not None
    await api.ports.patients.salt_of(PatientId("pat_7"), now=api.clock.now())
    doctor = await opened.post("demo", {"persona": "doctor", "delivery": "body"})
    admin = await opened.post("demo", {"persona": "clinic_admin", "delivery": "body"})
    broken = await api.client.post(
        "/v1/patients/pat_7/break-glass", json=REASON, headers=bearer(doctor.json())
    )
    members = "/v1/clinics/cln_1/members"
    listed = await api.client.get(members, headers=bearer(admin.json()))
    (one,) = [m for m in listed.json()["items"] if m["role"] == "doctor"]
    if not guarded:

        async def stay(_self: EndedGrants, _grant_id: str) -> None:
            return None

        monkeypatch.setattr(EndedGrants, "end", stay)
    gone = await api.client.delete(
        f"{members}/{one['membership_id']}", headers=bearer(admin.json())
    )
    assert gone.status_code == 204
    answer = await api.client.get("/v1/patients/pat_7", headers=bearer(broken.json()))
    assert answer.status_code == (401 if guarded else 200)
    name = {"context": "doctor prv_1 glass:pat_7"}
    again = await opened.post("context", name, bearer(broken.json()))
    assert again.status_code == (401 if guarded else 403)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_removed_members_token_is_refused(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """By the id of its grant alone; other members of the clinic go on."""
    api = opened.api
    removed = signed(api, "staff", "cln_1", grant="mem_gone")
    other = signed(api, "staff", "cln_1", account="acc_2", grant="mem_other")
    if not guarded:
        monkeypatch.setattr(RevokedTokens, "covers", lambda *_all: False)
    await api.app.state.ended_grants.end("mem_gone")
    path = "/v1/providers/prv_1/schedule"
    answer = await api.client.get(path, headers=removed)
    assert answer.status_code == (401 if guarded else 200)
    assert (await api.client.get(path, headers=other)).status_code == 200
