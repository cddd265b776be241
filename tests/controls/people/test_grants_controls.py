"""Controls of grants: with its guard removed, each attack succeeds.

The attacks are in tests/unit/gateway/grants and in test_grants_contract.py;
those that had no test of their own are here with their guard, and without it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import ClinicId, PatientId
from gateway.grants import service
from persistence.accounts.models import GlassRecord, MembershipRecord
from persistence.accounts.rows import email_index
from persistence.grants import guardians, members, platform
from persistence.grants.models import InvitationRecord
from persistence.patients.notes import SqlMedicalNotes
from tests import factories as make
from tests.fixtures.accounts import AccountApi, account_api, bearer, code_of, signed

ADA, EVE = "ada@example.org", "eve@example.org"
INVITATIONS = "/v1/clinics/cln_1/invitations"
ACCEPT = "/v1/invitations/accept"
GLASS = "/v1/patients/pat_7/break-glass"
REASON = {"reason": "unconscious, no papers"}


@pytest.fixture
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """Two clinics with a provider each, and the accounts of Ada and Eve."""
    async with account_api(request, tmp_path, public_url="") as found:
        await found.api.add_provider(1)
        await found.api.add_provider(2, clinic=make.a_clinic(2))
        await found.api.project()
        await found.register(ADA)
        await found.register(EVE)
        yield found


async def _invited(opened: AccountApi) -> str:
    """Ada is invited to the reception of clinic 1; the invitation's id."""
    admin = signed(opened.api, "clinic_admin", "cln_1")
    body = {"email": ADA, "role": "staff"}
    made = await opened.client.post(INVITATIONS, json=body, headers=admin)
    assert made.status_code == 201, made.text
    return str(made.json()["invitation_id"])


