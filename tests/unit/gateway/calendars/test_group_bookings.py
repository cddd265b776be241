"""Visits with rooms, over REST: held, booked, moved and given up as one.

One file because each test looks at the same rooms, whatever ended in the middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import ScheduleView
from actors.domain.messages.commands import (
    AbortGroup,
    ConfirmHold,
    PlaceHold,
    SettleGroup,
)
from actors.domain.messages.reads import ReadGroups, ReadSchedule
from actors.domain.messages.refusals import NO_HOLD
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
    offer_scans,
    parts,
    resolve,
    resources,
    states,
    take,
    taken,
)

ROOM, DEVICE = ResourceKind.ROOM, ResourceKind.EQUIPMENT
TEN, ELEVEN = "2026-08-10T10:00:00Z", "2026-08-10T11:00:00Z"
SLOT = {"provider_id": "prv_1", "visit_type": SCAN, "start": TEN}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A doctor whose scans take a room and a device; two rooms, one device."""
    async with open_api() as opened:
        await opened.add_provider()
        await opened.project()
        await offer_scans(opened, Need(ROOM), Need(DEVICE, "ultrasound"))
        for name in ("Room 1", "Room 2"):
            await add_resource(opened, name)
        await add_resource(opened, "Scanner", "equipment", "ultrasound")
        await opened.project()
        yield opened
        await groups_of(opened).settled()


async def post(
    api: Api, path: str, body: Any = None, key: str = "", patient: int = 1
) -> Any:
    headers = api.patient(patient) | ({"Idempotency-Key": key} if key else {})
    answer = await api.client.post(f"/v1/{path}", json=body, headers=headers)
    await groups_of(api).settled()
    return answer


async def test_a_visit_is_held_and_booked_with_all_it_takes(api: Api) -> None:
    """One room and the device are the visit's, and know no patient."""
    held = await post(api, "holds", SLOT)
    assert held.status_code == 201, held.text
    assert await states(api) | {"10:00": "held"} == await states(api)
    booked = await post(api, "bookings", {"hold_id": held.json()["hold_id"]})
    assert booked.status_code == 201, booked.text
    found = await parts(api)
    visits = [view for some in found.values() for view in some]
    assert len(visits) == 2
    assert {view.patient_id for view in visits} == {""}
    assert {view.visit for view in visits} == {booked.json()["booking_id"]}
    assert {view.start for view in visits} == {make.at(10)}
    assert "Scanner" in await taken(api)
    assert await is_settled(api)


async def test_a_free_slot_is_booked_at_once_with_all_it_takes(api: Api) -> None:
    """Also the second time, when the gateway knows what the visit type takes."""
    for start in (TEN, ELEVEN):
        booked = await post(api, "bookings", SLOT | {"start": start})
        assert booked.status_code == 201, booked.text
        assert booked.json()["status"] == "booked"
    assert len((await parts(api))["Scanner"]) == 2
    assert await is_settled(api)


async def test_of_two_doctors_one_gets_the_device(api: Api) -> None:
    """The other is told that the slot is taken, and holds nothing."""
    await api.add_provider(2)
    await offer_scans(api, Need(ROOM), Need(DEVICE), number=2)
    first = await post(api, "bookings", SLOT)
    second = await post(api, "bookings", SLOT | {"provider_id": "prv_2"}, patient=2)
    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["code"] == "slot_unavailable"
    assert len(await taken(api)) == 2
    assert await is_settled(api)


async def test_of_two_that_ask_at_once_one_gets_all(api: Api) -> None:
    """Whatever the order in which their visit types say what they need: each has asked
    for its first before either gets it."""
    await api.add_provider(2)
    await offer_scans(api, Need(ROOM), Need(DEVICE), number=1, minutes=45)
    await offer_scans(api, Need(DEVICE), Need(ROOM), number=2, minutes=45)
    await take(api, (await resources(api))["Room 2"])
    asked: set[str] = set()
    both = asyncio.Event()

    async def meet(request: Request) -> None:
        if isinstance(request, PlaceHold) and request.group is not None:
            asked.add(request.group.group_id)
            if len(asked) > 1:
                both.set()
            await both.wait()

    other = SLOT | {"provider_id": "prv_2"}
    async with before(api, meet):
        answers = await asyncio.gather(
            post(api, "bookings", SLOT), post(api, "bookings", other, patient=2)
        )
    assert sorted(one.status_code for one in answers) == [201, 409]
    assert await taken(api) == {"Room 1", "Scanner"}
    assert await is_settled(api)


