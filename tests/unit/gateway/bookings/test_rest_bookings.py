"""Bookings over REST."""

from __future__ import annotations

import httpx
import pytest

from actors.domain.messages.answers import Reply
from actors.domain.messages.reads import ReadBooking
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.ports import Calendars, Request
from tests.fakes.api import Api, slot


async def book(
    api: Api, number: int = 1, start: str = "2026-08-10T09:00:00Z"
) -> httpx.Response:
    return await api.client.post(
        "/v1/bookings", json=slot(start=start), headers=api.patient(number)
    )


async def own(api: Api, number: int = 1, query: str = "") -> list[str]:
    """Starts and statuses of a patient's list, pages glued together."""
    found: list[str] = []
    cursor = ""
    while True:
        response = await api.client.get(
            f"/v1/bookings?{query}&cursor={cursor}", headers=api.patient(number)
        )
        assert response.status_code == 200, response.text
        page = response.json()
        found += [f"{b['start'][:16]} {b['status']}" for b in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_a_free_slot_is_booked_at_once(api: Api) -> None:
    """201 with status booked, and the reason that was given."""
    body = slot() | {"reason": "  a cough \n"}
    response = await api.client.post("/v1/bookings", json=body, headers=api.patient())
    assert response.status_code == 201
    booked = response.json()
    assert (booked["status"], booked["reason"]) == ("booked", "a cough")
    shown = await api.client.get(
        f"/v1/bookings/{booked['booking_id']}", headers=api.patient()
    )
    assert shown.json() == booked


async def test_a_hold_becomes_a_booking(api: Api) -> None:
    """Only once: the hold is spent."""
    me = api.patient()
    held = (await api.client.post("/v1/holds", json=slot(), headers=me)).json()
    body = {"hold_id": held["hold_id"]}
    first = await api.client.post("/v1/bookings", json=body, headers=me)
    second = await api.client.post("/v1/bookings", json=body, headers=me)
    assert (first.status_code, first.json()["start"]) == (201, held["start"])
    assert (second.status_code, second.json()["code"]) == (409, "hold_confirmed")
    assert second.json()["booking_id"] == first.json()["booking_id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"provider_id": "prv_1"},
        {"hold_id": "hld_1.x", "provider_id": "prv_1"},
        slot() | {"hold_id": "hld_1.x"},
        slot() | {"reason": "x" * 501},
        slot() | {"reason": "a\0b"},
        slot() | {"patient_id": "prv_1"},
        slot() | {"start": 7},
        [],
        None,
        "x",
        7,
    ],
)
async def test_a_body_that_is_not_one_of_the_two_shapes_is_422(
    api: Api, body: object
) -> None:
    """Neither, both, or half of them: invalid_request, in plain words."""
    response = await api.client.post("/v1/bookings", json=body, headers=api.patient())
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "msgspec" not in response.text
    assert "`" not in response.json()["detail"]


async def test_every_missing_field_is_named(api: Api) -> None:
    """A client can show each error at its field."""
    response = await api.client.post(
        "/v1/bookings", json={"provider_id": "prv_1"}, headers=api.patient()
    )
    assert [e["field"] for e in response.json()["errors"]] == ["visit_type", "start"]


async def test_a_booking_moves_and_keeps_its_id(api: Api) -> None:
    """Reschedule to a start, then to the slot of a hold; the old time is free."""
    me = api.patient()
    booked = (await book(api)).json()
    path = f"/v1/bookings/{booked['booking_id']}/reschedule"
    moved = await api.client.post(
        path, json={"start": "2026-08-10T10:00:00Z"}, headers=me
    )
    assert moved.status_code == 200
    assert moved.json()["booking_id"] == booked["booking_id"]
    assert (await book(api, 2)).status_code == 201
    held = await api.client.post(
        "/v1/holds", json=slot(start="2026-08-10T14:00:00Z"), headers=me
    )
    again = await api.client.post(
        path, json={"hold_id": held.json()["hold_id"]}, headers=me
    )
    assert again.json()["start"] == "2026-08-10T14:00:00Z"
    for body in ({}, {"start": "2026-08-10T10:00:00Z", "hold_id": "hld_1.x"}):
        bad = await api.client.post(path, json=body, headers=me)
        assert bad.status_code == 422
    elsewhere = await api.client.post(path, json={"hold_id": "hld_2.x"}, headers=me)
    assert elsewhere.json()["code"] == "invalid_request"


async def test_a_move_to_a_taken_slot_changes_nothing(api: Api) -> None:
    """409, and the booking is where it was."""
    booked = (await book(api)).json()
    await book(api, 2, "2026-08-10T10:00:00Z")
    path = f"/v1/bookings/{booked['booking_id']}"
    refused = await api.client.post(
        f"{path}/reschedule",
        json={"start": "2026-08-10T10:00:00Z"},
        headers=api.patient(),
    )
    assert refused.json()["code"] == "slot_unavailable"
    shown = (await api.client.get(path, headers=api.patient())).json()
    assert (shown["start"], shown["status"]) == (booked["start"], "booked")


