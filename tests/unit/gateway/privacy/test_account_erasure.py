"""Accounts of staff, doctors and administrators: erased, with what must stay named.

One file because all of it is one request of one person.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from care.keys.sealing import Place
from gateway.patients import privacy as privacy_service
from gateway.patients.privacy import PrivacyService
from persistence.accounts.client_models import ApiClientRecord
from persistence.accounts.factor_models import FactorRecord, RecoveryCodeRecord
from persistence.accounts.identity_models import IdentityRecord
from persistence.accounts.models import (
    AccountRecord,
    AuthFlowRecord,
    GlassRecord,
    MembershipRecord,
    PasswordRecord,
    PatientRecord,
    PlatformRoleRecord,
    SessionRecord,
)
from persistence.grants.models import (
    DoctorApplicationRecord,
    InvitationRecord,
    SuspensionRecord,
)
from persistence.notices.models import OutgoingMessageRecord
from persistence.patients.models import MedicalNoteRecord
from persistence.privacy import erasing
from tests.fakes.api import slot
from tests.fixtures.accounts import MIRA, PASSWORD
from tests.fixtures.privacy_clinic import Clinic

OTHER = "noor@example.org"


async def _account_of(clinic: Clinic, email: str) -> str:
    """Register another person; the id of their account."""
    known = set(await _accounts(clinic))
    await clinic.api.register(email)
    (new,) = set(await _accounts(clinic)) - known
    return new


async def _accounts(clinic: Clinic) -> list[str]:
    async with clinic.records.reading() as session:
        return list(await session.scalars(select(AccountRecord.account_id)))


async def _member(clinic: Clinic, account: str, role: str, provider: str = "") -> None:
    async with clinic.records.writing() as session:
        await session.execute(
            insert(MembershipRecord).values(
                membership_id=f"mem_{role}_{account}",
                account_id=account,
                clinic_id="cln_1",
                role=role,
                provider_id=provider or None,
                since=1,
                ended_key="",
            )
        )


async def _made_admin(clinic: Clinic, account: str) -> None:
    async with clinic.records.writing() as session:
        await session.execute(
            insert(PlatformRoleRecord).values(
                account_id=account, role="admin", tenant="", grant_id="plr_1", since=1
            )
        )


async def _worked(clinic: Clinic) -> None:
    """What a clinic's doctor leaves behind, all of Mira's account."""
    keys, mira = await clinic.ring.of(), clinic.account
    async with clinic.records.writing() as session:
        of_other = PatientRecord(patient_id="pat_x", created_by="acc_x", created_at=1)
        session.add(of_other)
        await session.flush()
        session.add_all(
            [
                MedicalNoteRecord(
                    note_id="nte_x",
                    patient_id="pat_x",
                    clinic_id="cln_1",
                    author=mira,
                    kind="note",
                    body=b"x",
                    at=1,
                ),
                GlassRecord(
                    glass_id="gls_x",
                    account_id=mira,
                    clinic_id="cln_1",
                    patient_id="pat_x",
                    role="doctor",
                    subject="prv_1",
                    reason=b"x",
                    opened_at=1,
                    until=2,
                ),
                ApiClientRecord(
                    client_id="cli_x",
                    clinic_id="cln_1",
                    name="import",
                    secret_hash="x",
                    scopes=["book"],
                    created_by=mira,
                    created_at=1,
                    expires_at=2,
                ),
                FactorRecord(
                    factor_id="fac_x",
                    account_id=mira,
                    kind="totp",
                    label="phone",
                    secret=b"x",
                    credential_hash="x",
                    created_at=1,
                ),
                RecoveryCodeRecord(account_id=mira, code_hash="x"),
                IdentityRecord(
                    identity_id="idn_x",
                    account_id=mira,
                    provider="google",
                    issuer="https://id.example",
                    identity_i="x",
                    label=b"x",
                    linked_at=1,
                ),
                _invitation("inv_mine", used_by=mira, invited_by="acc_x"),
                _invitation("inv_sent", used_by=None, invited_by=mira),
                _application(clinic, keys, "app_yes", "approved"),
                _application(clinic, keys, "app_no", "rejected"),
                _suspension("prv_1", by="acc_x"),
                _suspension("prv_other", by=mira),
            ]
        )


def _invitation(name: str, *, used_by: str | None, invited_by: str) -> InvitationRecord:
    return InvitationRecord(
        invitation_id=name,
        clinic_id="cln_1",
        role="staff",
        provider_id="",
        patient_id="",
        scope="",
        basis="",
        email=b"x",
        email_i="of an earlier address",
        token_hash=name,
        invited_by=invited_by,
        created_at=1,
        expires_at=2,
        used_by=used_by,
    )


def _suspension(provider: str, *, by: str) -> SuspensionRecord:
    return SuspensionRecord(
        provider_id=provider, clinic_id="cln_1", reason=b"x", since=1, suspended_by=by
    )


def _application(
    clinic: Clinic, keys: Any, name: str, status: str
) -> DoctorApplicationRecord:
    content = '{"name":"Mira","specialty":"x","licence":"L-1","documents":[]}'
    place = _place(name)
    return DoctorApplicationRecord(
        application_id=name,
        account_id=clinic.account,
        clinic_id="cln_1",
        provider_id="prv_1",
        status=status,
        country="DE",
        licence_i="x",
        content=keys.seal(place, content),
        submitted_at=1,
        decided_by="acc_x",
        decided_at=1,
        ended_key=name,
    )


def _place(name: str) -> Place:
    return Place("doctor_application", "content", name)


async def _asked(clinic: Clinic) -> str:
    staff = clinic.token("staff", "cln_1", clinic.account)
    answer = await clinic.call("POST", "/v1/me/account/erasure", staff)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["account_id"], found["patient_id"]) == (clinic.account, "")
    return str(found["request_id"])


async def _approve(clinic: Clinic, name: str) -> Any:
    path = f"/v1/privacy-requests/{name}/approve"
    return await clinic.call("POST", path, clinic.token("admin", "acc_admin"))


async def test_an_erased_doctor_is_nowhere_but_where_the_law_says(
    clinic: Clinic,
) -> None:
    """Rows and sessions go; what stays is in the report, with the law for it."""
    await _member(clinic, clinic.account, "doctor", "prv_1")
    await _worked(clinic)
    await clinic.call(
        "POST", "/v1/providers/prv_1/retire", clinic.api.api.auth("admin", "acc_demo")
    )
    await clinic.sealed()
    answer = await _approve(clinic, await _asked(clinic))
    assert answer.status_code == 200, answer.text
    report = answer.json()["report"]
    kept = {one["what"]: one["rows"] for one in report["kept"]}
    assert {**kept, "audit_entry": 1} == {
        "audit_entry": 1,
        "privacy_request": 1,
        "membership": 1,
        "calendar": 1,
        "medical_note": 1,
        "glass": 1,
        "doctor_application": 1,
        "api_client": 1,
        "invitation": 1,
        "suspension": 1,
    }
    assert all(one["why"] for one in report["kept"])
    assert "GDPR" in report["kept"][0]["why"]
    me = {"Authorization": f"Bearer {clinic.signed['access_token']}"}
    assert (await clinic.call("GET", "/v1/me", me)).status_code == 401
    body = {"email": MIRA, "password": PASSWORD, "delivery": "body"}
    refused = await clinic.api.post("login", body)
    assert refused.json()["code"] == "invalid_credentials"
    await _must_be_gone(clinic)
    await clinic.sealed()
    assert (await clinic.audit.verify()).ok
    again = await _approve(clinic, answer.json()["request_id"])
    assert again.json() == answer.json()


async def _must_be_gone(clinic: Clinic) -> None:
    """No row holds anything of the person but ids."""
    keys, mira = await clinic.ring.of(), clinic.account
    async with clinic.records.reading() as session:
        for table in (
            PasswordRecord,
            FactorRecord,
            RecoveryCodeRecord,
            IdentityRecord,
            AuthFlowRecord,
            PlatformRoleRecord,
            OutgoingMessageRecord,
        ):
            left = await session.scalar(select(func.count()).select_from(table))
            assert left == 0, table
        account = await session.get_one(AccountRecord, mira)
        assert (account.status, account.language) == ("erased", "")
        applications = (await session.scalars(select(DoctorApplicationRecord))).all()
        assert [one.application_id for one in applications] == ["app_yes"]
        content = keys.open(_place("app_yes"), applications[0].content)
        assert "Mira" not in content
        assert "L-1" not in content
        assert applications[0].licence_i != "x"
        suspended = await session.scalars(select(SuspensionRecord.provider_id))
        assert suspended.all() == ["prv_other"]
        names = select(InvitationRecord.invitation_id)
        assert (await session.scalars(names)).all() == ["inv_sent"]
        open_sessions = select(func.count()).where(SessionRecord.ended_at.is_(None))
        assert await session.scalar(open_sessions) == 0
        members = (await session.scalars(select(MembershipRecord))).all()
        assert all(one.ended_at for one in members)
        patient = select(PatientRecord).where(PatientRecord.account_id == mira)
        assert (await session.scalars(patient)).one().key_salt is None


@pytest.mark.parametrize("forgotten", ["factor", "platform_role", "identity"])
async def test_control_a_forgotten_table_keeps_the_account(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    """It is the list of tables that erases; its rows are found."""
    left = tuple(one for one in erasing.DELETED_BY_ACCOUNT if one != forgotten)
    monkeypatch.setattr(erasing, "DELETED_BY_ACCOUNT", left)
    await _worked(clinic)
    await _made_admin(clinic, clinic.account)
    await _made_admin(clinic, await _account_of(clinic, OTHER))
    answer = await _approve(clinic, await _asked(clinic))
    assert answer.status_code == 200, answer.text
    with pytest.raises(AssertionError):
        await _must_be_gone(clinic)


async def test_an_open_calendar_or_visits_ahead_are_the_clinics_to_end(
    clinic: Clinic,
) -> None:
    """A doctor's patients are handed over first; the refusal says by which call."""
    await _member(clinic, clinic.account, "doctor", "prv_1")
    demo = clinic.api.api.auth("admin", "acc_demo")
    wanted = {**slot(), "patient_id": "pat_7"}
    booked = await clinic.call("POST", "/v1/bookings", demo, wanted)
    assert booked.status_code == 201, booked.text
    name = await _asked(clinic)
    for step in ("", "retire"):
        if step:
            await clinic.call("POST", f"/v1/providers/prv_1/{step}", demo)
        answer = await _approve(clinic, name)
        assert answer.json()["code"] == "erasure_refused"
        assert "/v1/providers/prv_1/retire" in answer.json()["detail"]
    visit = booked.json()["booking_id"]
    await clinic.call("POST", f"/v1/bookings/{visit}/cancel", demo)
    assert (await _approve(clinic, name)).status_code == 200


