"""A course of treatment over REST: preview, placing in one go, several changes.

One file because every promise is about the same few steps of one series.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.domain.messages.commands import CancelBooking, RescheduleBooking
from actors.domain.rules import BookingLimits
from actors.errors import Unavailable
from gateway.wire.formats import minute_text
from persistence.patients.series import store
from tests import factories as make
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed
from tests.fixtures.resources import add_resource

MIRA, LEO = "pat_1", "pat_2"
NINE = "2026-08-10T09:00:00Z"
WEEKS = ("2026-08-10T09:00:00Z", "2026-08-17T09:00:00Z", "2026-08-24T09:00:00Z")


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    async with account_api(request, tmp_path) as made:
        await made.api.add_provider(1)
        yield made


def patient(api: AccountApi, number: int = 1) -> dict[str, str]:
    return api.api.patient(number)


def rule(count: int | None = 3, **more: Any) -> dict[str, Any]:
    given = {"unit": "week", "first": "2026-08-10", "time": "09:00", "count": count}
    return given | more


def wanted(**more: Any) -> dict[str, Any]:
    given = {"provider_id": "prv_1", "visit_type": "consult", "rule": rule()}
    return given | more


async def post(
    api: AccountApi, path: str, body: Any, who: dict[str, str] | None = None
) -> httpx.Response:
    headers = who if who is not None else patient(api)
    return await api.client.post(f"/v1/series{path}", json=body, headers=headers)


async def placed(api: AccountApi, **more: Any) -> dict[str, Any]:
    answer = await post(api, "", wanted(**more))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def take(api: AccountApi, start: str) -> None:
    body = {"provider_id": "prv_1", "visit_type": "consult", "start": start}
    answer = await api.client.post("/v1/bookings", json=body, headers=patient(api, 2))
    assert answer.status_code == 201, answer.text


async def own(api: AccountApi, number: int = 1) -> list[dict[str, Any]]:
    await api.api.project()
    answer = await api.client.get("/v1/bookings", headers=patient(api, number))
    return list(answer.json()["items"])


def states(series: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["state"], one["status"]) for one in series["visits"]]


async def set_rules(api: AccountApi, **changes: Any) -> None:
    kind = make.a_visit_type(**changes.pop("kind", {}))
    rules = make.an_availability(kind)
    limits = BookingLimits(0, 0)
    rules = type(rules)(rules.locations, rules.visit_types, 0, limits)
    command = make.set_availability(rules, key="rules-again")
    await api.api.ports.calendars.ask(command)


# --- preview ---


async def test_a_preview_says_of_each_date_what_it_is(api: AccountApi) -> None:
    """Free, taken with two alternatives nearest on that day, closed with the next
    days', beyond the horizon; and nothing is kept or held by it."""
    await take(api, WEEKS[1])
    leave = make.add_time_off(1, start=make.at(0, day=14), end=make.at(24, day=14))
    await api.api.ports.calendars.ask(leave)
    answer = await post(api, "/preview", wanted(rule=rule(5)))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["time_zone"] == "UTC"
    assert [one["state"] for one in found["dates"]] == [
        "free",
        "taken",
        "closed",
        "free",
        "beyond_horizon",
    ]
    assert [one["number"] for one in found["dates"]] == [1, 2, 3, 4, 5]
    assert found["dates"][1]["alternatives"] == [
        "2026-08-17T09:30:00Z",
        "2026-08-17T10:00:00Z",
    ]
    assert found["dates"][2]["alternatives"] == [
        "2026-08-25T09:00:00Z",
        "2026-08-25T09:30:00Z",
    ]
    assert [one["alternatives"] for one in (found["dates"][0], found["dates"][4])] == [
        [],
        [],
    ]
    assert await own(api) == []
    listed = await api.client.get("/v1/series", headers=patient(api))
    assert listed.json() == {"items": []}


