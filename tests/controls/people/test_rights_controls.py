"""Controls of the table of rights: with the table's word removed, each attack succeeds.

The attacks are in tests/unit/gateway/access/test_rights.py, and in the tests of
suspended providers and of removed members.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.calendar.state import CalendarState
from actors.domain.ids import ProviderId, VisitTypeId
from gateway.access.ended_grants import EndedGrants
from gateway.access.rights import PERMISSIONS, Access, Action, Permission, Relation
from gateway.access.tokens import Caller, Role
from gateway.app.operations import all_operations
from gateway.live.core.topic_names import schedule_topic, slots_topic
from gateway.live.sessions import commands as socket_commands
from gateway.live.sessions.commands import SocketCommands, Spelling
from gateway.wire.errors import RequestError
from persistence.readmodel.memory import directory
from tests import factories as make
from tests.fakes import roster
from tests.fakes.api import Api, slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, open_live_api
from tests.fixtures.accounts import signed
from tests.fixtures.rights_region import (
    ASKS,
    CELLS,
    Things,
    bearer_of,
    caller_of,
    rights_region,
)

REVOKED = 4501


@pytest.fixture
async def region(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Api, Things]]:
    """Two providers in two clinics, and what is theirs."""
    async with rights_region(request, tmp_path) as opened:
        yield opened


def _allow_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Access, "decide", lambda *_all, **_more: Permission.YES)


_FOREIGN_READS = (
    Action.READ_BOOKING,
    Action.READ_PROFILE,
    Action.READ_NOTES,
    Action.READ_MEMBERS,
    Action.DECIDE_APPLICATION,
    Action.REVIEW_GLASS,
    Action.READ_API_CLIENTS,
    Action.READ_AUDIT,
    Action.EXPORT_AUDIT,
)
"""Reads with cells that hide, where staff of another clinic name a real id."""


@pytest.mark.parametrize("action", _FOREIGN_READS)
async def test_a_table_that_hides_nothing_shows_foreign_objects(
    region: tuple[Api, Things], monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    """Each such cell answers with the object, and not like a missing one."""
    api, things = region
    cells = [
        cell
        for cell in CELLS
        if PERMISSIONS[action, *cell] is Permission.HIDE
        and cell[0] in (Role.DOCTOR, Role.STAFF, Role.CLINIC_ADMIN)
    ]
    assert cells
    _allow_all(monkeypatch)
    for cell in cells:
        auth = bearer_of(api, caller_of(api, action, cell))
        shown = await ASKS[action](api, auth, things)
        assert shown.status_code == 200, (cell, shown.text)


async def test_a_calendar_that_asks_no_owner_shows_bookings_to_other_patients(
    region: tuple[Api, Things], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To patients the calendar itself hides what belongs to others."""
    api, things = region
    path = f"/v1/bookings/{things.booking}"
    other = signed(api, "patient", "pat_2")
    assert (await api.client.get(path, headers=other)).status_code == 404
    monkeypatch.setattr(Caller, "patient_id", property(lambda _self: None))
    monkeypatch.setattr(Caller, "is_staff", property(lambda _self: True))
    _allow_all(monkeypatch)
    assert (await api.client.get(path, headers=other)).status_code == 200