async def test_a_room_is_not_free_for_the_move_of_anothers_visit(api: Api) -> None:
    """The answer is that of a visit that there is not, to the byte."""
    first = await post(api, "bookings", SLOT)
    assert first.status_code == 201, first.text
    held: list[Request] = []

    async def note(request: Request) -> None:
        if isinstance(request, PlaceHold):
            held.append(request)

    names = first.json()["booking_id"], "bkg_1.none"
    async with before(api, note):
        answers = [
            await post(api, "holds", SLOT | {"moving": one}, patient=2) for one in names
        ]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].json() == answers[1].json()
    assert not [one for one in held if isinstance(one, PlaceHold) and one.group]


async def test_a_proxy_is_not_told_of_a_confidential_visit(api: Api) -> None:
    """Not by a hold that has become one, either."""
    held = (await post(api, "holds", SLOT)).json()["hold_id"]
    confirm = {"hold_id": held, "confidential": True}
    assert (await post(api, "bookings", confirm)).status_code == 201
    command = make.confirm_hold(
        hold_id=held, owner=make.a_patient_id(1), key="proxy", proxy=True
    )
    answer = await groups_of(api).take(command)
    assert answer == NO_HOLD
    answer = await groups_of(api).take(replace(command, proxy=False))
    assert getattr(answer, "code", "") == "hold_confirmed"


async def test_a_room_that_was_taken_meanwhile_is_replaced(api: Api) -> None:
    """What was shown free may be gone: another room is chosen, the first let go."""
    rooms = await resources(api)
    wanted = {rooms["Room 1"], rooms["Room 2"]}
    lost: list[ProviderId] = []

    async def rival(request: Request) -> None:
        if not isinstance(request, PlaceHold) or lost:
            return
        if request.provider_id in wanted:
            lost.append(request.provider_id)
            await take(api, request.provider_id)

    async with before(api, rival):
        booked = await post(api, "bookings", SLOT)
    assert booked.status_code == 201, booked.text
    assert len(lost) == 1
    assert await taken(api) == {
        "Scanner",
        next(name for name, one in rooms.items() if one in wanted - set(lost)),
    }


async def test_the_same_request_repeated_is_one_visit(api: Api) -> None:
    """Held and booked, also at another gateway, which has nothing in memory."""
    held = await post(api, "holds", SLOT, key="k1")
    other = api.app.state.services
    other.groups._wanted.clear()
    again = await post(api, "holds", SLOT, key="k1")
    assert again.json()["hold_id"] == held.json()["hold_id"]
    body = {"hold_id": held.json()["hold_id"]}
    first = await post(api, "bookings", body, key="k2")
    second = await post(api, "bookings", body, key="k2")
    assert first.json() == second.json()
    late = await post(api, "holds", SLOT, key="k1")
    assert late.json()["hold_id"] == held.json()["hold_id"]
    at_once = [
        await post(api, "bookings", SLOT | {"start": ELEVEN}, key="k3") for _ in "ab"
    ]
    assert at_once[0].json() == at_once[1].json()
    assert {len(some) for some in (await parts(api)).values()} <= {0, 1, 2}
    assert len((await parts(api))["Scanner"]) == 2
    assert await is_settled(api)


async def test_a_key_is_of_one_request(api: Api) -> None:
    """Another visit under the same key is refused, also by a gateway that has not seen
    the first, and knows what the visit type takes."""
    await post(api, "bookings", SLOT | {"start": "2026-08-10T15:00:00Z"})
    assert (await post(api, "holds", SLOT, key="k1")).status_code == 201
    api.app.state.services.commands._fingerprints.clear()
    other = await post(api, "holds", SLOT | {"start": ELEVEN}, key="k1")
    assert other.json()["code"] == "idempotency_key_reused"
    assert (await states(api))["11:00"] == "free"


async def test_a_released_hold_frees_all_it_took(api: Api) -> None:
    """At once, not when the rooms' holds become doubtful."""
    held = await post(api, "holds", SLOT)
    path = f"/v1/holds/{held.json()['hold_id']}"
    done = await api.client.delete(path, headers=api.patient())
    await groups_of(api).settled()
    assert done.status_code == 204, done.text
    assert (await states(api))["10:00"] == "free"
    other = await post(api, "bookings", SLOT, patient=2)
    assert other.status_code == 201, other.text


async def test_a_cancelled_visit_frees_all_it_took(api: Api) -> None:
    """By its patient, and by staff."""
    for who in (api.patient(), api.clinic_admin()):
        booked = await post(api, "bookings", SLOT)
        assert len(await taken(api)) == 2
        path = f"/v1/bookings/{booked.json()['booking_id']}/cancel"
        done = await api.client.post(path, headers=who)
        await groups_of(api).settled()
        assert done.status_code == 200, done.text
        assert await taken(api) == set()
        assert (await states(api))["10:00"] == "free"
        assert await is_settled(api)


