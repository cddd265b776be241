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
