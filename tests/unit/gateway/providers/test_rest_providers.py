"""Providers over REST: search, slots, rules, leave and schedule.

One file because it is the table of one router's answers.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories as make
from tests.fakes.api import Api, open_api, slot

ONE = "/v1/providers/prv_1"
SLOTS = f"{ONE}/slots?visit_type=consult"


async def test_slots_of_a_day(api: Api) -> None:
    """Two equal dates mean that day; held and booked are told apart."""
    await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    await api.client.post(
        "/v1/bookings", json=slot(start="2026-08-10T09:30:00Z"), headers=api.patient()
    )
    response = await api.client.get(f"{SLOTS}&from=2026-08-10&to=2026-08-10")
    body = response.json()
    assert [s["state"] for s in body["slots"][:3]] == ["held", "booked", "free"]
    assert len(body["slots"]) == 16
    assert body["time_zone"] == "UTC"


async def test_slots_default_to_the_coming_week_of_the_first_visit_type(
    api: Api,
) -> None:
    """Without parameters: today in the clinic's zone, seven days."""
    response = await api.client.get(f"{ONE}/slots")
    body = response.json()
    assert body["visit_type"] == "consult"
    assert {s["start"][:10] for s in body["slots"]} == {
        f"2026-08-{day}" for day in range(10, 17)
    }


async def test_slots_between_instants(api: Api) -> None:
    """Instants with an offset are bounds too."""
    response = await api.client.get(
        f"{SLOTS}&from=2026-08-10T11:00:00%2B02:00&to=2026-08-10T10:00:00Z"
    )
    assert [s["start"][11:16] for s in response.json()["slots"]] == ["09:00", "09:30"]


async def test_slots_that_have_not_changed_are_304(api: Api) -> None:
    """An ETag per content and query; a change makes a new one."""
    path = f"{SLOTS}&from=2026-08-10&to=2026-08-11"
    tag = (await api.client.get(path)).headers["etag"]
    for header in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        same = await api.client.get(path, headers={"If-None-Match": header})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == tag
    other = await api.client.get(
        f"{SLOTS}&from=2026-08-10&to=2026-08-12", headers={"If-None-Match": tag}
    )
    assert other.status_code == 200
    await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    changed = await api.client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200


