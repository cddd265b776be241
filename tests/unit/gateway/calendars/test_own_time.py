"""A patient's own time over REST: named, used, moved, and limited."""

from __future__ import annotations

import pytest

from actors.errors import Unavailable
from tests import factories as make
from tests.fakes.api import Api, open_api, slot

NINE, HALF = "2026-08-10T09:00:00Z", "2026-08-10T09:30:00Z"


async def put_rules(api: Api, **changes: object) -> None:
    """Half-hour consultations and hour-long ones, on the half hours."""
    kinds = [
        {"visit_type": "consult", "title": "Consult", "minutes": 30},
        {"visit_type": "long", "title": "Long", "minutes": 60},
    ]
    for kind in kinds:
        kind |= {"alignment": 30, "notice_minutes": 0}
    rules = {
        "locations": [
            {
                "time_zone": "UTC",
                "weekly": {"monday": [{"opens": "09:00", "closes": "17:00"}]},
            }
        ],
        "visit_types": kinds,
    }
    answer = await api.client.put(
        "/v1/providers/prv_1/availability",
        json=rules | changes,
        headers=api.doctor(),
    )
    assert answer.status_code == 200, answer.text


async def test_a_second_click_hears_that_the_hold_is_theirs(api: Api) -> None:
    """409 with the hold_id, for another visit type too; a stranger is told nothing."""
    await put_rules(api)
    me = api.patient()
    held = (await api.client.post("/v1/holds", json=slot(), headers=me)).json()
    for body in (slot(), slot() | {"visit_type": "long"}):
        again = await api.client.post("/v1/holds", json=body, headers=me)
        problem = again.json()
        assert (again.status_code, problem["code"]) == (409, "slot_unavailable")
        assert problem["hold_id"] == held["hold_id"]
        assert "yourself" in problem["detail"]
    other = await api.client.post("/v1/holds", json=slot(), headers=api.patient(2))
    assert "hold_id" not in other.json()


async def test_another_visit_type_is_booked_over_the_own_hold(api: Api) -> None:
    """201, and the hold has become that booking."""
    await put_rules(api)
    me = api.patient()
    held = (await api.client.post("/v1/holds", json=slot(), headers=me)).json()
    booked = await api.client.post(
        "/v1/bookings", json=slot() | {"visit_type": "long"}, headers=me
    )
    assert booked.status_code == 201
    gone = await api.client.get(f"/v1/holds/{held['hold_id']}", headers=me)
    assert (gone.status_code, gone.json()["booking_id"]) == (
        409,
        booked.json()["booking_id"],
    )


async def test_a_visit_moves_half_an_hour_with_a_hold(api: Api) -> None:
    """Its own time does not stand in the way of a hold that is to move it."""
    await put_rules(api)
    me = api.patient()
    booked = await api.client.post(
        "/v1/bookings", json=slot() | {"visit_type": "long"}, headers=me
    )
    number = booked.json()["booking_id"]
    wanted = slot(start=HALF) | {"visit_type": "long"}
    refused = await api.client.post("/v1/holds", json=wanted, headers=me)
    assert refused.json()["booking_id"] == number
    held = await api.client.post(
        "/v1/holds", json=wanted | {"moving": number}, headers=me
    )
    assert (held.status_code, held.json()["moving"]) == (201, number)
    moved = await api.client.post(
        f"/v1/bookings/{number}/reschedule",
        json={"hold_id": held.json()["hold_id"]},
        headers=me,
    )
    assert (moved.status_code, moved.json()["start"]) == (200, HALF)


async def test_a_hold_with_another_doctor_cannot_move_a_visit(api: Api) -> None:
    """422 that says so, and not "no such hold"."""
    await api.add_provider(2)
    me = api.patient()
    booked = (await api.client.post("/v1/bookings", json=slot(), headers=me)).json()
    held = await api.client.post("/v1/holds", json=slot("prv_2"), headers=me)
    path = f"/v1/bookings/{booked['booking_id']}/reschedule"
    body = {"hold_id": held.json()["hold_id"]}
    answer = await api.client.post(path, json=body, headers=me)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "another provider" in answer.json()["detail"]
    body = slot("prv_2") | {"moving": booked["booking_id"]}
    answer = await api.client.post("/v1/holds", json=body, headers=me)
    assert answer.json()["errors"][0]["field"] == "moving"