async def test_alternatives_do_not_meet_other_dates_of_the_series(
    api: AccountApi,
) -> None:
    """What one date takes is not offered for another."""
    await take(api, NINE)
    daily = rule(2, unit="day", time="09:00")
    daily_again = rule(2, unit="day", time="09:30")
    first = (await post(api, "/preview", wanted(rule=daily))).json()["dates"][0]
    assert first["alternatives"] == ["2026-08-10T09:30:00Z", "2026-08-10T10:00:00Z"]
    await take(api, "2026-08-10T09:30:00Z")
    dates = (await post(api, "/preview", wanted(rule=daily_again))).json()["dates"]
    assert dates[0]["alternatives"] == ["2026-08-10T10:00:00Z", "2026-08-10T10:30:00Z"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"first": "2026-02-30"}, "first"),
        ({"time": "24:00"}, "time"),
        ({"count": None}, "count"),
        ({"count": 53}, "count"),
        ({"every": 0}, "every"),
        ({"count": None, "until": "2028-08-10"}, "until"),
        ({"weekdays": [1], "until": "2026-08-10"}, "until"),
    ],
)
async def test_a_wrong_rule_is_refused_by_its_field(
    api: AccountApi, changes: dict[str, Any], field: str
) -> None:
    """A date that is none, no end, too many dates, none at all."""
    answer = await post(api, "/preview", wanted(rule=rule(**changes)))
    assert code_of(answer) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["errors"]] == [field]


# --- placing ---


async def test_a_series_is_placed_in_one_go(api: AccountApi) -> None:
    """Each visit says that it is one of it, in its own answer and in the list."""
    series = await placed(api, reason="Knee")
    assert states(series) == [("placed", "booked")] * 3
    assert [one["start"] for one in series["visits"]] == list(WEEKS)
    assert series["rule"] == {**rule(), "every": 1, "weekdays": [], "until": None}
    mine = await own(api)
    assert [one["series_number"] for one in mine] == [1, 2, 3]
    assert {one["series_id"] for one in mine} == {series["series_id"]}
    assert {one["series_count"] for one in mine} == {3}
    assert {one["reason"] for one in mine} == {"Knee"}
    path = f"/v1/bookings/{series['visits'][1]['booking_id']}"
    one = (await api.client.get(path, headers=patient(api))).json()
    assert (one["series_number"], one["start"]) == (2, WEEKS[1])
    path = f"/v1/series/{series['series_id']}"
    assert (await api.client.get(path, headers=patient(api))).json() == series
    listed = await api.client.get("/v1/series", headers=patient(api))
    assert listed.json() == {"items": [series]}


async def test_a_single_visit_belongs_to_no_series(api: AccountApi) -> None:
    """Its answer has no field of one."""
    await take(api, NINE)
    (visit,) = await own(api, 2)
    assert not any(name.startswith("series") for name in visit)


async def test_all_or_nothing_leaves_nothing(api: AccountApi) -> None:
    """One date is taken: none is booked, no series is there, and the same key hears
    the same."""
    await take(api, WEEKS[1])
    who = {**patient(api), "Idempotency-Key": "k-1"}
    for _ in range(2):
        answer = await post(api, "", wanted(), who)
        assert code_of(answer) == (409, "slot_unavailable")
        assert "2026-08-17T09:00Z" in answer.json()["detail"]
    assert await own(api) == []
    listed = await api.client.get("/v1/series", headers=patient(api))
    assert listed.json() == {"items": []}


async def test_else_each_is_booked_by_itself_with_a_report(api: AccountApi) -> None:
    """What failed says why, with alternatives; the clinic finds it in its list, until
    another time is chosen for it."""
    await take(api, WEEKS[1])
    series = await placed(api, all_or_nothing=False)
    assert states(series) == [
        ("placed", "booked"),
        ("failed", None),
        ("placed", "booked"),
    ]
    failed = series["visits"][1]
    assert (failed["code"], failed["booking_id"]) == ("slot_unavailable", None)
    assert failed["alternatives"] == ["2026-08-17T09:30:00Z", "2026-08-17T10:00:00Z"]
    assert [one["start"] for one in await own(api)] == [WEEKS[0], WEEKS[2]]
    path = "/v1/providers/prv_1/series"
    listed = await api.client.get(path, headers=api.api.doctor())
    assert [one["series_id"] for one in listed.json()["items"]] == [series["series_id"]]
    body = {"number": 2, "scope": "this", "start": failed["alternatives"][0]}
    moved = await post(api, f"/{series['series_id']}/move", body)
    assert moved.status_code == 200, moved.text
    assert moved.json()["results"] == [
        {"number": 2, "done": True, "code": "", "detail": ""}
    ]
    assert states(moved.json()["series"]) == [("placed", "booked")] * 3, moved.text
    assert (await api.client.get(path, headers=api.api.doctor())).json() == {
        "items": []
    }
    others = await api.client.get(path, headers=api.api.doctor("prv_2"))
    assert others.status_code == 403


