"""Private topics of doctors and patients: as soon as the public slot changes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from actors.domain.messages.changes import FeedBatch
from gateway.live.topics.hub import Hub
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api

WEEK = "slots/prv_1/consult/2026-W33"
SCHEDULE = "schedule/prv_1"
SLOT = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}


async def watch(client: LiveClient, *topics: str) -> None:
    await client.send("subscribe", topics=list(topics))
    for _ in topics:
        await client.until("snapshot")


async def deltas(client: LiveClient, *topics: str) -> dict[str, dict[str, Any]]:
    """The next delta of each of these topics."""
    found: dict[str, dict[str, Any]] = {}
    while found.keys() != set(topics):
        frame = await client.until("delta")
        found.setdefault(frame["topic"], frame)
    return found


async def cancel(api: LiveApi, headers: dict[str, str], booking_id: str) -> None:
    async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=60) as rest:
        answer = await rest.post(
            f"/v1/bookings/{booking_id}/cancel", json={"reason": "the doctor is ill"}
        )
        assert answer.is_success, answer.text


async def test_one_booking_is_one_batch_for_everybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Slots, schedule and the patient's own: the same change, in the same breath."""
    told: list[set[str]] = []
    inner = Hub.on_feed

    def on_feed(hub: Hub, shard: Any, asked: Any, batch: FeedBatch, now: Any) -> bool:
        before = {key: board.position for key, board in hub.index.boards.items()}
        believed = inner(hub, shard, asked, batch, now)
        boards = hub.index.boards
        moved = {key for key, at in before.items() if boards[key].position != at}
        if moved:
            told.append(moved)
        return believed

    monkeypatch.setattr(Hub, "on_feed", on_feed)
    async with (
        open_live_api() as api,
        api.client("doctor", "prv_1") as doctor,
        api.client("patient", "pat_7") as patient,
        api.client() as stranger,
    ):
        await watch(doctor, SCHEDULE, WEEK)
        await watch(patient, "me")
        await watch(stranger, WEEK)
        told.clear()
        booked = (await patient.ask("book", **SLOT))["body"]
        day = await deltas(doctor, SCHEDULE, WEEK)
        await deltas(stranger, WEEK)
        assert told == [{SCHEDULE, WEEK, "me/pat_7"}]
        versions = {frame["version"] for frame in day.values()}
        assert versions == {booked["version"]}
        assert day[SCHEDULE]["bookings"] == [booked]
        assert day[WEEK]["slots"] == [[SLOT["start"], "booked"]]


@pytest.mark.parametrize(
    ("role", "subject"), [("clinic_admin", "cln_1"), ("doctor", "prv_1")]
)
async def test_a_patient_hears_that_the_clinic_cancelled(
    role: str, subject: str
) -> None:
    """With the reason; the doctor's day and the public week change with it."""
    async with (
        open_live_api() as api,
        api.client("patient", "pat_7") as patient,
        api.client("patient", "pat_8") as another,
        api.client("doctor", "prv_1") as doctor,
    ):
        booked = (await patient.ask("book", **SLOT))["body"]
        await api.api.project()
        await watch(patient, "me")
        await watch(another, "me", WEEK)
        await watch(doctor, SCHEDULE)
        staff = api.api.auth(role, subject)
        await cancel(api, staff, booked["booking_id"])
        (mine,) = (await deltas(patient, "me"))["me"]["bookings"]
        assert (mine["booking_id"], mine["status"]) == (
            booked["booking_id"],
            "cancelled",
        )
        assert mine["cancel_reason"] == "the doctor is ill"
        (seen,) = (await deltas(doctor, SCHEDULE))[SCHEDULE]["bookings"]
        assert seen["status"] == "cancelled"
        free = (await deltas(another, WEEK))[WEEK]
        assert free["slots"] == [[SLOT["start"], "free"]]
        assert "pat_7" not in str(another.frames)


async def test_patients_hear_at_once_of_what_leave_took_the_ground_from() -> None:
    """Their visits and holds, marked, on ``me``, and on the schedule."""
    leave = {"start": "2026-08-10T00:00:00Z", "end": "2026-08-11T00:00:00Z"}
    held = SLOT | {"start": "2026-08-10T11:00:00Z"}
    async with (
        open_live_api() as api,
        api.client("doctor", "prv_1") as doctor,
        api.client("patient", "pat_7") as patient,
        api.client("patient", "pat_8") as holder,
    ):
        await patient.ask("book", key="b", **SLOT)
        await holder.ask("hold", key="h", **held)
        await watch(doctor, SCHEDULE)
        await watch(patient, "me")
        await watch(holder, "me")
        headers = api.api.doctor()
        async with httpx.AsyncClient(
            base_url=api.url, headers=headers, timeout=60
        ) as rest:
            answer = await rest.post("/v1/providers/prv_1/time-off", json=leave)
            assert answer.status_code == 201, answer.text
        visit = (await deltas(patient, "me"))["me"]["bookings"][0]
        hold = (await deltas(holder, "me"))["me"]["holds"][0]
        listed = (await deltas(doctor, SCHEDULE))[SCHEDULE]["bookings"][0]
        assert {visit["stranded"], hold["stranded"], listed["stranded"]} == {"leave"}
        assert hold["start"] == held["start"]


async def test_me_shows_the_live_holds_and_what_becomes_of_them() -> None:
    """In the snapshot and as deltas, over either transport; to their patient alone."""
    eleven, noon = (
        SLOT | {"start": f"2026-08-10T{hour}:00:00Z"} for hour in ("11", "12")
    )
    async with (
        open_live_api() as api,
        api.client("patient", "pat_7") as patient,
        api.client("patient", "pat_8") as another,
    ):
        first = (await patient.ask("hold", **SLOT))["body"]
        await patient.ask("subscribe", topics=["me"])
        await watch(another, "me")
        shown = (await patient.until("snapshot"))["holds"]
        assert [(row["hold_id"], row["status"]) for row in shown] == [
            (first["hold_id"], "held")
        ]

        async def told() -> dict[str, Any]:
            (row,) = (await deltas(patient, "me"))["me"]["holds"]
            return dict(row)

        me = api.api.auth("patient", "pat_7")
        async with httpx.AsyncClient(base_url=api.url, headers=me, timeout=60) as rest:
            second = (await rest.post("/v1/holds", json=eleven)).json()
            row = await told()
            assert (row["hold_id"], row["status"]) == (second["hold_id"], "held")
            extended = await rest.post(f"/v1/holds/{second['hold_id']}/extend")
            row = await told()
            assert row["extensions_left"] == extended.json()["extensions_left"]
            await rest.delete(f"/v1/holds/{second['hold_id']}")
            over = [await told()]
            await rest.post("/v1/bookings", json={"hold_id": first["hold_id"]})
            over.append(await told())
            third = (await rest.post("/v1/holds", json=noon)).json()
            await told()
        api.api.clock.step(3 * 60)
        await another.ask("hold", key="2", **SLOT | {"start": "2026-08-10T13:00:00Z"})
        over.append(await told())
        assert [(row["hold_id"], row["status"]) for row in over] == [
            (second["hold_id"], "released"),
            (first["hold_id"], "booked"),
            (third["hold_id"], "expired"),
        ]
        for hold in (first, second, third):
            assert hold["hold_id"] not in str(another.frames)
