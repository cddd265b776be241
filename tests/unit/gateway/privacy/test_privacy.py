"""People's rights over their data: export, erasure, restriction, consents.

One file because all of it is about one patient of one site.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from actors.domain.ids import Millis
from care.keys.sealing import Place
from care.privacy import readable
from care.privacy.readable import readable_page
from care.privacy.requests import DAY_MS, DUE_MS, Retention
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from persistence.accounts.factor_models import FactorResetRecord
from persistence.accounts.identity_models import IdentityRecord
from persistence.accounts.models import (
    AccountRecord,
    AuthFlowRecord,
    MembershipRecord,
    PatientRecord,
    SessionRecord,
)
from persistence.audit.spool import FileSpool
from persistence.notices.models import OutgoingMessageRecord
from persistence.patients.models import MedicalNoteRecord, PatientClinicRecord
from persistence.patients.waiting_models import WaitingMoveRecord
from persistence.privacy import erasing, exporting
from persistence.privacy.erasing import (
    DELETED_BY_ACCOUNT,
    DELETED_BY_PATIENT,
    EMPTIED,
    KEPT,
)
from persistence.privacy.retaining import SqlRetention
from persistence.sql.base import RecordBase
from tests.fakes.api import KEY, slot
from tests.fixtures.accounts import MIRA
from tests.fixtures.privacy_clinic import Clinic

WHY = "a rash on the left arm"


async def _fill(clinic: Clinic) -> str:
    """A profile, a note, a number, a visit: what a patient has after a while."""
    profile = {
        "given_name": "Mira Quillfeather",
        "family_name": "Zimtstern",
        "birth_date": "1980-02-03",
    }
    changed = await clinic.call("PATCH", "/v1/me/profile", clinic.mira, profile)
    assert changed.status_code == 200, changed.text
    keys = await clinic.ring.of()
    async with clinic.records.writing() as session:
        row = await session.get(PatientRecord, clinic.patient)
        assert row is not None
        assert row.key_salt is not None
        person = keys.of_person(row.key_salt)
        await session.execute(
            insert(MedicalNoteRecord).values(
                note_id="nte_1",
                patient_id=clinic.patient,
                clinic_id="cln_1",
                author="acc_doctor",
                kind="note",
                body=person.seal(Place("medical_note", "body", "nte_1"), "penicillin"),
                at=1,
            )
        )
        place = Place("patient_clinic", "number", f"{clinic.patient} cln_1")
        await session.execute(
            insert(PatientClinicRecord).values(
                patient_id=clinic.patient,
                clinic_id="cln_1",
                number=keys.seal(place, "N-4711"),
                number_i="x",
                since=1,
            )
        )
        place = Place("waiting_move", "reason", "wtm_1")
        await session.execute(
            insert(WaitingMoveRecord).values(
                move_id="wtm_1",
                entry_id="wte_1",
                patient_id=clinic.patient,
                moved_by="acc_desk",
                at=1,
                prior=0,
                priority=1,
                reason=keys.seal(place, "in pain since Friday"),
            )
        )
    booked = await clinic.call(
        "POST", "/v1/bookings", clinic.mira, {**slot(), "reason": WHY}
    )
    assert booked.status_code == 201, booked.text
    await clinic.api.api.project()
    return str(booked.json()["booking_id"])


async def _link(clinic: Clinic) -> None:
    """An identity of Mira's and one of another account; Mira works at a clinic."""
    keys = await clinic.ring.of()
    async with clinic.records.writing() as session:
        accounts = (await session.scalars(select(AccountRecord.account_id))).all()
        for number, account in enumerate(accounts):
            name = "mira" if account == clinic.account else "other"
            place = Place("identity", "label", f"idn_{number}")
            await session.execute(
                insert(IdentityRecord).values(
                    identity_id=f"idn_{number}",
                    account_id=account,
                    provider="google",
                    issuer="https://id.example",
                    identity_i=f"{number}",
                    label=keys.seal(place, f"{name}@id.example"),
                    linked_at=1,
                )
            )
        await session.execute(
            insert(MembershipRecord).values(
                membership_id="mem_x",
                account_id=clinic.account,
                clinic_id="cln_1",
                role="staff",
                provider_id="",
                since=1,
                ended_key="",
            )
        )


