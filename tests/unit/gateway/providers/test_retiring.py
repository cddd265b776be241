"""A provider who retires: in no search, offers nothing; visits stay and are listed."""

from __future__ import annotations

from typing import Any

from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import decode, encode
from actors.domain.rules import Policy
from tests import factories as make
from tests.fakes.api import Api, slot

ONE = "/v1/providers/prv_1"


async def post(api: Api, path: str, body: Any = None, auth: Any = None) -> Any:
    headers = auth or api.clinic_admin()
    return await api.client.post(path, json=body, headers=headers)


async def found(api: Api) -> list[str]:
    """Who is found, by either order."""
    await api.project()
    lists = []
    for sort in ("name", "soonest"):
        page = await api.client.get(f"/v1/providers?sort={sort}")
        lists.append([item["provider_id"] for item in page.json()["items"]])
    assert lists[0] == lists[1]
    return lists[0]


async def free_slots(api: Api) -> int:
    slots = await api.client.get(f"{ONE}/slots")
    assert slots.status_code == 200
    return len(slots.json()["slots"])


async def test_who_retires_is_found_by_nobody_and_offers_nothing(api: Api) -> None:
    """No search, no slot, no hold; the page says so; a new profile changes nothing."""
    assert await found(api) == ["prv_1"]
    booked = await post(api, "/v1/bookings", slot(), api.patient())
    retired = await post(api, f"{ONE}/retire")
    assert retired.status_code == 200, retired.text
    assert [one["booking_id"] for one in retired.json()["affected"]] == [
        booked.json()["booking_id"]
    ]
    assert await found(api) == []
    assert await free_slots(api) == 0
    later = slot(start="2026-08-10T10:00:00Z")
    refused = await post(api, "/v1/holds", later, api.patient())
    assert refused.json()["code"] == "slot_not_offered"
    profile = {
        "name": "Dr. Other",
        "specialty": "GP",
        "clinic": {"clinic_id": "cln_1", "name": "C", "time_zone": "UTC"},
    }
    await api.client.put(ONE, json=profile, headers=api.admin())
    page = (await api.client.get(ONE)).json()
    assert (page["name"], page["retired"], page["next_free"]) == (
        "Dr. Other",
        True,
        None,
    )
    assert await found(api) == []


async def test_the_visits_of_who_retired_stay(api: Api) -> None:
    """They are in the schedule and the patient's list, and can be cancelled."""
    booked = await post(api, "/v1/bookings", slot(), api.patient())
    await post(api, f"{ONE}/retire")
    await api.project()
    schedule = await api.client.get(f"{ONE}/schedule", headers=api.doctor())
    assert len(schedule.json()["bookings"]) == 1
    own = await api.client.get("/v1/bookings", headers=api.patient())
    assert [one["status"] for one in own.json()["items"]] == ["booked"]
    booking_id = booked.json()["booking_id"]
    gone = await post(api, f"/v1/bookings/{booking_id}/cancel", auth=api.patient())
    assert gone.json()["status"] == "cancelled"


async def test_who_is_reinstated_offers_what_the_rules_say(api: Api) -> None:
    """The same slots as before, found again; each call may be repeated."""
    before = await free_slots(api)
    for _ in range(2):
        await post(api, f"{ONE}/retire")
    assert await free_slots(api) == 0
    for _ in range(2):
        again = await post(api, f"{ONE}/reinstate")
        assert again.json()["retired"] is False
    assert await free_slots(api) == before
    assert await found(api) == ["prv_1"]


async def test_watchers_read_anew_when_a_provider_retires(api: Api) -> None:
    """Calendar and snapshot alike: a change that no delta can tell is a reread."""
    from actors.domain.calendar.delta import change_of

    calendar = make.a_calendar()
    calendar = make.restored(calendar)
    for retired in (True, False):
        command = make.set_retired(retired=retired)
        events = calendar.decide(command, make.NOW)
        assert isinstance(events, tuple)
        for event in events:
            apply(calendar.state, event, 1)
        assert change_of(calendar.state, events)[2]
        assert calendar.state.retired is retired
        assert decode(encode(calendar.state), Policy()).retired is retired