@pytest.mark.parametrize("limits", [None, {"upcoming": 1}, {"upcoming": 0}])
async def test_a_clinic_says_how_many_visits_a_patient_has(
    api: Api, limits: dict[str, int] | None
) -> None:
    """409 booking_limit beyond; the clinic itself may book more."""
    changes = {} if limits is None else {"booking_limits": limits}
    await put_rules(api, **changes)
    starts = [f"2026-08-10T{hour:02}:00:00Z" for hour in range(9, 14)]
    codes = []
    for start in starts:
        body = slot(start=start)
        answer = await api.client.post("/v1/bookings", json=body, headers=api.patient())
        codes.append(answer.json().get("code"))
    allowed = {None: 3, 1: 1, 0: 5}[limits["upcoming"] if limits else None]
    assert codes == [None] * allowed + ["booking_limit"] * (5 - allowed)
    more = await api.client.post(
        "/v1/bookings",
        json=slot(start="2026-08-10T16:00:00Z") | {"patient_id": "pat_1"},
        headers=api.doctor(),
    )
    assert more.status_code == 201
    rules = await api.client.get(
        "/v1/providers/prv_1/availability", headers=api.doctor()
    )
    expected = None if limits is None else {"renewals": 2} | limits
    assert rules.json()["booking_limits"] == expected


async def test_line_ends_of_any_system_become_newlines(api: Api) -> None:
    """In reasons, when cancelling, and in what doctors say about themselves."""
    me = api.patient()
    body = slot() | {"reason": "a\r\nb\rc\n\td"}
    booked = await api.client.post("/v1/bookings", json=body, headers=me)
    assert booked.json()["reason"] == "a\nb\nc\n\td"
    path = f"/v1/bookings/{booked.json()['booking_id']}/cancel"
    cancelled = await api.client.post(path, json={"reason": "x\r\ny"}, headers=me)
    assert cancelled.json()["cancel_reason"] == "x\ny"
    profile = {
        "name": "Dr. One",
        "specialty": "general practice",
        "clinic": {"clinic_id": "cln_1", "name": "One", "time_zone": "UTC"},
        "about": "one\r\ntwo",
    }
    shown = await api.client.put(
        "/v1/providers/prv_1", json=profile, headers=api.admin()
    )
    assert shown.json()["about"] == "one\ntwo"


@pytest.mark.parametrize("character", ["\0", "\x08", "\x1b", "\x7f", "\x85", "\x9b"])
async def test_other_control_characters_are_refused(api: Api, character: str) -> None:
    """C0 and C1 alike: they would break lists, mails and terminals."""
    body = slot() | {"reason": f"a{character}b"}
    answer = await api.client.post("/v1/bookings", json=body, headers=api.patient())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_next_free_start_says_of_which_visit_type(api: Api) -> None:
    """In lists and on the provider's page; none if there is none."""
    await put_rules(api)
    taken = slot(start=NINE) | {"visit_type": "long"}
    await api.client.post("/v1/bookings", json=taken, headers=api.patient())
    half = slot(start="2026-08-10T10:30:00Z")
    await api.client.post("/v1/bookings", json=half, headers=api.patient(2))
    await api.project()
    items = (await api.client.get("/v1/providers")).json()["items"]
    (listed,) = [item for item in items if item["provider_id"] == "prv_1"]
    page = (await api.client.get("/v1/providers/prv_1")).json()
    for found in (listed, page):
        assert (found["next_free"], found["next_free_visit_type"]) == (
            "2026-08-10T10:00:00Z",
            "consult",
        )
    for command in (make.add_time_off(1, make.at(0), make.at(0, day=200)),):
        await api.ports.calendars.ask(command)
    page = (await api.client.get("/v1/providers/prv_1")).json()
    assert page["next_free_visit_type"] is None


