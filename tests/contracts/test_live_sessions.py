"""One connection, one session after another: none shows what was another's.

One file because its tests share one provider, one week and how they are watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from gateway.access.ended_grants import EndedGrants
from gateway.config import LiveSettings
from gateway.live.sessions.identity import Owner
from persistence.shared.memory import MemoryRevocations
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api
from tests.fixtures.accounts import signed

WEEK = "slots/prv_1/consult/2026-W33"
SCHEDULE = "schedule/prv_1"


def slot(hour: int) -> dict[str, str]:
    return {
        "provider_id": "prv_1",
        "visit_type": "consult",
        "start": f"2026-08-10T{hour:02}:00:00Z",
    }


@pytest.fixture
async def api() -> AsyncIterator[LiveApi]:
    async with open_live_api() as opened:
        yield opened


async def become(client: LiveClient, api: LiveApi, role: str, subject: str) -> None:
    token = api.api.token(role, subject)
    assert (await client.ask("auth", token=token))["t"] == "result"


async def watch(client: LiveClient, *topics: str) -> None:
    answer = await client.ask("subscribe", topics=list(topics))
    assert answer["body"] == {"topics": list(topics)}
    for _ in topics:
        await client.until("snapshot")


async def book(api: LiveApi, patient: int, hour: int) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as rest:
        headers = api.api.patient(patient)
        answer = await rest.post("/v1/bookings", json=slot(hour), headers=headers)
    assert answer.status_code == 201
    body: dict[str, Any] = answer.json()
    return body


def topics_of(frames: Sequence[dict[str, Any]], kind: str) -> list[str]:
    return [frame.get("topic", "") for frame in frames if frame["t"] == kind]


async def quiet(client: LiveClient, api: LiveApi, hour: int) -> list[dict[str, Any]]:
    """All frames until another person's booking has been seen on the week."""
    mark = len(client.frames)
    booked = await book(api, 99, hour)
    await delta_of(client, WEEK, booked["version"])
    return client.frames[mark:]


async def delta_of(client: LiveClient, topic: str, version: int) -> dict[str, Any]:
    while True:
        frame = await client.until("delta")
        if frame["topic"] == topic and frame["version"] >= version:
            return frame


async def test_a_refresh_goes_on_with_everything(api: LiveApi) -> None:
    """The same person's next token: nothing ends, nothing is sent again."""
    async with api.client("patient", "pat_1") as client:
        await watch(client, WEEK, "me")
        before = len(client.frames)
        await become(client, api, "patient", "pat_1")
        assert [frame["t"] for frame in client.frames[before:]] == ["result"]
        booked = await book(api, 1, 9)
        while not {"me", WEEK} <= set(topics_of(client.frames[before:], "delta")):
            await client.next()
        mine = next(
            f for f in client.frames if f["t"] == "delta" and f["topic"] == "me"
        )
        assert mine["bookings"] == [booked]


async def test_another_person_sees_nothing_of_the_first(api: LiveApi) -> None:
    """Private topics end with an error each, before the answer; public ones stay."""
    async with api.client("doctor", "prv_1") as client:
        await watch(client, WEEK, SCHEDULE, "me")
        before = len(client.frames)
        await become(client, api, "patient", "pat_1")
        after = client.frames[before:]
        assert [frame["t"] for frame in after] == ["error", "error", "result"]
        assert sorted(topics_of(after, "error")) == ["me", SCHEDULE]
        assert {frame["status"] for frame in after[:2]} == {401}
        seen = await quiet(client, api, 9)
        assert topics_of(seen, "delta") == [WEEK]
        await watch(client, "me")
        booked = await book(api, 1, 10)
        own = await delta_of(client, "me", 0)
        assert own["bookings"] == [booked]


