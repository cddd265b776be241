"""The whole table of authorization, asked over HTTP, cell by cell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.domain.ids import Millis
from care.people.accounts import DAY_MS, Delivery, Session, SignInContext
from care.people.ids import AccountId, SessionId
from care.people.ports import DemoAccount
from gateway.access.rights import PERMISSIONS, PUBLIC, Action, Permission, Relation
from gateway.access.tokens import Caller, Identity, Role, issue_access_token
from tests import factories as make
from tests.fakes.api import KEY, Api, slot
from tests.fixtures.accounts import AccountApi, account_api

_RULES = {
    "locations": [{"time_zone": "UTC", "weekly": {}}],
    "visit_types": [{"visit_type": "consult", "title": "C", "minutes": 30}],
}
_PROFILE = {
    "name": "Dr. New",
    "specialty": "general practice",
    "clinic": {"clinic_id": "cln_1", "name": "Clinic 1", "time_zone": "UTC"},
}
_CLINIC = {"name": "Clinic 1", "time_zone": "UTC"}
_LEAVE = {"start": "2026-08-12T00:00:00Z", "end": "2026-08-13T00:00:00Z"}
Ask = Callable[[Api, dict[str, str], "Things"], Awaitable[httpx.Response]]


class Things:
    """Objects of patient 1 on the calendar of provider 1, clinic 1."""

    def __init__(self, hold: str, booking: str, leave: str, patient: str) -> None:
        self.hold, self.booking, self.leave = hold, booking, leave
        self.session = "ses_1"
        """A session of account 1; account 2 has another."""
        self.patient = patient
        """For whom to hold and book, said by staff and by patients who try."""


def _post(path: str, body: Any = None) -> Ask:
    async def ask(api: Api, auth: dict[str, str], it: Things) -> httpx.Response:
        where = path.format(hold=it.hold, booking=it.booking)
        return await api.client.post(where, json=body, headers=auth)

    return ask


def _request(method: str, path: str, body: Any = None) -> Ask:
    async def ask(api: Api, auth: dict[str, str], it: Things) -> httpx.Response:
        where = path.format(hold=it.hold, booking=it.booking, leave=it.leave)
        return await api.client.request(method, where, json=body, headers=auth)

    return ask


def _for_patient(path: str) -> Ask:
    async def ask(api: Api, auth: dict[str, str], it: Things) -> httpx.Response:
        body = slot(start="2026-08-10T12:00:00Z") | {"patient_id": it.patient}
        return await api.client.post(path, json=body, headers=auth)

    return ask


async def _confirm(api: Api, auth: dict[str, str], it: Things) -> httpx.Response:
    body = {"hold_id": it.hold}
    return await api.client.post("/v1/bookings", json=body, headers=auth)


def _outcome(verb: str, *before: str) -> Ask:
    """Staff's word on the visit once it has begun, other words before it."""

    async def ask(api: Api, auth: dict[str, str], it: Things) -> httpx.Response:
        api.clock.step(11 * 3600)
        path = f"/v1/bookings/{it.booking}"
        for other in before:
            done = await api.client.post(f"{path}/{other}", headers=api.admin())
            assert done.status_code == 200, done.text
        return await api.client.post(f"{path}/{verb}", headers=auth)

    return ask


def _of_account(method: str, path: str, body: Any = None) -> Ask:
    """With a token of an account in this role: one for each, and a session each."""

    async def ask(api: Api, auth: dict[str, str], it: Things) -> httpx.Response:
        if auth and "Bearer no" not in auth.values():
            found = api.app.state.services.authenticator.caller(auth["Authorization"])
            auth = await _with_account(api, found)
        where = path.format(session=it.session)
        return await api.client.request(method, where, json=body, headers=auth)

    return ask


async def _with_account(api: Api, caller: Caller) -> dict[str, str]:
    """The token of an account; "own" callers have the account of the session."""
    mine = caller.subject in ("pat_1", "prv_1", "cln_1", "root")
    account, session = ("acc_1", "ses_1") if mine else ("acc_2", "ses_2")
    now = api.clock.now()
    identity = Identity(account, session, "", 1, 1, now)
    signed = issue_access_token(KEY, replace(caller, identity=identity))
    return {"Authorization": f"Bearer {signed}"}


