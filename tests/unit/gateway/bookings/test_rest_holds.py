"""Holds over REST."""

from __future__ import annotations

import pytest

from tests.fakes.api import Api, slot


async def test_a_hold_says_what_it_keeps_and_until_when(api: Api) -> None:
    """201 with the names of the wire; two minutes by default."""
    response = await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    assert response.status_code == 201
    body = response.json()
    assert body["expires_in_ms"] == 120_000, "for devices whose clock is wrong"
    assert {k: body[k] for k in ("start", "end", "expires_at", "patient_id")} == {
        "start": "2026-08-10T09:00:00Z",
        "end": "2026-08-10T09:30:00Z",
        "expires_at": "2026-08-10T00:02:00Z",
        "patient_id": "pat_1",
    }
    assert body["epoch"] >= 1
    shown = await api.client.get(f"/v1/holds/{body['hold_id']}", headers=api.patient())
    assert shown.json() == body


async def test_any_offset_is_accepted_on_input(api: Api) -> None:
    """11:00 in Berlin's summer is 09:00 UTC."""
    body = slot(start="2026-08-10T11:00:00+02:00")
    response = await api.client.post("/v1/holds", json=body, headers=api.patient())
    assert response.json()["start"] == "2026-08-10T09:00:00Z"


async def test_a_held_slot_is_unavailable_to_others(api: Api) -> None:
    """409 slot_unavailable, for holding and for booking."""
    await api.client.post("/v1/holds", json=slot(), headers=api.patient(1))
    for path in ("/v1/holds", "/v1/bookings"):
        other = await api.client.post(path, json=slot(), headers=api.patient(2))
        assert (other.status_code, other.json()["code"]) == (409, "slot_unavailable")


async def test_a_hold_is_extended_and_released(api: Api) -> None:
    """It lasts two minutes again from then on, and says how often it still can."""
    me = api.patient()
    held = (await api.client.post("/v1/holds", json=slot(), headers=me)).json()
    assert held["extensions_left"] == 10
    path = f"/v1/holds/{held['hold_id']}"
    extended = held
    for left in range(9, -1, -1):
        api.clock.step(100)
        extended = (await api.client.post(f"{path}/extend", headers=me)).json()
        assert extended["extensions_left"] == left
    assert extended["expires_at"] == "2026-08-10T00:18:40Z"
    more = await api.client.post(f"{path}/extend", headers=me)
    assert (more.status_code, more.json()["code"]) == (409, "wrong_status")
    assert (await api.client.delete(path, headers=me)).status_code == 204
    gone = await api.client.get(path, headers=me)
    assert gone.status_code in (404, 410)
    again = await api.client.post("/v1/holds", json=slot(), headers=api.patient(2))
    assert again.status_code == 201


async def test_a_hold_expires(api: Api) -> None:
    """410 hold_expired when it is confirmed too late."""
    me = api.patient()
    held = (await api.client.post("/v1/holds", json=slot(), headers=me)).json()
    api.clock.step(180)
    late = await api.client.post(
        "/v1/bookings", json={"hold_id": held["hold_id"]}, headers=me
    )
    assert (late.status_code, late.json()["code"]) == (410, "hold_expired")


async def test_a_patient_cannot_hoard(api: Api) -> None:
    """409 hold_limit beyond three live holds on a calendar."""
    codes = [
        (
            await api.client.post(
                "/v1/holds",
                json=slot(start=f"2026-08-10T{hour:02}:00:00Z"),
                headers=api.patient(),
            )
        )
        .json()
        .get("code")
        for hour in (9, 10, 11, 12)
    ]
    assert codes == [None, None, None, "hold_limit"]


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("2026-08-10T03:00:00Z", "slot_not_offered"),
        ("2026-08-10T09:07:00Z", "slot_not_offered"),
        ("2027-08-10T09:00:00Z", "slot_not_offered"),
        ("2020-08-10T09:00:00Z", "slot_not_offered"),
    ],
)
async def test_what_is_not_offered_cannot_be_held(
    api: Api, start: str, code: str
) -> None:
    """Outside hours, off the grid, beyond the horizon, in the past: 409."""
    response = await api.client.post(
        "/v1/holds", json=slot(start=start), headers=api.patient()
    )
    assert (response.status_code, response.json()["code"]) == (409, code)


async def test_unknown_providers_and_visit_types_are_404(api: Api) -> None:
    """Each says what is missing."""
    for body, code in (
        (slot("prv_404"), "provider_not_found"),
        (slot() | {"visit_type": "none"}, "visit_type_not_found"),
    ):
        response = await api.client.post("/v1/holds", json=body, headers=api.patient())
        assert (response.status_code, response.json()["code"]) == (404, code)


async def test_staff_hold_for_a_patient_who_then_confirms(api: Api) -> None:
    """The front desk holds, the patient books: it is the patient's hold."""
    body = slot() | {"patient_id": "pat_7"}
    held = await api.client.post("/v1/holds", json=body, headers=api.doctor())
    assert held.json()["patient_id"] == "pat_7"
    booked = await api.client.post(
        "/v1/bookings",
        json={"hold_id": held.json()["hold_id"]},
        headers=api.patient(7),
    )
    assert booked.status_code == 201


async def test_other_people_s_holds_cannot_be_told_from_none(api: Api) -> None:
    """Live, expired or never there: a stranger hears the very same 404."""
    held = await api.client.post("/v1/holds", json=slot(), headers=api.patient(1))
    path = f"/v1/holds/{held.json()['hold_id']}"
    answers = [await api.client.get(path, headers=api.patient(2))]
    api.clock.step(121)
    assert (await api.client.get(path, headers=api.patient(1))).status_code == 410
    answers.append(await api.client.get(path, headers=api.patient(2)))
    never = "/v1/holds/hld_1.neverthere"
    answers.append(await api.client.get(never, headers=api.patient(2)))
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (404, answers[-1].content)
    }
