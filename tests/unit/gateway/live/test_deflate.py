"""Compression that is made once and kept by nobody."""

from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import uvicorn
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
)

from gateway.config import LiveSettings
from gateway.live.core.frames import Frame
from gateway.live.transport import compression as deflate
from gateway.live.transport.compression import WORTH_BYTES, DeflatedConnection, deflated
from gateway.live.transport.connection import LiveConnection
from gateway.live.transport.uvicorn_protocol import FanoutProtocol
from gateway.live.transport.waiting_room import LiveProtocol
from tests.fakes.house import slot
from tests.fakes.live_house import LiveClient, LiveHouse, open_live_house

WEEK = "slots/prv_1/consult/2026-W33"
SHARED = LiveSettings(deflate="shared")
CONNECTIONS = 40


def inflated(wire: bytes) -> bytes:
    """What a client reads, from a frame of less than 64 KiB."""
    assert wire[0] == 0xC1
    body = wire[4:] if wire[1] == 126 else wire[2:]
    reader = zlib.decompressobj(wbits=-deflate.WINDOW_BITS)
    return reader.decompress(body + b"\x00\x00\xff\xff")


@pytest.mark.parametrize("length", [WORTH_BYTES, 5_000, 40_000, 200_000])
def test_a_large_public_frame_is_compressed_once(length: int) -> None:
    """It says so by one bit, and inflates to the payload."""
    frame = Frame(b'{"slots":["free","held"]}' * (length // 25 + 1), WEEK)
    wire = deflated(frame)
    assert inflated(wire) == frame.payload
    assert len(wire) < len(frame.wire)
    assert deflated(frame) is wire
    assert frame.wire[0] == 0x81


@pytest.mark.parametrize(
    "frame",
    [
        Frame(b"x" * (WORTH_BYTES - 1), WEEK),
        Frame(b"x" * 4_000, "me"),
        Frame(b"x" * 4_000, "schedule/prv_1"),
        Frame(b"x" * 4_000),
        Frame(Random(1).randbytes(4_000), WEEK),
    ],
    ids=["small", "mine", "schedule", "answer", "random"],
)
def test_everything_else_stays_plain(frame: Frame) -> None:
    """Small, private, an answer, or larger when compressed."""
    assert deflated(frame) is frame.wire


class _Counting:
    """zlib, with a count of compressors made."""

    def __init__(self) -> None:
        self.made = 0

    def compressobj(self, *args: Any, **named: Any) -> Any:
        self.made += 1
        return zlib.compressobj(*args, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(zlib, name)


def extensions(client: LiveClient) -> list[Any]:
    return list(client.connection.protocol.extensions)


async def test_a_mixed_crowd_sees_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who agreed and who did not; a compressor for each frame, not for each of them."""
    counting = _Counting()
    monkeypatch.setattr(deflate, "zlib", counting)
    async with (
        open_live_house(live=SHARED) as house,
        house.client(compression="deflate") as one,
        house.client(compression="deflate") as two,
        house.client() as plain,
    ):
        for client in (one, two):
            (agreed,) = extensions(client)
            assert agreed.local_no_context_takeover
            assert agreed.remote_no_context_takeover
        assert extensions(plain) == []
        crowd = (one, two, plain)
        for client in crowd:
            await client.send("subscribe", topics=[WEEK])
        shown = [await client.until("snapshot") for client in crowd]
        assert shown[0] == shown[1] == shown[2]
        assert counting.made == 1
        await everything_taken(house)
        deltas = [await client.until("delta") for client in crowd]
        assert deltas[0] == deltas[1] == deltas[2]
        assert len(deltas[0]["slots"]) > 10
        assert counting.made == 2


async def everything_taken(house: LiveHouse) -> None:
    """Leave takes all slots of a day: a delta that is worth compressing."""
    answer = await house.house.client.post(
        "/v1/providers/prv_1/time-off",
        json={
            "start": "2026-08-10T00:00:00Z",
            "end": "2026-08-11T00:00:00Z",
            "reason": "ill",
        },
        headers=house.house.doctor(),
    )
    assert answer.is_success


async def test_without_the_setting_nobody_is_asked() -> None:
    """Off by default: a client that offers compression gets everything plain."""
    async with (
        open_live_house() as house,
        house.client(compression="deflate") as client,
    ):
        assert extensions(client) == []


async def test_a_window_too_small_for_ours_is_not_agreed_to() -> None:
    """Such a client could not read what is compressed for all; it gets it plain."""
    small = [ClientPerMessageDeflateFactory(server_max_window_bits=9)]
    async with (
        open_live_house(live=SHARED) as house,
        house.client(extensions=small) as client,
    ):
        assert extensions(client) == []
        await client.send("subscribe", topics=[WEEK])
        assert (await client.until("snapshot"))["topic"] == WEEK


async def test_what_clients_send_compressed_is_heard() -> None:
    """Long messages, fragments of one, many at once, and commands."""
    async with (
        open_live_house(live=SHARED) as house,
        house.client("patient", "pat_1", compression="deflate") as client,
    ):
        answer = await client.ask("subscribe", topics=[WEEK] * 200)
        assert answer["status"] == 200
        text = '{"op":"ping","id":"%s"}' % ("x" * 60)
        await client.connection.send([text[:10], text[10:30], text[30:]])
        assert (await client.until("pong"))["id"] == "x" * 60
        for _ in range(300):
            await client.send("ping")
        for _ in range(300):
            await client.until("pong")
        assert (await client.ask("hold", **slot()))["status"] == 201


async def test_a_bomb_is_not_unpacked() -> None:
    """A message that inflates beyond the bound ends the connection with 4509."""
    async with (
        open_live_house(live=SHARED) as house,
        house.client(compression="deflate") as client,
    ):
        await client.connection.send("x" * 50_000_000)
        assert await client.closed() == 4509


def message(text: bytes) -> bytes:
    """A client's frame, compressed and masked with nothing."""
    raw = zlib.compressobj(wbits=-15)
    body = (raw.compress(text) + raw.flush(zlib.Z_SYNC_FLUSH))[:-4]
    return bytes((0xC1, 0x80 | len(body))) + bytes(4) + body


async def newcomer(port: int) -> socket.socket:
    """Somebody who agreed to compression and subscribed, and keeps no state here."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(
        client,
        b"GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    )
    assert b"permessage-deflate" in await loop.sock_recv(client, 4096)
    text = b'{"op":"subscribe","id":1,"topics":["%b"]}' % WEEK.encode()
    await loop.sock_sendall(client, message(text))
    assert await loop.sock_recv(client, 64 * 1024)
    return client


@asynccontextmanager
async def measured(house: LiveHouse) -> AsyncIterator[int]:
    """Bytes of memory that each of many connections costs."""
    async with house.client() as client:
        await client.ask("subscribe", topics=[WEEK])
        (await newcomer(house.port)).close()
        gc.collect()
        tracemalloc.start()
        crowd = []
        try:
            for _ in range(CONNECTIONS):
                crowd.append(await newcomer(house.port))
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
            yield taken // CONNECTIONS
        finally:
            tracemalloc.stop()
            for one in crowd:
                one.close()


def connections() -> list[LiveConnection]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, LiveConnection)]


async def test_a_connection_keeps_nothing_of_compression() -> None:
    """No compressor, no decompressor, no parser: a few kilobytes are all it has."""
    async with open_live_house(live=SHARED) as house, measured(house) as bytes_each:
        found = [one for one in connections() if isinstance(one, DeflatedConnection)]
        assert len(found) >= CONNECTIONS
        assert [one for one in found if one._parser is not None] == []
        shared = [one for one in gc.get_objects() if isinstance(one, PerMessageDeflate)]
        assert len(shared) <= 2
        assert [vars(one) for one in shared if hasattr(one, "decoder")] == []
        assert bytes_each < 16_000


async def test_control_compression_as_usual_keeps_tens_of_kilobytes() -> None:
    """With uvicorn's own extension every connection has what ours do without."""

    class Usual(FanoutProtocol):
        def __init__(self, config: uvicorn.Config, *args: Any, **named: Any) -> None:
            config.ws_per_message_deflate = True
            super().__init__(config, *args, **named)

    async with open_live_house(ws=Usual) as house, measured(house) as bytes_each:
        found = connections()
        assert [one for one in found if isinstance(one, DeflatedConnection)] == []
        assert len([one for one in found if one._parser is not None]) >= CONNECTIONS
        assert bytes_each > 40_000


def test_the_class_offers_it_only_when_told() -> None:
    """The setting reaches connections by their class, not one by one."""
    assert LiveProtocol.deflating is None