async def test_a_reader_sees_their_own_write(api: Api) -> None:
    """at_least is honoured: the version of the answer, and 503 for one to come."""
    held = await api.client.post("/v1/holds", json=slot(), headers=api.patient())
    version = held.json()["version"]
    seen = await api.client.get(f"{SLOTS}&at_least={version}")
    assert seen.json()["version"] >= version
    ahead = await api.client.get(f"{SLOTS}&at_least={version + 1000}")
    assert (ahead.status_code, ahead.json()["code"]) == (503, "unavailable")
    assert ahead.headers["retry-after"]
    assert "at_least" in ahead.json()["detail"]
    assert "key" not in ahead.json()["detail"].lower()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-08-10&to=2026-10-12", "to"),
        ("from=2026-08-10T00:00:00Z&to=2026-10-12T00:00:00Z", "to"),
        ("from=2026-08-10&to=2026-08-09", "to"),
        ("from=2026-08-10T10:00:00Z&to=2026-08-10T09:00:00Z", "to"),
        ("from=2026-13-01", "from"),
        ("from=10.8.2026", "from"),
        ("from=2026-08-10T09:00:00", "from"),
        ("from=0001-01-01", "from"),
        ("from=%00", "from"),
        ("at_least=x", "at_least"),
    ],
)
async def test_bad_bounds_name_their_field(api: Api, query: str, field: str) -> None:
    """More than 62 days, backwards, or no date at all: 422."""
    response = await api.client.get(f"{SLOTS}&{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("path", [SLOTS, f"{ONE}/schedule?", "/v1/bookings?"])
async def test_dates_are_whole_days_to_the_last_everywhere(api: Api, path: str) -> None:
    """The same two dates mean the same days of slots, schedule and own bookings."""
    who = api.doctor() if "schedule" in path else api.patient()
    for day in (10, 11, 12):
        await api.client.post(
            "/v1/bookings",
            json=slot(start=f"2026-08-{day}T09:00:00Z"),
            headers=api.patient(),
        )

    async def booked(first: str, last: str) -> list[str]:
        answer = await api.client.get(f"{path}&from={first}&to={last}", headers=who)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows = body.get("slots") or body.get("bookings") or body.get("items") or []
        return [
            row["start"][8:10]
            for row in rows
            if row.get("state", row.get("status")) == "booked"
        ]

    assert await booked("2026-08-10", "2026-08-10") == ["10"]
    assert await booked("2026-08-10", "2026-08-12") == ["10", "11", "12"]
    assert await booked("2026-08-10T00:00:00Z", "2026-08-11") == ["10", "11"]
    assert await booked("2026-08-10", "2026-08-11T09:00:00Z") == ["10"]
    for first, last in (
        ("2026-08-11", "2026-08-10"),
        ("2026-08-11T09:00:00Z", "2026-08-11T08:00:00Z"),
        ("2026-08-14T09:00:00Z", "2026-08-11"),
    ):
        answer = await api.client.get(f"{path}&from={first}&to={last}", headers=who)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == "to"


async def test_leave_in_dates_is_whole_days_of_the_clinic(api: Api) -> None:
    """The 25th in Auckland, wherever it is entered; also with an instant."""
    clinic = make.a_clinic(time_zone="Pacific/Auckland")
    await api.add_provider(2, clinic=clinic)
    rules = {
        "locations": [{"time_zone": "Pacific/Auckland", "weekly": {}}],
        "visit_types": [],
    }
    path, staff = "/v1/providers/prv_2", api.doctor("prv_2")
    await api.client.put(f"{path}/availability", json=rules, headers=staff)

    async def leave(start: str, end: str) -> Any:
        body = {"start": start, "end": end}
        answer = await api.client.post(f"{path}/time-off", json=body, headers=staff)
        return answer.status_code, answer.json()

    status, body = await leave("2026-12-25", "2026-12-25")
    assert (status, body["start"], body["end"]) == (
        *(201, "2026-12-24T11:00:00Z"),
        "2026-12-25T11:00:00Z",
    )
    status, body = await leave("2026-09-26", "2026-09-27")
    assert (body["start"], body["end"]) == (
        "2026-09-25T12:00:00Z",
        "2026-09-27T11:00:00Z",  # of 47 hours: the clocks go forward
    )
    status, body = await leave("2026-12-31T10:00:00Z", "2026-12-31")
    assert (body["start"], body["end"]) == (
        "2026-12-31T10:00:00Z",
        "2026-12-31T11:00:00Z",
    )
    for start, end in (
        *(("2026-12-26", "2026-12-25"), ("2026-12-25", "tomorrow")),
        ("2026-12-25", "2028-12-31"),
    ):
        status, body = await leave(start, end)
        assert (status, body["errors"][0]["field"]) == (422, "end")


async def test_sixty_two_days_are_allowed(api: Api) -> None:
    """The bound itself is within."""
    response = await api.client.get(f"{SLOTS}&from=2026-08-10&to=2026-10-11")
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/v1/providers/prv_404", "/v1/providers/x%00y"])
@pytest.mark.parametrize("what", ["", "/slots"])
async def test_unknown_providers_are_404(api: Api, path: str, what: str) -> None:
    """Whether the id is unknown or malformed."""
    response = await api.client.get(path + what)
    assert response.json()["code"] == "provider_not_found"


async def test_a_provider_whole(api: Api) -> None:
    """Profile, visit types with their rules, and the next free start."""
    body = (await api.client.get(ONE)).json()
    assert body["clinic"]["time_zone"] == "UTC"
    assert body["next_free"] == "2026-08-10T09:00:00Z"
    assert body["visit_types"][0]["horizon_days"] == 28


async def _town(api: Api) -> None:
    for number in range(2, 8):
        await api.add_provider(
            number,
            specialty="cardiology" if number % 2 else "dermatology",
            clinic=make.a_clinic(number, latitude=50.0 + number, longitude=8.0),
        )
    await api.project()


async def _all(api: Api, query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await api.client.get(f"/v1/providers?{query}&cursor={cursor}")
        assert page.status_code == 200, page.text
        items += page.json()["items"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return items


async def test_providers_are_found_by_words_specialty_and_distance(
    api: Api,
) -> None:
    """Pages of any length give the same list."""
    await _town(api)
    assert len(await _all(api, "limit=2")) == 7
    assert len(await _all(api, "specialty=cardiology&limit=1")) == 3
    assert len(await _all(api, "query=num")) == 7
    near = await _all(api, "near=52,8&within_km=300&limit=2")
    assert near[0]["clinic"]["latitude"] == 52.0
    assert near[0]["distance_km"] == pytest.approx(0, abs=0.1)
    assert all(item["next_free"] for item in near)


async def test_the_soonest_near_a_place_tell_their_distance(api: Api) -> None:
    """Whatever the order: how far away each is, in whole metres."""
    await _town(api)
    for sort in ("name", "soonest"):
        items = await _all(api, f"near=52,8&within_km=300&sort={sort}")
        assert items
        assert all(isinstance(item["distance_m"], int) for item in items)
        assert all(item["distance_km"] == item["distance_m"] / 1000 for item in items)


async def test_soonest_first(api: Api) -> None:
    """The order is by next free start; who has none comes last; pages are stable."""
    await _town(api)
    for number in range(1, 4):
        for minutes in range(0, number * 30, 30):
            start = f"2026-08-10T{9 + minutes // 60:02}:{minutes % 60:02}:00Z"
            booked = await api.client.post(
                "/v1/bookings",
                json=slot(f"prv_{number}", start),
                headers=api.patient(100 * number + minutes),
            )
            assert booked.status_code == 201
    closed: dict[str, list[Any]] = {"locations": [], "visit_types": []}
    await api.client.put(
        "/v1/providers/prv_7/availability", json=closed, headers=api.admin()
    )
    for limit in (1, 3, 50):
        items = await _all(api, f"sort=soonest&limit={limit}")
        starts = [item["next_free"] or "9999" for item in items]
        assert starts == sorted(starts)
        assert len(starts) == 7
        assert items[-1]["provider_id"] == "prv_7"


@pytest.mark.parametrize(
    "query",
    [
        "near=1",
        "near=91,0",
        "near=nan,nan",
        "near=inf,0",
        "near=a,b",
        "within_km=5",
        "sort=best",
        "limit=101",
        "cursor=%7B",
        "query=" + "x" * 201,
        "specialty=a%00b",
    ],
)
@pytest.mark.parametrize("sort", ["", "&sort=soonest"])
async def test_a_bad_search_names_its_field(api: Api, query: str, sort: str) -> None:
    """422 with the parameter's name."""
    if "sort" in query and sort:
        return
    response = await api.client.get(f"/v1/providers?{query}{sort}")
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "query", ["query=a&query=b", "query=%ff", "&".join("abcdefgh" * 9)]
)
async def test_a_broken_query_string_is_422(api: Api, query: str) -> None:
    """Twice the same name, or bytes that are no text."""
    response = await api.client.get(f"/v1/providers?{query}")
    assert response.status_code in (200, 422)
    if "=" in query:
        assert response.json()["code"] == "invalid_request"


async def test_rules_can_be_read_and_sent_back(api: Api) -> None:
    """GET availability is a valid PUT, and changes nothing."""
    staff = api.doctor()
    path = f"{ONE}/availability"
    rules = (await api.client.get(path, headers=staff)).json()
    put = await api.client.put(path, json=rules, headers=staff)
    assert put.status_code == 200, put.text
    again = (await api.client.get(path, headers=staff)).json()
    for name in ("locations", "visit_types"):
        assert again[name] == rules[name] == put.json()[name]


async def test_new_rules_change_what_is_offered(api: Api) -> None:
    """Hours to midnight, a closed exception, and another length of visit."""
    rules = {
        "locations": [
            {
                "location_id": "loc_1",
                "time_zone": "Europe/Berlin",
                "weekly": {"monday": [{"opens": "22:00", "closes": "24:00"}]},
                "exceptions": {"2026-08-17": []},
            }
        ],
        "visit_types": [
            {"visit_type": "long", "title": "Long", "minutes": 60, "alignment": 60}
        ],
    }
    put = await api.client.put(
        f"{ONE}/availability", json=rules, headers=api.clinic_admin()
    )
    assert put.status_code == 200, put.text
    response = await api.client.get(f"{ONE}/slots?from=2026-08-10&to=2026-08-23")
    assert [s["start"] for s in response.json()["slots"]] == [
        "2026-08-10T20:00:00Z",
        "2026-08-10T21:00:00Z",
    ]
    assert response.json()["time_zone"] == "Europe/Berlin"


_PLACE = {"time_zone": "UTC", "weekly": {}}
_KIND = {"visit_type": "a", "title": "A", "minutes": 30}


def _open(opens: str, closes: str) -> dict[str, Any]:
    hours = [{"opens": opens, "closes": closes}]
    return _PLACE | {"weekly": {"monday": hours}}


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({}, "locations"),
        ({"locations": [_PLACE]}, "visit_types"),
        ({"locations": [{"weekly": {}}], "visit_types": []}, "locations[0].time_zone"),
        (
            {"locations": [_PLACE | {"time_zone": "Mars/Base"}], "visit_types": []},
            "locations[0].time_zone",
        ),
        (
            {"locations": [_PLACE | {"time_zone": "../etc/passwd"}], "visit_types": []},
            "locations[0].time_zone",
        ),
        (
            {"locations": [_PLACE | {"time_zone": ""}], "visit_types": []},
            "locations[0].time_zone",
        ),
        (
            {"locations": [_open("12:00", "09:00")], "visit_types": []},
            "locations[0].weekly.monday[0].closes",
        ),
        (
            {"locations": [_open("9", "10")], "visit_types": []},
            "locations[0].weekly.monday[0].opens",
        ),
        (
            {"locations": [_open("09:00", "24:30")], "visit_types": []},
            "locations[0].weekly.monday[0].closes",
        ),
        (
            {
                "locations": [_PLACE | {"exceptions": {"2026-02-30": []}}],
                "visit_types": [],
            },
            "locations[0].exceptions.2026-02-30",
        ),
        ({"locations": [_PLACE, _PLACE], "visit_types": []}, "locations"),
        ({"locations": [_PLACE], "visit_types": [_KIND, _KIND]}, "visit_types"),
        (
            {"locations": [_PLACE], "visit_types": [_KIND | {"locations": ["loc_9"]}]},
            "visit_types[0].locations",
        ),
        (
            {"locations": [_PLACE], "visit_types": [_KIND | {"minutes": 0}]},
            "visit_types[0].minutes",
        ),
        (
            {"locations": [_PLACE], "visit_types": [_KIND | {"buffer": 5}]},
            "visit_types[0].buffer",
        ),
        (
            {"locations": [_PLACE], "visit_types": [_KIND | {"visit_type": "a b"}]},
            "visit_types[0].visit_type",
        ),
    ],
)
async def test_bad_rules_name_their_field(
    api: Api, rules: dict[str, Any], field: str
) -> None:
    """A typing mistake in the rules is found before a calendar sees it."""
    response = await api.client.put(
        f"{ONE}/availability", json=rules, headers=api.doctor()
    )
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["field"] == field


