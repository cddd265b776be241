"""Very many frames on one connection: bounded in one turn, and in one second."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.protocol import Protocol

from gateway.live.transport import connection as connection_module
from gateway.live.transport.parsers import (
    FRAMES_A_TURN,
    FRAMES_BURST_S,
    FRAMES_PER_S,
    PIECE_BYTES,
    READ_BYTES_MAX,
    emptied_at,
    whole_text,
)
from gateway.live.transport.write_scheduler import SharedTransport
from tests.fakes.adopting_site import PATIENCE_S, a_site, stalled, until
from tests.fakes.live_wire import a_connection, spoken, turns


class Turns:
    """An event loop of the test's own: what is due later, and a clock that stands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.later: list[tuple[float, Any]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop, "call_later", self._call_later)

    def _call_later(self, seconds: float, call: Any, *_: Any) -> asyncio.Handle:
        handle = asyncio.Handle(call, (), asyncio.get_running_loop())
        self.later.append((self.now + seconds, handle))
        return handle

    def advance(self) -> None:
        """To the next thing that is due."""
        self.later.sort(key=lambda due: due[0])
        at, handle = self.later.pop(0)
        self.now = max(self.now, at)
        handle._run()


SMALL = {
    "pings": b"\x89\x80\0\0\0\0",
    "pongs": b"\x8a\x80\0\0\0\0",
    "texts": b"\x81\x81\0\0\0\0x",
    "parts": b"\x00\x81\0\0\0\0x",
}


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of frames that are parsed from now on, in one entry."""
    parsed = [0]
    take = Protocol.recv_frame

    def counting(parser: Protocol, frame: Any) -> None:
        parsed[0] += 1
        take(parser, frame)

    def counting_whole(data: bytes, at: int, bytes_max: int) -> tuple[str, int] | None:
        found = whole_text(data, at, bytes_max)
        parsed[0] += found is not None
        return found

    monkeypatch.setattr(Protocol, "recv_frame", counting)
    monkeypatch.setattr(connection_module, "whole_text", counting_whole)
    return parsed


@pytest.mark.parametrize("kind", SMALL)
async def test_many_small_frames_wait_for_their_turn(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many frames are parsed in one turn of the loop, and so many in a second."""
    shared = SharedTransport(READ_BYTES_MAX)
    connection, wire, _ = a_connection(shared)
    parsed = counted(monkeypatch)
    turned = Turns(monkeypatch)
    if kind == "parts":
        connection.data_received(b"\x01\x81\0\0\0\0<")
    count = READ_BYTES_MAX // len(SMALL[kind])
    most = 0
    for _ in range(3):
        connection.data_received(SMALL[kind] * count)
        assert not wire.is_reading
        while connection._unread is not None or connection._inbox is not None:
            before = parsed[0]
            if turned.later and connection._inbox is None:
                turned.advance()
            else:
                await turns(1)
            most = max(most, parsed[0] - before)
        assert wire.is_reading
    assert parsed[0] >= 3 * count
    assert most <= FRAMES_A_TURN + PIECE_BYTES // 6 + 1
    seconds = turned.now - 1_000.0
    assert parsed[0] <= FRAMES_PER_S * (seconds + FRAMES_BURST_S) + 100


async def test_a_read_is_bounded_by_the_buffer_that_all_share() -> None:
    """On a real transport, however much the client has sent."""
    data, _ = spoken([["x" * 900] for _ in range(200)])
    loop = asyncio.get_running_loop()
    sizes: list[int] = []
    async with a_site() as site:
        client = await stalled(site.port)
        connection = await asyncio.wait_for(site.connection(), PATIENCE_S)
        assert len(connection.get_buffer(-1)) == READ_BYTES_MAX

        def hears(text: str | None) -> None:
            sizes.append(len(connection._unread or b""))
            site.texts.append(text)

        site.hears = hears
        await loop.sock_sendall(client, data)
        await until(lambda: len(site.texts) == 200)
        assert max(sizes) <= READ_BYTES_MAX
        client.close()


def test_a_bucket_empties_again() -> None:
    """So many frames a second leave it, and bytes count as frames."""
    assert emptied_at(0.0, 10.0, FRAMES_PER_S, 0) == pytest.approx(11)
    assert emptied_at(11.0, 10.5, FRAMES_PER_S // 2, 0) == pytest.approx(11.5)
    assert emptied_at(11.5, 100.0, 0, 1024 * FRAMES_PER_S) == pytest.approx(101)