async def _accept(opened: AccountApi, email: str) -> Any:
    """This account uses the link that was mailed last."""
    token = {"token": await opened.link_token()}
    signed_in = await opened.sign_in(email)
    return await opened.client.post(ACCEPT, json=token, headers=bearer(signed_in))


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_invitations_that_belong_to_no_clinic_are_anyones_to_resend_and_revoke(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Both guards gone: the look-up by clinic, and the update by clinic."""
    name = await _invited(opened)
    tail = "/resend" if method == "POST" else ""
    path = f"/v1/clinics/cln_2/invitations/{name}{tail}"
    foreign = signed(opened.api, "clinic_admin", "cln_2")
    refused = await opened.client.request(method, path, headers=foreign)
    assert code_of(refused) == (404, "invitation_not_found")
    find, still_open = members.SqlInvitations.find, members._open
    theirs = ClinicId("cln_1")

    async def found(self: Any, name: str, *, clinic_id: ClinicId) -> Any:
        return await find(self, name, clinic_id=theirs)

    monkeypatch.setattr(members.SqlInvitations, "find", found)
    monkeypatch.setattr(members, "_open", lambda name, _: still_open(name, theirs))
    done = await opened.client.request(method, path, headers=foreign)
    assert done.status_code in (200, 204), done.text


@pytest.mark.parametrize("guarded", [True, False])
async def test_an_invitation_that_compares_no_address_is_anyones_to_accept(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A forwarded link makes any reader of the mail a member."""
    if not guarded:
        monkeypatch.setattr(
            members, "email_index", lambda keys, _email: email_index(keys, EVE)
        )
    await _invited(opened)
    answer = await _accept(opened, EVE)
    assert answer.status_code == (409 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_an_invitation_that_is_not_used_up_brings_a_removed_member_back(
    opened: AccountApi, guarded: bool
) -> None:
    """The link that made them a member, once more after their removal."""
    name = await _invited(opened)
    assert (await _accept(opened, ADA)).status_code == 200
    admin = signed(opened.api, "clinic_admin", "cln_1")
    path = "/v1/clinics/cln_1/members"
    listed = (await opened.client.get(path, headers=admin)).json()["items"]
    (one,) = [each for each in listed if each["email"] == ADA]
    where = f"{path}/{one['membership_id']}"
    assert (await opened.client.delete(where, headers=admin)).status_code == 204
    if not guarded:
        await _forget_use(opened, name)
    answer = await _accept(opened, ADA)
    assert answer.status_code == (409 if guarded else 200)


def _records(opened: AccountApi) -> Any:
    stores: Any = opened.api.ports.grants
    return stores.invitations._records


async def _forget_use(opened: AccountApi, name: str) -> None:
    async with _records(opened).writing() as session:
        row = await session.get_one(InvitationRecord, name)
        row.used_at = None


async def _broken(opened: AccountApi) -> tuple[dict[str, Any], dict[str, Any]]:
    """A doctor breaks the glass of patient 7; the doctor, and the token of it."""
    patients = opened.api.ports.patients
    assert patients is not None
    await patients.salt_of(PatientId("pat_7"), now=opened.clock.now())
    doctor = await opened.post("demo", {"persona": "doctor", "delivery": "body"})
    answer = await opened.client.post(GLASS, json=REASON, headers=bearer(doctor.json()))
    assert answer.status_code == 201, answer.text
    return doctor.json(), answer.json()


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_glass_without_an_end_opens_the_patient_after_half_an_hour(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Its context is given as long as it lasts, and by nothing else."""
    if not guarded:
        monkeypatch.setattr(service, "GLASS_MS", 24 * 3_600_000)
    doctor, _ = await _broken(opened)
    opened.clock.step(25 * 60)  # below the time after which idle sessions end
    fresh = (await opened.refresh(doctor["refresh_token"])).json()
    opened.clock.step(6 * 60)
    name = {"context": "doctor prv_1 glass:pat_7"}
    again = await opened.post("context", name, bearer(fresh))
    assert again.status_code == (403 if guarded else 200)


@pytest.mark.parametrize("reason", ["", "x", "         "])
async def test_a_glass_that_asks_for_no_reason_is_broken_by_a_slip(
    opened: AccountApi, reason: str
) -> None:
    """The body is what refuses it: its handler would break the glass without one."""
    patients, service = opened.api.ports.patients, opened.api.app.state.grants
    assert patients is not None
    await patients.salt_of(PatientId("pat_7"), now=opened.clock.now())
    doctor = await opened.post("demo", {"persona": "doctor", "delivery": "body"})
    answer = await opened.client.post(
        GLASS, json={"reason": reason}, headers=bearer(doctor.json())
    )
    assert code_of(answer) == (422, "invalid_request")
    token = doctor.json()["access_token"]
    caller = opened.api.app.state.services.authenticator.verify(token)
    broken = await service.break_glass(caller, PatientId("pat_7"), reason)
    assert broken.reason == reason


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_review_that_asks_for_no_other_is_made_by_the_one_who_broke_it(
    opened: AccountApi, guarded: bool
) -> None:
    """An administrator who is a doctor too; without the account's id it passes."""
    doctor, _ = await _broken(opened)
    account = (await opened.me(doctor)).json()["account_id"]
    admin = signed(opened.api, "clinic_admin", "cln_1", account=account)
    path = "/v1/clinics/cln_1/glass"
    (one,) = (await opened.client.get(path, headers=admin)).json()["items"]
    if not guarded:
        ada = (await opened.me(await opened.sign_in(ADA))).json()["account_id"]
        async with _records(opened).writing() as session:
            row = await session.get_one(GlassRecord, one["glass_id"])
            row.account_id = ada
    where = f"{path}/{one['glass_id']}/review"
    body = {"verdict": "justified"}
    answer = await opened.client.post(where, json=body, headers=admin)
    assert answer.status_code == (409 if guarded else 200), answer.text


@pytest.mark.parametrize("guarded", [True, False])
async def test_without_an_alarm_a_broken_glass_is_news_to_none(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The mail is in the transaction that opens the patient: both, or neither."""
    if not guarded:

        async def silent(*_all: Any, **_more: Any) -> None:
            return None

        monkeypatch.setattr(guardians, "queue_message", silent)
    await opened.post("demo", {"persona": "clinic_admin", "delivery": "body"})
    await _broken(opened)
    kinds = [one.message.kind for one in await opened.outgoing.latest(9)]
    assert ("glass_broken" in kinds) is guarded


async def test_a_cursor_that_names_its_patient_shows_them_to_others(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that goes on in the list of the cursor, not of the caller."""
    one, two = (signed(opened.api, "patient", f"pat_{n}") for n in (1, 2))
    for text in ("a", "b"):
        note = {"kind": "other", "text": text}
        await opened.client.post("/v1/me/notes", json=note, headers=one)
    page = (await opened.client.get("/v1/me/notes?limit=1", headers=one)).json()
    path = f"/v1/me/notes?cursor={page['next_cursor']}"
    assert (await opened.client.get(path, headers=two)).json()["items"] == []
    of_patient = SqlMedicalNotes.of_patient

    async def of_the_cursor(self: Any, _patient: Any, **page: Any) -> Any:
        return await of_patient(self, PatientId("pat_1"), **page)

    monkeypatch.setattr(SqlMedicalNotes, "of_patient", of_the_cursor)
    assert (await opened.client.get(path, headers=two)).json()["items"]


@pytest.mark.parametrize("guarded", [True, False])
async def test_admins_who_are_not_counted_remove_the_last_of_them(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Of the platform: disabled one after the other, until none is left."""
    if not guarded:

        async def uncounted(*_all: Any) -> None:
            return None

        monkeypatch.setattr(platform, "_leave_an_admin", uncounted)
    admin = await opened.post("demo", {"persona": "admin", "delivery": "body"})
    own = (await opened.me(admin.json())).json()["account_id"]
    path = f"/v1/accounts/{own}/disable"
    answer = await opened.client.post(path, headers=bearer(admin.json()))
    assert answer.status_code == (409 if guarded else 200)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_clinic_that_counts_no_admins_is_left_without_one(
    opened: AccountApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Its last one goes by themselves; then it has members, and none who lets in."""
    if not guarded:

        async def uncounted(session: Any, _clinic: Any, name: str) -> MembershipRecord:
            found: MembershipRecord = await session.get_one(MembershipRecord, name)
            return found

        monkeypatch.setattr(members, "_lock", uncounted)
    admin = await opened.post("demo", {"persona": "clinic_admin", "delivery": "body"})
    who, path = bearer(admin.json()), "/v1/clinics/cln_1/members"
    listed = (await opened.client.get(path, headers=who)).json()["items"]
    (one,) = [each for each in listed if each["role"] == "clinic_admin"]
    answer = await opened.client.delete(f"{path}/{one['membership_id']}", headers=who)
    assert answer.status_code == (409 if guarded else 204)