async def test_a_visit_runs_its_course(api: Api) -> None:
    """Staff check in and complete; afterwards it cannot be cancelled."""
    booked = (await book(api)).json()
    path = f"/v1/bookings/{booked['booking_id']}"
    for verb, status in (("check-in", "arrived"), ("complete", "fulfilled")):
        response = await api.client.post(f"{path}/{verb}", headers=api.doctor())
        assert (response.status_code, response.json()["status"]) == (200, status)
    late = await api.client.post(f"{path}/cancel", headers=api.patient())
    assert (late.status_code, late.json()["code"]) == (409, "wrong_status")


async def test_a_visit_is_completed_without_check_in_only_if_staff_say_so(
    api: Api,
) -> None:
    """409 wrong_status that names the field; with it 200, and its retry the same."""
    booked = (await book(api)).json()
    path = f"/v1/bookings/{booked['booking_id']}/complete"
    plain = await api.client.post(path, headers=api.doctor())
    assert (plain.status_code, plain.json()["code"]) == (409, "wrong_status")
    assert "without_check_in" in plain.json()["detail"]
    headers = api.doctor() | {"Idempotency-Key": "seen"}
    body = {"without_check_in": True}
    said = await api.client.post(path, json=body, headers=headers)
    again = await api.client.post(path, json=body, headers=headers)
    assert (said.status_code, said.json()["status"]) == (200, "fulfilled")
    assert again.content == said.content
    other = await api.client.post(path, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_no_show_is_marked_from_the_start_on_and_undone(api: Api) -> None:
    """Before it is 409 too_early; a mistake is taken back, twice is wrong_status."""
    booked = (await book(api)).json()
    path = f"/v1/bookings/{booked['booking_id']}"
    heard = []
    api.clock.step(9 * 3600 - 1)
    for verb, later in (("no-show", 1), ("no-show", 0), ("undo", 0), ("undo", 0)):
        staff = api.clinic_admin()
        answer = await api.client.post(f"{path}/{verb}", headers=staff)
        body = answer.json()
        heard.append((answer.status_code, body.get("code") or body["status"]))
        api.clock.step(later)
    assert heard == [
        (409, "too_early"),
        (200, "noshow"),
        (200, "booked"),
        (409, "wrong_status"),
    ]


@pytest.mark.parametrize("minutes", [0, 120])
async def test_patients_change_a_visit_until_the_clinic_says(
    api: Api, minutes: int
) -> None:
    """Then cancelling and moving are 409 too_late for them, and not for staff."""
    rules = "/v1/providers/prv_1/availability"
    body = (await api.client.get(rules, headers=api.doctor())).json()
    body["change_notice_minutes"] = minutes
    answer = await api.client.put(rules, json=body, headers=api.doctor())
    assert answer.json()["change_notice_minutes"] == minutes
    shown = (await api.client.get("/v1/providers/prv_1")).json()
    assert shown["change_notice_minutes"] == minutes
    booked = (await book(api)).json()
    path = f"/v1/bookings/{booked['booking_id']}"
    api.clock.step((9 * 60 - minutes) * 60 + 1)
    to = {"start": "2026-08-10T15:00:00Z"}
    for verb, sent in (("cancel", None), ("reschedule", to)):
        late = await api.client.post(f"{path}/{verb}", json=sent, headers=api.patient())
        assert (late.status_code, late.json()["code"]) == (409, "too_late")
    for verb, sent in (("reschedule", to), ("cancel", None)):
        done = await api.client.post(f"{path}/{verb}", json=sent, headers=api.doctor())
        assert done.status_code == 200, done.text


async def test_a_cancelled_slot_is_free_again(api: Api) -> None:
    """The reason is kept; another patient can have the time."""
    booked = (await book(api)).json()
    response = await api.client.post(
        f"/v1/bookings/{booked['booking_id']}/cancel",
        json={"reason": "better now"},
        headers=api.patient(),
    )
    body = response.json()
    assert (body["status"], body["cancel_reason"]) == ("cancelled", "better now")
    assert (await book(api, 2)).status_code == 201


async def test_a_patient_sees_their_changes_before_the_projection(api: Api) -> None:
    """Read your writes: booked, moved and cancelled show at once, each booking once."""
    first = (await book(api)).json()
    await book(api, start="2026-08-10T11:00:00Z")
    assert await own(api) == ["2026-08-10T09:00 booked", "2026-08-10T11:00 booked"]
    await api.project()
    assert await own(api) == ["2026-08-10T09:00 booked", "2026-08-10T11:00 booked"]
    path = f"/v1/bookings/{first['booking_id']}"
    await api.client.post(
        f"{path}/reschedule",
        json={"start": "2026-08-10T15:00:00Z"},
        headers=api.patient(),
    )
    assert await own(api) == ["2026-08-10T11:00 booked", "2026-08-10T15:00 booked"]
    assert await own(api, query="to=2026-08-10T12:00:00Z") == [
        "2026-08-10T11:00 booked"
    ]
    await api.client.post(f"{path}/cancel", headers=api.patient())
    assert await own(api, query="status=booked") == ["2026-08-10T11:00 booked"]
    assert await own(api, query="status=cancelled") == ["2026-08-10T15:00 cancelled"]
    await api.project()
    assert await own(api, query="status=booked") == ["2026-08-10T11:00 booked"]


@pytest.mark.parametrize("projected", range(0, 9, 2))
async def test_pages_show_every_booking_once_wherever_the_projection_is(
    api: Api, projected: int
) -> None:
    """However far SQL has come, however short the pages: each booking once."""
    ids = []
    for number in range(8):
        start = f"2026-08-10T{9 + number // 2:02}:{number % 2 * 30:02}:00Z"
        body = slot(start=start) | {"patient_id": "pat_1"}  # staff: no limit
        booked = await api.client.post("/v1/bookings", json=body, headers=api.doctor())
        ids.append(booked.json()["booking_id"])
        if number == projected:
            await api.project()
    # The first moves behind all others, the last but one in front of them.
    for booking, start in (
        (ids[0], "2026-08-11T16:00:00Z"),
        (ids[6], "2026-08-10T09:00:00Z"),
    ):
        moved = await api.client.post(
            f"/v1/bookings/{booking}/reschedule",
            json={"start": start},
            headers=api.patient(),
        )
        assert moved.status_code == 200, moved.text
    expected = sorted(
        [
            "2026-08-10T09:00 booked",
            "2026-08-10T09:30 booked",
            "2026-08-10T10:00 booked",
            "2026-08-10T10:30 booked",
            "2026-08-10T11:00 booked",
            "2026-08-10T11:30 booked",
            "2026-08-10T12:30 booked",
            "2026-08-11T16:00 booked",
        ]
    )
    for limit in (1, 2, 3, 5, 50):
        assert await own(api, query=f"limit={limit}") == expected


async def test_another_gateways_change_is_not_hidden_by_ours(api: Api) -> None:
    """Our remembered view gives way when the read model has a newer one."""
    booked = (await book(api)).json()
    recent = api.app.state.services.commands.recent
    mine = dict(recent.of("pat_1"))
    path = f"/v1/bookings/{booked['booking_id']}"
    await api.client.post(f"{path}/cancel", headers=api.patient())
    await api.project()
    recent.forget(next(iter(recent.of("pat_1").values())))
    for view in mine.values():
        recent.note(view)
    assert await own(api, query="status=booked") == []


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=WzEsMl0",
        "cursor=%00",
        "status=gone",
        "from=yesterday",
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=1e2",
        "limit=" + "9" * 5000,
    ],
)
async def test_a_bad_list_query_names_its_field(api: Api, query: str) -> None:
    """422 with the parameter's name."""
    response = await api.client.get(f"/v1/bookings?{query}", headers=api.patient())
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_a_forgotten_booking_comes_from_the_history(api: Api) -> None:
    """When the calendar does not know it any more, the read model still does."""
    booked = (await book(api)).json()
    await api.project()
    calendars = Forgetful(api.ports.calendars)
    api.app.state.services.bookings._calendars = calendars
    path = f"/v1/bookings/{booked['booking_id']}"
    shown = await api.client.get(path, headers=api.patient())
    assert shown.json()["booking_id"] == booked["booking_id"]
    other = await api.client.get(path, headers=api.patient(2))
    assert other.status_code == 404