@pytest.mark.parametrize("start", [ELEVEN, "2026-08-10T10:15:00Z"])
@pytest.mark.parametrize("by_hold", [False, True])
async def test_a_visit_moves_with_all_it_takes(
    api: Api, start: str, by_hold: bool
) -> None:
    """Also by a quarter of an hour, over its own time in the same room."""
    await offer_scans(api, Need(ROOM), Need(DEVICE), alignment=15)
    booked = (await post(api, "bookings", SLOT)).json()
    target = {"start": start}
    if by_hold:
        asked = SLOT | {"start": start, "moving": booked["booking_id"]}
        held = await post(api, "holds", asked)
        assert held.status_code == 201, held.text
        target = {"hold_id": held.json()["hold_id"]}
    path = f"bookings/{booked['booking_id']}/reschedule"
    moved = await post(api, path, target)
    assert moved.status_code == 200, moved.text
    assert moved.json()["start"] == start
    found = await parts(api)
    visits = [view for some in found.values() for view in some]
    at = make.at(11) if start == ELEVEN else make.at(10, 15)
    assert [view.start for view in visits] == [at, at]
    assert await is_settled(api)


async def test_a_move_that_is_refused_changes_nothing(api: Api) -> None:
    """The device is taken there: the visit stays with its own."""
    booked = (await post(api, "bookings", SLOT)).json()
    await take(api, (await resources(api))["Scanner"], make.at(11))
    before_it = await parts(api)
    path = f"bookings/{booked['booking_id']}/reschedule"
    moved = await post(api, path, {"start": ELEVEN})
    assert (moved.status_code, moved.json()["code"]) == (409, "slot_unavailable")
    assert await parts(api) == before_it
    assert await is_settled(api)


async def test_plain_visits_ask_one_calendar(api: Api) -> None:
    """The commands of a plain hold and booking are what they were."""
    await post(api, "bookings", SLOT)  # what takes rooms is known by now
    asked: list[Request] = []

    async def note(request: Request) -> None:
        asked.append(request)

    async with before(api, note):
        plain = SLOT | {"visit_type": "consult", "start": ELEVEN}
        held = await post(api, "holds", plain)
        await post(api, "bookings", {"hold_id": held.json()["hold_id"]})
    assert [type(one).__name__ for one in asked] == ["PlaceHold", "ConfirmHold"]


async def test_a_patient_sees_one_visit(api: Api) -> None:
    """Neither lists nor limits count rooms, and the read model names no patient."""
    booked = await post(api, "bookings", SLOT)
    await api.project()
    own = await api.client.get("/v1/bookings", headers=api.patient())
    assert own.status_code == 200, own.text
    ids = [one["booking_id"] for one in own.json()["items"]]
    assert ids == [booked.json()["booking_id"]]


async def test_a_patient_learns_which_room_it_is(api: Api) -> None:
    """Rooms first; no other patient, and nothing of a plain visit."""
    booked = (await post(api, "bookings", SLOT)).json()["booking_id"]
    path = f"/v1/bookings/{booked}/resources"
    own = await api.client.get(path, headers=api.patient())
    assert own.status_code == 200, own.text
    names = [(one["kind"], one["name"]) for one in own.json()["items"]]
    assert [kind for kind, _ in names] == ["room", "equipment"]
    assert {name for _, name in names} == await taken(api)
    missing = f"/v1/bookings/{make.a_booking_id(9)}/resources"
    others = [
        await api.client.get(one, headers=api.patient(2)) for one in (path, missing)
    ]
    assert {one.status_code for one in others} == {404}
    assert others[0].content == others[1].content
    plain = SLOT | {"visit_type": "consult", "start": ELEVEN}
    other = (await post(api, "bookings", plain)).json()["booking_id"]
    path = f"/v1/bookings/{other}/resources"
    assert (await api.client.get(path, headers=api.patient())).json() == {"items": []}


KILLED: dict[str, Callable[[Request], bool]] = {
    "before any member": lambda r: isinstance(r, PlaceHold),
    "between the members": lambda r: (
        isinstance(r, PlaceHold) and r.group is not None and r.provider_id > "prv_1"
    ),
    "before the primary": lambda r: (
        isinstance(r, PlaceHold) and bool(r.group and r.group.members)
    ),
    "before the commit": lambda r: isinstance(r, ConfirmHold) and r.visit is None,
    "before the members are told": lambda r: (
        isinstance(r, ConfirmHold) and r.visit is not None
    ),
    "before it is settled": lambda r: isinstance(r, SettleGroup),
}


