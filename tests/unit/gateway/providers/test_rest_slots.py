"""Free slots and days over REST: bounds, dates, and answers that have not changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories as make
from tests.fakes.api import Api, slot

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
