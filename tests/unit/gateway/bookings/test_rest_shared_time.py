"""Overbooking and group visits over REST."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fakes.api import Api, slot

NINE, TEN = "2026-08-10T09:00:00Z", "2026-08-10T10:00:00Z"
WHY: dict[str, Any] = {"overbook": True, "reason": "cannot wait"}


@pytest.fixture
async def group(api: Api) -> Api:
    """A provider with a class of three, and two visits at a time."""
    rules = (await asked(api, "GET", "/v1/providers/prv_1/availability")).json()
    a_class = rules["visit_types"][0] | {"visit_type": "class", "capacity": 3}
    rules["visit_types"].append(a_class | {"notice_minutes": 0})
    rules["lanes"] = 2
    done = await asked(api, "PUT", "/v1/providers/prv_1/availability", rules)
    assert done.status_code == 200, done.text
    assert done.json()["lanes"] == 2
    return api


async def asked(
    api: Api, method: str, path: str, body: Any = None, **more: Any
) -> httpx.Response:
    headers = more.pop("headers", None) or api.doctor()
    return await api.client.request(method, path, json=body, headers=headers, **more)


async def booked(
    api: Api, number: int, start: str = NINE, kind: str = "class", **more: Any
) -> httpx.Response:
    """By the doctor, for a patient."""
    body = slot(start=start) | {"visit_type": kind, "patient_id": f"pat_{number}"}
    return await asked(api, "POST", "/v1/bookings", body | more)


async def slot_at(api: Api, start: str, kind: str = "class") -> dict[str, Any]:
    path = "/v1/providers/prv_1/slots"
    query = {"visit_type": kind, "from": start, "to": "2026-08-10T20:00:00Z"}
    answer = await asked(api, "GET", path, params=query)
    assert answer.status_code == 200, answer.text
    first: dict[str, Any] = answer.json()["slots"][0]
    return first


async def test_a_slot_of_a_group_visit_says_how_many_seats_are_left(
    group: Api,
) -> None:
    """Free with a number while a seat is left, then booked; other types say nothing."""
    shown = [await slot_at(group, NINE)]
    for number in (1, 2, 3):
        answer = await booked(group, number)
        assert (answer.status_code, answer.json()["seat"]) == (201, number)
        assert "lane" not in answer.json()
        shown.append(await slot_at(group, NINE))
    assert [(one["state"], one.get("seats_left")) for one in shown] == [
        ("free", 3),
        ("free", 2),
        ("free", 1),
        ("booked", None),
    ]
    assert "seats_left" not in await slot_at(group, NINE, "consult")
    full = await booked(group, 4)
    assert (full.status_code, full.json()["code"]) == (409, "slot_unavailable")


async def test_staff_overbook_with_a_reason(group: Api) -> None:
    """The visit says its lane; the public's slot stays what it was."""
    assert (await booked(group, 1, kind="consult")).status_code == 201
    answer = await booked(group, 2, kind="consult", **WHY)
    assert answer.status_code == 201, answer.text
    visit = answer.json()
    assert (visit["lane"], visit["reason"]) == (1, "cannot wait")
    assert "seat" not in visit
    assert (await slot_at(group, NINE, "consult"))["state"] == "booked"
    beyond = await booked(group, 3, kind="consult", **WHY)
    assert (beyond.status_code, beyond.json()["code"]) == (409, "slot_unavailable")
    assert "as far as the provider's rules allow" in beyond.json()["detail"]
    where = f"/v1/bookings/{visit['booking_id']}"
    assert (await asked(group, "POST", f"{where}/cancel")).status_code == 200
    assert (await booked(group, 3, kind="consult", **WHY)).json()["lane"] == 1


async def test_overbooking_needs_a_reason_and_a_start(group: Api) -> None:
    """422 at the field that is wrong."""
    answer = await booked(group, 1, kind="consult", overbook=True)
    fields = [error["field"] for error in answer.json()["errors"]]
    assert (answer.status_code, fields) == (422, ["reason"])
    body = {"hold_id": "hld_1.x", "overbook": True, "reason": "x"}
    answer = await asked(group, "POST", "/v1/bookings", body)
    fields = [error["field"] for error in answer.json()["errors"]]
    assert (answer.status_code, fields) == (422, ["overbook"])