async def test_leave_names_the_bookings_it_hits(api: Api) -> None:
    """They stay booked; the leave is listed, and can be given back."""
    booked = await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
    staff = api.doctor()
    body = {
        "start": "2026-08-10T00:00:00Z",
        "end": "2026-08-11T00:00:00Z",
        "reason": "congress",
    }
    leave = await api.client.post(f"{ONE}/time-off", json=body, headers=staff)
    assert leave.status_code == 201
    (hit,) = leave.json()["affected"]
    assert hit["booking_id"] == booked.json()["booking_id"]
    assert hit["patient_id"] == "pat_1"
    listed = await api.client.get(f"{ONE}/time-off", headers=staff)
    assert listed.json()["items"][0]["reason"] == "congress"
    day = await api.client.get(f"{SLOTS}&from=2026-08-10&to=2026-08-10")
    assert "free" not in {s["state"] for s in day.json()["slots"]}
    path = f"{ONE}/time-off/{leave.json()['time_off_id']}"
    assert (await api.client.delete(path, headers=staff)).status_code == 204
    assert (await api.client.delete(path, headers=staff)).status_code == 404
    for wrong in ("off_2.x", "nonsense", "bkg_1.x"):
        gone = await api.client.delete(f"{ONE}/time-off/{wrong}", headers=staff)
        assert gone.json()["code"] == "time_off_not_found"
    backwards = body | {"end": "2026-08-09T00:00:00Z"}
    bad = await api.client.post(f"{ONE}/time-off", json=backwards, headers=staff)
    assert bad.json()["errors"][0]["field"] == "end"


