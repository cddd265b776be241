"""What screens read of visits with rooms: which, for which visit, where they fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.domain.rules import Need, ResourceKind
from tests.fakes.api import Api, open_api
from tests.fixtures.resources import SCAN, add_resource, offer_scans

ROOM, DEVICE = ResourceKind.ROOM, ResourceKind.EQUIPMENT
DAY = "2026-08-10"
TEN, QUARTER = f"{DAY}T10:00:00Z", f"{DAY}T10:15:00Z"
SLOT = {"provider_id": "prv_1", "visit_type": SCAN, "start": TEN}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A doctor whose scans take the only room and the only device."""
    async with open_api() as opened:
        await opened.add_provider()
        await opened.project()
        await offer_scans(opened, Need(ROOM), Need(DEVICE), alignment=15)
        yield opened
        await opened.app.state.services.groups.settled()


async def rooms(api: Api) -> list[str]:
    """A room and a device of the clinic, by id."""
    found = [await add_resource(api, "Room 1")]
    found.append(await add_resource(api, "Scanner", "equipment"))
    await api.project()
    return [str(one) for one in found]


async def booked(api: Api, **slot: str) -> dict[str, Any]:
    answer = await api.client.post(
        "/v1/bookings", json=SLOT | slot, headers=api.patient()
    )
    assert answer.status_code == 201, answer.text
    await api.app.state.services.groups.settled()
    return dict(answer.json())


async def day_of(api: Api, provider: str) -> list[dict[str, Any]]:
    answer = await api.client.get(
        f"/v1/providers/{provider}/schedule?from={DAY}&to={DAY}",
        headers=api.clinic_admin(),
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["bookings"])


async def test_a_visit_names_its_rooms_and_they_name_the_visit(api: Api) -> None:
    """On days of staff, too; the part of a room says whose visit, and no patient."""
    both = await rooms(api)
    visit = await booked(api)
    assert sorted(visit["resources"]) == sorted(both)
    assert "visit" not in visit
    (shown,) = await day_of(api, "prv_1")
    assert sorted(shown["resources"]) == sorted(both)
    for room in both:
        (part,) = await day_of(api, room)
        assert part["visit"] == visit["booking_id"]
        assert part["visit_provider_id"] == "prv_1"
        assert part["patient_id"] == ""
        assert "resources" not in part


async def test_plain_visits_say_nothing_of_rooms(api: Api) -> None:
    """Their answers are what they were, to the last field."""
    plain = await booked(api, visit_type="consult")
    assert not {"resources", "visit", "visit_provider_id"} & plain.keys()


async def test_a_provider_says_what_visits_take_besides_them(api: Api) -> None:
    """Kinds alone: which rooms there are, and for what, is the clinic's to know."""
    shown = (await api.client.get("/v1/providers/prv_1")).json()["visit_types"]
    kinds = {one["visit_type"]: one["resource_kinds"] for one in shown}
    assert kinds == {"consult": [], SCAN: ["room", "equipment"]}


async def test_a_visit_can_move_over_its_own_time_in_its_room(api: Api) -> None:
    """The slots to move it to count the time of its own rooms as free; no others do."""
    await rooms(api)
    visit = await booked(api)
    asked = {"visit_type": SCAN, "from": DAY, "to": DAY}
    path = "/v1/providers/prv_1/slots"

    async def state_at(start: str, **more: str) -> str:
        answer = await api.client.get(
            path, params=asked | more, headers=api.clinic_admin()
        )
        assert answer.status_code == 200, answer.text
        return next(
            str(one["state"]) for one in answer.json()["slots"] if one["start"] == start
        )

    assert await state_at(QUARTER) == "booked"
    assert await state_at(QUARTER, moving=visit["booking_id"]) == "free"
    other = await booked(api, start=f"{DAY}T11:00:00Z")
    eleven = f"{DAY}T11:15:00Z"
    assert await state_at(eleven, moving=visit["booking_id"]) == "booked"
    assert await state_at(eleven, moving=other["booking_id"]) == "free"


async def test_a_refusal_says_that_it_is_the_rooms(api: Api) -> None:
    """The doctor is free; the code is that of every time that is taken."""
    await rooms(api)
    await api.add_provider(2)
    await offer_scans(api, number=2)
    await booked(api)
    answer = await api.client.post(
        "/v1/bookings", json=SLOT | {"provider_id": "prv_2"}, headers=api.patient(2)
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_unavailable")
    assert "rooms" in answer.json()["detail"]