async def test_an_export_holds_all_of_a_person_and_nobody_else(clinic: Clinic) -> None:
    """Attack 63: profile, account, devices, notes, visits with reasons, who saw."""
    await _fill(clinic)
    await clinic.api.register("other@example.org")
    await _link(clinic)
    answer = await clinic.call("GET", "/v1/me/export", clinic.mira)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["account"]["email"] == MIRA
    assert found["patient"]["profile"]["family_name"] == "Zimtstern"
    assert [one["text"] for one in found["notes"]] == ["penicillin"]
    assert [one["number"] for one in found["clinics"]] == ["N-4711"]
    assert [one["reason"] for one in found["visits"]] == [WHY]
    assert [one["reason"] for one in found["waiting_moves"]] == ["in pain since Friday"]
    assert "acc_desk" not in answer.text, "who moved it is another person"
    assert found["devices"]
    assert [one["label"] for one in found["identities"]] == ["mira@id.example"]
    assert [one["clinic_id"] for one in found["memberships"]] == ["cln_1"]
    assert "other@id.example" not in answer.text
    assert "other@example.org" not in answer.text
    page = await clinic.call("GET", "/v1/me/export?format=html", clinic.mira)
    assert page.headers["content-type"].startswith("text/html")
    assert "Zimtstern" in page.text
    assert "<script" not in page.text


