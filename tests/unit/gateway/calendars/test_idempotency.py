"""The same key with the same body is one request, however often it is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from prometheus_client import CollectorRegistry

from gateway.access.tokens import Caller, Role
from gateway.app.application import create_app
from tests import factories as make
from tests.fakes.api import CONFIG, Api, open_api, slot

KEY = {"Idempotency-Key": "k-1"}


async def test_a_repeated_booking_is_answered_with_the_first_answer(
    api: Api,
) -> None:
    """Byte for byte, status included, also after the booking has moved on."""
    auth = api.patient() | KEY
    first = await api.client.post("/v1/bookings", json=slot(), headers=auth)
    path = f"/v1/bookings/{first.json()['booking_id']}"
    await api.client.post(f"{path}/cancel", headers=api.patient())
    again = await api.client.post("/v1/bookings", json=slot(), headers=auth)
    assert (first.status_code, first.content) == (201, again.content)
    assert again.status_code == 201


async def test_the_same_body_written_differently_is_the_same_request(
    api: Api,
) -> None:
    """Offsets, order of fields and blanks do not make another request."""
    auth = api.patient() | KEY
    first = await api.client.post("/v1/bookings", json=slot(), headers=auth)
    text = (
        b'{ "start": "2026-08-10T11:00:00+02:00",\n "visit_type":"consult",'
        b'"provider_id":"prv_1"}'
    )
    again = await api.client.post("/v1/bookings", content=text, headers=auth)
    assert again.content == first.content


async def test_a_repeated_refusal_is_the_same_refusal(api: Api) -> None:
    """A refused request stays refused under its key, although the slot is free now."""
    taken = await api.client.post("/v1/bookings", json=slot(), headers=api.patient(1))
    auth = api.patient(2) | KEY
    first = await api.client.post("/v1/bookings", json=slot(), headers=auth)
    path = f"/v1/bookings/{taken.json()['booking_id']}"
    await api.client.post(f"{path}/cancel", headers=api.patient(1))
    again = await api.client.post("/v1/bookings", json=slot(), headers=auth)
    assert (first.status_code, first.content) == (409, again.content)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/bookings", slot(start="2026-08-10T10:00:00Z")),
        ("/v1/bookings", slot() | {"reason": "x"}),
        ("/v1/bookings", slot("prv_2")),
        ("/v1/holds", slot()),
    ],
)
async def test_a_key_for_something_else_is_refused(
    api: Api, path: str, body: dict[str, str]
) -> None:
    """Another start, reason, provider or operation: 422 idempotency_key_reused."""
    await api.add_provider(2)
    auth = api.patient() | KEY
    await api.client.post("/v1/bookings", json=slot(), headers=auth)
    other = await api.client.post(path, json=body, headers=auth)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_calendar_itself_refuses_a_reused_key(api: Api) -> None:
    """Also when this gateway has forgotten the key, or never knew it."""
    auth = api.patient() | KEY
    await api.client.post("/v1/bookings", json=slot(), headers=auth)
    api.app.state.services.commands._fingerprints.clear()
    other = await api.client.post(
        "/v1/bookings", json=slot(start="2026-08-10T10:00:00Z"), headers=auth
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def at_ten(**more: str) -> dict[str, str]:
    return slot(start="2026-08-10T10:00:00Z") | {"patient_id": "pat_1"} | more


async def test_keys_of_two_receptionists_of_one_clinic_are_apart(api: Api) -> None:
    """Their tokens name the same clinic, and an account each: an equal key is no
    repetition, and each has their own answer again."""
    first, second = (api.receptionist(f"acc_{number}") | KEY for number in (1, 2))
    one = await api.client.post("/v1/bookings", json=at_ten(), headers=first)
    two = await api.client.post("/v1/bookings", json=at_ten(), headers=second)
    assert (one.status_code, two.status_code) == (201, 409)
    again = await api.client.post("/v1/bookings", json=at_ten(), headers=first)
    assert again.content == one.content
    third = api.receptionist("acc_3") | KEY
    other = at_ten(start="2026-08-10T11:00:00Z")
    three = await api.client.post("/v1/bookings", json=other, headers=third)
    assert three.status_code == 201, "not idempotency_key_reused"


async def test_without_accounts_in_keys_receptionists_share_answers(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    owned = property(lambda caller: (caller.role, caller.subject))
    monkeypatch.setattr(Caller, "key_owner", owned)
    with pytest.raises(AssertionError):
        await test_keys_of_two_receptionists_of_one_clinic_are_apart(api)


async def test_a_key_in_an_old_journal_is_still_the_callers(api: Api) -> None:
    """Without an account a key is what it always was, so that a request which is
    repeated across an upgrade finds its answer."""
    commands = api.app.state.services.commands
    caller = Caller(Role.PATIENT, "pat_1", make.NOW)
    stamp = commands.stamp(caller, "k-1", "book")
    # blake2b-128 of "patient", "pat_1" and "k-1" with zero bytes between.
    assert stamp["key"] == "9cb159b3809342204da30363cd9bcf5a"


async def test_keys_of_different_people_are_apart(api: Api) -> None:
    """Two patients may choose the same key."""
    one = await api.client.post(
        "/v1/bookings", json=slot(), headers=api.patient(1) | KEY
    )
    two = await api.client.post(
        "/v1/bookings",
        json=slot(start="2026-08-10T10:00:00Z"),
        headers=api.patient(2) | KEY,
    )
    assert (one.status_code, two.status_code) == (201, 201)


async def test_without_a_key_each_request_is_its_own(api: Api) -> None:
    """Sent twice without a key, the second finds the slot taken."""
    answers = [
        await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
        for _ in range(2)
    ]
    assert [a.status_code for a in answers] == [201, 409]


async def test_every_write_can_be_repeated(api: Api) -> None:
    """One sequence of all writes, each sent twice with its key: equal answers."""
    me, staff = api.patient(), api.doctor()
    one = "/v1/providers/prv_1"
    rules = await api.client.get(f"{one}/availability", headers=staff)
    leave = {"start": "2026-08-10T00:00:00Z", "end": "2026-08-11T00:00:00Z"}
    profile = {
        "name": "N",
        "specialty": "S",
        "clinic": {"clinic_id": "cln_1", "name": "C", "time_zone": "UTC"},
    }
    made: dict[str, str] = {}
    steps = [
        ("POST", "/v1/holds", slot(start="2026-08-10T13:00:00Z"), me),
        ("POST", "/v1/holds/{hold_id}/extend", None, me),
        ("DELETE", "/v1/holds/{hold_id}", None, me),
        ("POST", "/v1/bookings", slot(), me),
        (
            "POST",
            "/v1/bookings/{booking_id}/reschedule",
            {"start": "2026-08-10T11:00:00Z"},
            me,
        ),
        ("POST", f"{one}/time-off", leave, staff),
        ("DELETE", f"{one}/time-off/{{time_off_id}}", None, staff),
        ("POST", "/v1/bookings/{booking_id}/check-in", None, staff),
        ("POST", "/v1/bookings/{booking_id}/complete", None, staff),
        ("PUT", f"{one}/availability", rules.json(), staff),
        ("PUT", one, profile, api.admin()),
    ]
    first, again = [], []
    for number, (method, path, body, auth) in enumerate(steps):
        headers = auth | {"Idempotency-Key": f"step-{number}"}
        response = await api.client.request(
            method, path.format(**made), json=body, headers=headers
        )
        assert response.status_code < 300, f"{path}: {response.text}"
        first.append((response.status_code, response.content))
        if response.content:
            made |= {k: v for k, v in response.json().items() if k.endswith("_id")}
    for number, (method, path, body, auth) in enumerate(steps):
        headers = auth | {"Idempotency-Key": f"step-{number}"}
        response = await api.client.request(
            method, path.format(**made), json=body, headers=headers
        )
        again.append((response.status_code, response.content))
    assert again == first


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", "a\tb", "ü", "\x7f"])
async def test_an_unfit_key_is_invalid(api: Api, key: str) -> None:
    """At most 128 visible ASCII characters."""
    headers = [(k.encode(), v.encode()) for k, v in api.patient().items()]
    headers.append((b"Idempotency-Key", key.encode()))
    response = await api.client.post("/v1/bookings", json=slot(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_the_longest_key_is_accepted(api: Api) -> None:
    """128 characters, all of them visible."""
    headers = api.patient() | {"Idempotency-Key": "~" * 128}
    response = await api.client.post("/v1/bookings", json=slot(), headers=headers)
    assert response.status_code == 201


async def test_a_crowd_for_one_slot_has_one_winner() -> None:
    """Two hundred patients at once: one 201, the others 409, none unanswered."""
    async with open_api() as api:
        await api.add_provider()
        answers = await asyncio.gather(
            *(
                api.client.post(
                    "/v1/bookings", json=slot(), headers=api.patient(number)
                )
                for number in range(200)
            )
        )
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (1, 199)


async def test_a_repeated_leave_names_the_bookings_as_they_were(api: Api) -> None:
    """Byte for byte, also from a gateway that began after the bookings moved on."""
    booked = await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
    leave = {"start": "2026-08-10T09:15:00Z", "end": "2026-08-10T12:00:00Z"}
    path = "/v1/providers/prv_1/time-off"
    auth = api.doctor() | KEY
    first = await api.client.post(path, json=leave, headers=auth)
    assert [b["status"] for b in first.json()["affected"]] == ["booked"]
    cancel = f"/v1/bookings/{booked.json()['booking_id']}/cancel"
    assert (await api.client.post(cancel, headers=api.patient())).is_success
    ports = replace(api.ports, registry=CollectorRegistry())
    transport = httpx.ASGITransport(app=create_app(ports, CONFIG))
    async with httpx.AsyncClient(transport=transport, base_url="http://new") as later:
        again = await later.post(path, json=leave, headers=auth)
    assert (again.status_code, again.content) == (201, first.content)
