"""Suspended providers: nothing is booked, by whatever way; bookings stay."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.domain.rules import Profile
from tests import factories as make
from tests.fakes.api import Api, slot

PATH = "/v1/providers/prv_1"


async def _post(api: Api, path: str, body: Any = None, **auth: str) -> Any:
    return await api.client.post(path, json=body, headers=auth or api.admin())


async def test_a_suspended_provider_is_not_booked_in_any_way(api: Api) -> None:
    """Not by search, id, an old hold, moving, or staff; a booking stays as it is."""
    await api.add_provider(1)
    mine, ten = api.patient(1), slot(start="2026-08-10T10:00:00Z")
    held = (await _post(api, "/v1/holds", slot(), **mine)).json()
    booked = (await _post(api, "/v1/bookings", ten, **mine)).json()
    done = await _post(api, f"{PATH}/suspend")
    assert done.json()["suspended"] is True
    affected = [one["booking_id"] for one in done.json()["affected"]]
    assert affected == [booked["booking_id"]]
    await api.project()
    eleven = slot(start="2026-08-10T11:00:00Z")
    for path, body, auth in (
        ("/v1/bookings", {"hold_id": held["hold_id"]}, mine),
        ("/v1/bookings", slot(), mine),
        ("/v1/bookings", eleven, mine),
        ("/v1/bookings", eleven | {"patient_id": "pat_2"}, api.clinic_admin()),
        ("/v1/holds", eleven, mine),
        (
            f"/v1/bookings/{booked['booking_id']}/reschedule",
            {"start": eleven["start"]},
            mine,
        ),
    ):
        answer = await _post(api, path, body, **auth)
        assert answer.json()["code"] == "slot_not_offered", (path, body)
    slots = await api.client.get(f"{PATH}/slots?from=2026-08-10")
    assert slots.json()["slots"] == []
    assert (await api.client.get("/v1/providers")).json()["items"] == []
    assert (await api.client.get(PATH)).json()["suspended"] is True
    where = f"/v1/bookings/{booked['booking_id']}"
    assert (await api.client.get(where, headers=mine)).json()["status"] == "booked"


async def test_a_suspension_ends_by_its_end_alone(api: Api) -> None:
    """Neither a new profile nor reinstating ends it; afterwards holds serve again."""
    await api.add_provider(1)
    mine = api.patient(1)
    held = (await _post(api, "/v1/holds", slot(), **mine)).json()
    await _post(api, f"{PATH}/suspend")
    await api.ports.calendars.ask(make.register(profile=make.a_profile(1)))
    await _post(api, f"{PATH}/reinstate")
    assert (await api.client.get(PATH)).json()["suspended"] is True
    await _post(api, f"{PATH}/unsuspend")
    confirmed = await _post(api, "/v1/bookings", {"hold_id": held["hold_id"]}, **mine)
    assert confirmed.status_code == 201, confirmed.text


def test_profiles_of_older_journals_are_not_suspended() -> None:
    """Their events have no such field."""
    told = msgspec.to_builtins(make.a_profile(1))
    told.pop("suspended", None)
    assert not msgspec.convert(told, Profile).suspended