_ONE = "/v1/providers/prv_1"
_ASKS: dict[Action, Ask] = {
    Action.READ_PROVIDER: _request("GET", _ONE),
    Action.READ_SLOTS: _request("GET", f"{_ONE}/slots"),
    Action.PLACE_HOLD: _for_patient("/v1/holds"),
    Action.READ_HOLD: _request("GET", "/v1/holds/{hold}"),
    Action.EXTEND_HOLD: _post("/v1/holds/{hold}/extend"),
    Action.RELEASE_HOLD: _request("DELETE", "/v1/holds/{hold}"),
    Action.BOOK: _for_patient("/v1/bookings"),
    Action.CONFIRM_HOLD: _confirm,
    Action.READ_BOOKING: _request("GET", "/v1/bookings/{booking}"),
    Action.LIST_HOLDS: _request("GET", "/v1/holds"),
    Action.LIST_BOOKINGS: _request("GET", "/v1/bookings?patient_id=pat_1"),
    Action.CANCEL_BOOKING: _post("/v1/bookings/{booking}/cancel"),
    Action.RESCHEDULE_BOOKING: _post(
        "/v1/bookings/{booking}/reschedule", {"start": "2026-08-10T15:00:00Z"}
    ),
    Action.CHECK_IN: _post("/v1/bookings/{booking}/check-in"),
    Action.COMPLETE: _post(
        "/v1/bookings/{booking}/complete", {"without_check_in": True}
    ),
    Action.MARK_NO_SHOW: _outcome("no-show"),
    Action.UNDO: _outcome("undo", "no-show"),
    Action.READ_SCHEDULE: _request("GET", f"{_ONE}/schedule"),
    Action.READ_AVAILABILITY: _request("GET", f"{_ONE}/availability"),
    Action.SET_AVAILABILITY: _request("PUT", f"{_ONE}/availability", _RULES),
    Action.READ_TIME_OFF: _request("GET", f"{_ONE}/time-off"),
    Action.ADD_TIME_OFF: _post(f"{_ONE}/time-off", _LEAVE),
    Action.REMOVE_TIME_OFF: _request("DELETE", _ONE + "/time-off/{leave}"),
    Action.REGISTER_PROVIDER: _request("PUT", _ONE, _PROFILE),
    Action.RETIRE_PROVIDER: _post(f"{_ONE}/retire"),
    Action.REINSTATE_PROVIDER: _post(f"{_ONE}/reinstate"),
    Action.READ_CLINIC: _request("GET", "/v1/clinics/cln_1"),
    Action.PUT_CLINIC: _request("PUT", "/v1/clinics/cln_1", _CLINIC),
    Action.READ_ACCOUNT: _of_account("GET", "/v1/me"),
    Action.END_SESSION: _of_account("DELETE", "/v1/auth/sessions/{session}"),
    Action.CHANGE_PASSWORD: _of_account(
        "POST", "/v1/auth/password/change", {"password": "seven quiet harbours"}
    ),
    Action.READ_JOBS: _request("GET", "/v1/jobs"),
    Action.RESEND_JOBS: _post("/v1/jobs/resend", {}),
}
_SUBJECTS = {
    (Role.PATIENT, Relation.OWN): "pat_1",
    (Role.PATIENT, Relation.OTHER): "pat_2",
    (Role.DOCTOR, Relation.OWN): "prv_1",
    (Role.DOCTOR, Relation.OTHER): "prv_2",
    (Role.CLINIC_ADMIN, Relation.OWN): "cln_1",
    (Role.CLINIC_ADMIN, Relation.OTHER): "cln_2",
    (Role.ADMIN, Relation.OWN): "root",
}


@pytest.fixture
async def region(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Api, Things]]:
    """Two providers in two clinics; patient 1 has a hold and a booking at the first.

    Two accounts with a session each.
    """
    async with account_api(request, tmp_path, public_url="") as opened:
        api = opened.api
        for number in (1, 2):
            await _add_account(opened, number)
        await api.add_provider(1)
        await api.add_provider(2, clinic=make.a_clinic(2))
        mine = api.patient(1)
        held = await api.client.post("/v1/holds", json=slot(), headers=mine)
        booked = await api.client.post(
            "/v1/bookings", json=slot(start="2026-08-10T11:00:00Z"), headers=mine
        )
        leave = await api.client.post(
            "/v1/providers/prv_1/time-off", json=_LEAVE, headers=api.admin()
        )
        await api.project()
        yield (
            api,
            Things(
                held.json()["hold_id"],
                booked.json()["booking_id"],
                leave.json()["time_off_id"],
                "pat_1",
            ),
        )


async def _add_account(opened: AccountApi, number: int) -> None:
    stores, now = opened.auth.stores, opened.clock.now()
    context = SignInContext("patient", f"pat_{number}")
    wanted = DemoAccount(AccountId(f"acc_{number}"), f"{number}@example.org", context)
    await stores.accounts.demo_account(wanted, now=now)
    await stores.sessions.open_session(
        Session(
            session_id=SessionId(f"ses_{number}"),
            account_id=wanted.account_id,
            salt=b"salt",
            generation=1,
            seen_generation=0,
            rotated_at=now,
            created_at=now,
            authenticated_at=now,
            level=1,
            active_at=now,
            idle_ms=DAY_MS,
            ends_at=Millis(now + DAY_MS),
            delivery=Delivery.BODY,
            agent="",
        )
    )