async def test_control_an_export_by_no_account_holds_anothers(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the account of each statement that keeps others out."""
    await clinic.api.register("other@example.org")
    shown = exporting._account

    async def of_another(session: Any, keys: Any, own: str | None) -> Any:
        row = AccountRecord.account_id
        other = await session.scalar(select(row).where(row != own))
        return await shown(session, keys, other)

    monkeypatch.setattr(exporting, "_account", of_another)
    answer = await clinic.call("GET", "/v1/me/export", clinic.mira)
    assert "other@example.org" in answer.text


async def test_staff_export_their_own_account(clinic: Clinic) -> None:
    """In a role without a patient: address, roles, devices; none of another account."""
    await clinic.api.register("other@example.org")
    await _link(clinic)
    staff = clinic.token("staff", "cln_1", clinic.account)
    answer = await clinic.call("GET", "/v1/me/account/export", staff)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["account"]["email"] == MIRA
    assert [one["role"] for one in found["memberships"]] == ["staff"]
    assert [one["label"] for one in found["identities"]] == ["mira@id.example"]
    assert found["devices"]
    assert "other@" not in answer.text


async def test_an_export_page_escapes_what_people_wrote(clinic: Clinic) -> None:
    """Attack 20: a name is text on the page, whatever it is."""
    page = readable_page({"patient": {"name": "<img onerror=alert(1)>"}})
    assert "<img" not in page
    assert "&lt;img" in page


async def test_control_unescaped_a_name_would_be_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is the escaping of each value that keeps it text."""
    monkeypatch.setattr(readable, "escape", str)
    page = readable_page({"patient": {"name": "<img onerror=alert(1)>"}})
    assert "<img" in page


async def test_an_export_needs_a_fresh_proof(clinic: Clinic) -> None:
    """A session that was left open shows not everything at once."""
    clinic.clock.step(601)
    now = clinic.clock.now()
    who = Identity(clinic.account, "ses_1", "", 1, 2, Millis(now - 601_000))
    caller = Caller(Role.PATIENT, clinic.patient, Millis(now + 60_000), now, "t2", who)
    stale = {"Authorization": f"Bearer {issue_access_token(KEY, caller)}"}
    answer = await clinic.call("GET", "/v1/me/export", stale)
    assert answer.json()["code"] == "reauthentication_required"


async def _asked(clinic: Clinic) -> str:
    answer = await clinic.call("POST", "/v1/me/erasure", clinic.mira)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["kind"] == "erase"
    return str(body["request_id"])


async def test_an_erased_person_is_nowhere(clinic: Clinic) -> None:
    """Attack 62: rows, sessions, caches; visits stay unnamed; the trail holds."""
    booked = await _fill(clinic)
    await clinic.call("POST", f"/v1/bookings/{booked}/cancel", clinic.mira)
    await clinic.api.api.project()
    name = await _asked(clinic)
    mira = clinic.mira
    path = f"/v1/privacy-requests/{name}/approve"
    admin = clinic.token("admin", "acc_admin")
    answer = await clinic.call("POST", path, admin)
    assert answer.status_code == 200, answer.text
    report = answer.json()["report"]
    assert report["bookings"] == {"cancelled": 1}
    assert report["rows"]["medical_note"] == 1
    assert report["rows"]["account"] == 1
    again = await clinic.call("POST", path, admin)
    assert again.json() == answer.json()
    for who in (mira, {"Authorization": f"Bearer {clinic.signed['access_token']}"}):
        assert (await clinic.call("GET", "/v1/me", who)).status_code == 401
    doctor = clinic.api.api.doctor()
    shown = await clinic.call("GET", f"/v1/bookings/{booked}", doctor)
    assert shown.json()["reason"] == ""
    assert shown.json()["patient_id"] == clinic.patient
    refused = await clinic.api.post("login", _login())
    assert refused.json()["code"] == "invalid_credentials"
    await clinic.sealed()
    assert (await clinic.audit.verify()).ok
    await _must_be_empty(clinic)


async def _must_be_empty(clinic: Clinic) -> None:
    """No row holds anything of the person, and no key opens what copies hold."""
    async with clinic.records.reading() as session:
        row = await session.get(PatientRecord, clinic.patient)
        assert row is not None
        kept = (row.key_salt, row.profile, row.name_birth_i, row.email_i, row.phone_i)
        assert kept == (None, None, None, None, None)
        for table in (MedicalNoteRecord, PatientClinicRecord, AuthFlowRecord):
            assert await session.scalar(select(func.count()).select_from(table)) == 0
        messages = select(func.count()).select_from(OutgoingMessageRecord)
        assert await session.scalar(messages) == 0


@pytest.mark.parametrize("forgotten", ["medical_note", "patient_clinic"])
async def test_control_a_table_that_is_forgotten_keeps_the_person(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    """The list of tables is what erases; its rows are found."""
    left = tuple(one for one in erasing.DELETED_BY_PATIENT if one != forgotten)
    monkeypatch.setattr(erasing, "DELETED_BY_PATIENT", left)
    booked = await _fill(clinic)
    await clinic.call("POST", f"/v1/bookings/{booked}/cancel", clinic.mira)
    await clinic.api.api.project()
    path = f"/v1/privacy-requests/{await _asked(clinic)}/approve"
    done = await clinic.call("POST", path, clinic.token("admin", "acc_admin"))
    assert done.status_code == 200, done.text
    with pytest.raises(AssertionError):
        await _must_be_empty(clinic)


def _login() -> dict[str, str]:
    return {"email": MIRA, "password": "violet kettle runs", "delivery": "body"}


async def test_what_the_law_keeps_is_not_erased(clinic: Clinic) -> None:
    """Nor someone with visits ahead: a sentence says which; nothing has changed."""
    booked = await _fill(clinic)
    name = await _asked(clinic)
    path = f"/v1/privacy-requests/{name}/approve"
    admin = clinic.token("admin", "acc_admin")
    answer = await clinic.call("POST", path, admin)
    assert answer.json()["code"] == "erasure_refused"
    assert "ahead" in answer.json()["detail"]
    await clinic.call("POST", f"/v1/bookings/{booked}/cancel", clinic.mira)
    await clinic.api.api.project()
    async with clinic.records.writing() as session:
        await session.execute(
            update(PatientRecord).values(hold_until=clinic.clock.now() + DAY_MS)
        )
    answer = await clinic.call("POST", path, admin)
    assert answer.json()["code"] == "erasure_refused"
    assert "law" in answer.json()["detail"]
    assert (await clinic.call("GET", "/v1/me", clinic.mira)).status_code == 200


async def test_who_is_staff_besides_keeps_the_account(clinic: Clinic) -> None:
    """The patient is erased, and the receptionist can still sign in."""
    async with clinic.records.writing() as session:
        await session.execute(
            insert(MembershipRecord).values(
                membership_id="mem_9",
                account_id=clinic.account,
                clinic_id="cln_1",
                role="staff",
                since=1,
                ended_key="",
            )
        )
    name = await _asked(clinic)
    answer = await clinic.call(
        "POST",
        f"/v1/privacy-requests/{name}/approve",
        clinic.token("admin", "acc_admin"),
    )
    assert answer.json()["report"]["account_id"] == ""
    async with clinic.records.reading() as session:
        row = await session.get(AccountRecord, clinic.account)
        assert row is not None
        assert row.status == "active"


async def test_requests_are_decided_by_who_may(clinic: Clinic) -> None:
    """Hidden and missing are equal to the byte; the own request is refused."""
    name = await _asked(clinic)
    path = f"/v1/privacy-requests/{name}/approve"
    stranger = clinic.token("clinic_admin", "cln_9")
    hidden = await clinic.call("POST", path, stranger)
    missing = await clinic.call(
        "POST", "/v1/privacy-requests/req_none/approve", stranger
    )
    assert (hidden.status_code, hidden.content) == (404, missing.content)
    weak = clinic.token("admin", "acc_admin", level=1)
    answer = await clinic.call("POST", path, weak)
    assert answer.json()["code"] == "second_factor_required"
    themself = clinic.token("admin", "acc_admin", account=clinic.account)
    assert (await clinic.call("POST", path, themself)).status_code == 403
    listed = await clinic.call("GET", "/v1/privacy-requests", stranger)
    assert listed.json()["items"] == []
    listed = await clinic.call(
        "GET", "/v1/privacy-requests", clinic.token("admin", "acc_admin")
    )
    assert [one["request_id"] for one in listed.json()["items"]] == [name]


async def test_a_request_is_due_in_a_month_and_made_once(clinic: Clinic) -> None:
    """A second one of its kind is the first; what is overdue is counted."""
    first, second = [
        await clinic.call(
            "POST", "/v1/me/privacy-requests", clinic.mira, {"kind": "correct"}
        )
        for _ in range(2)
    ]
    assert first.status_code == 201, first.text
    assert first.json() == second.json()
    retention = SqlRetention(clinic.records, Retention())
    now = clinic.clock.now()
    assert await retention.overdue(now=Millis(now + DUE_MS - 1)) == 0
    assert await retention.overdue(now=Millis(now + DUE_MS + DAY_MS)) == 1


async def test_consents_are_added_and_never_changed(clinic: Clinic) -> None:
    """Given and taken back are two lines, in order."""
    for given in (True, False):
        answer = await clinic.call(
            "POST",
            "/v1/me/consents",
            clinic.mira,
            {"purpose": "reminders", "given": given, "version": "2026-11"},
        )
        assert answer.status_code == 201, answer.text
    found = await clinic.call("GET", "/v1/me/consents", clinic.mira)
    assert [one["given"] for one in found.json()["items"]] == [True, False]


async def test_a_restriction_is_shown_and_lifted(clinic: Clinic) -> None:
    """The patient restricts the use of their data, and it is in the trail."""
    for restricted in (True, False):
        answer = await clinic.call(
            "PUT", "/v1/me/restriction", clinic.mira, {"restricted": restricted}
        )
        assert answer.status_code == 204, answer.text
        async with clinic.records.reading() as session:
            row = await session.get(PatientRecord, clinic.patient)
            assert row is not None
            assert (row.restricted_at is not None) == restricted


async def test_a_patient_learns_who_read_about_them(clinic: Clinic) -> None:
    """Also by a schedule that a visit of theirs stands on; an auditor verifies it."""
    booked = await _fill(clinic)
    doctor = clinic.api.api.doctor()
    await clinic.call("GET", f"/v1/bookings/{booked}", doctor)
    await clinic.call("GET", "/v1/providers/prv_1/schedule", doctor)
    spool = clinic.api.api.ports.audit_spool
    assert isinstance(spool, FileSpool)
    while await spool.pass_on():
        pass
    await clinic.sealed()
    seen = await clinic.call("GET", "/v1/me/access-log", clinic.mira)
    assert seen.status_code == 200, seen.text
    found = sorted((one["what"], one["by"]) for one in seen.json()["items"])
    assert found == [("read_booking", "prv_1"), ("read_schedule", "prv_1")]
    path = f"/v1/patients/{clinic.patient}/access-log"
    by_id = await clinic.call("GET", path, clinic.mira)
    assert by_id.json() == seen.json()
    assert (await clinic.call("GET", path, doctor)).status_code in (403, 404)
    auditor = clinic.token("auditor", "cln_1", "acc_auditor")
    trail = await clinic.call("GET", "/v1/audit?limit=200", auditor)
    assert trail.status_code == 200, trail.text
    assert {one["tenant"] for one in trail.json()["items"]} == {"cln_1"}
    checked = await clinic.call("GET", "/v1/audit/verify", auditor)
    assert checked.json()["ok"] is True
    lines = await clinic.call("GET", "/v1/audit/export", auditor)
    assert len(lines.text.splitlines()) == len(trail.json()["items"])
    other = await clinic.call("GET", "/v1/audit?tenant=cln_2", auditor)
    assert other.status_code == 404
    admin = clinic.token("admin", "acc_admin")
    assert (await clinic.call("GET", "/v1/audit", admin)).status_code == 403


async def test_what_is_over_is_removed(clinic: Clinic) -> None:
    """Messages, ended sessions and links go after their days; nothing before."""
    retention = SqlRetention(clinic.records, Retention(messages=2, sessions=3))
    now = clinic.clock.now()
    reset = FactorResetRecord(account_id=clinic.account, asked_by="acc_9", asked_at=now)
    async with clinic.records.writing() as session:
        session.add(reset)
        await session.execute(update(SessionRecord).values(ended_at=now))
    assert sum((await retention.apply(now=now)).values()) == 0
    done = await retention.apply(now=Millis(now + 10 * DAY_MS))
    assert done["outgoing_message"] >= 1
    assert done["session"] >= 1
    assert done["factor_reset"] == 1
    assert sum((await retention.apply(now=Millis(now + 10 * DAY_MS))).values()) == 0


def test_every_table_with_a_person_is_named() -> None:
    """A new table that names people must say what an erasure does with it."""
    named = {*DELETED_BY_ACCOUNT, *DELETED_BY_PATIENT, *EMPTIED, *KEPT}
    found = {
        table.name
        for table in RecordBase.metadata.tables.values()
        if {"account_id", "patient_id"} & {column.name for column in table.columns}
    }
    assert found == named
