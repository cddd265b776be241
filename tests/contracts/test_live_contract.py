"""The live socket as an outside client meets it: a real server on a real port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from actors.domain.ids import ProviderId
from gateway.config import LiveSettings
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api

WEEK = "slots/prv_1/consult/2026-W33"
SLOT = {
    "provider_id": "prv_1",
    "visit_type": "consult",
    "start": "2026-08-10T09:00:00Z",
}


@pytest.fixture
async def api() -> AsyncIterator[LiveApi]:
    async with open_live_api() as opened:
        yield opened


async def watch(client: LiveClient, *topics: str, **fields: Any) -> dict[str, Any]:
    answer = await client.ask("subscribe", topics=list(topics), **fields)
    assert answer["t"] == "result"
    assert answer["body"] == {"topics": list(topics)}
    return await client.next()


def state_of(frame: dict[str, Any], start: str = SLOT["start"]) -> str | None:
    return dict(frame["slots"]).get(start)


async def test_a_watcher_sees_a_slot_held_and_free_again(api: LiveApi) -> None:
    """A stranger sees a slot become held, and free again, without a token."""
    async with api.client() as stranger, api.client("patient", "pat_1") as patient:
        snapshot = await watch(stranger, WEEK)
        assert snapshot["t"] == "snapshot"
        assert state_of(snapshot) == "free"
        held = await patient.ask("hold", key="k1", **SLOT)
        assert held["status"] == 201
        delta = await stranger.until("delta")
        assert (delta["epoch"], delta["from"]) == (
            snapshot["epoch"],
            snapshot["version"],
        )
        assert state_of(delta) == "held"
        freed = await patient.ask("release", hold_id=held["body"]["hold_id"])
        assert (freed["status"], freed["body"]) == (204, None)
        after = await stranger.until("delta")
        assert after["from"] == delta["version"]
        assert state_of(after) == "free"


async def test_deltas_chain_by_topic(api: LiveApi) -> None:
    """A change in another week leaves no gap: from is the topic's previous frame."""
    other = {**SLOT, "start": "2026-08-17T09:00:00Z"}
    async with api.client("patient", "pat_1") as patient:
        snapshot = await watch(patient, WEEK)
        assert (await patient.ask("hold", **other))["status"] == 201
        assert (await patient.ask("hold", **SLOT))["status"] == 201
        delta = [frame for frame in patient.frames if frame["t"] == "delta"]
        frame = delta[-1] if delta else await patient.until("delta")
        assert frame["from"] == snapshot["version"]
        assert frame["version"] > snapshot["version"] + 1


async def test_commands_answer_as_rest_does(api: LiveApi) -> None:
    """Status, body and refusals of a command are those of REST, key included."""
    headers = api.api.patient(1)
    async with (
        api.client("patient", "pat_1") as patient,
        httpx.AsyncClient(base_url=api.url, headers=headers, timeout=60) as rest,
    ):
        booked = await patient.ask("book", key="same", **SLOT)
        again = await rest.post(
            "/v1/bookings", json=SLOT, headers={"Idempotency-Key": "same"}
        )
        assert (booked["status"], booked["body"]) == (again.status_code, again.json())
        number = booked["body"]["booking_id"]
        shown = await rest.get(f"/v1/bookings/{number}")
        assert shown.json() == booked["body"]
        taken = await patient.ask("hold", **SLOT)
        refused = await rest.post("/v1/holds", json=SLOT)
        problem = refused.json()
        for name in ("status", "code", "detail"):
            assert taken[name] == problem[name]
        moved = await patient.ask(
            "reschedule", booking_id=number, start="2026-08-10T10:00:00Z"
        )
        assert moved["body"]["start"] == "2026-08-10T10:00:00Z"
        gone = await patient.ask("cancel", booking_id=number, reason="away")
        assert (gone["status"], gone["body"]["status"]) == (200, "cancelled")
        reused = await patient.ask("cancel", key="same", booking_id=number)
        assert (reused["status"], reused["code"]) == (422, "idempotency_key_reused")


