"""A patient's restriction (GDPR, article 18): what staff may not do, and what goes on.

The controls remove the guard: then staff read, change and book as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import gateway.access.restricted_patients as module
from actors.domain.ids import Millis, PatientId
from actors.errors import Unavailable
from care.sharing import Revocation, RevocationKind
from gateway.access.restricted_patients import (
    UNRESTRICTED_S,
    DataRestricted,
    RestrictedPatients,
)
from gateway.access.revocations import RevokedTokens
from gateway.access.tokens import Caller, Role
from gateway.patients import service
from gateway.patients.privacy import TELL_MS
from gateway.wire.problems import of_error
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fakes.clocks import SteppedClock
from tests.fixtures.accounts import account_api, signed

FOUND = {"family_name": "Zimtstern", "birth_date": "1980-02-29"}
MIRA = PatientId("pat_mira")
STAFF = Caller(Role.STAFF, "cln_1", Millis(make.NOW + 60_000))
NOTE = {"kind": "allergy", "text": "penicillin"}


@pytest.fixture
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    """A clinic with a provider, and accounts' stores."""
    async with account_api(request, tmp_path, public_url="") as opened:
        await opened.api.add_provider(1)
        yield opened.api


async def _added(api: Api) -> str:
    """A patient whom the clinic knows, with a note; the id."""
    staff, doctor = signed(api, "staff", "cln_1"), signed(api, "doctor", "prv_1")
    made = await api.client.post(
        "/v1/clinics/cln_1/patients", json=FOUND, headers=staff
    )
    patient = str(made.json()["patient_id"])
    path = f"/v1/patients/{patient}/notes"
    note = await api.client.post(path, json=NOTE, headers=doctor)
    assert note.status_code == 201, note.text
    return patient


async def _restrict(api: Api, patient: str, restricted: bool = True) -> httpx.Response:
    return await api.client.put(
        "/v1/me/restriction",
        json={"restricted": restricted},
        headers=signed(api, "patient", patient, account="acc_mira"),
    )


def _uses(patient: str) -> dict[str, tuple[str, str, str, Any]]:
    """What the clinic's people do with a patient: role, method, path and body."""
    at, of = f"/v1/clinics/cln_1/patients/{patient}", f"/v1/patients/{patient}"
    named = {"patient_id": patient}
    later = slot(start="2026-08-10T11:00:00Z")
    return {
        "profile": ("doctor", "GET", of, None),
        "change": ("staff", "PATCH", of, {"language": "de"}),
        "notes": ("doctor", "GET", f"{of}/notes", None),
        "note": ("doctor", "POST", f"{of}/notes", NOTE),
        "at_clinic": ("staff", "GET", at, None),
        "number": ("staff", "PUT", at, {"number": "P-9"}),
        "book": ("staff", "POST", "/v1/bookings", slot() | named),
        "hold": ("staff", "POST", "/v1/holds", later | named),
    }


async def _use(
    api: Api, patient: str, use: str, scopes: tuple[str, ...] = ()
) -> httpx.Response:
    role, method, path, body = _uses(patient)[use]
    subject = "prv_1" if role == "doctor" else "cln_1"
    headers = signed(api, role, subject, scopes=scopes)
    return await api.client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("use", list(_uses("")))
async def test_staff_do_not_use_restricted_data(
    api: Api, monkeypatch: pytest.MonkeyPatch, use: str, guarded: bool
) -> None:
    """403 data_restricted, each way; unguarded it is done; lifted it is done again."""
    patient = await _added(api)
    assert (await _restrict(api, patient)).status_code == 204
    if not guarded:
        for where in (module, service):
            monkeypatch.setattr(where, "is_exempt", lambda *_all: True)
        assert (await _use(api, patient, use)).is_success
        return
    refused = await _use(api, patient, use)
    assert (refused.status_code, refused.json()["code"]) == (403, "data_restricted")
    assert (await _restrict(api, patient, False)).status_code == 204
    answer = await _use(api, patient, use)
    assert answer.is_success, answer.text


