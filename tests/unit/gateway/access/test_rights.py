"""The whole table of authorization, asked over HTTP and the socket, cell by cell.

Cells that allow a write are in test_rights_writing.py: each needs a region of its own.
One file because its tests walk one table.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from actors.domain.ids import Millis, ProviderId
from care.accounts.accounts import PROOF_MS
from gateway.access.rights import (
    NEEDS_ACCOUNT,
    PERMISSIONS,
    PUBLIC,
    Action,
    Permission,
    Relation,
    owner_of,
)
from gateway.access.tokens import Caller, Role
from gateway.app.operations import all_operations
from gateway.app.routers import EVERY_ROUTER
from gateway.http.features import RIGHT_OF
from gateway.live.core.topic_names import me_topic, schedule_topic
from gateway.live.sessions.commands import SocketCommands
from gateway.live.sessions.permits import allow_topic
from gateway.wire.errors import Forbidden, Refused, RequestError
from gateway.wire.problems import of_error
from tests.fakes.api import Api, slot
from tests.fixtures.rights_region import (
    ASKS,
    CELLS,
    OWN,
    PROFILE,
    READS,
    Things,
    bearer_of,
    caller_of,
    replace_things,
    rights_region,
)


@pytest.fixture
async def region(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Api, Things]]:
    """Two providers in two clinics, and what is theirs."""
    async with rights_region(request, tmp_path) as opened:
        yield opened


def test_the_table_has_every_cell() -> None:
    """No action, role or relation is without a permission, and each is tested below."""
    assert set(PERMISSIONS) == {(a, *cell) for a in Action for cell in CELLS}
    assert set(ASKS) | {Action.TOPIC_ME} == set(Action)


def test_those_who_are_not_staff_never_do_what_staff_do() -> None:
    """A slip in the table that let them into a schedule would show here."""
    for role in (Role.PATIENT, Role.GUARDIAN, Role.AUDITOR):
        for action in _STAFF_ONLY:
            for relation in Relation:
                assert PERMISSIONS[action, role, relation] is Permission.NO


_STAFF_ONLY = (
    Action.OVERBOOK,
    Action.CANCEL_SESSION,
    Action.CHECK_IN,
    Action.COMPLETE,
    Action.MARK_NO_SHOW,
    Action.UNDO,
    Action.READ_SCHEDULE,
    Action.READ_AVAILABILITY,
    Action.SET_AVAILABILITY,
    Action.READ_TIME_OFF,
    Action.ADD_TIME_OFF,
    Action.REMOVE_TIME_OFF,
    Action.READ_LEAVE_VISITS,
    Action.SETTLE_LEAVE_VISIT,
    Action.REGISTER_PROVIDER,
    Action.EDIT_PROVIDER_PROFILE,
    Action.NAME_PROVIDER,
    Action.RETIRE_PROVIDER,
    Action.REINSTATE_PROVIDER,
    Action.PUT_CLINIC,
    Action.READ_RESOURCES,
    Action.MANAGE_RESOURCES,
    Action.RETIRE_CLINIC,
    Action.REACTIVATE_CLINIC,
    Action.EDIT_PROVIDER_ENTRY,
    Action.EDIT_CLINIC_ENTRY,
    Action.EDIT_SPECIALTIES,
    Action.READ_REPORTS,
    Action.READ_PLATFORM_REPORTS,
    Action.READ_JOBS,
    Action.RESEND_JOBS,
    Action.READ_CLUSTER,
)


def test_a_new_role_is_no_staff_unless_it_is_named() -> None:
    """What is neither a patient nor named as staff acts on no hold and no booking."""
    for role in Role:
        caller = Caller(role, OWN[role], Millis(1))
        if role in (Role.PATIENT, Role.GUARDIAN):
            assert owner_of(caller) == "pat_1"
        elif role in (
            Role.DOCTOR,
            Role.STAFF,
            Role.CLINIC_ADMIN,
            Role.ADMIN,
            Role.SERVICE,
        ):
            assert owner_of(caller) is None
        else:
            with pytest.raises(Forbidden):
                owner_of(caller)


@pytest.mark.parametrize("action", list(ASKS))
async def test_every_cell_that_denies_is_what_http_answers(
    region: tuple[Api, Things], action: Action
) -> None:
    """n is 403; h is 404, equal to the byte to what a missing object gets."""
    api, things = region
    missing = replace_things(things, action)
    for cell in CELLS:
        permission = PERMISSIONS[action, *cell]
        if permission.allows:
            continue
        auth = bearer_of(api, caller_of(api, action, cell))
        response = await ASKS[action](api, auth, things)
        if permission is Permission.NO:
            assert (response.status_code, response.json()["code"]) == (
                403,
                "forbidden",
            ), cell
            continue
        absent = await ASKS[action](api, auth, missing)
        assert response.status_code == absent.status_code == 404, (cell, response.text)
        assert response.content == absent.content, cell


@pytest.mark.parametrize("action", READS)
async def test_every_cell_that_allows_reading_is_what_http_answers(
    region: tuple[Api, Things], action: Action
) -> None:
    """Everything but n and h is 200."""
    api, things = region
    for cell in CELLS:
        if PERMISSIONS[action, *cell].allows:
            auth = bearer_of(api, caller_of(api, action, cell))
            response = await ASKS[action](api, auth, things)
            assert response.status_code == 200, (cell, response.text)


@pytest.mark.parametrize("action", [a for a in ASKS if a in NEEDS_ACCOUNT])
async def test_tokens_without_an_account_have_no_part_in_accounts(
    region: tuple[Api, Things], action: Action
) -> None:
    """Demo tokens are refused with account_required, whatever their role."""
    api, things = region
    for role in Role:
        response = await ASKS[action](api, api.auth(role, OWN[role]), things)
        said = (response.status_code, response.json()["code"])
        assert said == (403, "account_required"), role


@pytest.mark.parametrize("action", list(ASKS))
async def test_what_needs_two_factors_or_a_fresh_proof_says_which(
    region: tuple[Api, Things], action: Action
) -> None:
    """F and B: level 1 is refused. R and B: ten minutes after the proof too."""
    api, things = region
    for cell in CELLS:
        permission = PERMISSIONS[action, *cell]
        caller = caller_of(api, action, cell, level=1)
        if caller.identity is None or not permission.allows:
            continue
        if permission.needs_second_factor:
            response = await ASKS[action](api, bearer_of(api, caller), things)
            assert response.json()["code"] == "second_factor_required", cell
        if permission.needs_fresh_proof:
            caller = caller_of(api, action, cell)
            assert caller.identity is not None
            old = replace(caller.identity, proved_at=Millis(api.clock.now() - PROOF_MS))
            auth = bearer_of(api, replace(caller, identity=old))
            response = await ASKS[action](api, auth, things)
            assert response.json()["code"] == "reauthentication_required", cell


_SOCKET = {
    "hold": Action.PLACE_HOLD,
    "extend": Action.EXTEND_HOLD,
    "release": Action.RELEASE_HOLD,
    "book": Action.BOOK,
    "cancel": Action.CANCEL_BOOKING,
    "reschedule": Action.RESCHEDULE_BOOKING,
}


@pytest.mark.parametrize("op", list(_SOCKET))
async def test_every_cell_that_denies_is_what_the_socket_answers(
    region: tuple[Api, Things], op: str
) -> None:
    """The same errors as REST, for every command; patients find no staff action."""
    api, things = region
    services = api.app.state.services
    commands = SocketCommands(all_operations(services), services.limits)
    assert set(commands.operations) == set(_SOCKET)
    action = _SOCKET[op]
    for cell in CELLS:
        permission = PERMISSIONS[action, *cell]
        if permission.allows:
            continue
        caller = caller_of(api, action, cell)
        message = json.dumps({"op": op, "id": 1, **_said(op, things)})
        with pytest.raises((RequestError, Refused)) as found:
            await commands.begin(op, caller, "", message)
        told = of_error(found.value)
        assert told.status == (403 if permission is Permission.NO else 404), cell


def _said(op: str, things: Things) -> dict[str, str]:
    if op in ("hold", "book"):
        return slot(start="2026-08-10T12:00:00Z") | {"patient_id": things.patient}
    if op in ("extend", "release"):
        return {"hold_id": things.hold}
    where = {"booking_id": things.booking}
    return where | ({"start": "2026-08-10T15:00:00Z"} if op == "reschedule" else {})


async def test_every_cell_of_topics_is_what_the_socket_answers(
    region: tuple[Api, Things],
) -> None:
    """Schedules are the calendar's and its clinic's; ``me`` is any caller's own."""
    api, _ = region
    access = api.app.state.services.access
    schedule, mine = schedule_topic(ProviderId("prv_1")), me_topic("pat_1")
    for cell in CELLS:
        for action, name in ((Action.READ_SCHEDULE, schedule), (Action.TOPIC_ME, mine)):
            caller = caller_of(api, action, cell)
            if PERMISSIONS[action, *cell].allows:
                await allow_topic(access, caller, name)
            else:
                with pytest.raises(Forbidden):
                    await allow_topic(access, caller, name)