async def test_another_time_that_is_taken_by_then_is_no_change(
    api: AccountApi,
) -> None:
    """The result says why, and the visit has still failed."""
    await take(api, WEEKS[1])
    series = await placed(api, all_or_nothing=False)
    chosen = series["visits"][1]["alternatives"][0]
    await take(api, chosen)
    body = {"number": 2, "scope": "this", "start": chosen}
    moved = (await post(api, f"/{series['series_id']}/move", body)).json()
    assert [(one["done"], one["code"]) for one in moved["results"]] == [
        (False, "slot_unavailable")
    ]
    assert states(moved["series"])[1] == ("failed", None)


async def test_the_same_key_places_one_series(api: AccountApi) -> None:
    """Repeated it has the same answer; another body under it is refused."""
    who = {**patient(api), "Idempotency-Key": "k-1"}
    first, again = [await post(api, "", wanted(), who) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert len(await own(api)) == 3
    other = await post(api, "", wanted(rule=rule(2)), who)
    assert code_of(other) == (422, "idempotency_key_reused")


async def test_chosen_starts_are_placed_as_they_are(api: AccountApi) -> None:
    """The rule is remembered; starts that do not ascend are refused."""
    chosen = [WEEKS[0], "2026-08-18T11:00:00+02:00"]
    series = await placed(api, starts=chosen)
    assert [one["start"] for one in series["visits"]] == [
        WEEKS[0],
        "2026-08-18T09:00:00Z",
    ]
    answer = await post(api, "", wanted(starts=chosen[::-1]))
    assert [one["field"] for one in answer.json()["errors"]] == ["starts"]
    answer = await post(api, "", {**wanted(), "rule": None})
    assert [one["field"] for one in answer.json()["errors"]] == ["starts"]


async def test_what_lies_beyond_the_horizon_waits(api: AccountApi) -> None:
    """The visits within it are booked at once, all of them or none."""
    await set_rules(api, kind={"horizon": 10 * make.DAY})
    series = await placed(api)
    assert states(series) == [
        ("placed", "booked"),
        ("placed", "booked"),
        ("waiting", None),
    ]
    assert len(await own(api)) == 2


async def test_a_patients_limits_hold_for_the_whole_series(api: AccountApi) -> None:
    """Three visits ahead with a provider: a fourth refuses all; staff may."""
    answer = await post(api, "", wanted(rule=rule(4)))
    assert code_of(answer) == (409, "booking_limit")
    assert await own(api) == []
    body = wanted(rule=rule(4), patient_id=MIRA)
    answer = await post(api, "", body, api.api.doctor())
    assert answer.status_code == 201, answer.text
    assert len(await own(api)) == 4


async def test_the_limit_of_the_site_counts_all_of_them(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Not one by one, of which the last would fail."""
    async with account_api(request, tmp_path, visits_per_person=2) as api:
        await api.api.add_provider(1)
        answer = await post(api, "", wanted())
        assert code_of(answer) == (409, "booking_limit")
        assert await own(api) == []
        assert len((await placed(api, rule=rule(2)))["visits"]) == 2


# --- changes ---


async def test_this_and_following_are_cancelled(api: AccountApi) -> None:
    """What waits is given up too; what was before stays."""
    await set_rules(api, kind={"horizon": 17 * make.DAY})
    series = await placed(api, rule=rule(4))
    path = f"/{series['series_id']}/cancel"
    body = {"number": 2, "scope": "following", "reason": "Well again"}
    who = {**patient(api), "Idempotency-Key": "c-1"}
    first, again = [await post(api, path, body, who) for _ in range(2)]
    assert first.json() == again.json()
    results = first.json()["results"]
    assert [(one["number"], one["done"]) for one in results] == [
        (2, True),
        (3, True),
        (4, True),
    ]
    assert states(first.json()["series"]) == [
        ("placed", "booked"),
        ("placed", "cancelled"),
        ("placed", "cancelled"),
        ("dropped", None),
    ]
    (kept,) = [one for one in await own(api) if one["status"] == "booked"]
    assert kept["series_number"] == 1


async def test_this_alone_is_cancelled(api: AccountApi) -> None:
    """Cancelling it again says that it is; a place that is not there is refused."""
    series = await placed(api)
    path = f"/{series['series_id']}/cancel"
    body = {"number": 2, "scope": "this"}
    answer = (await post(api, path, body)).json()
    assert [one["done"] for one in answer["results"]] == [True]
    assert [one[1] for one in states(answer["series"])] == [
        "booked",
        "cancelled",
        "booked",
    ]
    again = (await post(api, path, body)).json()["results"]
    assert [(one["done"], one["code"]) for one in again] == [(False, "wrong_status")]
    missing = await post(api, path, {"number": 4, "scope": "this"})
    assert [one["field"] for one in missing.json()["errors"]] == ["number"]


async def test_this_and_following_move_along(api: AccountApi) -> None:
    """By a week, over one another's times, and to another time of day; what cannot
    move stays where it is, and says why."""
    series = await placed(api)
    path = f"/{series['series_id']}/move"
    await take(api, "2026-08-31T10:00:00Z")
    body = {"number": 1, "scope": "following", "start": "2026-08-17T10:00:00Z"}
    answer = (await post(api, path, body)).json()
    assert [(one["number"], one["code"]) for one in answer["results"]] == [
        (1, ""),
        (2, ""),
        (3, "slot_unavailable"),
    ]
    assert [one["start"] for one in answer["series"]["visits"]] == [
        "2026-08-17T10:00:00Z",
        "2026-08-24T10:00:00Z",
        WEEKS[2],
    ]


async def test_a_week_later_they_take_one_anothers_times(api: AccountApi) -> None:
    """The last moves first, so that none stands in the way of another."""
    series = await placed(api)
    body = {"number": 1, "scope": "following", "start": WEEKS[1]}
    answer = (await post(api, f"/{series['series_id']}/move", body)).json()
    assert [one["done"] for one in answer["results"]] == [True] * 3
    assert [one["start"] for one in answer["series"]["visits"]] == [
        *WEEKS[1:],
        "2026-08-31T09:00:00Z",
    ]


async def test_past_visits_are_left_alone_by_changes_of_what_follows(
    api: AccountApi,
) -> None:
    """Patients are refused what is over, as with single visits."""
    series = await placed(api)
    api.clock.step(8 * 24 * 3600)
    body = {"number": 1, "scope": "following"}
    answer = (await post(api, f"/{series['series_id']}/cancel", body)).json()
    assert [(one["number"], one["code"]) for one in answer["results"]] == [
        (1, "too_late"),
        (2, "too_late"),
        (3, ""),
    ]


# --- whose it is ---


async def test_a_series_of_another_is_not_there(api: AccountApi) -> None:
    """For patients, equal to one that never was; staff of the calendar see it."""
    series = (await placed(api))["series_id"]
    never = "srs_1." + "0" * 19
    answers = []
    for name in (series, never, "srs_1.x"):
        for path, body in (
            ("", None),
            ("/cancel", {"number": 1, "scope": "this"}),
            ("/move", {"number": 1, "scope": "this", "start": WEEKS[1]}),
        ):
            url = f"/v1/series/{name}{path}"
            who = patient(api, 2)
            answer = (
                await api.client.get(url, headers=who)
                if body is None
                else await api.client.post(url, json=body, headers=who)
            )
            told = {key: one for key, one in answer.json().items() if key != "instance"}
            answers.append((answer.status_code, told))
    assert {one[0] for one in answers} == {404}
    assert all(one == answers[0] for one in answers)
    seen = await api.client.get(f"/v1/series/{series}", headers=api.api.doctor())
    assert seen.status_code == 200


async def test_a_guardian_does_not_see_what_is_confidential(api: AccountApi) -> None:
    """A confidential series is not there; a confidential visit of another looks as one
    that was given up."""
    guardian = signed(api.api, "guardian", MIRA, "acc_9", scopes=("manage",))
    hidden = (await placed(api, confidential=True, rule=rule(1)))["series_id"]
    path = f"/v1/series/{hidden}"
    assert (await api.client.get(path, headers=guardian)).status_code == 404
    shown = await placed(api, rule=rule(2, time="11:00"))
    visit = shown["visits"][1]["booking_id"]
    await api.client.post(
        f"/v1/bookings/{visit}/confidential",
        json={"confidential": True},
        headers=patient(api),
    )
    path = f"/v1/series/{shown['series_id']}"
    seen = (await api.client.get(path, headers=guardian)).json()
    assert states(seen) == [("placed", "booked"), ("dropped", None)]
    assert visit not in str(seen)
    answer = await post(api, "", wanted(confidential=True), guardian)
    assert [one["field"] for one in answer.json()["errors"]] == ["confidential"]


async def test_staff_place_only_for_a_patient_whom_they_know(api: AccountApi) -> None:
    """Staff name one whom their clinic knows; patients act for themselves."""
    staff = signed(api.api, "staff", "cln_1", grant="mem_1")
    answer = await post(api, "", wanted(patient_id=LEO), staff)
    assert answer.status_code == 404
    answer = await post(api, "", wanted(patient_id=LEO))
    assert answer.status_code == 403
    answer = await post(api, "", wanted(), api.api.doctor())
    assert [one["field"] for one in answer.json()["errors"]] == ["patient_id"]


async def test_dates_of_a_group_visit_are_free_while_a_seat_is(api: AccountApi) -> None:
    """And alternatives are its other starts; the series takes a seat of each."""
    await set_rules(api, kind={"capacity": 2})
    await take(api, WEEKS[0])
    for number in (2, 3):
        body = {"provider_id": "prv_1", "visit_type": "consult", "start": WEEKS[1]}
        who = patient(api, number)
        await api.client.post("/v1/bookings", json=body, headers=who)
    dates = (await post(api, "/preview", wanted())).json()["dates"]
    assert [one["state"] for one in dates] == ["free", "taken", "free"]
    assert dates[1]["alternatives"] == ["2026-08-17T09:30:00Z", "2026-08-17T10:00:00Z"]
    chosen = [WEEKS[0], dates[1]["alternatives"][0], WEEKS[2]]
    assert (
        states(await placed(api, rule=None, starts=chosen))
        == [("placed", "booked")] * 3
    )


async def test_a_room_has_no_series(api: AccountApi) -> None:
    """It is answered as a provider that is not there."""
    room = await add_resource(api.api, "Room 1")
    for path in ("/preview", ""):
        answers = [
            await post(api, path, wanted(provider_id=name))
            for name in (room, "prv_none")
        ]
        assert [code_of(one) for one in answers] == [(404, "provider_not_found")] * 2
        first, second = (one.json() | {"request_id": ""} for one in answers)
        assert first == second


async def test_a_patient_places_so_many_series(
    api: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies beyond the horizon is counted by no limit of visits; repeated with its
    key the last one is answered, and staff place more."""
    monkeypatch.setattr(store, "PLACED_MAX", 2)
    await set_rules(api)
    far = [f"2027-0{month}-04T09:00:00Z" for month in (1, 2, 3)]
    key = patient(api) | {"Idempotency-Key": "series-2"}
    first = await post(api, "", wanted(rule=None, starts=far))
    last = await post(api, "", wanted(rule=None, starts=far), key)
    assert (first.status_code, last.status_code) == (201, 201)
    more = await post(api, "", wanted(rule=None, starts=far))
    assert code_of(more) == (409, "booking_limit")
    api.api.ports.answers.rows.clear()  # type: ignore[union-attr]
    again = await post(api, "", wanted(rule=None, starts=far), key)
    assert again.json()["series_id"] == last.json()["series_id"]
    by_staff = wanted(rule=None, starts=far, patient_id=MIRA)
    assert (await post(api, "", by_staff, api.api.doctor())).status_code == 201
    other = await post(api, "", wanted(rule=None, starts=far), patient(api, 2))
    assert other.status_code == 201


@pytest.mark.parametrize("day", [11, 13])
async def test_an_interrupted_move_goes_on_to_the_same_times(
    api: AccountApi, day: int
) -> None:
    """A calendar is away after some visits have moved: the same request again moves the
    others, and none twice; what waits beyond the horizon included."""
    await set_rules(api)
    series = await placed(api, rule=rule(6, first="2026-08-12"))
    assert states(series)[4:] == [("waiting", None)] * 2
    start = f"2026-08-{day}T10:00:00Z"
    body = {"number": 1, "scope": "following", "start": start}
    path, key = f"/{series['series_id']}/move", {"Idempotency-Key": "move-1"}
    calendars: Any = api.api.ports.calendars
    ask, moved = calendars.ask, 0

    async def away(request: Any) -> Any:
        nonlocal moved
        if isinstance(request, RescheduleBooking):
            moved += 1
            if moved == 3:
                raise Unavailable("away")
        return await ask(request)

    calendars.ask = away
    first = await post(api, path, body, patient(api) | key)
    assert first.status_code == 503, first.text
    again = await post(api, path, body, patient(api) | key)
    calendars.ask = ask
    assert again.status_code == 200, again.text
    assert [one["done"] for one in again.json()["results"]] == [True] * 6
    shown = [one["start"] for one in again.json()["series"]["visits"]]
    days = [minute_text(make.at(10, day=day - 10 + 7 * week)) for week in range(6)]
    assert shown == days
    other = body | {"start": "2026-08-14T10:00:00Z"}
    later = await post(api, path, other, patient(api) | {"Idempotency-Key": "move-2"})
    assert later.json()["series"]["visits"][5]["start"] == "2026-09-18T10:00:00Z"


async def test_an_interrupted_cancellation_goes_on(api: AccountApi) -> None:
    """Also if its first visit was not booked: it is given up last."""
    await set_rules(api)
    await take(api, WEEKS[0])
    series = await placed(api, all_or_nothing=False)
    assert [one["state"] for one in series["visits"]] == ["failed", "placed", "placed"]
    path, body = f"/{series['series_id']}/cancel", {"number": 1, "scope": "following"}
    calendars: Any = api.api.ports.calendars
    ask, asked = calendars.ask, 0

    async def away(request: Any) -> Any:
        nonlocal asked
        if isinstance(request, CancelBooking):
            asked += 1
            if asked == 2:
                raise Unavailable("away")
        return await ask(request)

    calendars.ask = away
    key = patient(api) | {"Idempotency-Key": "cancel-1"}
    assert (await post(api, path, body, key)).status_code == 503
    again = await post(api, path, body, key)
    calendars.ask = ask
    assert [one["done"] for one in again.json()["results"]] == [True, True]
    assert states(again.json()["series"]) == [
        ("dropped", None),
        ("placed", "cancelled"),
        ("placed", "cancelled"),
    ]


async def test_a_move_out_of_time_is_refused_before_anything_moves(
    api: AccountApi,
) -> None:
    """The other visits would go beyond the last year that there is."""
    await set_rules(api)
    series = await placed(api, rule=rule(6))
    assert series["visits"][5]["state"] == "waiting"
    body = {"number": 1, "scope": "following", "start": "2199-12-30T10:00:00Z"}
    path = f"/{series['series_id']}"
    answer = await post(api, f"{path}/move", body)
    assert answer.status_code == 422, answer.text
    assert [one["field"] for one in answer.json()["errors"]] == ["start"]
    shown = await api.client.get(f"/v1/series{path}", headers=patient(api))
    assert shown.json()["visits"] == series["visits"]
