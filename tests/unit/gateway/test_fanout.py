"""Finished frames on real sockets: joined, in order, bounded for who does not read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.live import fanout
from gateway.live.fanout import (
    EXTENSION,
    JOINED_MAX,
    WRITES_AT_ONCE,
    FanoutProtocol,
    Flushes,
    FrameWriter,
)
from gateway.live.frames import Frame
from gateway.problems import CloseCode
from tests.fakes.house import slot
from tests.fakes.live_house import open_live_house

PATIENCE_S = 10.0
DELTA = Frame(b"x" * 228)
"""As long as a delta is."""


class Noting:
    """A transport that keeps what is written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.writes: list[bytes] = []
        self._transport = transport

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Site:
    """An application that does nothing but hold connections open."""

    def __init__(self) -> None:
        self.flushes = Flushes()
        self.made: asyncio.Queue[FrameWriter] = asyncio.Queue()
        self.reliefs = 0
        self.closes: list[int] = []
        self.port = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        raw = scope["extensions"][EXTENSION]
        writer = FrameWriter(raw, self.flushes, self.relieved, self.closes.append)
        self.made.put_nowait(writer)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self.ended.set()

    def relieved(self) -> None:
        self.reliefs += 1

    async def writer(self) -> FrameWriter:
        async with asyncio.timeout(PATIENCE_S):
            return await self.made.get()