async def test_a_scope_never_widens_a_role(region: tuple[Api, Things]) -> None:
    """A service without the action, a guardian below the scope: 403 on their own."""
    api, things = region
    booking = Action.CANCEL_BOOKING
    for role, scopes in (
        (Role.SERVICE, ("read_booking",)),
        (Role.SERVICE, ()),
        (Role.GUARDIAN, ("view",)),
        (Role.GUARDIAN, ("cancel_booking",)),
    ):
        caller = caller_of(api, booking, (role, Relation.OWN))
        auth = bearer_of(api, replace(caller, scopes=scopes))
        response = await ASKS[booking](api, auth, things)
        assert response.status_code == 403, (role, scopes)
    foreign = caller_of(api, booking, (Role.STAFF, Relation.OTHER))
    auth = bearer_of(api, replace(foreign, scopes=("manage", "cancel_booking")))
    assert (await ASKS[booking](api, auth, things)).status_code == 404


async def test_broken_glass_opens_one_patients_bookings(
    region: tuple[Api, Things],
) -> None:
    """An administrator with an account sees nothing without it, or for another."""
    api, things = region
    reading = Action.READ_BOOKING
    admin = caller_of(api, reading, (Role.ADMIN, Relation.OTHER))
    for scopes, status in (((), 404), (("glass:pat_2",), 404), (("glass:pat_1",), 200)):
        auth = bearer_of(api, replace(admin, scopes=scopes))
        assert (await ASKS[reading](api, auth, things)).status_code == status