async def test_a_patient_holds_three_slots_over_all_calendars(api: Api) -> None:
    """409 hold_limit beyond; released ones do not count, and staff may hold more."""
    for number in range(2, 6):
        await api.add_provider(number)
    me, held = api.patient(), []
    for number in range(1, 4):
        body = slot(f"prv_{number}", start=f"2026-08-10T{8 + number:02}:00:00Z")
        answer = await api.client.post("/v1/holds", json=body, headers=me)
        held.append(answer.json()["hold_id"])
    more = slot("prv_4", start="2026-08-10T14:00:00Z")
    refused = await api.client.post("/v1/holds", json=more, headers=me)
    assert (refused.status_code, refused.json()["code"]) == (409, "hold_limit")
    by_staff = await api.client.post(
        "/v1/holds", json=more | {"patient_id": "pat_1"}, headers=api.doctor("prv_4")
    )
    assert by_staff.status_code == 201
    for hold_id in (held[0], by_staff.json()["hold_id"]):
        await api.client.delete(f"/v1/holds/{hold_id}", headers=me)
    again = await api.client.post("/v1/holds", json=more, headers=me)
    assert again.status_code == 201


async def test_a_retry_at_the_limit_hears_the_first_answer(api: Api) -> None:
    """The limit over calendars does not hide what was already answered."""
    me = api.patient()
    answers = []
    for hour in (9, 10, 11, 11):
        headers = me | {"Idempotency-Key": f"hold-{hour}"}
        body = slot(start=f"2026-08-10T{hour:02}:00:00Z")
        answers.append(await api.client.post("/v1/holds", json=body, headers=headers))
    assert answers[3].json()["hold_id"] == answers[2].json()["hold_id"]


async def test_live_holds_are_listed_as_placed(api: Api) -> None:
    """Of all calendars, the caller's own alone; released and booked ones are gone."""
    await api.add_provider(2)
    me = api.patient()
    first = await api.client.post("/v1/holds", json=slot(), headers=me)
    second = await api.client.post(
        "/v1/holds", json=slot("prv_2", start=HALF), headers=me
    )
    await api.client.post("/v1/holds", json=slot("prv_2"), headers=api.patient(2))
    listed = (await api.client.get("/v1/holds", headers=me)).json()["items"]
    expected = [first.json()["hold_id"], second.json()["hold_id"]]
    assert [hold["hold_id"] for hold in listed] == expected
    body = {"hold_id": expected[0]}
    await api.client.post("/v1/bookings", json=body, headers=me)
    await api.client.delete(f"/v1/holds/{expected[1]}", headers=me)
    assert (await api.client.get("/v1/holds", headers=me)).json() == {"items": []}
    staff = await api.client.get("/v1/holds", headers=api.doctor())
    assert staff.status_code == 403


async def test_two_visits_at_the_same_time_are_meant_or_refused(api: Api) -> None:
    """409 overlap with the other visit, whether booked, confirmed or moved."""
    await api.add_provider(2)
    me = api.patient()
    first = (await api.client.post("/v1/bookings", json=slot(), headers=me)).json()
    same = slot("prv_2")
    for projected in (False, True):
        if projected:
            await api.project()
        refused = await api.client.post("/v1/bookings", json=same, headers=me)
        assert (refused.status_code, refused.json()["code"]) == (409, "overlap")
        assert refused.json()["booking_id"] == first["booking_id"]
    held = (await api.client.post("/v1/holds", json=same, headers=me)).json()
    confirm = {"hold_id": held["hold_id"]}
    refused = await api.client.post("/v1/bookings", json=confirm, headers=me)
    assert refused.json()["code"] == "overlap"
    later = slot("prv_2", start="2026-08-10T12:00:00Z")
    other = (await api.client.post("/v1/bookings", json=later, headers=me)).json()
    path = f"/v1/bookings/{other['booking_id']}/reschedule"
    refused = await api.client.post(path, json=confirm, headers=me)
    assert refused.json()["code"] == "overlap"
    meant = confirm | {"allow_overlap": True}
    assert (
        await api.client.post("/v1/bookings", json=meant, headers=me)
    ).status_code == 201
    await api.client.post(f"/v1/bookings/{first['booking_id']}/cancel", headers=me)
    back = await api.client.post(path, json={"start": HALF}, headers=me)
    assert back.status_code == 200


