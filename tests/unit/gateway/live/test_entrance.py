"""New connections wait or are refused before anything is spent on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from gateway.config import LiveSettings
from gateway.live.transport.admission import Admission, Admit
from gateway.live.transport.uvicorn_protocol import FanoutProtocol
from gateway.live.transport.waiting_room import WaitingRoom
from tests.fakes.live_api import LiveApi, open_live_api

PATIENCE_S = 60.0
WEEK = "slots/prv_1/consult/2026-W33"


class _Stuck(Admission):
    """Admits none until it is open; ``room`` as given."""

    def __init__(self, room: int) -> None:
        super().__init__(1.0, Random(1))
        self.places = room
        self.is_open = False

    @property
    def room(self) -> int:
        return self.places

    def arrive(self, now: float) -> Admit:
        if self.is_open:
            return super().arrive(now)
        if self.waiting >= self.room:
            self.tally.refused += 1
            return Admit.REFUSE
        self.waiting += 1
        return Admit.WAIT

    def let_in(self, now: float) -> int:
        return super().let_in(now) if self.is_open else 0


def stuck(api: LiveApi, room: int) -> _Stuck:
    """Let no waiting connection of a gateway in."""
    admission = _Stuck(room)
    api.live.waiting_room.admission = admission
    return admission


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.005)


async def test_a_newcomer_waits_and_goes_in_in_its_turn() -> None:
    """Its handshake is answered when the admission lets it in, and works as ever."""
    async with open_live_api() as api:
        admission = stuck(api, 5)

        async def comes() -> str:
            async with api.client() as client:
                await client.send("subscribe", topics=[WEEK])
                return str((await client.until("snapshot"))["topic"])

        async with asyncio.TaskGroup() as tasks:
            coming = tasks.create_task(comes())
            await until(lambda: admission.waiting == 1)
            assert not api.live.hub.watchers
            assert not coming.done()
            admission.is_open = True
        assert coming.result() == WEEK
        assert admission.waiting == 0


async def test_beyond_the_room_it_is_503_with_a_time() -> None:
    """A socket and a stream are told when to come again, in whole seconds."""
    async with open_live_api() as api:
        admission = stuck(api, 0)
        with pytest.raises(InvalidStatus) as found:
            async with api.client():
                pass
        response = found.value.response
        assert response.status_code == 503
        assert 1 <= int(response.headers["Retry-After"]) <= 8
        assert response.body == (
            b"The server is full or shutting down. Retry after the given time."
        )
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as rest:
            answer = await rest.get(f"/v1/stream?topics={WEEK}")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert 1 <= int(answer.headers["Retry-After"]) <= 8
            assert (await rest.get("/v1/providers")).status_code == 200
            shown = (await rest.get("/metrics")).text
        assert admission.tally.refused == 2
        assert "slotcast_live_newcomers_waiting 0.0" in shown


async def test_who_goes_away_while_waiting_costs_nothing() -> None:
    """The place is free again, and no handshake is made."""
    async with open_live_api() as api:
        admission = stuck(api, 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(_handshake())
        await until(lambda: admission.waiting == 1)
        writer.close()
        await until(lambda: admission.waiting == 0)
        admission.is_open = True
        async with api.client() as client:
            assert (await client.ask("ping"))["t"] == "pong"
        assert admission.tally.entered == 1
        assert await reader.read() == b""


async def test_who_talks_while_waiting_is_bounded() -> None:
    """Some bytes are kept for after the handshake; a flood is cut off."""
    async with open_live_api() as api:
        admission = stuck(api, 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(_handshake())
        await until(lambda: admission.waiting == 1)
        writer.write(b"x" * 64 * 1024)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        await until(lambda: admission.waiting == 0)
        writer.close()


async def test_a_draining_gateway_refuses_who_waits() -> None:
    """They are let in only to be told 503."""
    async with open_live_api() as api:
        admission = stuck(api, 5)
        coming = asyncio.ensure_future(connect(_address(api)).__aenter__())
        await until(lambda: admission.waiting == 1)
        await api.live.drain()
        admission.is_open = True
        with pytest.raises(InvalidStatus) as found:
            await coming
        assert found.value.response.status_code == 503


async def test_a_stop_refuses_who_waits() -> None:
    """A server that ends does not leave them waiting."""
    async with open_live_api() as api:
        admission = stuck(api, 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(_handshake())
        await until(lambda: admission.waiting == 1)
    async with asyncio.timeout(PATIENCE_S):
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()


async def test_control_without_a_rate_nobody_waits() -> None:
    """A hundred at once all go in at once, where a small rate makes most wait."""
    for rate, waits in ((0.0, False), (20.0, True)):
        live = LiveSettings(handshakes_per_s=rate)
        async with open_live_api(live=live) as api, asyncio.TaskGroup() as tasks:

            async def comes(api: LiveApi = api) -> None:
                async with api.client() as client:
                    assert (await client.ask("ping"))["t"] == "pong"

            for _ in range(100):
                tasks.create_task(comes())
        assert bool(api.live.waiting_room.admission.tally.waited) == waits


async def test_others_have_their_turn_between_newcomers() -> None:
    """A storm goes in sixteen at a turn, and what else is due runs in between."""
    order: list[Any] = []
    waiting_room = WaitingRoom(
        Admission(1.0, Random(1), 1e6), lambda: False, lambda: 0.0
    )
    for number in range(49):
        assert waiting_room.request_admission(partial(order.append, number))
    loop = asyncio.get_running_loop()
    turns = 0

    def tick() -> None:
        nonlocal turns
        turns += 1
        order.append("other")
        if turns < 3:
            loop.call_soon(tick)

    loop.call_soon(tick)
    await until(lambda: len(order) == 52)
    assert [n for n in order if n != "other"] == list(range(49))
    assert [order.index(n) for n in (1, 17, 33)] == [1, 18, 35]
    assert [order[at] for at in (0, 17, 34, 51)] == [0, "other", "other", "other"]


def _address(api: LiveApi) -> str:
    return f"ws://127.0.0.1:{api.port}/v1/live"


def _handshake() -> bytes:
    return (
        b"GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )


@pytest.mark.parametrize("waiting", [True, False])
async def test_a_defect_costs_one_newcomer(
    waiting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is cut off; those who wait behind it, and later ones, go in."""
    async with open_live_api() as api:
        admission = stuck(api, 9)
        admission.is_open = not waiting
        made = FanoutProtocol.connection_made
        faults = iter([RuntimeError("a defect")])

        def once(protocol: FanoutProtocol, transport: Any) -> None:
            for fault in faults:
                raise fault
            made(protocol, transport)

        monkeypatch.setattr(FanoutProtocol, "connection_made", once)

        async def comes() -> bool:
            try:
                async with api.client() as client:
                    return bool((await client.ask("ping"))["t"] == "pong")
            except (OSError, EOFError, InvalidMessage):
                return False

        coming = [asyncio.ensure_future(comes()) for _ in range(4)]
        if waiting:
            await until(lambda: admission.waiting == 4)
            admission.is_open = True
        async with asyncio.timeout(PATIENCE_S):
            assert sorted(await asyncio.gather(*coming)) == [False, True, True, True]
            assert await comes()