async def test_the_roles_page_is_the_table(region: tuple[Api, Things]) -> None:
    """Administrators read of each role what it may do, and nothing else is said."""
    api, things = region
    cell = (Role.ADMIN, Relation.OWN)
    auth = bearer_of(api, caller_of(api, Action.READ_ROLES, cell))
    answer = (await ASKS[Action.READ_ROLES](api, auth, things)).json()
    told = {
        (one["action"], role["role"], relation): one[relation]
        for role in answer["items"]
        for one in role["rights"]
        for relation in ("own", "other")
    }
    assert told == {
        cell: permission.name.lower() for cell, permission in PERMISSIONS.items()
    }


def test_every_route_with_an_object_says_what_its_right_is_on() -> None:
    """A path parameter whose route checks nothing about it is a door left open."""
    for router in EVERY_ROUTER:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            right_of = (route.openapi_extra or {})[RIGHT_OF]
            objects = [
                name
                for name in ("clinic", "provider", "patient")
                if f"{{{name}_id}}" in route.path
            ]
            assert not objects or right_of == objects[0], route.path
            if "{" in route.path:
                assert right_of not in ("", "caller"), route.path


@pytest.mark.parametrize("action", list(ASKS))
async def test_without_a_token_only_providers_and_slots_are_open(
    region: tuple[Api, Things], action: Action
) -> None:
    """Everything else is 401, with the challenge that HTTP asks for."""
    api, things = region
    response = await ASKS[action](api, {}, things)
    if action in PUBLIC:
        assert response.status_code == 200
    else:
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("action", list(ASKS))
async def test_a_bad_token_is_refused_even_where_none_is_needed(
    region: tuple[Api, Things], action: Action
) -> None:
    """A client whose token has expired must hear of it everywhere."""
    api, things = region
    response = await ASKS[action](api, {"Authorization": "Bearer no"}, things)
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
    moved = PROFILE | {"clinic": PROFILE["clinic"] | {"clinic_id": "cln_2"}}  # type: ignore[operator]
    await api.client.put(path, json=moved, headers=api.admin())
    assert (await api.client.get(f"{path}/schedule", headers=old)).status_code == 403