async def test_a_calendar_with_another_doctor_goes_on(clinic: Clinic) -> None:
    """It is not the erased doctor's alone: nothing is to be retired."""
    await _member(clinic, clinic.account, "doctor", "prv_1")
    other = await _account_of(clinic, OTHER)
    await _member(clinic, other, "doctor", "prv_1")
    assert (await _approve(clinic, await _asked(clinic))).status_code == 200


async def test_the_last_administrator_names_a_successor_first(clinic: Clinic) -> None:
    """Of a clinic and of the platform: refused when asked, saying what to do."""
    await _member(clinic, clinic.account, "clinic_admin")
    await _made_admin(clinic, clinic.account)
    me = clinic.token("clinic_admin", "cln_1", clinic.account)
    refused = await clinic.call("POST", "/v1/me/account/erasure", me)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")
    assert "cln_1, the platform" in refused.json()["detail"]
    assert "/v1/clinics/{clinic_id}/invitations" in refused.json()["detail"]
    other = await _account_of(clinic, OTHER)
    await _member(clinic, other, "clinic_admin")
    await _made_admin(clinic, other)
    name = await _asked(clinic)
    async with clinic.records.writing() as session:  # the successor left meanwhile
        gone = update(AccountRecord).where(AccountRecord.account_id == other)
        await session.execute(gone.values(status="disabled"))
    refused = await _approve(clinic, name)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")
    async with clinic.records.writing() as session:
        back = update(AccountRecord).where(AccountRecord.account_id == other)
        await session.execute(back.values(status="active"))
    assert (await _approve(clinic, name)).status_code == 200


