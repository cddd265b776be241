"""What staff do with patients is in the audit trail once, in their clinic's chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.api import Api
from tests.fakes.audit import MemorySpool
from tests.fixtures.accounts import account_api, signed


@pytest.fixture
def spool() -> MemorySpool:
    return MemorySpool()


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path, spool: MemorySpool
) -> AsyncIterator[Api]:
    """A clinic with a provider, and accounts' stores."""
    more = {"audit_spool": spool}
    async with account_api(request, tmp_path, public_url="", more_ports=more) as opened:
        await opened.api.add_provider(1)
        yield opened.api


async def test_what_is_done_with_a_patient_is_in_the_clinics_chain_once(
    api: Api, spool: MemorySpool
) -> None:
    """Reads and writes by staff and a doctor, also where a write answers with data."""
    staff, doctor = signed(api, "staff", "cln_1"), signed(api, "doctor", "prv_1")
    person = {"family_name": "Fern", "birth_date": "1980-02-29"}
    listed = "/v1/clinics/cln_1/patients"
    made = await api.client.post(listed, json=person, headers=staff)
    patient = made.json()["patient_id"]
    whole, at_clinic = f"/v1/patients/{patient}", f"{listed}/{patient}"
    note = {"kind": "allergy", "text": "penicillin"}
    for method, path, body, caller in (
        ("GET", whole, None, doctor),
        ("PATCH", whole, {"language": "de"}, staff),
        ("POST", f"{whole}/notes", note, doctor),
        ("GET", f"{whole}/notes", None, doctor),
        ("GET", at_clinic, None, staff),
        ("PUT", at_clinic, {"number": "7"}, staff),
        ("POST", f"{listed}/search", person, staff),
    ):
        answer = await api.client.request(method, path, json=body, headers=caller)
        assert answer.is_success, answer.text
    assert {(one.tenant, one.person) for one in spool.drafts} == {("cln_1", patient)}
    assert [one.action for one in spool.drafts] == [
        "create_patient",
        "read_profile",
        "write_profile",
        "write_notes",
        "read_notes",
        "read_profile",
        "create_patient",
        "read_profile",
        "find_patient",
    ]


async def test_what_staff_try_on_patients_of_others_is_in_the_trail(
    api: Api, spool: MemorySpool
) -> None:
    """Hidden, missing or forbidden; a patient who guesses leaves no entry.

    A refused read has another action, so that it is none of "who saw me".
    """
    staff, other = signed(api, "staff", "cln_1"), signed(api, "staff", "cln_2")
    person = {"family_name": "Fern", "birth_date": "1980-02-29"}
    listed = "/v1/clinics/cln_1/patients"
    made = await api.client.post(listed, json=person, headers=staff)
    patient = made.json()["patient_id"]
    spool.drafts.clear()
    tried: list[tuple[str, str, str, object]] = []
    for method, path, headers, status in (
        ("GET", f"/v1/patients/{patient}", other, 404),
        ("GET", "/v1/patients/pat_nowhere", other, 404),
        ("PATCH", f"/v1/patients/{patient}", other, 404),
        ("GET", f"/v1/patients/{patient}/notes", staff, 403),
        ("GET", f"/v1/patients/{patient}", signed(api, "patient", "pat_9"), 404),
    ):
        body = {"language": "de"} if method == "PATCH" else None
        answer = await api.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        tried += [
            (one.tenant, one.action, one.person, one.body["outcome"])
            for one in spool.drafts
        ]
        spool.drafts.clear()
    assert tried == [
        ("cln_2", "refused_read_profile", patient, "patient_not_found"),
        ("cln_2", "refused_read_profile", "pat_nowhere", "patient_not_found"),
        ("cln_2", "write_profile", patient, "patient_not_found"),
        ("cln_1", "refused_read_notes", patient, "forbidden"),
    ]


async def test_who_reads_and_orders_the_waiting_list_is_in_the_trail(
    api: Api, spool: MemorySpool
) -> None:
    """About each patient whom the list showed, and whose place was changed."""
    entries = []
    for number in (1, 2):
        who = signed(api, "patient", f"pat_{number}", f"acc_{number}")
        wish = {"scope": "provider", "subject": "prv_1"}
        made = await api.client.post("/v1/waiting", json=wish, headers=who)
        assert made.status_code == 201, made.text
        entries.append(made.json()["entry_id"])
    spool.drafts.clear()
    path, staff = "/v1/providers/prv_1/waiting", signed(api, "staff", "cln_1")
    assert (await api.client.get(path, headers=staff)).status_code == 200
    change = {"priority": 1, "reason": "in pain since Friday"}
    order = f"{path}/{entries[-1]}/priority"
    assert (await api.client.put(order, json=change, headers=staff)).status_code == 204
    found = [(one.action, one.person, one.tenant) for one in spool.drafts]
    assert found == [
        ("read_waiting_list", "pat_1", "cln_1"),
        ("read_waiting_list", "pat_2", "cln_1"),
        ("prioritise_waiting", "pat_2", "cln_1"),
    ]
    assert "Friday" not in str(spool.drafts)
