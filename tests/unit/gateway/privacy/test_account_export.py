"""What an export says of an account, in whatever role it is asked for."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from sqlalchemy import insert, select

from care.keys.sealing import Place
from care.notices.messages import SECRET_KINDS
from gateway.accounts.mails import AccountMails
from gateway.grants.mails import GrantMails
from persistence.accounts.factor_models import FactorRecord
from persistence.accounts.models import (
    AccountRecord,
    GlassRecord,
    GuardianshipRecord,
    MembershipRecord,
    PatientRecord,
    PlatformRoleRecord,
)
from persistence.grants.models import (
    DoctorApplicationRecord,
    InvitationRecord,
    SuspensionRecord,
)
from persistence.notices.models import OutgoingMessageRecord
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.privacy import exporting
from tests.fixtures.privacy_clinic import Clinic


async def _lived(clinic: Clinic, account: str, word: str) -> None:
    """A row of each table that names an account; ``word`` is in each."""
    keys = await clinic.ring.of()
    async with clinic.records.writing() as session:
        mine = await session.get_one(AccountRecord, account)
        ward = PatientRecord(patient_id=f"pat_{word}", created_by=account, created_at=1)
        session.add(ward)
        await session.flush()
        offered, applied = f"inv_{word}", f"app_{word}"
        content = (
            f'{{"name":"{word}","specialty":"s","licence":"L-{word}","documents":[]}}'
        )
        session.add_all(
            [
                PlatformRoleRecord(
                    account_id=account,
                    role="auditor",
                    tenant=f"cln_{word}",
                    grant_id=f"plr_{word}",
                    since=1,
                ),
                FactorRecord(
                    factor_id=f"fac_{word}",
                    account_id=account,
                    kind="totp",
                    label=f"phone of {word}",
                    secret=b"x",
                    credential_hash=word,
                    created_at=1,
                ),
                GuardianshipRecord(
                    guardianship_id=f"grd_{word}",
                    guardian=account,
                    patient_id=f"pat_{word}",
                    scope="view",
                    basis="legal",
                    since=1,
                    ended_key="",
                ),
                MembershipRecord(
                    membership_id=f"mem_{word}",
                    account_id=account,
                    clinic_id=f"cln_{word}",
                    role="doctor",
                    provider_id=f"prv_{word}",
                    since=1,
                    ended_key="",
                ),
                SuspensionRecord(
                    provider_id=f"prv_{word}",
                    clinic_id=f"cln_{word}",
                    reason=keys.seal(
                        Place("suspension", "reason", f"prv_{word}"), f"why {word}"
                    ),
                    since=2,
                    suspended_by="acc_x",
                ),
                GlassRecord(
                    glass_id=f"gls_{word}",
                    account_id=account,
                    clinic_id=f"cln_{word}",
                    patient_id=f"pat_{word}",
                    role="doctor",
                    subject="prv_1",
                    reason=b"x",
                    opened_at=1,
                    until=2,
                ),
                InvitationRecord(
                    invitation_id=offered,
                    clinic_id=f"cln_{word}",
                    role="staff",
                    provider_id="",
                    patient_id="",
                    scope="",
                    basis="",
                    email=keys.seal(Place("invitation", "email", offered), word),
                    email_i=mine.email_i,
                    token_hash=word,
                    invited_by="acc_x",
                    created_at=1,
                    expires_at=2,
                ),
                DoctorApplicationRecord(
                    application_id=applied,
                    account_id=account,
                    clinic_id=f"cln_{word}",
                    provider_id="prv_9",
                    status="submitted",
                    country="DE",
                    licence_i=word,
                    content=keys.seal(
                        Place("doctor_application", "content", applied), content
                    ),
                    submitted_at=1,
                    decided_by="",
                    ended_key=applied,
                ),
            ]
        )


async def _two(clinic: Clinic) -> None:
    """Mira, and another person who did the same."""
    await clinic.api.register("noor@example.org")
    row = AccountRecord.account_id
    async with clinic.records.reading() as session:
        other = (await session.scalars(select(row).where(row != clinic.account))).one()
    await _lived(clinic, clinic.account, "mira")
    await _lived(clinic, other, "noor")


async def _exported(clinic: Clinic, role: str) -> tuple[dict[str, Any], str]:
    if role == "patient":
        answer = await clinic.call("GET", "/v1/me/export", clinic.mira)
    else:
        who = clinic.token(role, "cln_1", clinic.account)
        answer = await clinic.call("GET", "/v1/me/account/export", who)
    assert answer.status_code == 200, answer.text
    return answer.json(), answer.text


@pytest.mark.parametrize("role", ["patient", "staff"])
async def test_an_export_holds_all_of_an_account(clinic: Clinic, role: str) -> None:
    """Roles, factors, offers, applications, wards, messages; none of another."""
    await _two(clinic)
    found, text = await _exported(clinic, role)
    assert [one["tenant"] for one in found["platform_roles"]] == ["cln_mira"]
    assert [one["label"] for one in found["factors"]] == ["phone of mira"]
    assert [one["clinic_id"] for one in found["invitations"]] == ["cln_mira"]
    assert [one["licence"] for one in found["applications"]] == ["L-mira"]
    assert [one["reason"] for one in found["suspensions"]] == ["why mira"]
    assert [one["patient_id"] for one in found["guardianships"]] == ["pat_mira"]
    assert [one["clinic_id"] for one in found["broken_glasses"]] == ["cln_mira"]
    assert "noor" not in text


async def test_control_an_export_without_an_account_is_of_everyone(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the condition of each statement that keeps others out."""
    listed = exporting._listed

    async def of_all(session: Any, columns: Any, _which: Any) -> Any:
        return await listed(session, columns, True)

    monkeypatch.setattr(exporting, "_listed", of_all)
    await _two(clinic)
    _, text = await _exported(clinic, "staff")
    assert "noor" in text