@pytest.mark.parametrize("instant", KILLED)
async def test_a_gateway_that_ends_in_the_middle_leaves_all_or_none(
    api: Api, instant: str
) -> None:
    """Nothing of it is sent from an instant on; a resolver settles what is left."""
    is_instant, dead = KILLED[instant], [False]

    async def killed(request: Request) -> None:
        dead[0] = dead[0] or is_instant(request)
        if dead[0] and not isinstance(request, ReadSchedule | ReadGroups):
            raise Unavailable("killed")

    async with before(api, killed):
        await post(api, "bookings", SLOT, key="k1")
    assert dead[0]
    await resolve(api)
    visit = await api.ports.calendars.ask(
        ReadSchedule(make.PROVIDER, make.at(0), make.at(24))
    )
    assert isinstance(visit, ScheduleView)
    assert len(await taken(api)) == 2 * len(visit.bookings)
    assert await is_settled(api)
    again = await post(api, "bookings", SLOT, key="k1")
    assert again.status_code == 201, again.text
    await resolve(api)
    assert len(await taken(api)) == 2
    assert await is_settled(api)


@pytest.mark.parametrize("instant", KILLED)
async def test_the_request_of_a_gateway_that_ended_goes_on_at_another(
    api: Api, instant: str
) -> None:
    """At once: what the first one holds is this request's own, and no rival's."""
    is_instant, dead = KILLED[instant], [False]

    async def killed(request: Request) -> None:
        dead[0] = dead[0] or is_instant(request)
        if dead[0]:
            raise Unavailable("killed")

    async with before(api, killed):
        await post(api, "bookings", SLOT, key="k1")
    again = await post(api, "bookings", SLOT, key="k1")
    assert again.status_code == 201, again.text
    await resolve(api)
    assert len(await taken(api)) == 2
    assert await is_settled(api)


async def test_a_hold_that_is_live_is_not_taken_from_its_patient(api: Api) -> None:
    """The resolver waits while the primary's hold lives, however often extended."""
    held = await post(api, "holds", SLOT)
    name = held.json()["hold_id"]
    api.clock.step(100)
    assert (await post(api, f"holds/{name}/extend")).status_code == 200
    api.clock.step(60)  # past the deadline of the rooms' holds
    later = await resolve(api, ahead=0)
    assert later > api.clock.now()
    booked = await post(api, "bookings", {"hold_id": name})
    assert booked.status_code == 201, booked.text
    assert len(await taken(api)) == 2


async def test_control_rooms_freed_before_the_primary_decided(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the primary's word, a late booking of it has no room."""
    groups = groups_of(api)

    async def hasty(primary: ProviderId, group_id: Any, members: Any) -> None:
        await groups._release(group_id, members)

    async def give_up(request: Request) -> None:
        assert not isinstance(request, AbortGroup), "it is not asked"

    held = await post(api, "holds", SLOT)
    monkeypatch.setattr(groups, "_give_up", hasty)
    name = held.json()["hold_id"]
    group = await groups.members_of(name, make.PROVIDER)
    assert group is not None
    async with before(api, give_up):
        groups.give_up(group)
        await groups.settled()
        booked = await post(api, "bookings", {"hold_id": name})
    assert booked.status_code == 201
    assert await taken(api) == set()


async def test_a_key_of_another_request_does_not_end_its_visit(api: Api) -> None:
    """Two gateways, one key, two starts: the second is refused at the first calendar
    that knows the key, and the first one is booked."""
    second: list[Any] = []

    async def rival(request: Request) -> None:
        is_last = isinstance(request, PlaceHold) and request.provider_id == "prv_1"
        if is_last and not second:
            second.append(None)
            groups_of(api)._commands._fingerprints.clear()  # of the other gateway
            body = SLOT | {"start": ELEVEN}
            headers = api.patient() | {"Idempotency-Key": "k"}
            second[0] = await api.client.post(
                "/v1/bookings", json=body, headers=headers
            )

    groups_of(api).any_known = True
    await post(api, "holds", SLOT | {"start": "2026-08-11T09:00:00Z"}, patient=3)
    async with before(api, rival):
        first = await post(api, "bookings", SLOT, key="k")
    assert first.status_code == 201, first.text
    assert second[0].json()["code"] == "idempotency_key_reused"
    assert len(await taken(api)) == 2
    assert await is_settled(api)
