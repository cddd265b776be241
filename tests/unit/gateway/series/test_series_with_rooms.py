"""A course of treatment whose visits take a room and a device each.

One file because each test looks at the same rooms on the same three Mondays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.domain.messages.answers import ScheduleView
from actors.domain.messages.commands import (
    AbortGroup,
    BookMany,
    ConfirmHold,
    PlaceHold,
)
from actors.domain.messages.reads import ReadBooking, ReadGroups, ReadSchedule
from actors.domain.rules import Need, ResourceKind
from actors.errors import Unavailable
from actors.ports import Request
from tests import factories as make
from tests.fixtures.accounts import AccountApi, account_api, code_of
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
    take,
)

WEEKS = ("2026-08-10T10:00:00Z", "2026-08-17T10:00:00Z", "2026-08-24T10:00:00Z")
DAYS = 28
"""What is looked at."""


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """A doctor whose scans take a room and a device; two rooms, one device."""
    async with account_api(request, tmp_path) as made:
        api = made.api
        await api.add_provider(1)
        await api.project()
        device = Need(ResourceKind.EQUIPMENT)
        await offer_scans(api, Need(ResourceKind.ROOM), device)
        await add_resource(api, "Room 1")
        await add_resource(api, "Room 2")
        await add_resource(api, "Scanner", "equipment")
        await api.project()
        yield made
        await groups_of(api).settled()


def wanted(**more: Any) -> dict[str, Any]:
    rule = {"unit": "week", "first": "2026-08-10", "time": "10:00", "count": 3}
    return {"provider_id": "prv_1", "visit_type": SCAN, "rule": rule} | more


async def post(
    api: AccountApi, path: str, body: Any, key: str = "", patient: int = 1
) -> httpx.Response:
    keyed = {"Idempotency-Key": key} if key else {}
    answer = await api.client.post(
        f"/v1/series{path}", json=body, headers=api.api.patient(patient) | keyed
    )
    await groups_of(api.api).settled()
    return answer


async def placed(api: AccountApi, **more: Any) -> dict[str, Any]:
    answer = await post(api, "", wanted(**more))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def take_scanner(api: AccountApi, day: int, hour: int = 10) -> None:
    """Another doctor's visit has the device."""
    scanner = (await resources(api.api))["Scanner"]
    await take(api.api, scanner, make.at(hour, day=day))


async def visits(api: AccountApi) -> list[int]:
    """When the doctor's booked visits are."""
    read = ReadSchedule(make.PROVIDER, make.at(0), make.at(0, day=DAYS))
    view = await api.api.ports.calendars.ask(read)
    assert isinstance(view, ScheduleView)
    return [one.start for one in view.bookings if one.status == "booked"]


async def of_rooms(api: AccountApi) -> list[int]:
    """When rooms are taken, by visits that are booked there."""
    found = await parts(api.api, DAYS)
    return sorted(v.start for name in ("Room 1", "Room 2") for v in found[name])


async def of_scanner(api: AccountApi) -> list[int]:
    """When the device is taken."""
    return sorted(v.start for v in (await parts(api.api, DAYS))["Scanner"])


async def test_a_preview_says_for_which_dates_a_room_is_free(api: AccountApi) -> None:
    """Taken where the doctor is free and the device is not; what is proposed instead
    has both."""
    await take_scanner(api, 7)
    await take_scanner(api, 7, hour=9)
    answer = await post(api, "/preview", wanted())
    assert answer.status_code == 200, answer.text
    dates = answer.json()["dates"]
    assert [one["state"] for one in dates] == ["free", "taken", "free"]
    assert dates[1]["alternatives"] == ["2026-08-17T09:30:00Z", "2026-08-17T10:30:00Z"]


async def test_a_series_is_booked_with_all_it_takes(api: AccountApi) -> None:
    """A room and the device on each date."""
    series = await placed(api)
    assert [one["status"] for one in series["visits"]] == ["booked"] * 3
    starts = [make.at(10, day=day) for day in (0, 7, 14)]
    assert await visits(api) == starts
    assert await of_rooms(api) == starts
    assert await of_scanner(api) == starts
    assert await is_settled(api.api)


async def test_all_or_nothing_leaves_no_room_behind(api: AccountApi) -> None:
    """The device is taken on the last date: the answer names it, and what was held for
    the first ones is free at once."""
    await take_scanner(api, 14)
    answer = await post(api, "", wanted(), key="k-1")
    assert code_of(answer) == (409, "slot_unavailable")
    assert "2026-08-24T10:00Z" in answer.json()["detail"]
    assert await visits(api) == []
    assert await of_rooms(api) == []
    assert (await post(api, "", wanted(), key="k-1")).status_code == 409
    assert await is_settled(api.api)
    rule = wanted()["rule"] | {"count": 2}
    other = await post(api, "", wanted(rule=rule), patient=2)
    assert other.status_code == 201, other.text