async def test_messages_are_exported_without_what_opens_something(
    clinic: Clinic,
) -> None:
    """Subjects and times of all, texts of those without a link or a code."""
    secret = await clinic.api.link_token()
    await clinic.api.post("password/forgot", {"email": "mira@example.org"})
    fresh = await clinic.api.link_token()
    found, text = await _exported(clinic, "patient")
    assert {one["kind"] for one in found["messages"]} >= {
        "verify_email",
        "reset_password",
    }
    assert all(one["subject"] for one in found["messages"])
    assert fresh != secret
    assert fresh not in text
    assert secret not in text


async def test_control_texts_of_all_messages_open_an_account(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the list of kinds that keeps a reset's link out."""
    monkeypatch.setattr(exporting, "SECRET_KINDS", frozenset())
    await clinic.api.post("password/forgot", {"email": "mira@example.org"})
    fresh = await clinic.api.link_token()
    _, text = await _exported(clinic, "patient")
    assert fresh in text


@pytest.mark.parametrize("mails", [AccountMails, GrantMails])
def test_every_message_with_a_secret_is_of_a_named_kind(mails: Any) -> None:
    """A message that is made from a secret or a code is in the list."""
    written = mails("https://clinic.test")
    found = 0
    for name, method in inspect.getmembers(written, inspect.ismethod):
        wanted = inspect.signature(method).parameters
        if not name.startswith("_") and {"secret", "code"} & set(wanted):
            message = method(**dict.fromkeys(wanted, "staff"))
            assert message.kind in SECRET_KINDS, name
            found += 1
    assert found


async def test_another_kind_is_exported_whole(clinic: Clinic) -> None:
    """A notice of what was done says it."""
    outgoing = SqlOutgoingMessages(clinic.records, clinic.ring)
    keys = await clinic.ring.of()
    first = (await outgoing.latest(9))[0]
    async with clinic.records.writing() as session:
        row = await session.get_one(OutgoingMessageRecord, first.message_id)
        await session.execute(
            insert(OutgoingMessageRecord).values(
                message_id="msg_x",
                channel="mail",
                kind="password_changed",
                recipient=keys.seal(
                    Place("outgoing_message", "recipient", "msg_x"), "mira@example.org"
                ),
                recipient_i=row.recipient_i,
                content=keys.seal(
                    Place("outgoing_message", "content", "msg_x"),
                    '{"subject":"Your password was changed","text":"choose a new one"}',
                ),
                created_at=row.created_at,
            )
        )
    found, _ = await _exported(clinic, "staff")
    assert "choose a new one" in {one["text"] for one in found["messages"]}
