"""A leave takes visits that have a room: what stands in for them has one, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import BookingId
from actors.domain.messages.answers import BookingView, ScheduleView
from actors.domain.messages.reads import ReadBooking, ReadSchedule
from tests import factories as make
from tests.fixtures.accounts import AccountApi, account_api, signed
from tests.fixtures.resources import (
    SCAN,
    add_resource,
    groups_of,
    is_settled,
    offer_scans,
    parts,
    take,
)

TEN = "2026-08-17T10:00:00Z"
DAY = {"start": "2026-08-17T00:00:00Z", "end": "2026-08-18T00:00:00Z"}
DAYS = 60


class Scans:
    """Two doctors of a clinic with one room, and a scan of patient 1 on a Monday."""

    def __init__(self, api: AccountApi, booking: str) -> None:
        self.api, self.booking = api, BookingId(booking)
        self.patient = signed(api.api, "patient", "pat_1", account="acc_3")
        self.path = f"/v1/bookings/{booking}/equivalents"

    async def proposed(self) -> list[dict[str, Any]]:
        answer = await self.api.client.get(self.path, headers=self.patient)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["equivalents"])

    async def choose(self, time: dict[str, Any]) -> Any:
        body = {"provider_id": time["provider_id"], "start": time["start"]}
        headers = self.patient
        answer = await self.api.client.post(self.path, json=body, headers=headers)
        await groups_of(self.api.api).settled()
        return answer

    async def visit(self) -> BookingView:
        read = ReadBooking(make.PROVIDER, self.booking)
        view = await self.api.api.ports.calendars.ask(read)
        assert isinstance(view, BookingView)
        return view


@pytest.fixture
async def scans(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scans]:
    async with account_api(request, tmp_path) as made:
        api = made.api
        for number in (1, 2):
            await api.add_provider(number)
        await api.project()
        for number in (1, 2):
            await offer_scans(api, number=number)
        await add_resource(api, "Room 1")
        await api.project()
        slot = {"provider_id": "prv_1", "visit_type": SCAN, "start": TEN}
        patient = signed(api, "patient", "pat_1", account="acc_3")
        booked = await made.client.post("/v1/bookings", json=slot, headers=patient)
        assert booked.status_code == 201, booked.text
        await groups_of(api).settled()
        await api.project()
        await api.app.state.services.hearing.live.step()
        path = "/v1/providers/prv_1/time-off"
        doctor = signed(api, "doctor", "prv_1")
        left = await made.client.post(path, json=DAY, headers=doctor)
        assert left.status_code == 201, left.text
        yield Scans(made, booked.json()["booking_id"])
        await groups_of(api).settled()


async def of_room(scans: Scans) -> list[BookingView]:
    return (await parts(scans.api.api, DAYS))["Room 1"]


async def test_times_are_proposed_for_which_a_room_is_free(scans: Scans) -> None:
    """The colleague is free at ten, but the room is the visit's own."""
    times = await scans.proposed()
    assert len(times) == 3
    starts = {(one["provider_id"], one["start"]) for one in times}
    assert ("prv_2", TEN) not in starts
    assert ("prv_2", "2026-08-17T09:30:00Z") in starts


async def test_another_day_is_taken_with_the_room(scans: Scans) -> None:
    """Visit and room move as one."""
    own = next(one for one in await scans.proposed() if one["same_provider"])
    done = await scans.choose(own)
    assert done.status_code == 200, done.text
    assert done.json()["outcome"] == "moved"
    visit = await scans.visit()
    assert visit.stranded == ""
    (part,) = await of_room(scans)
    assert (part.start, part.visit) == (visit.start, visit.booking_id)
    assert await is_settled(scans.api.api)


async def test_a_colleague_is_taken_with_the_room(scans: Scans) -> None:
    """The new visit has it, and that of the old one is free."""
    other = next(o for o in await scans.proposed() if o["provider_id"] == "prv_2")
    done = await scans.choose(other)
    assert done.status_code == 200, done.text
    assert (await scans.visit()).status == "cancelled"
    (part,) = await of_room(scans)
    assert part.start == make.at(9, 30, day=7)
    read = ReadSchedule(make.a_provider_id(2), make.at(0), make.at(0, day=DAYS))
    view = await scans.api.api.ports.calendars.ask(read)
    assert isinstance(view, ScheduleView)
    assert [one.booking_id for one in view.bookings] == [part.visit]
    assert await is_settled(scans.api.api)


async def test_a_room_that_is_gone_by_then_leaves_the_visit(scans: Scans) -> None:
    """The answer says so, and other times are proposed."""
    other = next(o for o in await scans.proposed() if o["provider_id"] == "prv_2")
    (part,) = await of_room(scans)
    await take(scans.api.api, part.provider_id, make.at(9, 30, day=7))
    done = await scans.choose(other)
    assert (done.status_code, done.json()["code"]) == (409, "slot_unavailable")
    assert (await scans.visit()).status == "booked"
    assert len(await of_room(scans)) == 1
    assert other["start"] not in {
        one["start"] for one in await scans.proposed() if not one["same_provider"]
    }
