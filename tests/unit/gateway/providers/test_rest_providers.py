"""Providers over REST: profile, rules, leave and schedule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.api import Api, open_api, slot

ONE = "/v1/providers/prv_1"
SLOTS = f"{ONE}/slots?visit_type=consult"


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