async def test_control_unchecked_a_clinic_is_left_without_administrators(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the count inside of the transaction that keeps one."""

    async def nowhere(*_of: Any, **_how: Any) -> list[str]:
        return []

    monkeypatch.setattr(erasing, "without_administrators", nowhere)
    monkeypatch.setattr("persistence.privacy.store.without_administrators", nowhere)
    await _member(clinic, clinic.account, "clinic_admin")
    assert (await _approve(clinic, await _asked(clinic))).status_code == 200


async def test_requests_about_accounts_are_the_platforms(clinic: Clinic) -> None:
    """Clinics see none, the person sees their own, and another one decides."""
    name = await _asked(clinic)
    cad = clinic.token("clinic_admin", "cln_1", "acc_cad")
    path = f"/v1/privacy-requests/{name}/approve"
    hidden = await clinic.call("POST", path, cad)
    missing = await clinic.call("POST", "/v1/privacy-requests/req_none/approve", cad)
    assert (hidden.status_code, hidden.content) == (404, missing.content)
    listed = await clinic.call("GET", "/v1/privacy-requests", cad)
    assert listed.json()["items"] == []
    themself = clinic.token("admin", clinic.account, account=clinic.account)
    assert (await clinic.call("POST", path, themself)).status_code == 403
    admin = clinic.token("admin", "acc_admin")
    listed = await clinic.call("GET", "/v1/privacy-requests", admin)
    assert [one["request_id"] for one in listed.json()["items"]] == [name]
    mine = await clinic.call("GET", "/v1/me/account/privacy-requests", clinic.mira)
    assert [one["request_id"] for one in mine.json()["items"]] == [name]
    assert await _asked(clinic) == name  # one is open at a time


async def test_a_revocation_that_failed_is_made_when_it_is_repeated(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure is stored, its news is not: approving again ends the tokens too."""
    name, revoke = await _asked(clinic), PrivacyService._revoke

    async def away(*_of: Any) -> None:
        raise privacy_service.ErasureNotNow("the store of revocations is away")

    monkeypatch.setattr(PrivacyService, "_revoke", away)
    assert (await _approve(clinic, name)).status_code == 409
    monkeypatch.setattr(PrivacyService, "_revoke", revoke)
    staff = clinic.signed["access_token"]
    assert (await _approve(clinic, name)).status_code == 200
    revoked = clinic.api.api.app.state.services.shared.revoked
    async with clinic.records.reading() as session:
        sessions = (await session.scalars(select(SessionRecord.session_id))).all()
    assert sessions
    assert all(revoked.has_session(one) for one in sessions)
    me = {"Authorization": f"Bearer {staff}"}
    assert (await clinic.call("GET", "/v1/me", me)).status_code == 401