def test_the_table_has_every_cell() -> None:
    """No action, role or relation is without a permission, and each is tested below."""
    assert set(PERMISSIONS) == {(a, *cell) for a in Action for cell in _SUBJECTS}
    assert set(_ASKS) == set(Action)


def test_patients_never_do_what_staff_do() -> None:
    """A slip in the table that let a patient into a schedule would show here."""
    staff_only = {action for action in Action if action.value in _STAFF_ONLY}
    for action in staff_only:
        for relation in Relation:
            assert PERMISSIONS[action, Role.PATIENT, relation] is Permission.NO


_HIDDEN = ("hold_not_found", "booking_not_found", "session_not_found")
_STAFF_ONLY = {
    "check_in",
    "complete",
    "mark_no_show",
    "undo",
    "read_schedule",
    "read_availability",
    "set_availability",
    "read_time_off",
    "add_time_off",
    "remove_time_off",
    "register_provider",
    "put_clinic",
    "retire_provider",
    "reinstate_provider",
    "read_jobs",
    "resend_jobs",
}


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("cell", list(_SUBJECTS), ids=lambda cell: "-".join(cell))
async def test_every_cell_is_what_http_answers(
    region: tuple[Api, Things], action: Action, cell: tuple[Role, Relation]
) -> None:
    """yes is 2xx, no is 403, hide is 404, for every role, relation and action."""
    api, things = region
    auth = api.auth(cell[0], _SUBJECTS[cell], ttl_s=24 * 3600)
    response = await _ASKS[action](api, auth, things)
    permission = PERMISSIONS[action, *cell]
    if permission is Permission.YES:
        assert response.status_code < 300, response.text
    elif permission is Permission.NO:
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    else:
        assert response.status_code == 404
        assert response.json()["code"] in _HIDDEN


@pytest.mark.parametrize("action", list(Action))
async def test_without_a_token_only_providers_and_slots_are_open(
    region: tuple[Api, Things], action: Action
) -> None:
    """Everything else is 401, with the challenge that HTTP asks for."""
    api, things = region
    response = await _ASKS[action](api, {}, things)
    if action in PUBLIC:
        assert response.status_code == 200
    else:
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("action", list(Action))
async def test_a_bad_token_is_refused_even_where_none_is_needed(
    region: tuple[Api, Things], action: Action
) -> None:
    """A client whose token has expired must hear of it everywhere."""
    api, things = region
    response = await _ASKS[action](api, {"Authorization": "Bearer no"}, things)
    assert response.status_code == 401


async def test_a_hidden_object_and_a_missing_one_look_the_same(
    region: tuple[Api, Things],
) -> None:
    """Ids cannot be probed: both answers are equal to the byte."""
    api, things = region
    for auth in (api.patient(2), api.doctor("prv_2"), api.clinic_admin("cln_2")):
        hidden = await api.client.get(f"/v1/bookings/{things.booking}", headers=auth)
        missing = await api.client.get("/v1/bookings/bkg_1.none", headers=auth)
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json()["code"] == missing.json()["code"]
        assert hidden.json()["detail"] == missing.json()["detail"]


async def test_a_patient_cannot_confirm_by_naming_the_owner(
    region: tuple[Api, Things],
) -> None:
    """Naming another patient is forbidden, whatever else is in the body."""
    api, things = region
    body = {"hold_id": things.hold, "patient_id": "pat_1"}
    response = await api.client.post("/v1/bookings", json=body, headers=api.patient(2))
    assert response.status_code == 403


async def test_staff_must_say_for_whom(region: tuple[Api, Things]) -> None:
    """A doctor has no patient of their own to book for."""
    api, _ = region
    for path in ("/v1/holds", "/v1/bookings"):
        response = await api.client.post(path, json=slot(), headers=api.doctor())
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "patient_id"


async def test_a_provider_who_moves_clinic_is_found_out(
    region: tuple[Api, Things],
) -> None:
    """The old clinic's administrator loses access as soon as the profile changes."""
    api, _ = region
    path, old = "/v1/providers/prv_1", api.clinic_admin("cln_1")
    assert (await api.client.get(f"{path}/schedule", headers=old)).status_code == 200
    moved = _PROFILE | {"clinic": _PROFILE["clinic"] | {"clinic_id": "cln_2"}}  # type: ignore[operator]
    await api.client.put(path, json=moved, headers=api.admin())
    assert (await api.client.get(f"{path}/schedule", headers=old)).status_code == 403
