"""Ids of others, on every route that takes one: not one tells that it is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from actors.domain.ids import ClinicId, Millis, PatientId
from care.accounts.accounts import SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from care.grants.values import Glass
from care.notices.messages import Message
from gateway.access.rights import Access, Permission
from persistence.notices.models import NoticeRecord
from persistence.privacy.store import SqlPrivacy
from tests.fakes.api import Api
from tests.fixtures.accounts import signed
from tests.fixtures.documents import begin, send
from tests.fixtures.rights_region import (
    REVIEW,
    SERVICE_SCOPES,
    WAITING,
    Things,
    rights_region,
)

Stranger = tuple[str, str, tuple[str, ...]]
STRANGERS: tuple[Stranger, ...] = (
    ("patient", "pat_2", ()),
    ("guardian", "pat_2", ("manage",)),
    ("doctor", "prv_2", ()),
    ("staff", "cln_2", ()),
    ("clinic_admin", "cln_2", ()),
    ("auditor", "cln_2", ()),
    ("service", "cln_2", SERVICE_SCOPES),
)
"""Role, subject and scopes; their account has no part in clinic 1."""
STRANGER, OWN_CLINIC = "acc_3", "cln_2"
OPEN = frozenset({"clinic_id", "provider_id", "specialty", "review_id"})
"""Ids of what is public: that it is there is no secret."""
SECRETS = frozenset({"flow", "provider"})
"""Parameters that are no ids: what a sign-in waits for, an identity provider."""
FOR_STRANGERS = frozenset({"/v1/patients/{patient_id}/break-glass"})
"""A glass is broken for a patient whom the clinic does not know: that is its use."""
REFUSED = frozenset({403, 404, 410})
LEAST = 40
"""Routes with an id that must have been found, so that the test is about something."""
Ids = dict[str, tuple[str, str]]
"""By parameter: an id of clinic, patient or account 1, and one that is not there."""


@pytest.fixture
async def region(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Api, Ids]]:
    """Two clinics, and the ids of all that belongs to the first."""
    async with rights_region(request, tmp_path) as (api, things):
        await _add_stranger(api)
        yield api, await _ids(api, things)


async def _add_stranger(api: Api) -> None:
    """Account 3, which has no part in anything here."""
    stores = api.ports.accounts
    assert stores is not None
    context = SignInContext("patient", "pat_3")
    wanted = DemoAccount(AccountId(STRANGER), "3@example.org", context)
    await stores.accounts.demo_account(wanted, now=api.clock.now())


async def _ids(api: Api, it: Things) -> Ids:
    admin = signed(api, "clinic_admin", "cln_1")

    async def made(path: str, body: Any, who: dict[str, str], name: str) -> str:
        answer = await api.client.post(path, json=body, headers=who)
        assert answer.status_code == 201, (path, answer.text)
        found = answer.json()
        return str(found.get("client", found)[name])

    clinic = "/v1/clinics/cln_1"
    invited = {"email": "x@example.org", "role": "staff"}
    room = {"kind": "room", "name": "Room 1"}
    program = {"name": "Portal", "scopes": ["book"]}
    return {
        "clinic_id": ("cln_1", "cln_none"),
        "provider_id": ("prv_1", "prv_none"),
        "booking_id": (it.booking, "bkg_1.none"),
        "hold_id": (it.hold, "hld_1.none"),
        "time_off_id": (it.leave, "off_1.none"),
        "patient_id": (it.patient, "pat_none"),
        "membership_id": (it.member, "mem_none"),
        "guardianship_id": (it.guardianship, "grd_none"),
        "request_id": (it.request, "req_none"),
        "session_id": (it.session, "ses_none"),
        "factor_id": (it.factor, "fac_none"),
        "identity_id": (it.identity, "idn_none"),
        "account_id": ("acc_1", "acc_none"),
        "role": ("auditor", "auditor"),
        "specialty": ("dermatology", "none"),
        "feed_id": (
            await made(
                "/v1/me/feeds",
                {"label": "My phone"},
                signed(api, "patient", "pat_1"),
                "feed_id",
            ),
            "fed_none",
        ),
        "document_id": (await _handed_in(api, it), f"doc_{'0' * 32}"),
        "entry_id": (WAITING, "wte_none"),
        "review_id": (REVIEW, "rev_none"),
        "notice_id": (await _noticed(api), "ntc_none"),
        "glass_id": (await _broken(api), "gls_none"),
        "application_id": (await _applied(api), "app_none"),
        "invitation_id": (
            await made(f"{clinic}/invitations", invited, admin, "invitation_id"),
            "inv_none",
        ),
        "resource_id": (
            await made(f"{clinic}/resources", room, admin, "resource_id"),
            "prv_none",
        ),
        "series_id": (
            await made(
                "/v1/series",
                {
                    "provider_id": "prv_1",
                    "visit_type": "consult",
                    "starts": ["2026-08-14T09:00:00Z"],
                },
                signed(api, "patient", "pat_1"),
                "series_id",
            ),
            "srs_1." + "0" * 19,
        ),
        "client_id": (
            await made(f"{clinic}/api-clients", program, admin, "client_id"),
            "cli_none",
        ),
    }


async def _handed_in(api: Api, it: Things) -> str:
    """A document of patient 1 that all who may read the visit may know of."""
    mira = signed(api, "patient", "pat_1")
    begun = await begin(api, mira, it.booking, 1)
    document = str(begun.json()["document_id"])
    sent = await send(api, mira, document, b"x")
    assert sent.json()["state"] == "quarantined"
    return document


async def _noticed(api: Api) -> str:
    """A notice in the inbox of patient 1."""
    row = NoticeRecord(
        notice_id="ntc_1",
        patient_id="pat_1",
        kind="booked",
        booking_id="bkg_1.a",
        version=1,
        confidential=False,
        content=b"sealed",
        created_at=1,
    )
    async with cast("SqlPrivacy", api.ports.privacy)._records.writing() as session:
        session.add(row)
    return "ntc_1"


async def _broken(api: Api) -> str:
    """A glass of a doctor of clinic 1, not yet reviewed."""
    stores, now = api.ports.grants, api.clock.now()
    assert stores is not None
    account, patient = AccountId("acc_1"), PatientId("pat_1")
    until = Millis(now + 1_800_000)
    who = ("doctor", "prv_1", "unconscious", now, until)
    glass = Glass("gls_1", account, ClinicId("cln_1"), patient, *who)
    assert api.ports.patients is not None
    await api.ports.patients.salt_of(patient, now=now)
    await stores.glasses.open(glass, Message("glass_broken", "", "", ""))
    return glass.glass_id


async def _applied(api: Api) -> str:
    """An application of account 1 at clinic 1."""
    path = "/v1/me/applications"
    content = api.app.openapi()["paths"][path]["post"]["requestBody"]["content"]
    body = content["application/json"]["example"] | {"clinic_id": "cln_1"}
    answer = await api.client.post(
        path, json=body, headers=signed(api, "patient", "pat_1")
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["application_id"])


def _routes(api: Api) -> Iterator[tuple[str, str, list[str], Any]]:
    """Method, path, its parameters that are ids, and a body that fits."""
    for path, item in api.app.openapi()["paths"].items():
        for method, operation in item.items():
            names = [
                one["name"]
                for one in operation.get("parameters", ())
                if one["in"] == "path"
            ]
            is_public = {} in operation["security"]
            is_meant = is_public or path in FOR_STRANGERS
            if not names or is_meant or SECRETS & set(names):
                continue
            content = operation.get("requestBody", {}).get("content", {})
            yield method.upper(), path, names, content.get("application/json")


def _named(names: list[str], ids: Ids, clinic: str) -> tuple[dict[str, str], ...]:
    """Values of the parameters: the foreign objects, and the same without them."""
    found = tuple(
        {one: ids[one][0 if one in OPEN else number] for one in names}
        for number in (0, 1)
    )
    if "clinic_id" in names:
        for one in found:
            one["clinic_id"] = clinic
    return found


def _shown(answer: httpx.Response) -> tuple[Any, ...]:
    """All that a caller sees but the request's own id."""
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("x-request-id", "date")
    }
    return answer.status_code, answer.content, headers


