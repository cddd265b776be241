"""Slots of visits that need rooms: free where enough of them are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import permutations

import pytest

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import SlotsView
from actors.domain.messages.reads import ReadWeek
from actors.domain.rules import Need, Profile, Resource, ResourceKind
from actors.errors import Unavailable
from actors.ports import Request
from gateway.calendars.members.choosing import chosen, in_order, pools
from tests import factories as make
from tests.fakes.api import Api, open_api
from tests.fixtures.resources import (
    A_ROOM,
    SCAN,
    add_resource,
    offer_scans,
    states,
    take_leave,
)

ROOM, DEVICE = ResourceKind.ROOM, ResourceKind.EQUIPMENT
DAY = "2026-08-10"
TEN, ELEVEN = f"{DAY}T10:00:00Z", f"{DAY}T11:00:00Z"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as opened:
        await opened.add_provider()
        await opened.project()
        yield opened


async def test_a_slot_is_free_while_one_room_is(api: Api) -> None:
    """With all rooms away it is booked; where none is open it is not offered."""
    await offer_scans(api)
    assert await states(api) == {}
    rooms = [await add_resource(api, f"Room {n}") for n in (1, 2)]
    assert set((await states(api)).values()) == {"free"}
    assert len(await states(api)) == 16
    await take_leave(api, rooms[0], TEN, ELEVEN)
    assert set((await states(api)).values()) == {"free"}
    await take_leave(api, rooms[1], TEN, ELEVEN)
    found = await states(api)
    assert {"10:00", "10:30"} & found.keys() == set()
    assert (found["09:30"], found["11:00"]) == ("free", "free")
    assert await states(api, day="2026-08-12") == {}  # no room on Wednesdays


async def test_a_room_is_needed_with_the_buffers_of_the_visit(api: Api) -> None:
    """A visit that needs ten minutes before and after leaves as much between."""
    await offer_scans(api, *A_ROOM, buffer_before=30)
    room = await add_resource(api, "Room 1")
    await api.ports.calendars.ask(
        make.place_hold(
            provider_id=room,
            hold_id=make.a_hold_id(1, room),
            patient_id="",
            visit_type="0+30+0",
            start=make.at(10),
            by_staff=True,
        )
    )
    found = await states(api)
    assert {time for time, state in found.items() if state == "held"} == {
        "10:00",
        "10:30",
    }


async def test_plain_visits_ask_no_room(api: Api) -> None:
    """Their slots, tags and positions are as they were."""
    await offer_scans(api)
    path = f"/v1/providers/prv_1/slots?visit_type=consult&from={DAY}&to={DAY}"
    answer = await api.client.get(path)
    assert {one["state"] for one in answer.json()["slots"]} == {"free"}
    tag = answer.headers["etag"]
    assert tag.startswith('W/"1.')
    same = await api.client.get(path, headers={"If-None-Match": tag})
    assert same.status_code == 304


async def test_a_tag_changes_with_a_room_and_with_nothing_else(api: Api) -> None:
    """304 while no room's change can be seen, although other calendars moved."""
    await offer_scans(api)
    room = await add_resource(api, "Room 1")
    path = f"/v1/providers/prv_1/slots?visit_type=scan&from={DAY}&to={DAY}"
    first = await api.client.get(path)
    tag = first.headers["etag"]
    await take_leave(api, room, "2026-09-10", "2026-09-11")
    same = await api.client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.headers["etag"]) == (304, tag)
    await take_leave(api, room, TEN, ELEVEN)
    other = await api.client.get(path, headers={"If-None-Match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag


async def test_a_room_whose_calendar_is_away_counts_as_taken(api: Api) -> None:
    """The others are offered: one silent shard does not hide all slots."""
    await offer_scans(api)
    rooms = [await add_resource(api, f"Room {n}") for n in (1, 2)]
    ask, silent = api.ports.calendars.ask, set(rooms[:1])

    async def asked(request: Request) -> object:
        if getattr(request, "provider_id", None) in silent:
            raise Unavailable("away")
        return await ask(request)

    members = api.app.state.services.members
    members._calendars = type("Away", (), {"ask": staticmethod(asked)})()
    assert set((await states(api)).values()) == {"free"}
    silent.update(rooms)
    assert set((await states(api)).values()) == {"booked"}


async def test_retired_rooms_are_not_taken(api: Api) -> None:
    """Nor those of another clinic."""
    await offer_scans(api)
    room = await add_resource(api, "Room 1")
    path = f"/v1/providers/{room}/retire"
    await api.client.post(path, headers=api.clinic_admin())
    await api.project()
    await api.add_provider(2, clinic=make.a_clinic(2))
    await offer_scans(api, number=2)
    other = Profile("Room 9", "", make.a_clinic(2), resource=Resource(ROOM))
    nine = ProviderId("prv_room9")
    for command in (
        make.register(provider_id=nine, profile=other),
        make.set_availability(
            make.an_availability().__class__((make.a_location(),), ()),
            provider_id=nine,
        ),
    ):
        await api.ports.calendars.ask(command)
    await api.project()
    assert await states(api) == {}
    assert set((await states(api, "prv_2")).values()) == {"free"}


async def test_the_week_of_a_calendar_says_what_its_visits_need(api: Api) -> None:
    """To gateways: by which visit type rooms are held. Plain ones say nothing."""
    await offer_scans(api, *A_ROOM, buffer_after=10)
    week = await api.ports.calendars.ask(ReadWeek(make.PROVIDER, SCAN, "2026-W33"))
    assert isinstance(week, SlotsView)
    assert week.members is not None
    assert (week.members.visit_type, week.members.needs) == ("0+30+10", A_ROOM)
    plain = await api.ports.calendars.ask(
        ReadWeek(make.PROVIDER, make.CONSULT, "2026-W33")
    )
    assert isinstance(plain, SlotsView)
    assert plain.members is None


def known(
    *resources: tuple[str, ResourceKind, Sequence[str]],
) -> list[tuple[ProviderId, Profile]]:
    return [
        (
            ProviderId(f"prv_{name}"),
            Profile(name, "", make.a_clinic(), resource=Resource(kind, tuple(tags))),
        )
        for name, kind, tags in resources
    ]


SOME = known(
    ("a", ROOM, ["x"]), ("b", ROOM, []), ("c", ROOM, ["x", "y"]), ("d", DEVICE, ["x"])
)


@pytest.mark.parametrize(
    "needs",
    [
        (Need(ROOM), Need(ROOM, "x")),
        (Need(ROOM, "x"), Need(ROOM, "y"), Need(ROOM)),
        (Need(ROOM, "y"), Need(ROOM, "x", 2)),
        (Need(ROOM, count=3), Need(DEVICE)),
        (Need(DEVICE, count=2),),
    ],
    ids=str,
)
def test_members_are_chosen_whenever_there_are_enough(
    needs: tuple[Need, ...],
) -> None:
    """Against trying every order; no room stands for two."""
    everyone = [one for one, _ in SOME]
    for count in range(len(everyone) + 1):
        for free in permutations(everyone, count):
            of_places = pools(needs, SOME, make.PROVIDER, 1)
            found = chosen(of_places, set(free))
            possible = any(
                all(one in pool for one, pool in zip(some, of_places, strict=True))
                for some in permutations(free, len(of_places))
            )
            assert (found is not None) is possible
            if found is not None:
                assert len(set(found)) == len(found)
                assert set(found) <= set(free)


def test_not_every_visit_wants_the_first_room_first() -> None:
    """Over providers and days each room is the first choice of some."""
    firsts = {
        pools((Need(ROOM),), SOME, make.a_provider_id(n), day)[0][0]
        for n in range(9)
        for day in range(9)
    }
    assert firsts == {"prv_a", "prv_b", "prv_c"}


def test_all_visits_hold_their_members_in_one_order() -> None:
    """Equipment before rooms, then by id: of two rivals one gets all."""
    for members in permutations(["prv_a", "prv_d", "prv_c"]):
        found = in_order([ProviderId(one) for one in members], SOME)
        assert found == ("prv_d", "prv_a", "prv_c")
