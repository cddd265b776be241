"""Opening rules over REST: what can be set, what wrong ones hear, what it costs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actors.domain.calendar import validation
from actors.domain.messages.refusals import Refusal
from actors.domain.time.openings import LocationHours
from gateway.providers import rule_checks
from gateway.providers.opening_rules import AvailabilityRequest, availability_of
from tests import factories as make
from tests.fakes.api import Api

ONE = "/v1/providers/prv_1"
RULES = f"{ONE}/availability"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def a_place(
    *hours: tuple[str, str], number: int = 1, zone: str = "UTC", **changes: Any
) -> dict[str, Any]:
    """The same hours each day."""
    spans = [{"opens": opens, "closes": closes} for opens, closes in hours]
    return {
        "location_id": f"loc_{number}",
        "time_zone": zone,
        "weekly": dict.fromkeys(DAYS, spans),
        **changes,
    }


def a_kind(**changes: Any) -> dict[str, Any]:
    return {
        "visit_type": "consult",
        "title": "Consult",
        "minutes": 30,
        "notice_minutes": 0,
        **changes,
    }


def rules(*places: dict[str, Any], kind: dict[str, Any] | None = None) -> Any:
    return {"locations": list(places), "visit_types": [kind or a_kind()]}


async def put(api: Api, body: Any) -> dict[str, Any]:
    """The answer, whose status is 200."""
    answer = await api.client.put(RULES, json=body, headers=api.doctor())
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def refused(api: Api, body: Any) -> list[dict[str, str]]:
    """The fields that a 422 names."""
    answer = await api.client.put(RULES, json=body, headers=api.doctor())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    return answer.json()["errors"]  # type: ignore[no-any-return]


async def starts(api: Api, first: str, last: str) -> list[str]:
    answer = await api.client.get(
        f"{ONE}/slots", params={"visit_type": "consult", "from": first, "to": last}
    )
    return [slot["start"] for slot in answer.json()["slots"]]


async def test_a_night_shift_is_one_pair_of_hours(api: Api) -> None:
    """22:00 to 06:00 lasts until the next morning, and is answered as it was sent."""
    kind = a_kind(minutes=240, alignment=240)
    place = a_place(("22:00", "06:00"), weekly={"monday": [_span("22:00", "06:00")]})
    await put(api, rules(place, kind=kind))
    read = await api.client.get(RULES, headers=api.doctor())
    weekly = read.json()["locations"][0]["weekly"]
    assert weekly["monday"] == [_span("22:00", "06:00")]
    assert await starts(api, "2026-08-10T00:00:00Z", "2026-08-17T00:00:00Z") == [
        "2026-08-10T22:00:00Z",
        "2026-08-11T02:00:00Z",
    ]


def _span(opens: str, closes: str) -> dict[str, str]:
    return {"opens": opens, "closes": closes}


@pytest.mark.parametrize(
    ("opens", "closes", "field", "says"),
    [
        ("9:00", "17:00", "opens", "two digits each, as 09:00"),
        ("09:00", "17h", "closes", "two digits each, as 09:00"),
        ("24:00", "06:00", "opens", "the next day begins at 00:00"),
        ("09:00", "09:00", "closes", "a whole day is 00:00 to 24:00"),
        ("17:00", "16:00", "closes", "at most 16 hours"),
    ],
)
async def test_wrong_hours_get_a_sentence(
    api: Api, opens: str, closes: str, field: str, says: str
) -> None:
    """It names the time that was sent and says what to write, without a pattern."""
    hours = a_place(("04:00", "05:00"), (opens, closes))
    error = (await refused(api, rules(hours)))[0]  # of each weekday the same
    assert error["field"] == f"locations[0].weekly.monday[1].{field}"
    assert says in error["message"]
    assert "^" not in error["message"]


async def test_places_that_follow_each_other_can_share_a_repeated_hour(
    api: Api,
) -> None:
    """Both passes of 02:00 to 02:30 belong to one place, the rest to the other."""
    zone = "Europe/Berlin"
    kind = a_kind(alignment=30, horizon_days=400)
    await put(
        api,
        rules(
            a_place(("02:00", "02:30"), number=1, zone=zone),
            a_place(("02:30", "03:00"), number=2, zone=zone),
            kind=kind,
        ),
    )
    assert await starts(api, "2026-10-25", "2026-10-25") == [
        *("2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
        *("2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
    ]


async def test_places_that_are_open_at_once_are_refused(api: Api) -> None:
    """Also when only a clock change of one zone makes them meet."""
    (error,) = await refused(
        api,
        rules(
            a_place(("09:00", "10:00"), number=1, zone="Europe/London"),
            a_place(("09:00", "10:00"), number=2, zone="Africa/Abidjan"),
        ),
    )
    assert error["field"] == "locations"
    # London is an hour ahead until 25 October; then both are on UTC.
    assert error["message"].endswith("both open at 2026-10-25T09:00Z")


async def test_a_doctor_at_places_in_two_zones(api: Api) -> None:
    """Each slot says its place, which is on the public page; a filter shows one place.

    Then dates are those of its own zone.
    """
    berlin = a_place(("09:00", "10:00"), number=1, zone="Europe/Berlin", name="Mitte")
    tokyo = a_place(("06:00", "07:00"), number=2, zone="Asia/Tokyo", name="Ginza")
    await put(api, rules(berlin, tokyo, kind=a_kind(alignment=30)))
    places = [
        {"location_id": "loc_1", "name": "Mitte", "time_zone": "Europe/Berlin"},
        {"location_id": "loc_2", "name": "Ginza", "time_zone": "Asia/Tokyo"},
    ]
    assert (await api.client.get(ONE)).json()["locations"] == places

    async def shown(where: str) -> tuple[Any, list[tuple[str, str]]]:
        day = "from=2026-08-11&to=2026-08-11"
        answer = await api.client.get(f"{ONE}/slots?{day}{where}")
        body = answer.json()
        rows = [(slot["start"][8:16], slot["location_id"]) for slot in body["slots"]]
        return (body["time_zone"], body["locations"]), rows

    both, rows = await shown("")
    assert both == ("Europe/Berlin", places)
    assert rows == [
        *(("11T07:00", "loc_1"), ("11T07:30", "loc_1")),
        # The morning of the 12th in Tokyo is the night of the 11th in Berlin.
        *(("11T21:00", "loc_2"), ("11T21:30", "loc_2")),
    ]
    there, rows = await shown("&location_id=loc_2")
    assert there == ("Asia/Tokyo", places[1:])
    assert rows == [("10T21:00", "loc_2"), ("10T21:30", "loc_2")]
    here, rows = await shown("&location_id=loc_1")
    assert here == ("Europe/Berlin", places[:1])
    assert [row[1] for row in rows] == ["loc_1", "loc_1"]
    unknown = await api.client.get(f"{ONE}/slots?location_id=loc_9")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_request")


async def test_the_place_of_a_slot_is_where_its_hold_is(api: Api) -> None:
    """Of every slot that is shown, with the same day's slots of two places mixed."""
    await put(
        api,
        rules(
            a_place(("09:00", "10:00"), ("11:00", "11:30"), number=1),
            a_place(("10:00", "11:00"), number=2),
            kind=a_kind(alignment=30),
        ),
    )
    path = f"{ONE}/slots?from=2026-08-10&to=2026-08-10"
    slots = (await api.client.get(path)).json()["slots"]
    assert [slot["location_id"][-1] for slot in slots] == ["1", "1", "2", "2", "1"]
    for number, slot in enumerate(slots, 1):
        body = {
            "provider_id": "prv_1",
            "visit_type": "consult",
            "start": slot["start"],
        }
        held = await api.client.post(
            "/v1/holds", json=body, headers=api.patient(number)
        )
        assert held.json()["location_id"] == slot["location_id"]
    there = (await api.client.get(f"{path}&location_id=loc_2")).json()["slots"]
    assert [slot["state"] for slot in there] == ["held", "held"]