async def test_logging_out_leaves_what_is_public(api: LiveApi) -> None:
    """Then no one is signed in: commands are refused, and the socket lives on."""
    async with api.client("patient", "pat_1") as client:
        await watch(client, WEEK, "me")
        before = len(client.frames)
        answer = await client.ask("logout")
        assert (answer["status"], answer["body"]) == (200, {})
        assert topics_of(client.frames[before:], "error") == ["me"]
        assert (await client.ask("hold", **slot(9)))["code"] == "unauthenticated"
        assert (await client.ask("logout"))["status"] == 401
        await client.send("subscribe", topics=["me"])
        assert (await client.until("error"))["topic"] == "me"
        assert topics_of(await quiet(client, api, 10), "delta") == [WEEK]
        await become(client, api, "patient", "pat_1")
        assert (await client.ask("hold", **slot(11)))["status"] == 201
    assert api.live.persons.counts == {}


async def test_control_without_the_end_of_a_session_the_next_one_reads_on(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard taken away, a stranger is sent the bookings of who was there before."""
    monkeypatch.setattr(Owner, "_end", lambda *_args: None)
    async with api.client("doctor", "prv_1") as client:
        await watch(client, WEEK, SCHEDULE)
        await become(client, api, "patient", "pat_1")
        seen = await quiet(client, api, 9)
        while SCHEDULE not in topics_of(seen, "delta"):
            seen.append(await client.next())


async def test_a_bad_token_harms_nobody_who_is_signed_in(api: LiveApi) -> None:
    """Expired, revoked or nonsense, however often: the session goes on."""
    expired = api.api.token("patient", "pat_1", ttl_s=1)
    api.api.clock.step(60)
    async with api.client("patient", "pat_1") as client:
        await watch(client, "me")
        for token in (expired, "nonsense", expired, "more nonsense"):
            assert (await client.ask("auth", token=token))["status"] == 401
        booked = await book(api, 1, 9)
        assert (await client.until("delta"))["bookings"] == [booked]


async def test_a_log_out_can_revoke_the_token() -> None:
    """Every other connection with that token is closed with 4501; another's is not."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    async with open_live_api(shared={"revocations": store}) as api:
        token = api.api.token("patient", "pat_1", jti="stolen")
        async with (
            api.client() as here,
            api.client() as there,
            api.client("patient", "pat_1") as fresh,
        ):
            for client in (here, there):
                await client.ask("auth", token=token)
            assert (await here.ask("logout", revoke=True))["status"] == 200
            assert await there.closed() == 4501
            assert there.frames[-1]["t"] == "bye"
            assert (await here.ask("auth", token=token))["status"] == 401
            assert (await fresh.ask("hold", **slot(9)))["status"] == 201


async def test_who_revokes_and_leaves_at_once_has_revoked() -> None:
    """The connection is gone before the store has answered; it is done all the same."""
    store = MemoryRevocations(SteppedClock(make.NOW))
    gate = _Gate(store.add)
    store.add = gate  # type: ignore[method-assign]
    async with open_live_api(shared={"revocations": store}) as api:
        token = api.api.token("patient", "pat_1", jti="stolen")
        async with api.client() as client:
            await client.ask("auth", token=token)
            await client.send("logout", revoke=True)
            await gate.asked.wait()
        while api.live.hub.watchers:  # noqa: ASYNC110 - sockets that close
            await asyncio.sleep(0.005)
        (revoking,) = api.live.context.revoking
        gate.opened.set()
        await revoking
        async with api.client() as client:
            assert (await client.ask("auth", token=token))["status"] == 401


async def test_a_log_out_that_cannot_revoke_says_so(api: LiveApi) -> None:
    """Without a store it is refused before anything happens."""
    async with api.client("patient", "pat_1") as client:
        answer = await client.ask("logout", revoke=True)
        assert (answer["status"], answer["errors"][0]["field"]) == (422, "revoke")
        assert (await client.ask("hold", **slot(9)))["status"] == 201


class _Gate:
    """Stands before a coroutine function until it is opened."""

    def __init__(self, inner: Any) -> None:
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()
        self._inner = inner

    async def __call__(self, *args: Any, **named: Any) -> Any:
        self.asked.set()
        answer = await self._inner(*args, **named)
        await self.opened.wait()
        return answer


async def test_an_answer_is_not_for_the_next_session(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command in flight while its sender logs out: done, but not shown."""
    commands = api.live.context.commands
    gate = _Gate(commands.begin)
    monkeypatch.setattr(commands, "begin", gate)
    async with api.client("patient", "pat_1") as client:
        asked = await client.send("book", key="k", **slot(9))
        await gate.asked.wait()
        await become(client, api, "patient", "pat_2")
        gate.opened.set()
        answer = await client.until("error")
        assert (answer["id"], answer["code"]) == (asked, "unauthenticated")
        assert "pat_1" not in str(answer)
        await become(client, api, "patient", "pat_1")
        again = await client.ask("book", key="k", **slot(9))
        assert (again["status"], again["body"]["patient_id"]) == (201, "pat_1")


async def test_a_token_that_ends_while_its_command_waits(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4005 with a bye; the command is done once, and told to the same key later."""
    commands = api.live.context.commands
    gate = _Gate(commands.begin)
    with monkeypatch.context() as patch:
        patch.setattr(commands, "begin", gate)
        async with api.client("patient", "pat_1") as client:
            await client.send("book", key="k", **slot(9))
            await gate.asked.wait()
            api.api.clock.step(3_600)
            api.live.ticker.tick(api.api.clock.now())
            assert await client.closed() == 4005
            assert [frame["t"] for frame in client.frames][-1] == "bye"
    async with api.client("patient", "pat_1") as client:
        again = await client.ask("book", key="k", **slot(9))
        assert (again["status"], again["body"]["status"]) == (201, "booked")
        await client.ask("subscribe", topics=[WEEK])
        assert (await client.until("snapshot"))["slots"].count(
            [slot(9)["start"], "booked"]
        ) == 1


async def test_signing_in_and_out_is_limited_like_all_else() -> None:
    """A flood of it is 429 for that person, and harms no other."""
    limits = {"rate_limited": True, "rate_per_s": 0.001, "rate_burst": 20}
    async with (
        open_live_api(**limits) as api,
        api.client("patient", "pat_1") as flood,
        api.client("patient", "pat_2") as other,
    ):
        token = api.api.token("patient", "pat_1")
        codes = []
        for _ in range(30):
            codes.append((await flood.ask("logout")).get("code"))
            codes.append((await flood.ask("auth", token=token)).get("code"))
        assert codes[0] is None
        assert codes[-2:] == ["too_many_requests"] * 2
        assert codes.count(None) < 45
        assert (await flood.ask("hold", **slot(9)))["status"] == 429
        assert (await other.ask("hold", **slot(9)))["status"] == 201


async def test_a_topic_is_not_for_the_next_session(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed to one person and answered to the next: it is refused after all."""
    access = api.live.context.access
    gate = _Gate(access.to_provider)
    monkeypatch.setattr(access, "to_provider", gate)
    async with api.client("doctor", "prv_1") as client:
        await client.send("subscribe", topics=["me", SCHEDULE, WEEK])
        await gate.asked.wait()
        await client.send("logout")
        await client.until("result")
        gate.opened.set()
        errors = [await client.until("error") for _ in range(2)]
        assert sorted(error["topic"] for error in errors) == ["me", SCHEDULE]
        assert (await client.until("result"))["body"] == {"topics": [WEEK]}
        assert topics_of(await quiet(client, api, 9), "delta") == [WEEK]
    assert not api.live.hub.index.patients


async def test_connections_of_a_person_are_counted_over_both_roads() -> None:
    """Sockets and streams together; who switches is counted once, as who they are."""
    live = LiveSettings(connections_per_person_max=2)
    async with open_live_api(live=live) as api:
        headers = api.api.patient(1)
        address = f"{api.url}/v1/stream?topics=me"
        async with (
            api.client("patient", "pat_1") as one,
            httpx.AsyncClient(headers=headers, timeout=60) as rest,
            rest.stream("GET", address) as stream,
        ):
            assert stream.status_code == 200
            async with api.client() as third:
                await third.send("auth", token=api.api.token("patient", "pat_1"))
                assert await third.closed() == 4504
            refused = await rest.get(address)
            assert refused.status_code == 429
            await become(one, api, "patient", "pat_2")
            async with api.client("patient", "pat_1") as third:
                assert (await third.ask("ping"))["t"] == "pong"
    assert api.live.persons.counts == {}


async def test_a_clinic_that_loses_a_provider_reads_no_more(api: LiveApi) -> None:
    """The next booking is not theirs to see; who took the provider over sees it."""
    async with (
        api.client("clinic_admin", "cln_1") as old,
        api.client("clinic_admin", "cln_2") as new,
        api.client("doctor", "prv_1") as doctor,
    ):
        await watch(old, SCHEDULE, WEEK)
        await watch(doctor, SCHEDULE)
        await new.send("subscribe", topics=[SCHEDULE])
        assert (await new.until("error"))["status"] == 403
        booked = await book(api, 1, 9)
        await delta_of(old, SCHEDULE, booked["version"])
        await move_to_clinic(api, "cln_2")
        before = len(old.frames)
        error = await old.until("error")
        assert (error["topic"], error["code"]) == (SCHEDULE, "forbidden")
        seen = await quiet(old, api, 10)
        assert SCHEDULE not in topics_of([*old.frames[before:], *seen], "delta")
        await watch(new, SCHEDULE)
        await doctor.until("delta")
    assert api.live.hub.tally.rights_ended == 1


async def test_a_clinic_that_keeps_a_provider_reads_on(api: LiveApi) -> None:
    """Rules that change cost its administrators nothing: every booking arrives."""
    async with api.client("clinic_admin", "cln_1") as admin:
        await watch(admin, SCHEDULE)
        await move_to_clinic(api, "cln_1")
        booked = await book(api, 1, 9)
        delta = await admin.until("delta")
        while delta["bookings"] != [booked]:
            delta = await admin.until("delta")
    assert api.live.hub.tally.rights_ended == 0


async def test_a_change_that_was_missed_is_found_by_the_review(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without doubt the reader stays, as a control; asked after, they end."""
    api.live.hub.doubt = lambda _board: None
    async with api.client("clinic_admin", "cln_1") as admin:
        await watch(admin, SCHEDULE, WEEK)
        await move_to_clinic(api, "cln_2")
        seen = await quiet(admin, api, 9)
        while SCHEDULE not in topics_of(seen, "delta"):
            seen.append(await admin.next())
        await api.live.permits.review()
        error = await admin.until("error")
        assert (error["topic"], error["status"]) == (SCHEDULE, 403)
        assert topics_of(await quiet(admin, api, 10), "delta") == [WEEK]


async def move_to_clinic(api: LiveApi, clinic: str) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as rest:
        path = "/v1/providers/prv_1"
        now = (await rest.get(path)).json()
        profile = {
            "name": now["name"],
            "specialty": now["specialty"],
            "clinic": {**now["clinic"], "clinic_id": clinic},
        }
        headers = api.api.admin()
        answer = await rest.put(path, json=profile, headers=headers)
        assert answer.is_success, answer.text


async def test_a_removed_member_sees_no_frame_afterwards() -> None:
    """Their socket closes with 4501 at the end of the grant; a colleague's goes on."""
    async with open_live_api() as api:
        removed, stays = (
            signed(api.api, "staff", "cln_1", account=f"acc_{n}", grant=f"mem_{n}")
            for n in (1, 2)
        )
        async with api.client() as one, api.client() as two:
            for client, header in ((one, removed), (two, stays)):
                token = header["Authorization"].removeprefix("Bearer ")
                assert (await client.ask("auth", token=token))["t"] == "result"
                await watch(client, SCHEDULE)
            seen = await book(api, 1, 9)
            await delta_of(one, SCHEDULE, seen["version"])
            services = api.api.app.state.services
            revoked = services.shared.revoked
            await EndedGrants(None, revoked, api.api.clock).end("mem_1")
            assert await one.closed() == 4501
            frames = len(one.frames)
            later = await book(api, 1, 11)
            await delta_of(two, SCHEDULE, later["version"])
            assert len(one.frames) == frames