@asynccontextmanager
async def a_site(**options: Any) -> AsyncIterator[Site]:
    site = Site()
    config = uvicorn.Config(
        site,
        port=0,
        ws=FanoutProtocol,
        lifespan="off",
        log_config=None,
        **{"ws_per_message_deflate": False, **options},
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    await until(lambda: server.started)
    site.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.should_exit = True
        await serving


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a condition, with a deadline
            await asyncio.sleep(0.005)


async def stalled(port: int) -> socket.socket:
    """A client with a small window that has shaken hands and reads no more."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    ask = (
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(client, ask.encode())
    assert b"101" in await loop.sock_recv(client, 64)
    return client


async def test_frames_of_one_turn_leave_in_one_write() -> None:
    """And arrive one by one, in order."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        writer = await site.writer()
        noting = Noting(writer._protocol.transport)
        writer._protocol.transport = noting  # type: ignore[assignment]
        frames = [Frame(b"%d" % number) for number in range(12)]
        for frame in frames:
            writer.write(frame)
        told = [await asyncio.wait_for(client.recv(), PATIENCE_S) for _ in frames]
    assert told == [str(number) for number in range(12)]
    assert noting.writes[0] == b"".join(frame.wire for frame in frames)


@pytest.mark.parametrize("deflate", [False, True])
async def test_frames_of_every_length_arrive_whole(deflate: bool) -> None:
    """Whatever the header's form, and whether or not compression was agreed; uvicorn's
    own messages go between them."""
    async with (
        a_site(ws_per_message_deflate=deflate) as site,
        connect(f"ws://127.0.0.1:{site.port}", max_size=None) as client,
    ):
        writer = await site.writer()
        for length in (0, 1, 125, 126, 127, 65_535, 65_536, 200_000):
            writer.write(Frame(b"z" * length))
            assert await asyncio.wait_for(client.recv(), PATIENCE_S) == "z" * length
            await writer._protocol.send({"type": "websocket.send", "text": "own"})
            assert await asyncio.wait_for(client.recv(), PATIENCE_S) == "own"


async def taken(site: Site) -> tuple[FrameWriter, socket.socket, int]:
    """How many bytes a client who does not read is sent."""
    client = await stalled(site.port)
    writer = await site.writer()
    sent = 0
    while writer.writable and sent < 20_000_000:
        writer.write(DELTA)
        sent += len(DELTA.wire)
        await asyncio.sleep(0)
    return writer, client, sent


async def test_who_does_not_read_takes_little_and_is_told_when_it_reads() -> None:
    """A stalled client holds less than 100 KiB of old news, kernel included."""
    async with a_site() as site:
        writer, client, sent = await taken(site)
        assert sent < 100 * 1024
        assert site.reliefs == 0
        loop = asyncio.get_running_loop()
        got = 0
        async with asyncio.timeout(PATIENCE_S):
            while got < sent:
                got += len(await loop.sock_recv(client, 65_536))
        await until(lambda: site.reliefs)
        assert writer.writable
        client.close()
        await until(site.ended.is_set)


async def test_without_the_bound_the_kernel_takes_megabytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: what the option on the socket is for."""
    monkeypatch.setattr(fanout, "UNSENT_BYTES", 2**31 - 1)
    async with a_site() as site:
        _, client, sent = await taken(site)
        client.close()
        assert sent > 1_000_000


async def test_a_burst_in_one_turn_is_bounded_and_goes_on_after_it() -> None:
    """More than fits in one write is owed, and the hub hears when there is room."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        writer = await site.writer()
        sent = 0
        while writer.writable:
            writer.write(DELTA)
            sent += 1
        assert sent * len(DELTA.wire) <= JOINED_MAX + len(DELTA.wire)
        for _ in range(sent):
            await asyncio.wait_for(client.recv(), PATIENCE_S)
        await until(lambda: site.reliefs)
        assert writer.writable


async def test_a_close_comes_after_what_was_written() -> None:
    """The last frame, then the code; nothing is written afterwards."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        writer = await site.writer()
        writer.write(Frame(b"news"))
        writer.close(CloseCode.DRAINING, Frame(b"bye"))
        writer.close(CloseCode.FORBIDDEN)
        writer.answer(Frame(b"never"))
        assert await client.recv() == "news"
        assert await client.recv() == "bye"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == CloseCode.DRAINING
        await until(site.ended.is_set)
        assert site.closes == [CloseCode.DRAINING]


async def test_who_never_reads_again_is_cut_off() -> None:
    """A close that nobody takes does not keep the connection for ever."""
    async with a_site() as site:
        writer, client, _ = await taken(site)
        writer._protocol.close_timeout = 0.05
        writer.close(CloseCode.TOO_SLOW, Frame(b"bye"))
        await until(lambda: writer._protocol.disconnected)
        assert site.closes == [CloseCode.TOO_SLOW]
        client.close()


async def test_who_sends_no_pong_is_gone_although_bytes_wait() -> None:
    """The application hears of it; nobody waits for a client who never reads again."""
    async with a_site(ws_ping_interval=0.05, ws_ping_timeout=0.1) as site:
        writer, client, _ = await taken(site)
        await until(site.ended.is_set)
        assert writer._protocol.disconnected
        client.close()


async def test_who_closes_and_does_not_read_is_cut_off() -> None:
    """A connection without an application would be counted nowhere."""
    async with a_site() as site:
        writer, client, _ = await taken(site)
        writer._protocol.close_timeout = 0.05
        close = b"\x88\x82\0\0\0\0\x03\xe8"  # 1000, masked with zeros
        await asyncio.get_running_loop().sock_sendall(client, close)
        await until(lambda: writer._protocol.disconnected)
        client.close()


async def test_a_stop_does_not_wait_for_who_does_not_read() -> None:
    """Far less than the server would wait for its requests."""
    loop = asyncio.get_running_loop()
    async with a_site(timeout_graceful_shutdown=30) as site:
        writer, client, _ = await taken(site)
        writer.close(CloseCode.DRAINING)
        began = loop.time()
    assert loop.time() - began < 5
    assert writer._protocol.disconnected
    client.close()


async def test_a_defect_costs_one_connection_and_no_other() -> None:
    """Whatever a flush raises, those behind it are flushed."""
    async with (
        a_site() as site,
        connect(f"ws://127.0.0.1:{site.port}") as bad,
        connect(f"ws://127.0.0.1:{site.port}") as good,
    ):
        first, second = await site.writer(), await site.writer()

        def fails() -> None:
            raise RuntimeError("a defect")

        first._protocol.writable.clear()
        first.paused()
        first._relieved = fails
        first._protocol.writable.set()
        first.write(Frame(b"1"))
        second.write(Frame(b"2"))
        told = [
            asyncio.ensure_future(asyncio.wait_for(one.recv(), PATIENCE_S))
            for one in (bad, good)
        ]
        await asyncio.wait(told)
        assert [one.exception() is None for one in told].count(True) >= 1
        await until(lambda: first._protocol.disconnected)
        second.write(Frame(b"3"))
        assert "3" in [await asyncio.wait_for(_last(bad, good, second), PATIENCE_S)]


async def _last(one: Any, other: Any, writer: FrameWriter) -> object:
    """What the connection of this writer has next."""
    port = writer._protocol.client[1] if writer._protocol.client else 0
    mine = next(c for c in (one, other) if c.local_address[1] == port)
    while (told := await mine.recv()) == "2":
        pass
    return told


async def test_answers_are_taken_up_to_a_bound() -> None:
    """Who asks on and does not read is too slow."""
    async with a_site() as site:
        writer, client, _ = await taken(site)
        writer._protocol.close_timeout = 0.05
        page = Frame(b"p" * 60_000)
        for _ in range(30):
            writer.answer(page)
            await asyncio.sleep(0)
        await until(lambda: writer._protocol.disconnected)
        assert site.closes == [CloseCode.TOO_SLOW]
        client.close()


async def test_others_have_their_turn_in_a_large_fan_out() -> None:
    """After so many writes the event loop runs what waits."""
    order: list[str] = []

    class Note:
        def flush(self) -> None:
            order.append("flush")

    flushes = Flushes()
    for _ in range(2 * WRITES_AT_ONCE + 1):
        flushes.add(Note())  # type: ignore[arg-type]
    asyncio.get_running_loop().call_soon(order.append, "other")
    await until(lambda: len(order) == 2 * WRITES_AT_ONCE + 2)
    assert order.index("other") == WRITES_AT_ONCE


async def test_what_is_relied_upon_is_there() -> None:
    """The names of uvicorn's class that ours reads; a new version must keep them."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}"):
        protocol = (await site.writer())._protocol
        assert protocol.handshake_complete
        assert (protocol.close_sent, protocol.disconnected) == (False, False)
        assert (protocol.close_timer, protocol.close_timeout) == (None, 10.0)
        assert protocol.writable.is_set()
        assert (protocol.read_paused, protocol.queue.qsize()) == (False, 0)
        assert protocol.loop is asyncio.get_running_loop()
        assert protocol.scope["extensions"]
        assert protocol.conn.extensions == []
        assert protocol.conn.data_to_send() == []
    overridden = (
        *("connection_made", "run_asgi", "pause_writing", "resume_writing"),
        *("keepalive_timeout", "handle_close", "shutdown"),
    )
    for name in overridden:
        assert name in vars(FanoutProtocol.__base__), name


async def test_another_servers_sockets_do_as_well() -> None:
    """Without the extension frames go by ASGI's ``send``; nothing else differs."""
    async with open_live_house(ws="websockets-sansio") as live, live.client() as client:
        topic = "slots/prv_1/consult/2026-W33"
        await client.send("subscribe", topics=[topic])
        await client.until("snapshot")
        answer = await live.house.client.post(
            "/v1/bookings", json=slot(), headers=live.house.patient()
        )
        assert answer.status_code == 201
        assert (await client.until("delta"))["slots"] == [
            ["2026-08-10T09:00:00Z", "booked"]
        ]


ON_UVLOOP = (
    test_frames_of_one_turn_leave_in_one_write,
    test_who_does_not_read_takes_little_and_is_told_when_it_reads,
    test_a_burst_in_one_turn_is_bounded_and_goes_on_after_it,
    test_a_close_comes_after_what_was_written,
    test_who_never_reads_again_is_cut_off,
    test_who_sends_no_pong_is_gone_although_bytes_wait,
    test_who_closes_and_does_not_read_is_cut_off,
    test_a_stop_does_not_wait_for_who_does_not_read,
    test_a_defect_costs_one_connection_and_no_other,
    test_answers_are_taken_up_to_a_bound,
    test_what_is_relied_upon_is_there,
)


@pytest.mark.parametrize("test", ON_UVLOOP, ids=lambda test: test.__name__[5:])
def test_the_same_on_uvloop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Gateways run on uvloop, whose transports are others."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())