async def test_a_hold_is_extended_and_booked(api: LiveApi) -> None:
    """The whole way of a patient goes over one socket."""
    async with api.client("patient", "pat_1") as patient:
        held = (await patient.ask("hold", **SLOT))["body"]
        longer = (await patient.ask("extend", hold_id=held["hold_id"]))["body"]
        assert longer["extensions_left"] == held["extensions_left"] - 1
        assert longer["expires_in_ms"] > 0
        booked = await patient.ask("book", hold_id=held["hold_id"], reason="cough")
        assert booked["body"]["status"] == "booked"


async def test_resume_sends_what_is_missing_and_nothing_else(api: LiveApi) -> None:
    """Current: only the answer. Behind: the deltas. Another epoch: a snapshot."""
    async with api.client("patient", "pat_1") as patient:
        first = await watch(patient, WEEK)
        held = await patient.ask("hold", **SLOT)
        delta = next((f for f in patient.frames if f["t"] == "delta"), None)
        delta = delta or await patient.until("delta")
        async with api.client() as late:
            behind = [first["epoch"], first["version"]]
            assert await watch(late, WEEK, since={WEEK: behind}) == delta
        async with api.client() as current:
            stands = [delta["epoch"], delta["version"]]
            await current.ask("subscribe", topics=[WEEK], since={WEEK: stands})
            assert (await current.ask("ping"))["t"] == "pong"
            assert [f["t"] for f in current.frames] == ["result", "pong"]
        async with api.client() as foreign:
            frame = await watch(foreign, WEEK, since={WEEK: [99, 1]})
            assert frame["t"] == "snapshot"
            assert state_of(frame) == "held"
        assert held["body"]["version"] == delta["version"]


async def test_the_doctor_sees_the_day_change(api: LiveApi) -> None:
    """A doctor's schedule shows who booked, the patient's own topic shows it too."""
    async with (
        api.client("doctor", "prv_1") as doctor,
        api.client("patient", "pat_7") as patient,
    ):
        empty = await watch(doctor, "schedule/prv_1")
        assert empty["bookings"] == []
        assert (await watch(patient, "me"))["bookings"] == []
        booked = await patient.ask("book", **SLOT)
        seen = await doctor.until("delta")
        assert seen["bookings"] == [booked["body"]]
        assert seen["bookings"][0]["patient_id"] == "pat_7"
        mine = [f for f in patient.frames if f["t"] == "delta"]
        own = mine[0] if mine else await patient.until("delta")
        assert (own["topic"], own["bookings"]) == ("me", [booked["body"]])


async def test_me_begins_with_what_is_already_booked(api: LiveApi) -> None:
    """The snapshot of ``me`` has a booking that was made before it was watched."""
    async with api.client("patient", "pat_3") as patient:
        booked = await patient.ask("book", **SLOT)
        await api.api.project()
        snapshot = await watch(patient, "me")
        assert snapshot["bookings"] == [booked["body"]]


async def test_rules_changed_are_told_as_one_delta(api: LiveApi) -> None:
    """Time off takes slots away: watchers of the week get them as gone."""
    async with api.client() as stranger:
        await watch(stranger, WEEK)
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as rest:
            answer = await rest.post(
                "/v1/providers/prv_1/time-off",
                json={
                    "start": "2026-08-10T00:00:00Z",
                    "end": "2026-08-11T00:00:00Z",
                    "reason": "ill",
                },
                headers=api.api.doctor(),
            )
            assert answer.is_success
        delta = await stranger.until("delta")
        assert state_of(delta) == "gone"


async def test_private_topics_are_private(api: LiveApi) -> None:
    """Without the right, the topic is an error of its own and the others are had."""
    async with api.client() as stranger:
        identifier = await stranger.send("subscribe", topics=["me", WEEK])
        error, result = await stranger.next(), await stranger.next()
        assert (error["status"], error["topic"]) == (401, "me")
        assert (result["id"], result["body"]) == (identifier, {"topics": [WEEK]})
    for role, subject in (("patient", "pat_1"), ("doctor", "prv_2")):
        async with api.client(role, subject) as other:
            await other.send("subscribe", topics=["schedule/prv_1"])
            error = await other.next()
            assert (error["status"], error["code"]) == (403, "forbidden")
            assert (await other.next())["body"] == {"topics": []}
    for role, subject in (("clinic_admin", "cln_1"), ("admin", "root")):
        async with api.client(role, subject) as staff:
            assert (await watch(staff, "schedule/prv_1"))["t"] == "snapshot"


