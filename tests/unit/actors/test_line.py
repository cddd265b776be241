"""The line between a gateway and a shard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.remote import line
from actors.remote.line import (
    HEADER,
    HELLO,
    LineFailed,
    LineLost,
    LineServer,
    RpcLine,
    proof,
)

KEY = b"k" * 32
ECHO, SLOW, BROKEN = 1, 2, 3


class Shard:
    """A server that echoes, waits, or fails."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.failures: list[int] = []
        self.asked: list[bytes] = []
        self.server = LineServer(self.answer, KEY, self.failures.append)
        self.port = 0

    async def answer(self, kind: int, payload: bytes) -> bytes:
        self.asked.append(payload)
        self.begun.set()
        if kind == SLOW:
            await self.gate.wait()
        if kind == BROKEN:
            raise ValueError("a defect")
        return payload[::-1]


@pytest.fixture
async def shard() -> AsyncIterator[Shard]:
    made = Shard()
    made.port = await made.server.start("127.0.0.1")
    yield made
    made.gate.set()
    await made.server.close()


async def test_calls_are_answered_each_with_its_own(shard: Shard) -> None:
    """Many calls share a line, and a slow one delays no other."""
    async with asyncio.timeout(60):
        caller = await RpcLine.connect("127.0.0.1", shard.port, KEY)
        loop = asyncio.get_running_loop()
        slow = loop.create_task(caller.call(SLOW, b"slow"))
        payloads = [str(n).encode() * n for n in range(200)]
        answers = await asyncio.gather(*(caller.call(ECHO, one) for one in payloads))
        assert answers == [one[::-1] for one in payloads]
        assert not slow.done()
        shard.gate.set()
        assert await slow == b"wols"
        caller.hang_up()


async def test_large_payloads_cross_in_pieces(shard: Shard) -> None:
    """A payload of megabytes arrives whole."""
    async with asyncio.timeout(60):
        caller = await RpcLine.connect("127.0.0.1", shard.port, KEY)
        payload = bytes(range(256)) * 20_000
        assert await caller.call(ECHO, payload) == payload[::-1]
        caller.hang_up()


async def test_a_stranger_is_not_heard(shard: Shard) -> None:
    """A caller without the key gets no line, and none of its calls is executed."""
    with pytest.raises(LineLost):
        async with asyncio.timeout(60):
            await RpcLine.connect("127.0.0.1", shard.port, b"x" * 32)
    reader, writer = await asyncio.open_connection("127.0.0.1", shard.port)
    async with asyncio.timeout(60):
        await reader.readexactly(HEADER.size + line.NONCE_BYTES)
        writer.write(HEADER.pack(4, ECHO, 1) + b"book")
        assert await reader.read() == b""
    writer.close()
    assert shard.asked == []


async def test_an_old_proof_is_worth_nothing(shard: Shard) -> None:
    """A proof that was overheard does not open another line: nonces differ."""
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", shard.port)
        nonce = (await reader.readexactly(HEADER.size + line.NONCE_BYTES))[
            HEADER.size :
        ]
        writer.write(HEADER.pack(32, HELLO, 0) + proof(KEY, nonce))
        assert await reader.readexactly(HEADER.size) == HEADER.pack(0, HELLO, 0)
        again, other = await asyncio.open_connection("127.0.0.1", shard.port)
        await again.readexactly(HEADER.size + line.NONCE_BYTES)
        other.write(HEADER.pack(32, HELLO, 0) + proof(KEY, nonce))
        assert await again.read() == b""
        writer.close()
        other.close()


async def test_a_broken_line_is_known_at_once(shard: Shard) -> None:
    """All waiting calls end with an unknown outcome; later calls too."""
    async with asyncio.timeout(60):
        caller = await RpcLine.connect("127.0.0.1", shard.port, KEY)
        waiting = asyncio.get_running_loop().create_task(caller.call(SLOW, b"x"))
        await shard.begun.wait()
        await shard.server.close()
        with pytest.raises(LineLost):
            await waiting
        with pytest.raises(LineLost):
            await caller.call(ECHO, b"y")
        with pytest.raises(LineLost):
            await RpcLine.connect("127.0.0.1", shard.port, KEY)


async def test_a_failed_call_breaks_nothing_else(shard: Shard) -> None:
    """A defect in one call is told to its caller and to the log, and others go on."""
    async with asyncio.timeout(60):
        caller = await RpcLine.connect("127.0.0.1", shard.port, KEY)
        with pytest.raises(LineFailed):
            await caller.call(BROKEN, b"x")
        assert shard.failures == [BROKEN]
        assert await caller.call(ECHO, b"ab") == b"ba"
        caller.hang_up()


async def test_too_many_calls_are_refused_not_queued(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one connection may have in work is bounded."""
    monkeypatch.setattr(line, "IN_FLIGHT_MAX", 2)
    async with asyncio.timeout(60):
        caller = await RpcLine.connect("127.0.0.1", shard.port, KEY)
        loop = asyncio.get_running_loop()
        held = [loop.create_task(caller.call(SLOW, b"1")) for _ in range(2)]
        await shard.begun.wait()
        with pytest.raises(LineFailed):
            await caller.call(ECHO, b"3")
        shard.gate.set()
        assert await asyncio.gather(*held) == [b"1", b"1"]
        caller.hang_up()


async def test_a_monstrous_frame_breaks_the_line(shard: Shard) -> None:
    """A length beyond the bound is not waited for."""
    async with asyncio.timeout(60):
        caller = await RpcLine.connect("127.0.0.1", shard.port, KEY)
        caller._transport.write(HEADER.pack(line.PAYLOAD_MAX + 1, ECHO, 9))  # type: ignore[union-attr]
        with pytest.raises(LineLost):
            await caller.call(ECHO, b"x")


async def test_a_stranger_fills_no_memory(shard: Shard) -> None:
    """Before the key is shown, more than a proof is not even waited for."""
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", shard.port)
        await reader.readexactly(HEADER.size + line.NONCE_BYTES)
        writer.write(HEADER.pack(line.PROOF_BYTES + 1, HELLO, 0))
        assert await reader.read() == b""
        writer.close()