async def _told(region: tuple[Api, Ids], stranger: Stranger) -> list[str]:
    """Routes that do not refuse this stranger, or tell hidden from missing."""
    api, ids = region
    api.client.event_hooks = {"request": [], "response": []}
    role, subject, scopes = stranger
    who = signed(api, role, subject, account=STRANGER, scopes=scopes)
    walked, found = 0, []
    for method, path, names, content in _routes(api):
        walked += 1
        unnamed = set(names) - ids.keys()
        assert not unnamed, f"{path}: add a foreign object's id to _ids: {unnamed}"
        hides = not set(names) <= OPEN
        for clinic in ("cln_1", OWN_CLINIC) if "clinic_id" in names else ("",):
            if clinic == OWN_CLINIC and not hides:
                continue  # their own clinic, and nothing of another in it
            body = {"json": content["example"]} if content else {}
            real, missing = [
                await api.client.request(
                    method, path.format(**values), headers=who, **body
                )
                for values in _named(names, ids, clinic)
            ]
            is_refused = real.status_code in REFUSED
            if not is_refused or (hides and _shown(real) != _shown(missing)):
                found.append(f"{method} {path} {clinic} {real.status_code}")
    assert walked >= LEAST
    return found


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda one: one[0])
async def test_a_foreign_id_is_answered_like_one_that_is_not_there(
    region: tuple[Api, Ids], stranger: Stranger
) -> None:
    """On every route, in the path of clinic 1 and in that of the caller's own.

    Status, bytes and headers: no ETag, length or Retry-After tells hidden from missing.
    """
    assert await _told(region, stranger) == []


async def test_control_without_the_table_foreign_ids_are_told(
    region: tuple[Api, Ids], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the table hides is shown, on most of its routes."""
    monkeypatch.setattr(Access, "decide", lambda *_all, **_more: Permission.YES)
    staff = next(one for one in STRANGERS if one[0] == "clinic_admin")
    assert len(await _told(region, staff)) > LEAST // 2