class Forgetful:
    """Calendars that have forgotten every booking."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars

    async def ask(self, request: Request) -> Reply:
        if isinstance(request, ReadBooking):
            return Refusal(RefusalCode.BOOKING_NOT_FOUND)
        return await self._calendars.ask(request)


@pytest.mark.parametrize(
    ("zone", "opens", "start"),
    [
        ("Pacific/Auckland", "09:00", "2026-08-10T21:00:00Z"),
        ("Pacific/Kiritimati", "00:00", "2026-08-10T10:00:00Z"),
        ("Asia/Kathmandu", "02:00", "2026-08-10T20:15:00Z"),
        ("America/Los_Angeles", "20:00", "2026-08-12T03:00:00Z"),
    ],
)
async def test_dates_are_those_of_the_clinic(
    api: Api, zone: str, opens: str, start: str
) -> None:
    """A visit on a clinic's Tuesday is listed on that date, whatever UTC says."""
    hours = {"tuesday": [{"opens": opens, "closes": "23:00"}]}
    rules = {
        "locations": [{"time_zone": zone, "weekly": hours}],
        "visit_types": [{"visit_type": "consult", "title": "C", "minutes": 30}],
    }
    put = await api.client.put(
        "/v1/providers/prv_1/availability", json=rules, headers=api.doctor()
    )
    assert put.status_code == 200, put.text
    assert (await book(api, start=start)).status_code == 201
    mine = [f"{start[:16]} booked"]
    for projected in (False, True):
        if projected:
            await api.project()
        assert await own(api, query="from=2026-08-11&to=2026-08-11") == mine
        assert await own(api, query="from=2026-08-10&to=2026-08-11") == mine
        assert await own(api, query="from=2026-08-10&to=2026-08-10") == []
        assert await own(api, query="from=2026-08-12&to=2026-08-13") == []
        assert await own(api, query=f"from={start}") == mine
        assert await own(api, query=f"to={start}") == []