async def test_the_schedule_shows_patients_to_staff(api: Api) -> None:
    """Bookings by start, with who comes and why."""
    for number, hour in ((1, 11), (2, 9)):
        body = slot(start=f"2026-08-10T{hour:02}:00:00Z") | {"reason": f"r{number}"}
        await api.client.post("/v1/bookings", json=body, headers=api.patient(number))
    response = await api.client.get(f"{ONE}/schedule", headers=api.doctor())
    assert [(b["patient_id"], b["reason"]) for b in response.json()["bookings"]] == [
        ("pat_2", "r2"),
        ("pat_1", "r1"),
    ]
    long = await api.client.get(
        f"{ONE}/schedule?from=2026-01-01&to=2026-12-31", headers=api.doctor()
    )
    assert long.status_code == 422


async def test_an_admin_registers_a_provider() -> None:
    """PUT begins a calendar and later changes the profile."""
    profile = {
        "name": "Dr. New",
        "specialty": "general practice",
        "clinic": {"clinic_id": "cln_9", "name": "C", "time_zone": "Asia/Tokyo"},
    }
    async with open_api() as api:
        put = await api.client.put(
            "/v1/providers/prv_9", json=profile, headers=api.admin()
        )
        assert put.status_code == 200
        shown = (await api.client.get("/v1/providers/prv_9")).json()
        assert (shown["name"], shown["next_free"]) == ("Dr. New", None)
        bad = profile | {"clinic": profile["clinic"] | {"time_zone": "Mars"}}  # type: ignore[operator]
        refused = await api.client.put(
            "/v1/providers/prv_9", json=bad, headers=api.admin()
        )
        assert refused.json()["errors"][0]["field"] == "clinic.time_zone"
        odd = await api.client.put(
            "/v1/providers/prv_9%0A", json=profile, headers=api.admin()
        )
        assert odd.json()["errors"][0]["field"] == "provider_id"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("visit_types.0.visit_type", "a\n"),
        ("visit_types.0.title", "A\0"),
        ("locations.0.name", "Main\x1b[31m"),
        ("locations.0.location_id", "loc_1\n"),
        ("locations.0.weekly.monday.0.opens", "09:00\n"),
    ],
)
async def test_names_are_one_line_without_control_characters(
    api: Api, path: str, value: str
) -> None:
    """A newline at the end of an id, or NUL in a title, is 422 and changes nothing."""
    hours = {"monday": [{"opens": "09:00", "closes": "10:00"}]}
    rules: Any = {
        "locations": [{"location_id": "loc_1", "time_zone": "UTC", "weekly": hours}],
        "visit_types": [{"visit_type": "a", "title": "A", "minutes": 30}],
    }
    target = rules
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        target = target[step]
    target[last] = value
    put = await api.client.put(f"{ONE}/availability", json=rules, headers=api.doctor())
    assert (put.status_code, put.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Dr\0"),
        ("specialty", "Skin\x07"),
        ("about", "a\0b"),
        ("about", "a" * 4_001),
        ("languages", ["x" * 36]),
        ("languages", ["de"] * 33),
        ("clinic.clinic_id", "cln_1\n"),
        ("clinic.country", "DE\n"),
        ("clinic.city", "Berlin\n"),
    ],
)
async def test_profiles_have_no_control_characters_and_bounds(
    api: Api, field: str, value: Any
) -> None:
    """What would break lists, mails and terminals is 422; so is what is too long."""
    clinic = {"clinic_id": "cln_1", "name": "C", "time_zone": "UTC"}
    profile: Any = {"name": "N", "specialty": "S", "clinic": clinic}
    place, _, name = field.rpartition(".")
    (profile[place] if place else profile)[name] = value
    put = await api.client.put("/v1/providers/prv_9", json=profile, headers=api.admin())
    assert (put.status_code, put.json()["code"]) == (422, "invalid_request")
    assert put.json()["errors"][0]["field"].startswith(field)


async def test_a_profile_may_be_as_long_as_the_document_says(api: Api) -> None:
    """The calendar takes what is just within the documented limits."""
    clinic = {"clinic_id": "cln_1", "name": "C", "time_zone": "UTC"}
    profile = {
        "name": "N" * 200,
        "specialty": "S" * 200,
        "clinic": clinic,
        "languages": ["x" * 35] * 32,
        "about": "a" * 4_000,
    }
    put = await api.client.put("/v1/providers/prv_9", json=profile, headers=api.admin())
    assert put.status_code == 200, put.text


async def test_a_patient_id_ends_where_it_ends(api: Api) -> None:
    """Staff cannot book for "pat_2" and a newline, which is no patient."""
    body = slot() | {"patient_id": "pat_2\n"}
    response = await api.client.post("/v1/bookings", json=body, headers=api.doctor())
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