async def test_bad_topics_are_named(api: LiveApi) -> None:
    """A malformed topic and an unknown provider are errors that name the topic."""
    async with api.client() as client:
        await client.send("subscribe", topics=["slots/prv_1/consult/2026-W60"])
        error = await client.next()
        assert (error["status"], error["code"]) == (422, "invalid_request")
        assert error["topic"] == "slots/prv_1/consult/2026-W60"
        assert (await client.next())["body"] == {"topics": []}
        lost, good = "slots/prv_404/consult/2026-W33", "slots/prv_1/consult/2026-W33"
        asked = await client.send("subscribe", topics=[lost, good])
        error = await client.next()
        assert (error["status"], error["topic"]) == (404, lost)
        assert error["id"] == asked, "an answer, before what could be had is confirmed"
        assert (await client.next())["body"] == {"topics": [good]}
        assert (await client.next())["t"] == "snapshot"


async def test_commands_need_a_token(api: LiveApi) -> None:
    """A stranger's command is 401, and the socket lives on."""
    async with api.client() as stranger:
        assert (await stranger.ask("hold", **SLOT))["code"] == "unauthenticated"
        assert (await stranger.ask("ping"))["t"] == "pong"
        bad = await stranger.ask("auth", token="nonsense")
        assert (bad["status"], bad["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("frame", ["{", "[]", '{"op":7}', '{"id":[]}', b"bytes"])
async def test_unreadable_frames_end_the_connection(
    api: LiveApi, frame: str | bytes
) -> None:
    """Each is an error; the third closes with 4500."""
    async with api.client() as client:
        for _ in range(3):
            await client.connection.send(frame)
        assert await client.closed() == 4500
        assert [f["code"] for f in client.frames] == ["invalid_request"] * 3 + [4500]
        assert client.frames[-1]["t"] == "bye"
        assert client.connection.close_reason == "Three frames could not be read."


async def test_an_unknown_op_is_an_error(api: LiveApi) -> None:
    """It is answered with its id and what would be known."""
    async with api.client() as client:
        answer = await client.ask("dance")
        assert (answer["status"], answer["code"]) == (422, "invalid_request")
        assert "subscribe" in answer["detail"]


async def test_fields_that_nobody_reads_are_refused(api: LiveApi) -> None:
    """In commands and in the socket's own messages, with the nearest known name."""
    async with api.client("patient", "pat_1") as client:
        for op, fields, nearest in (
            ("hold", {**SLOT, "visittype": "x"}, "visit_type"),
            ("extend", {"hold_id": "hld_1.x", "kye": "k"}, "key"),
            ("subscribe", {"topics": [WEEK], "sinc": {}}, "since"),
            ("ping", {"i": 1}, "id"),
        ):
            await client.connection.send(json.dumps({"op": op, "id": 7, **fields}))
            answer = await client.until("error")
            assert (answer["id"], answer["status"]) == (7, 422)
            assert nearest in answer["errors"][0]["message"]


async def test_doors_that_stay_shut(api: LiveApi) -> None:
    """A foreign origin is closed with 4503, a foreign subprotocol is 400."""
    for origin in ("https://evil.example", "null", "http://["):
        async with api.client(origin=origin) as stranger:
            assert await stranger.closed() == 4503
            assert [(f["t"], f["code"]) for f in stranger.frames] == [("bye", 4503)]
            assert stranger.connection.close_reason == (
                "A page of this origin may not connect."
            )
    with pytest.raises(InvalidStatus) as found:
        async with api.client(subprotocols=[Subprotocol("other.v1")]):
            pass
    assert found.value.response.status_code == 400
    async with api.client(origin=api.url, subprotocols=None) as own:
        assert own.connection.subprotocol is None
        assert (await own.ask("ping"))["t"] == "pong"


async def test_a_token_that_expires_ends_the_connection(api: LiveApi) -> None:
    """4005, after a bye; a fresher token on the living socket prevents it."""
    async with (
        api.client("patient", "pat_1") as lapsed,
        api.client("patient", "pat_2") as renewed,
    ):
        api.api.clock.step(3599)
        token = api.api.token("patient", "pat_2")
        assert (await renewed.ask("auth", token=token))["status"] == 200
        api.api.clock.step(2)
        api.live.ticker.tick(api.api.clock.now())
        assert await lapsed.closed() == 4005
        assert lapsed.frames[-1]["t"] == "bye"
        assert (await renewed.ask("ping"))["t"] == "pong"


async def test_draining_sends_everybody_away(api: LiveApi) -> None:
    """Each watcher gets bye and 4012; new connections get 503."""
    async with api.client() as one, api.client() as two:
        await watch(one, WEEK)
        await api.live.drain()
        assert [await one.closed(), await two.closed()] == [4012, 4012]
        assert one.frames[-1] == {"t": "bye", "code": 4012, "retry_ms": [500, 15_000]}
    with pytest.raises(InvalidStatus) as found:
        async with api.client():
            pass
    assert found.value.response.status_code == 503


async def test_heartbeats_tell_positions(api: LiveApi) -> None:
    """Within one round of ticks each watcher hears where its topics stand."""
    async with api.client() as client:
        snapshot = await watch(client, WEEK)
        for _ in range(20):
            api.live.ticker.tick(api.api.clock.now())
        beat = await client.until("heartbeat")
        stands = [snapshot["epoch"], snapshot["version"]]
        assert beat["positions"] == {WEEK: stands}


async def test_a_change_is_encoded_once(api: LiveApi) -> None:
    """Ten watchers, one delta, encoded one time."""
    async with asyncio.TaskGroup() as tasks, api.client("patient", "pat_1") as one:
        encoder = api.live.hub.encoder
        await watch(one, WEEK)
        before = encoder.snapshots, encoder.deltas
        ready = asyncio.Barrier(11)

        async def look() -> None:
            async with api.client() as client:
                await watch(client, WEEK)
                await ready.wait()
                assert state_of(await client.until("delta")) == "held"

        for _ in range(10):
            tasks.create_task(look())
        await ready.wait()
        await one.ask("hold", **SLOT)
    assert (encoder.snapshots, encoder.deltas) == (before[0], before[1] + 1)


async def test_too_many_topics() -> None:
    """One topic more than the cap closes with 4505."""
    live = LiveSettings(subscriptions_max=2)
    async with open_live_api(live=live) as api, api.client() as client:
        topics = [f"slots/prv_1/consult/2026-W{n}" for n in (33, 34, 35)]
        await client.ask("subscribe", topics=topics[:2])
        await client.send("subscribe", topics=topics[2:])
        assert await client.closed() == 4505
        assert (client.frames[-1]["t"], client.frames[-1]["code"]) == ("bye", 4505)


async def test_a_shard_that_begins_anew_is_a_snapshot(api: LiveApi) -> None:
    """Its watchers keep their socket, get the new epoch, and deltas go on from it."""
    links = api.api.links
    shard = links.shard_of(ProviderId("prv_1"))
    async with api.client("patient", "pat_1") as patient:
        before = await watch(patient, WEEK)
        lost = links._mailboxes.pop(shard)
        await lost.close()
        after = await patient.until("snapshot")
        assert after["epoch"] > before["epoch"]
        assert after["slots"] == before["slots"]
        held = await patient.ask("hold", **SLOT)
        assert held["status"] == 201
        deltas = [frame for frame in patient.frames if frame["t"] == "delta"]
        delta = deltas[0] if deltas else await patient.until("delta")
        assert (delta["epoch"], delta["from"]) == (after["epoch"], after["version"])
        assert state_of(delta) == "held"


async def test_a_quick_client_is_not_taken_for_a_slow_one(api: LiveApi) -> None:
    """A message with 256 bad topics, then 1,500 pings at once: each is answered."""
    async with api.client() as client:
        topics = [f"nonsense-{number}" for number in range(256)]
        answer = await client.send("subscribe", topics=topics)
        codes = [(await client.next()).get("code") for _ in topics]
        assert codes == ["invalid_request"] * 256
        assert (await client.next())["id"] == answer
        for _ in range(1_500):
            client.connection.protocol.send_text(b'{"op":"ping"}')
        client.connection.send_data()
        for _ in range(1_500):
            assert (await client.next())["t"] == "pong"