async def test_a_service_that_is_not_bound_to_its_clinic_reads_another(
    region: tuple[Api, Things], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scopes hold the action; only the relation keeps it out."""
    api, _ = region
    scopes = ("read_schedule",)
    service = signed(api, "service", "cln_1", scopes=scopes)
    path = "/v1/providers/prv_2/schedule"
    assert (await api.client.get(path, headers=service)).status_code == 403

    async def own(*_all: Any) -> Relation:
        return Relation.OWN

    monkeypatch.setattr(Access, "_to_calendar", own)
    assert (await api.client.get(path, headers=service)).status_code == 200


_STAFF_OPS = {
    "check_in": ("check_in_booking", "booking_id"),
    "suspend": ("suspend_provider", "provider_id"),
    "retire": ("retire_provider", "provider_id"),
    "schedule": ("read_schedule", "provider_id"),
    "hours": ("read_availability", "provider_id"),
    "leave": ("list_time_off", "provider_id"),
}


@pytest.mark.parametrize("op", list(_STAFF_OPS))
async def test_a_socket_that_carried_staff_actions_would_ask_the_same_table(
    region: tuple[Api, Things], monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    """A patient is refused even then; with the table's word gone it is done."""
    api, things = region
    services = api.app.state.services
    assert not SocketCommands(all_operations(services), services.limits).knows(op)
    spelling = Spelling(*_STAFF_OPS[op])
    monkeypatch.setattr(socket_commands, "COMMANDS", {op: spelling})
    commands = SocketCommands(all_operations(services), services.limits)
    assert commands.knows(op), "the operation has another name"
    told = {"booking_id": things.booking, "provider_id": "prv_1"}
    said = {"op": op, "id": 1, spelling.path_field: told[spelling.path_field]}
    caller = caller_of(api, Action.BOOK, (Role.PATIENT, Relation.OWN))
    with pytest.raises(RequestError) as found:
        await commands.begin(op, caller, "", json.dumps(said))
    assert found.value.code == "forbidden"
    _allow_all(monkeypatch)
    assert (await commands.begin(op, caller, "", json.dumps(said))).status == 200


async def test_a_calendar_that_knows_no_suspension_is_booked(
    region: tuple[Api, Things], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an old hold and by a slot's start; with the guard both are refused."""
    api, things = region
    mine = api.patient(1)
    done = await api.client.post("/v1/providers/prv_1/suspend", headers=api.admin())
    assert done.status_code == 200, done.text
    asked = ({"hold_id": things.hold}, slot(start="2026-08-10T13:00:00Z"))
    for body in asked:
        answer = await api.client.post("/v1/bookings", json=body, headers=mine)
        assert answer.json()["code"] == "slot_not_offered"
    monkeypatch.setattr(CalendarState, "suspended", False)
    answer = await api.client.post("/v1/bookings", json=asked[0], headers=mine)
    assert answer.status_code == 201, answer.text


async def test_a_directory_that_knows_no_suspension_finds_them(
    region: tuple[Api, Things], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search leaves a suspended doctor out, and nothing else hides them there."""
    api, _ = region
    await api.client.post("/v1/providers/prv_1/suspend", headers=api.admin())
    await api.project()

    async def found() -> set[str]:
        await api.app.state.services.hearing.live.step()
        listed = await api.client.get("/v1/providers")
        return {one["provider_id"] for one in listed.json()["items"]}

    assert await found() == {"prv_2"}
    monkeypatch.setattr(directory, "_fits", lambda *_: True)
    monkeypatch.setattr(roster, "is_listed", lambda _profile: True)
    assert await found() == {"prv_1", "prv_2"}


@pytest.fixture
async def live() -> AsyncIterator[LiveApi]:
    async with open_live_api(clock=SteppedClock(make.NOW)) as opened:
        yield opened


@pytest.mark.parametrize("guarded", [True, False])
async def test_removed_staff_who_watch_a_schedule_get_no_frame_more(
    live: LiveApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The socket closes with the membership; without its end the next booking shows."""
    api = live.api
    if not guarded:

        async def stay(*_all: Any) -> None:
            return None

        monkeypatch.setattr(EndedGrants, "end", stay)
    token = signed(api, "staff", "cln_1", grant="mem_gone")["Authorization"]
    async with live.client() as staff:
        await staff.ask("auth", token=token.removeprefix("Bearer "))
        await staff.send("subscribe", topics=[schedule_topic(ProviderId("prv_1")).wire])
        await staff.until("snapshot")
        revoked = api.app.state.services.authenticator.revoked
        await EndedGrants(None, revoked, api.clock).end("mem_gone")
        seen = len(staff.frames)
        booked = await api.client.post(
            "/v1/bookings", json=slot(), headers=api.patient()
        )
        assert booked.status_code == 201
        if guarded:
            assert await staff.closed() == REVOKED
            assert {one["t"] for one in staff.frames[seen:]} <= {"bye"}
        else:
            delta = await staff.until("delta")
            assert booked.json()["booking_id"] in json.dumps(delta)


@pytest.mark.parametrize("guarded", [True, False])
async def test_the_feed_of_a_suspended_doctor_offers_nothing(
    live: LiveApi, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Its watchers are told at once; a calendar that knows no suspension offers on."""
    api = live.api
    if not guarded:
        monkeypatch.setattr(CalendarState, "suspended", False)
    topic = slots_topic(ProviderId("prv_1"), VisitTypeId("consult"), "2026-W33").wire
    async with live.client() as watcher:
        await watcher.send("subscribe", topics=[topic])
        before = await watcher.until("snapshot")
        assert before["slots"]
        path = "/v1/providers/prv_1/suspend"
        done = await api.client.post(path, headers=api.admin())
        assert done.status_code == 200
        if guarded:
            told = dict((await watcher.until("delta"))["slots"])
            assert set(told.values()) == {"gone"}
            assert len(told) == len(before["slots"])
            return
        await watcher.send("unsubscribe", topics=[topic])
        await watcher.send("subscribe", topics=[topic])
        assert (await watcher.until("snapshot"))["slots"] == before["slots"]
