"""Offers of visits that take a room, over REST: the answer says when there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.domain.ids import ProviderId
from tests import factories as make
from tests.fakes.api import slot
from tests.fixtures.accounts import account_api, code_of
from tests.fixtures.resources import (
    SCAN,
    add_resource,
    groups_of,
    is_settled,
    offer_scans,
    parts,
    take,
)
from tests.unit.gateway.patients.test_waiting import EARLY, LATE, Desk

NINE = make.at(9, day=2)
HOURS = {"wednesday": [{"opens": "09:00", "closes": "17:00"}]}


class Scans(Desk):
    """A desk whose doctor's scans take the one room."""

    room: ProviderId

    async def scan(self, number: int, start: str = EARLY) -> str:
        body, who = slot("prv_1", start) | {"visit_type": SCAN}, self.patient(number)
        made = await self.client.post("/v1/bookings", json=body, headers=who)
        assert made.status_code == 201, made.text
        await groups_of(self.api).settled()
        return str(made.json()["booking_id"])

    async def accept(self, hold: str) -> Any:
        answer = await self.answer(1, hold, "accept")
        await groups_of(self.api).settled()
        return answer

    async def freed(self) -> str:
        """Of the fourth patient's scan; the hold that the first is offered."""
        path = f"/v1/bookings/{await self.scan(4)}/cancel"
        done = await self.client.post(path, headers=self.patient(4))
        assert done.status_code == 200, done.text
        await groups_of(self.api).settled()
        await self.work()
        (offer,) = await self.offers(1)
        assert (offer["visit_type"], offer["start"]) == (SCAN, EARLY)
        return str(offer["hold_id"])

    async def of_room(self) -> list[tuple[int, str | None]]:
        (found,) = (await parts(self.api, 7)).values()
        return [(one.start, one.visit) for one in found]


@pytest.fixture
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scans]:
    async with account_api(request, tmp_path) as site:
        await site.api.add_provider()
        made = Scans(site)
        made.room = await add_resource(site.api, "Room", hours=HOURS)
        await offer_scans(site.api)
        await site.api.project()
        yield made
        await groups_of(site.api).settled()


async def test_an_offer_is_accepted_with_its_room(desk: Scans) -> None:
    """Accepted again, the answer is the visit."""
    await desk.join(1, visit_type=SCAN)
    hold = await desk.freed()
    assert await desk.of_room() == []
    booked = await desk.accept(hold)
    assert booked.status_code == 200, booked.text
    assert await desk.of_room() == [(NINE, booked.json()["booking_id"])]
    again = await desk.accept(hold)
    assert again.json()["booking_id"] == booked.json()["booking_id"]
    assert await desk.offers(1) == []
    assert await is_settled(desk.api)


async def test_an_earlier_visit_takes_its_room_along(desk: Scans) -> None:
    """The later one's is given back with it; the visit keeps its id."""
    visit = await desk.scan(1, LATE)
    await desk.join(1, visit_type=SCAN, booking_id=visit)
    moved = await desk.accept(await desk.freed())
    assert moved.status_code == 200, moved.text
    assert (moved.json()["booking_id"], moved.json()["start"]) == (visit, EARLY)
    assert await desk.of_room() == [(NINE, visit)]
    assert await is_settled(desk.api)


async def test_without_a_room_the_offer_stands(desk: Scans) -> None:
    """The answer says what is missing, the visit that it would replace stays, and the
    patient can still decline."""
    visit = await desk.scan(1, LATE)
    await desk.join(1, visit_type=SCAN, booking_id=visit)
    hold = await desk.freed()
    await take(desk.api, desk.room, NINE)
    refused = await desk.accept(hold)
    assert code_of(refused) == (409, "resource_unavailable")
    assert "room" in refused.json()["detail"]
    assert [one["hold_id"] for one in await desk.offers(1)] == [hold]
    assert await desk.of_room() == [(make.at(14, day=2), visit)]
    assert (await desk.answer(1, hold, "decline")).status_code == 204
    assert await desk.offers(1) == []