async def test_visits_ahead_are_counted_over_all_providers() -> None:
    """As many as the site says; a cancelled one counts no more, at once."""
    async with open_api(visits_per_person=2) as api:
        for number in range(1, 5):
            await api.add_provider(number)
        me, answers = api.patient(), []
        for number in range(1, 4):
            body = slot(f"prv_{number}", start=f"2026-08-10T{8 + number:02}:00:00Z")
            answers.append(await api.client.post("/v1/bookings", json=body, headers=me))
        assert [a.status_code for a in answers] == [201, 201, 409]
        assert answers[2].json()["code"] == "booking_limit"
        number = answers[0].json()["booking_id"]
        await api.client.post(f"/v1/bookings/{number}/cancel", headers=me)
        body = slot("prv_4", start="2026-08-10T15:00:00Z")
        again = await api.client.post("/v1/bookings", json=body, headers=me)
        assert again.status_code == 201


class _NoReadModel:
    """A read model that is away."""

    async def of_patient(self, *_: object, **__: object) -> object:
        raise ConnectionError


async def test_bookings_go_on_without_the_read_model() -> None:
    """The limit over calendars then counts what this gateway has just seen."""
    async with open_api(visits_per_person=2) as api:
        commitments = api.app.state.services.holds._commitments
        commitments._history = _NoReadModel()
        await api.add_provider(1)
        for hour, status in ((9, 201), (10, 201), (11, 409)):
            body = slot(start=f"2026-08-10T{hour:02}:00:00Z")
            answer = await api.client.post(
                "/v1/bookings", json=body, headers=api.patient()
            )
            assert answer.status_code == status


async def test_slots_for_a_move_leave_the_own_visit_out(api: Api) -> None:
    """Times that only the own visit takes are free; a stranger may not ask."""
    await put_rules(api)
    me = api.patient()
    long = {"visit_type": "long"}
    booked = await api.client.post("/v1/bookings", json=slot() | long, headers=me)
    other = slot(start="2026-08-10T10:30:00Z")
    await api.client.post("/v1/bookings", json=other, headers=api.patient(2))
    number = booked.json()["booking_id"]
    path = "/v1/providers/prv_1/slots?visit_type=long&from=2026-08-10&to=2026-08-10"

    async def states(query: str, headers: dict[str, str]) -> list[str]:
        answer = await api.client.get(path + query, headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["state"] for one in answer.json()["slots"]][:4]

    assert await states("", {}) == ["booked", "booked", "booked", "booked"]
    moving = f"&moving={number}"
    assert await states(moving, me) == ["free", "free", "booked", "booked"]
    assert await states(moving, api.doctor()) == ["free", "free", "booked", "booked"]
    for headers, status in (({}, 401), (api.patient(2), 404)):
        answer = await api.client.get(path + moving, headers=headers)
        assert answer.status_code == status


class _Silent:
    """Calendars that do not answer."""

    async def ask(self, _request: object) -> object:
        raise Unavailable("away")


async def test_a_silent_calendar_does_not_hide_the_other_holds(api: Api) -> None:
    """A hold whose calendar is away is listed as it was seen last, until it ends."""
    me = api.patient()
    held = (await api.client.post("/v1/holds", json=slot(), headers=me)).json()
    api.app.state.services.holds._commitments._calendars = _Silent()
    listed = (await api.client.get("/v1/holds", headers=me)).json()["items"]
    assert [hold["hold_id"] for hold in listed] == [held["hold_id"]]
    api.clock.step(121)
    assert (await api.client.get("/v1/holds", headers=me)).json() == {"items": []}
