"""Staff overbook a doctor for a visit that takes a room, which is taken as any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from actors.domain.messages.answers import BookingView, ScheduleView
from actors.domain.messages.commands import BookSlot, ConfirmHold, PlaceHold
from actors.domain.messages.reads import ReadGroups, ReadSchedule
from actors.domain.rules import Need, ResourceKind
from actors.errors import Unavailable
from actors.ports import Request
from tests import factories as make
from tests.fakes.api import Api, open_api
from tests.fixtures.resources import (
    SCAN,
    add_resource,
    before,
    groups_of,
    is_settled,
    parts,
    resolve,
    resources,
    take,
)

TEN = "2026-08-10T10:00:00Z"
WHY: dict[str, Any] = {"overbook": True, "reason": "cannot wait"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A doctor with three lanes, booked at ten by patient 1; two rooms."""
    async with open_api() as opened:
        await opened.add_provider()
        await opened.project()
        kind = make.a_visit_type(SCAN, needs=(Need(ResourceKind.ROOM),))
        rules = replace(make.an_availability(kind), lanes=3)
        command = make.set_availability(rules, key="lanes")
        assert type(await opened.ports.calendars.ask(command)).__name__ == "Affected"
        await add_resource(opened, "Room 1")
        await add_resource(opened, "Room 2")
        await opened.project()
        booked = await book(opened, 1, who=opened.patient(1))
        assert booked.status_code == 201, booked.text
        yield opened
        await groups_of(opened).settled()


async def book(
    api: Api,
    patient: int,
    key: str = "",
    who: dict[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    body = {"provider_id": "prv_1", "visit_type": SCAN, "start": TEN, **more}
    if who is None:
        body["patient_id"] = make.a_patient_id(patient)
    headers = (who or api.doctor()) | ({"Idempotency-Key": key} if key else {})
    answer = await api.client.post("/v1/bookings", json=body, headers=headers)
    await groups_of(api).settled()
    return answer


async def visits(api: Api) -> list[BookingView]:
    read = ReadSchedule(make.PROVIDER, make.at(0), make.at(24))
    view = await api.ports.calendars.ask(read)
    assert isinstance(view, ScheduleView)
    return [one for one in view.bookings if one.status == "booked"]


async def of_rooms(api: Api) -> set[str | None]:
    """The visits that have a room."""
    return {v.visit for some in (await parts(api)).values() for v in some}


async def test_an_overbooked_visit_has_a_room(api: Api) -> None:
    """The second visit at ten is in the second room; the third is refused in words, as
    there is no third room."""
    second = await book(api, 2, **WHY)
    assert second.status_code == 201, second.text
    assert sorted(one.lane for one in await visits(api)) == [0, 1]
    assert await of_rooms(api) == {one.booking_id for one in await visits(api)}
    third = await book(api, 3, **WHY)
    assert (third.status_code, third.json()["code"]) == (409, "resource_unavailable")
    assert "room" in third.json()["detail"]
    assert len(await visits(api)) == 2
    assert await is_settled(api)


async def test_a_free_time_is_booked_as_any(api: Api) -> None:
    """In lane 0, with a room."""
    eleven = await book(api, 2, start="2026-08-10T11:00:00Z", **WHY)
    assert eleven.status_code == 201, eleven.text
    assert [one.lane for one in await visits(api)] == [0, 0]
    assert len(await of_rooms(api)) == 2


async def test_lanes_that_are_full_keep_no_room(api: Api) -> None:
    """The doctor's rules refuse: the room that was held for it is free again."""
    kind = make.a_visit_type(SCAN, needs=(Need(ResourceKind.ROOM),))
    rules = replace(make.an_availability(kind), lanes=1)
    await api.ports.calendars.ask(make.set_availability(rules, key="one"))
    refused = await book(api, 2, **WHY)
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_unavailable")
    assert len(await of_rooms(api)) == 1
    assert await is_settled(api)
    rooms = await resources(api)
    (free,) = [name for name, some in (await parts(api)).items() if not some]
    await take(api, rooms[free])  # it can be had


async def test_cancelled_it_gives_its_room_back(api: Api) -> None:
    """And only that one."""
    second = (await book(api, 2, **WHY)).json()["booking_id"]
    path = f"/v1/bookings/{second}/cancel"
    done = await api.client.post(path, headers=api.doctor())
    await groups_of(api).settled()
    assert done.status_code == 200, done.text
    assert await of_rooms(api) == {one.booking_id for one in await visits(api)}
    assert len(await visits(api)) == 1
    assert await is_settled(api)


async def test_the_same_request_repeated_is_one_visit(api: Api) -> None:
    """Also when it has the last room."""
    first, again = [await book(api, 2, key="k-1", **WHY) for _ in "ab"]
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    assert len(await visits(api)) == 2
    assert await is_settled(api)


async def test_a_commit_that_is_not_answered_keeps_no_room(api: Api) -> None:
    """The doctor's calendar decides against it, and the room can be had at once."""

    async def away(request: Request) -> None:
        if isinstance(request, BookSlot) and request.group is not None:
            raise Unavailable("away")

    async with before(api, away):
        assert (await book(api, 2, **WHY)).status_code == 503
    assert len(await visits(api)) == 1
    rooms = await resources(api)
    (free,) = [name for name, some in (await parts(api)).items() if not some]
    await take(api, rooms[free])


KILLED: dict[str, Callable[[Request], bool]] = {
    "before the room is held": lambda r: isinstance(r, PlaceHold),
    "before the commit": lambda r: isinstance(r, BookSlot) and r.group is not None,
    "before the room is told": lambda r: (
        isinstance(r, ConfirmHold) and r.visit is not None
    ),
}


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("instant", KILLED)
async def test_a_gateway_that_ends_in_the_middle_leaves_all_or_none(
    api: Api, instant: str, later: bool
) -> None:
    """A resolver settles what is left; the request goes on, at once or afterwards."""
    is_instant, dead = KILLED[instant], [False]

    async def killed(request: Request) -> None:
        dead[0] = dead[0] or is_instant(request)
        if dead[0] and not isinstance(request, ReadSchedule | ReadGroups):
            raise Unavailable("killed")

    async with before(api, killed):
        await book(api, 2, key="k-1", **WHY)
    assert dead[0]
    if later:
        await resolve(api)
        assert await of_rooms(api) == {one.booking_id for one in await visits(api)}
        assert await is_settled(api)
    again = await book(api, 2, key="k-1", **WHY)
    assert again.status_code == 201, again.text
    await resolve(api)
    assert await of_rooms(api) == {one.booking_id for one in await visits(api)}
    assert len(await visits(api)) == 2
    assert await is_settled(api)