async def test_patients_overbook_nothing(group: Api) -> None:
    """Not even their own visit: 403, whether or not the time is free."""
    body = slot(start=NINE) | WHY
    answer = await asked(group, "POST", "/v1/bookings", body, headers=group.patient())
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_key_is_not_the_same_with_overbooking(group: Api) -> None:
    """The second request with the key is another one, and is refused as such."""
    key = group.doctor() | {"Idempotency-Key": "k" * 20}
    body = slot(start=NINE) | {"patient_id": "pat_1", "reason": "cannot wait"}
    first = await asked(group, "POST", "/v1/bookings", body, headers=key)
    again = await asked(group, "POST", "/v1/bookings", body | WHY, headers=key)
    assert first.status_code == 201
    assert again.json()["code"] == "idempotency_key_reused"


async def test_a_session_is_cancelled_for_all_its_patients(group: Api) -> None:
    """Closed by a leave, all seats cancelled with the reason; repeated, the same."""
    for number in (1, 2):
        await booked(group, number)
    await booked(group, 1, TEN)
    path = "/v1/providers/prv_1/sessions/cancel"
    body = {"visit_type": "class", "start": NINE, "reason": "the trainer is ill"}
    key = group.doctor() | {"Idempotency-Key": "k" * 20}
    answers = [await asked(group, "POST", path, body, headers=key) for _ in range(2)]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        visits = answer.json()["bookings"]
        assert [(one["seat"], one["status"]) for one in visits] == [
            (1, "cancelled"),
            (2, "cancelled"),
        ]
        assert {one["cancel_reason"] for one in visits} == {"the trainer is ill"}
    assert answers[0].json()["time_off_id"].startswith("off_")
    assert (await slot_at(group, NINE))["start"] != NINE
    assert (await slot_at(group, TEN))["seats_left"] == 2


async def test_who_was_overbooked_into_a_session_is_cancelled_with_it(
    group: Api,
) -> None:
    """The class does not take place for them either; other types stay."""
    for number in (1, 2, 3):
        await booked(group, number)
    beside = await booked(group, 4, **WHY)
    assert (beside.status_code, beside.json()["lane"]) == (201, 1)
    path = "/v1/providers/prv_1/sessions/cancel"
    answer = await asked(group, "POST", path, {"visit_type": "class", "start": NINE})
    visits = answer.json()["bookings"]
    assert [(one.get("seat"), one.get("lane"), one["status"]) for one in visits] == [
        (1, None, "cancelled"),
        (2, None, "cancelled"),
        (3, None, "cancelled"),
        (None, 1, "cancelled"),
    ]


async def test_a_session_that_stays_open_is_offered_again(group: Api) -> None:
    """Without closing its time the seats are free at once."""
    await booked(group, 1)
    path = "/v1/providers/prv_1/sessions/cancel"
    body = {"visit_type": "class", "start": NINE, "close": False}
    answer = await asked(group, "POST", path, body)
    assert answer.json()["time_off_id"] is None
    assert (await slot_at(group, NINE))["seats_left"] == 3


@pytest.mark.parametrize(("kind", "start"), [("consult", NINE), ("class", TEN)])
async def test_what_is_no_session_is_not_cancelled(
    group: Api, kind: str, start: str
) -> None:
    """A visit with its time to itself, and a start that none booked, are 404."""
    await booked(group, 1, kind="consult")
    path = "/v1/providers/prv_1/sessions/cancel"
    body = {"visit_type": kind, "start": start}
    answer = await asked(group, "POST", path, body)
    assert (answer.status_code, answer.json()["code"]) == (404, "booking_not_found")


async def test_rules_with_seats_and_lanes_are_read_as_they_were_sent(
    group: Api,
) -> None:
    """What GET answers can be sent back; out of bounds is 422."""
    path = "/v1/providers/prv_1/availability"
    rules = (await asked(group, "GET", path)).json()
    assert rules["lanes"] == 2
    assert [kind["capacity"] for kind in rules["visit_types"]] == [1, 3]
    assert (await asked(group, "PUT", path, rules)).status_code == 200
    again = (await asked(group, "GET", path)).json()
    assert again["visit_types"] == rules["visit_types"]
    for wrong in ({"lanes": 0}, {"lanes": 10}):
        assert (await asked(group, "PUT", path, rules | wrong)).status_code == 422