async def test_steps_count_from_the_opening_unless_midnight_is_chosen(
    api: Api,
) -> None:
    """Visits of 50 minutes between 09:00 and 12:20."""
    place = a_place(("09:00", "12:20"))
    kind = a_kind(minutes=50, alignment=50)
    await put(api, rules(place, kind=kind))
    opening = await starts(api, "2026-08-10", "2026-08-10")
    assert [start[11:16] for start in opening] == ["09:00", "09:50", "10:40", "11:30"]
    await put(api, rules(place, kind=kind | {"alignment_from": "midnight"}))
    midnight = await starts(api, "2026-08-10", "2026-08-10")
    assert [start[11:16] for start in midnight] == ["09:10", "10:00", "10:50"]


async def test_rules_from_before_the_choice_say_midnight(api: Api) -> None:
    """So that sending back what was read changes nothing."""
    read = (await api.client.get(RULES, headers=api.doctor())).json()
    assert read["visit_types"][0]["alignment_from"] == "midnight"


@pytest.mark.parametrize(
    ("kind", "field", "says"),
    [
        ({"alignment": 7}, "alignment", "multiple of 5"),
        ({"minutes": 12}, "minutes", "multiple of 5"),
        ({"buffer_after": 3}, "buffer_after", "multiple of 5"),
        ({"notice_minutes": 61}, "notice_minutes", "multiple of 5"),
        (
            {"notice_minutes": 2880, "horizon_days": 2},
            "notice_minutes",
            "less than horizon_days, which are 2880 minutes",
        ),
    ],
)
async def test_a_visit_type_that_could_never_be_offered_is_refused(
    api: Api, kind: dict[str, Any], field: str, says: str
) -> None:
    """The answer speaks of the field that was sent."""
    (error,) = await refused(
        api, rules(a_place(("09:00", "17:00")), kind=a_kind(**kind))
    )
    assert error["field"] == f"visit_types[0].{field}"
    assert says in error["message"]