async def test_what_was_refused_was_not_done(api: Api) -> None:
    """No field, number, note, hold or booking of a refused call is there afterwards."""
    patient = await _added(api)
    await _restrict(api, patient)
    for use in ("change", "note", "number", "book", "hold"):
        assert (await _use(api, patient, use)).status_code == 403
    await _restrict(api, patient, False)
    shown = (await _use(api, patient, "at_clinic")).json()
    assert (shown["language"], shown["number"]) == ("", "")
    assert len((await _use(api, patient, "notes")).json()["items"]) == 1
    mine = signed(api, "patient", patient)
    for path in ("/v1/holds", "/v1/bookings"):
        assert (await api.client.get(path, headers=mine)).json()["items"] == []


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_search_does_not_find_a_restricted_patient(
    api: Api, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Absent, byte for byte like one who was never there; lifted, found again."""

    async def search(body: dict[str, str]) -> httpx.Response:
        path, staff = "/v1/clinics/cln_1/patients/search", signed(api, "staff", "cln_1")
        return await api.client.post(path, json=body, headers=staff)

    patient = await _added(api)
    await _restrict(api, patient)
    if not guarded:
        monkeypatch.setattr(service, "is_exempt", lambda *_all: True)
    found = await search(FOUND)
    none = await search(FOUND | {"family_name": "Absent"})
    assert (found.content == none.content) == guarded
    await _restrict(api, patient, False)
    (one,) = (await search(FOUND)).json()["items"]
    assert one["patient_id"] == patient


async def test_the_patient_and_a_broken_glass_are_exempt(api: Api) -> None:
    """One's own profile and visits stay one's own; a glass opens that patient alone."""
    patient, other = await _added(api), "pat_other"
    await _restrict(api, patient)
    mine = signed(api, "patient", patient)
    for method, path, body in (
        ("GET", "/v1/me/profile", None),
        ("PATCH", "/v1/me/profile", {"language": "fr"}),
        ("GET", "/v1/me/notes", None),
        ("POST", "/v1/me/notes", NOTE),
        ("POST", "/v1/bookings", slot()),
    ):
        answer = await api.client.request(method, path, json=body, headers=mine)
        assert answer.is_success, (path, answer.text)
    for use in ("profile", "notes", "note"):
        open_glass = await _use(api, patient, use, (f"glass:{patient}",))
        assert open_glass.is_success, open_glass.text
        wrong = await _use(api, patient, use, (f"glass:{other}",))
        assert wrong.status_code == 403


async def test_booked_care_goes_on(api: Api) -> None:
    """The visit stands in the schedule with the name, is moved and checked in."""
    patient = await _added(api)
    booked = (await _use(api, patient, "book")).json()["booking_id"]
    await _restrict(api, patient)
    staff = signed(api, "staff", "cln_1")
    path = "/v1/providers/prv_1/schedule?from=2026-08-10"
    (visit,) = (await api.client.get(path, headers=staff)).json()["bookings"]
    assert (visit["booking_id"], visit["patient_name"]) == (booked, "Zimtstern")
    moved = await api.client.post(
        f"/v1/bookings/{booked}/reschedule",
        json={"start": "2026-08-10T10:00:00Z"},
        headers=staff,
    )
    assert moved.status_code == 200, moved.text


async def test_a_foreign_clinic_learns_of_no_restriction(api: Api) -> None:
    """A restricted patient whom it does not know is answered like a missing one."""
    await api.add_provider(2, clinic=make.a_clinic(2))
    patient = await _added(api)
    await _restrict(api, patient)
    staff = signed(api, "staff", "cln_2")
    for path in ("/v1/patients/{}", "/v1/patients/{}/notes"):
        got = [
            (await api.client.get(path.format(one), headers=staff)).content
            for one in (patient, "pat_none")
        ]
        assert got[0] == got[1]
    named = slot("prv_2")
    got = [
        (
            await api.client.post(
                "/v1/bookings", json=named | {"patient_id": one}, headers=staff
            )
        ).content
        for one in (patient, "pat_none")
    ]
    assert got[0] == got[1]


async def test_all_gateways_are_told_of_a_restriction(api: Api) -> None:
    """By the channel of revocations; the person is not told as erased."""
    patient = await _added(api)
    heard: list[Revocation] = []
    assert api.ports.revocations is not None
    following = asyncio.create_task(api.ports.revocations.follow(heard.extend))
    await asyncio.sleep(0)
    await _restrict(api, patient)
    await _restrict(api, patient)  # told a moment ago
    following.cancel()
    (one,) = heard
    assert (one.kind, one.value) == (RevocationKind.RESTRICTION, patient)
    assert one.until - one.at >= UNRESTRICTED_S * 1000


async def test_restrictions_do_not_fill_the_store_of_revocations(api: Api) -> None:
    """Of quick changes each restriction is told ten seconds after the last one."""
    patient = await _added(api)
    await _restrict(api, patient)
    await _restrict(api, patient, False)
    again = await _restrict(api, patient)
    assert again.status_code == 429
    assert (await _use(api, patient, "profile")).is_success
    api.clock.step(TELL_MS / 1000)
    assert (await _restrict(api, patient)).status_code == 204
    assert (await _use(api, patient, "profile")).status_code == 403


class _Records:
    """Says what it is told to; ``before`` runs while it is asked."""

    def __init__(self) -> None:
        self.restricted = self.away = False
        self.asked = 0
        self.before: Any = None

    async def is_restricted(self, patient_id: PatientId) -> bool:
        self.asked += 1
        if self.away:
            raise Unavailable("the records are away")
        found = self.restricted
        if self.before is not None:
            self.before()
        return found


async def test_only_who_is_not_restricted_is_remembered() -> None:
    """For five minutes, also while the records are away; a restriction never is."""
    records, now = _Records(), [0.0]
    known = RestrictedPatients(records, lambda: now[0])
    await known.check_remembered(STAFF, MIRA)
    records.away = True
    now[0] = UNRESTRICTED_S - 1
    await known.check_remembered(STAFF, MIRA)
    assert records.asked == 1
    now[0] = UNRESTRICTED_S
    with pytest.raises(Unavailable):
        await known.check_remembered(STAFF, MIRA)
    records.away, records.restricted = False, True
    for _ in range(2):
        with pytest.raises(DataRestricted):
            await known.check_remembered(STAFF, MIRA)
    records.restricted = False
    await known.check_remembered(STAFF, MIRA)


async def test_news_of_a_restriction_is_believed_over_memory() -> None:
    """What was remembered is forgotten; nothing of another kind does that."""
    records, revoked = _Records(), RevokedTokens(SteppedClock(make.NOW))
    known = RestrictedPatients(records)
    revoked.restricted.append(known.forget)
    await known.check_remembered(STAFF, MIRA)
    records.restricted = True
    until = Millis(make.NOW + 60_000)
    revoked.learn([Revocation(RevocationKind.SUBJECT, MIRA, make.NOW, until)])
    await known.check_remembered(STAFF, MIRA)  # remembered still
    revoked.learn([Revocation(RevocationKind.RESTRICTION, MIRA, make.NOW, until)])
    with pytest.raises(DataRestricted):
        await known.check_remembered(STAFF, MIRA)
    assert len(revoked) == 1


async def test_an_answer_older_than_the_news_is_not_remembered() -> None:
    """A read that began before the restriction lets one call pass, not the next."""
    records = _Records()
    known = RestrictedPatients(records)

    def restricted_meanwhile() -> None:
        records.restricted, records.before = True, None
        known.forget(MIRA)

    records.before = restricted_meanwhile
    await known.check_remembered(STAFF, MIRA)
    with pytest.raises(DataRestricted):
        await known.check_remembered(STAFF, MIRA)


def test_the_refusal_says_what_to_do() -> None:
    """What happened, why, and what to do."""
    made = of_error(DataRestricted())
    assert made.status == 403
    assert "restricted the use" in made.detail
    assert "lift" in made.detail
