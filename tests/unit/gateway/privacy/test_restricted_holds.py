"""A hold that was placed before a restriction: staff do not go on with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import PatientId
from care.patients.ports import NewPatient
from care.patients.profiles import PatientProfile
from gateway.access.rights import Access
from persistence.accounts.store import account_stores
from persistence.grants.stores import grant_stores
from persistence.keys.ring import KeyRing
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.patients.notes import SqlMedicalNotes
from persistence.patients.store import SqlPatients
from persistence.privacy.store import SqlPrivacy
from persistence.shared.memory import MemoryRevocations
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fixtures.accounts import KEKS, signed
from tests.fixtures.read_model import empty_records

MIRA = PatientId("pat_mira")


@pytest.fixture
async def live(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[LiveApi]:
    """A gateway on a port, whose clinic knows a patient."""
    clock = SteppedClock(make.NOW)
    records = Records(empty_records("sqlite", request, tmp_path))
    ring = KeyRing(records, KEKS, clock)
    patients = SqlPatients(records, ring)
    shared = {
        "accounts": account_stores(records, ring),
        "grants": grant_stores(records, ring),
        "outgoing": SqlOutgoingMessages(records, ring),
        "patients": patients,
        "notes": SqlMedicalNotes(records, ring),
        "privacy": SqlPrivacy(records, ring),
        "revocations": MemoryRevocations(clock),
    }
    profile = PatientProfile(family_name="Zimtstern", birth_date="1980-02-29")
    new = NewPatient(MIRA, profile, "acc_1", clinic_id=make.a_clinic(1).clinic_id)
    await patients.add(new, now=make.NOW)
    try:
        async with open_live_api(
            shared=shared, clock=clock, password_memory_kib=64
        ) as opened:
            yield opened
    finally:
        await records.close()


async def _held(live: LiveApi, by: str = "staff") -> str:
    """A hold of the patient, placed by staff or by the patient."""
    subject, named = ("cln_1", {"patient_id": MIRA}) if by == "staff" else (MIRA, {})
    made = await live.api.client.post(
        "/v1/holds", json=slot() | named, headers=signed(live.api, by, subject)
    )
    assert made.status_code == 201, made.text
    return str(made.json()["hold_id"])


async def _restrict(live: LiveApi, *, restricted: bool = True) -> None:
    mine = signed(live.api, "patient", MIRA, account="acc_mira")
    body = {"restricted": restricted}
    answer = await live.api.client.put("/v1/me/restriction", json=body, headers=mine)
    assert answer.status_code == 204, answer.text


async def _go_on(live: LiveApi, how: str, what: str, held: str, **who: Any) -> str:
    """Book or extend a hold, over REST or the socket: the code, or ``done``."""
    role, subject = who.pop("role", "staff"), who.pop("subject", "cln_1")
    header = signed(live.api, role, subject, **who)
    if how == "socket":
        token = header["Authorization"].removeprefix("Bearer ")
        async with live.client() as client:
            assert (await client.ask("auth", token=token))["t"] == "result"
            answer = await client.ask(what, key="k1", hold_id=held)
        return str(answer.get("code", "done"))
    path = "/v1/bookings" if what == "book" else f"/v1/holds/{held}/extend"
    body = {"hold_id": held} if what == "book" else {}
    response = await live.api.client.post(path, json=body, headers=header)
    return "done" if response.is_success else str(response.json()["code"])


@pytest.mark.parametrize("what", ["book", "extend"])
@pytest.mark.parametrize("how", ["rest", "socket"])
@pytest.mark.parametrize("by", ["staff", "patient"])
async def test_staff_do_not_go_on_with_a_hold_of_a_restricted_patient(
    live: LiveApi, how: str, what: str, by: str
) -> None:
    """Placed by staff or the patient, each way; lifted, it is done."""
    held = await _held(live, by)
    await _restrict(live)
    assert await _go_on(live, how, what, held) == "data_restricted"
    await _restrict(live, restricted=False)
    assert await _go_on(live, how, what, held) == "done"


@pytest.mark.parametrize("what", ["book", "extend"])
@pytest.mark.parametrize("how", ["rest", "socket"])
async def test_control_without_the_check_it_is_done(
    live: LiveApi, monkeypatch: pytest.MonkeyPatch, how: str, what: str
) -> None:
    """It is the question to the hold's calendar that stops it."""

    async def unasked(*_of: Any) -> None: ...

    monkeypatch.setattr(Access, "check_held", unasked)
    held = await _held(live)
    await _restrict(live)
    assert await _go_on(live, how, what, held) == "done"


@pytest.mark.parametrize("how", ["rest", "socket"])
async def test_the_patient_and_a_broken_glass_go_on_with_it(
    live: LiveApi, how: str
) -> None:
    """One's own hold stays one's own."""
    held = await _held(live)
    await _restrict(live)
    mine = {"role": "patient", "subject": MIRA}
    assert await _go_on(live, how, "extend", held, **mine) == "done"
    glass = {"scopes": (f"glass:{MIRA}",)}
    assert await _go_on(live, how, "book", held, **glass) == "done"


async def test_a_repeated_booking_gets_its_first_answer(live: LiveApi) -> None:
    """Booked before the restriction, repeated after it: nothing is done again."""
    held = await _held(live)
    staff = signed(live.api, "staff", "cln_1") | {"Idempotency-Key": "one-booking"}
    body = {"hold_id": held}
    first = await live.api.client.post("/v1/bookings", json=body, headers=staff)
    assert first.status_code == 201, first.text
    await _restrict(live)
    again = await live.api.client.post("/v1/bookings", json=body, headers=staff)
    assert again.json()["booking_id"] == first.json()["booking_id"]