def _schema() -> dict[str, Any]:
    (found,), parts = msgspec.json.schema_components([AvailabilityRequest])
    return parts | {"": parts[found["$ref"].rpartition("/")[2]]}


def _dates(count: int) -> list[str]:
    return [f"{2030 + n // 28}-02-{n % 28 + 1:02}" for n in range(count)]


def _of_limits() -> Iterator[Any]:
    """Each limit of the document, with rules of just so much, and the field's name."""
    parts = _schema()
    kind = parts["VisitTypeRules"]["properties"]
    place = parts["LocationBody"]["properties"]
    whole = parts[""]["properties"]
    hours = a_place(("09:00", "17:00"))
    for name, field in (("horizon_days", "maximum"), ("minutes", "maximum")):
        yield (
            kind[name][field],
            lambda count, name=name: rules(hours, kind=a_kind(**{name: count})),
            f"visit_types[0].{name}",
        )
    yield (
        whole["locations"]["maxItems"],
        lambda count: rules(*(a_place(number=n) for n in range(count))),
        "locations",
    )
    yield (
        whole["visit_types"]["maxItems"],
        lambda count: {
            "locations": [hours],
            "visit_types": [a_kind(visit_type=f"k{n}") for n in range(count)],
        },
        "visit_types",
    )
    yield (
        place["exceptions"]["maxProperties"],
        lambda count: rules(a_place(exceptions={day: [] for day in _dates(count)})),
        "locations[0].exceptions",
    )


@pytest.mark.parametrize(("limit", "make_rules", "field"), list(_of_limits()))
async def test_the_document_promises_what_the_server_takes(
    api: Api, limit: int, make_rules: Any, field: str
) -> None:
    """At each documented limit rules are accepted by the calendar; beyond it, 422."""
    await put(api, make_rules(limit))
    errors = await refused(api, make_rules(limit + 1))
    assert errors[0]["field"] == field


def _full_body() -> AvailabilityRequest:
    """Twenty places with eleven openings a day, none at the same time as another."""
    places = [
        a_place(
            *(
                (_clock(6 * (11 * number + k)), _clock(6 * (11 * number + k) + 5))
                for k in range(11)
            ),
            number=number,
        )
        for number in range(20)
    ]
    return msgspec.convert(rules(*places), AvailabilityRequest)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def test_a_calendar_expands_nothing_to_judge_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a week looks like is the gateway's work: bounded by weeks and places."""
    expanded: list[int] = []
    whole = LocationHours.open_cells

    def counted(place: LocationHours, first: int, count: int) -> int:
        expanded.append(first)
        return whole(place, first, count)

    monkeypatch.setattr(LocationHours, "open_cells", counted)
    found = availability_of(_full_body(), 5, make.NOW)
    assert len(expanded) == 20 * validation.OVERLAP_WEEKS
    expanded.clear()
    calendar = make.a_calendar()
    outcome = calendar.decide(make.set_availability(found, 7), make.NOW)
    assert not isinstance(outcome, Refusal)
    assert not expanded


async def test_many_rules_at_once_are_checked_in_turn_beside_the_loop(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen writes: one check at a time, and others are answered meanwhile."""
    go = threading.Event()
    together = threading.Semaphore(1)

    def slow(*given: Any) -> Any:
        assert together.acquire(blocking=False), "two checks at once"
        assert go.wait(30)
        together.release()
        return availability_of(*given)

    monkeypatch.setattr(rule_checks, "availability_of", slow)
    body = rules(a_place(("09:00", "17:00")))
    writes = [asyncio.ensure_future(put(api, body)) for _ in range(16)]
    other = await api.client.get(f"{ONE}/slots")
    assert other.status_code == 200
    assert not any(write.done() for write in writes)
    go.set()
    answers = await asyncio.gather(*writes)
    assert len({answer["version"] for answer in answers}) == 16


async def test_checks_that_wait_are_bounded(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond CHECKS_MAX the answer is 503 at once; then there is room again."""
    monkeypatch.setattr(rule_checks, "CHECKS_MAX", 0)
    body = rules(a_place(("09:00", "17:00")))
    answer = await api.client.put(RULES, json=body, headers=api.doctor())
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    monkeypatch.setattr(rule_checks, "CHECKS_MAX", 1)
    await put(api, body)
    await put(api, body)