async def test_it_is_answered_that_none_is_booked_once_that_is_decided(
    api: AccountApi,
) -> None:
    """Another gateway with the same request cannot book them afterwards: the calendar
    has decided against what was held before it is asked what became of it."""
    await take_scanner(api, 14)
    asked: list[Request] = []

    async def note(request: Request) -> None:
        asked.append(request)

    async with before(api.api, note):
        assert (await post(api, "", wanted())).status_code == 409
    held = {
        one.group.group_id
        for one in asked
        if isinstance(one, PlaceHold) and one.group is not None and one.patient_id
    }
    looked = max(n for n, one in enumerate(asked) if isinstance(one, ReadBooking))
    ended = {one.group_id for one in asked[:looked] if isinstance(one, AbortGroup)}
    assert len(held) == 2
    assert held <= ended


async def test_else_each_is_booked_by_itself_with_a_report(api: AccountApi) -> None:
    """What failed has alternatives for which there are rooms."""
    await take_scanner(api, 7)
    series = await placed(api, all_or_nothing=False)
    assert [one["state"] for one in series["visits"]] == ["placed", "failed", "placed"]
    failed = series["visits"][1]
    assert failed["code"] == "slot_unavailable"
    assert failed["alternatives"] == ["2026-08-17T09:30:00Z", "2026-08-17T10:30:00Z"]
    assert await of_rooms(api) == await visits(api)
    body = {"number": 2, "scope": "this", "start": failed["alternatives"][1]}
    moved = await post(api, f"/{series['series_id']}/move", body)
    assert [one["done"] for one in moved.json()["results"]] == [True], moved.text
    assert await of_rooms(api) == await visits(api)
    assert len(await visits(api)) == 3


async def test_what_is_cancelled_and_moved_takes_its_rooms_along(
    api: AccountApi,
) -> None:
    """This and following, by a week over one another's times; then all but one end."""
    series = await placed(api)
    path = f"/{series['series_id']}"
    body = {"number": 2, "scope": "following", "start": "2026-08-17T10:30:00Z"}
    moved = await post(api, f"{path}/move", body)
    assert [one["done"] for one in moved.json()["results"]] == [True] * 2, moved.text
    starts = [make.at(10), make.at(10, 30, day=7), make.at(10, 30, day=14)]
    assert await of_rooms(api) == await of_scanner(api) == starts
    ended = await post(api, f"{path}/cancel", {"number": 2, "scope": "following"})
    assert [one["done"] for one in ended.json()["results"]] == [True] * 2, ended.text
    assert await of_rooms(api) == await of_scanner(api) == starts[:1]
    assert await is_settled(api.api)


COMMIT = "before all are booked"
KILLED: dict[str, Callable[[Request], bool]] = {
    "before anything is held": lambda r: isinstance(r, PlaceHold),
    "between two dates": lambda r: (
        isinstance(r, PlaceHold) and r.start == make.at(10, day=7)
    ),
    "before the last date's doctor": lambda r: (
        isinstance(r, PlaceHold)
        and r.start == make.at(10, day=14)
        and bool(r.group and r.group.members)
    ),
    COMMIT: lambda r: isinstance(r, BookMany) and r.key.startswith("g-"),
    "before the rooms are told": lambda r: (
        isinstance(r, ConfirmHold) and r.visit is not None
    ),
}


@pytest.mark.parametrize("instant", KILLED)
async def test_a_gateway_that_ends_in_the_middle_leaves_all_or_none(
    api: AccountApi, instant: str
) -> None:
    """Nothing of it is sent from an instant on: what is left is settled, and repeated
    the request is the same series."""
    is_instant, dead = KILLED[instant], [False]

    async def killed(request: Request) -> None:
        dead[0] = dead[0] or is_instant(request)
        if dead[0] and not isinstance(request, ReadSchedule | ReadGroups):
            raise Unavailable("killed")

    async with before(api.api, killed):
        await post(api, "", wanted(), key="k-1")
    assert dead[0]
    await resolve(api.api)
    assert len(await visits(api)) in (0, 3)
    assert await of_rooms(api) == await of_scanner(api) == await visits(api)
    assert await is_settled(api.api)
    again = await post(api, "", wanted(), key="k-1")
    assert again.status_code == 201, again.text
    await resolve(api.api)
    assert await of_rooms(api) == await of_scanner(api) == await visits(api)
    assert len(await visits(api)) == 3


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("instant", ["before the last date's doctor", COMMIT])
async def test_the_request_goes_on_at_once_with_what_it_holds(
    api: AccountApi, instant: str, whole: bool
) -> None:
    """Repeated before its holds are over, it is no rival of its own: neither for all of
    its dates nor for each by itself."""
    is_instant, dead = KILLED[instant], [False]
    more = wanted(all_or_nothing=whole)

    async def killed(request: Request) -> None:
        dead[0] = dead[0] or is_instant(request)
        if dead[0]:
            raise Unavailable("killed")

    async with before(api.api, killed):
        await post(api, "", more, key="k-1")
    assert dead[0]
    api.api.clock.step(1)
    again = await post(api, "", more, key="k-1")
    assert again.status_code == 201, again.text
    assert len(await visits(api)) == 3
    assert await of_rooms(api) == await visits(api)
    assert await is_settled(api.api)
