"""Finished frames on real sockets: joined, in order, bounded for who does not read."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import Protocol, Side

from gateway.live.core.frames import Frame
from gateway.live.sessions.session import SocketSession
from gateway.live.topics.watcher import Watcher
from gateway.live.transport import uvicorn_protocol as fanout
from gateway.live.transport.connection import JOINED_MAX, LiveConnection
from gateway.live.transport.uvicorn_protocol import EXTENSION, FanoutProtocol
from gateway.wire.problems import CloseCode
from tests.fakes.adopting_site import PATIENCE_S, Site, a_site, stalled, until
from tests.fakes.live_api import open_live_api

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


async def test_frames_of_one_turn_leave_in_one_write() -> None:
    """And arrive one by one, in order."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        writer = await site.connection()
        noting = Noting(writer._transport)
        writer._transport = noting  # type: ignore[assignment]
        frames = [Frame(b"%d" % number) for number in range(12)]
        for frame in frames:
            writer.write(frame)
        told = [await asyncio.wait_for(client.recv(), PATIENCE_S) for _ in frames]
    assert told == [str(number) for number in range(12)]
    assert noting.writes[0] == b"".join(frame.wire for frame in frames)


@pytest.mark.parametrize("is_offered", [False, True])
async def test_frames_of_every_length_arrive_whole(is_offered: bool) -> None:
    """Whatever the header's form, and whether or not uvicorn would compress."""
    async with (
        a_site(ws_per_message_deflate=is_offered) as site,
        connect(f"ws://127.0.0.1:{site.port}", max_size=None) as client,
    ):
        assert client.protocol.extensions == []
        writer = await site.connection()
        for length in (0, 1, 125, 126, 127, 65_535, 65_536, 200_000):
            writer.write(Frame(b"z" * length))
            assert await asyncio.wait_for(client.recv(), PATIENCE_S) == "z" * length


async def taken(site: Site) -> tuple[LiveConnection, socket.socket, int]:
    """How many bytes a client who does not read is sent."""
    client = await stalled(site.port)
    writer = await site.connection()
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
        await until(site.ends.is_set)


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
        writer = await site.connection()
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
        writer = await site.connection()
        writer.write(Frame(b"news"))
        writer.close(CloseCode.DRAINING, Frame(b"bye"))
        writer.close(CloseCode.FORBIDDEN)
        writer.answer(Frame(b"never"))
        assert await client.recv() == "news"
        assert await client.recv() == "bye"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == CloseCode.DRAINING
        await until(site.ends.is_set)
        assert site.closes == [CloseCode.DRAINING]


async def test_who_never_reads_again_is_cut_off() -> None:
    """A close that is never read does not keep the connection for ever."""
    async with a_site() as site:
        writer, client, _ = await taken(site)
        site.shared.close_s = 0.05
        writer.close(CloseCode.TOO_SLOW, Frame(b"bye"))
        await until(lambda: writer._is_closed and site.ends.is_set())
        assert site.closes == [CloseCode.TOO_SLOW]
        client.close()


async def test_who_gives_no_sign_of_life_is_cut_off() -> None:
    """Between two pings: a pong, a message, or bytes taken. A reader lives on."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        reader = await site.connection()
        writer, stalling, _ = await taken(site)
        for connection in (reader, writer):
            connection.ping()
        assert await asyncio.wait_for(await client.ping(), PATIENCE_S) is not None
        for connection in (reader, writer):
            connection.ping()
        await until(site.ends.is_set)
        assert (reader._is_closed, writer._is_closed) == (False, True)
        stalling.close()


async def test_who_closes_and_does_not_read_is_cut_off() -> None:
    """A connection without an application would be counted nowhere."""
    async with a_site() as site:
        writer, client, _ = await taken(site)
        site.shared.close_s = 0.05
        close = b"\x88\x82\0\0\0\0\x03\xe8"  # 1000, masked with zeros
        await asyncio.get_running_loop().sock_sendall(client, close)
        await until(lambda: writer._is_closed and site.ends.is_set())
        client.close()


async def test_a_stop_does_not_wait_for_who_does_not_read() -> None:
    """The server itself would wait an hour for its requests."""
    async with asyncio.timeout(6 * PATIENCE_S):
        async with a_site(timeout_graceful_shutdown=3_600) as site:
            writer, client, _ = await taken(site)
            writer.close(CloseCode.DRAINING)
    assert writer._is_closed
    assert site.ends.is_set()
    client.close()


async def test_a_defect_costs_one_connection_and_no_other() -> None:
    """Whatever a flush or a message raises, the others go on."""
    async with (
        a_site() as site,
        connect(f"ws://127.0.0.1:{site.port}") as bad,
        connect(f"ws://127.0.0.1:{site.port}") as good,
    ):
        made = [await site.connection(), await site.connection()]
        by_port = {one._transport.get_extra_info("peername")[1]: one for one in made}
        first, second = (by_port[one.local_address[1]] for one in (bad, good))
        first._row = [Ellipsis]  # type: ignore[list-item]
        site.shared.flushes.add(first, DELTA)
        second.write(DELTA)
        assert await asyncio.wait_for(good.recv(), PATIENCE_S) == DELTA.text
        await until(lambda: first._is_closed)

        def fails(_: str | None) -> None:
            raise RuntimeError("a defect")

        site.hears = fails
        async with connect(f"ws://127.0.0.1:{site.port}") as third:
            await third.send("something")
            with pytest.raises(ConnectionClosed):
                await third.recv()
        second.write(DELTA)
        assert await asyncio.wait_for(good.recv(), PATIENCE_S) == DELTA.text


async def test_answers_are_taken_up_to_a_bound() -> None:
    """Who asks on and does not read is too slow."""
    async with a_site() as site:
        writer, client, _ = await taken(site)
        site.shared.close_s = 0.05
        page = Frame(b"p" * 60_000)
        for _ in range(30):
            writer.answer(page)
            await asyncio.sleep(0)
        await until(lambda: writer._is_closed and site.ends.is_set())
        assert site.closes == [CloseCode.TOO_SLOW]
        client.close()


async def test_who_is_closed_with_messages_waiting_answers_the_close() -> None:
    """The rest is heard no more, but reading goes on: else it would be cut off."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        site.shared.close_s = 2 * PATIENCE_S
        connection = await site.connection()

        def hears(text: str | None) -> None:
            site.texts.append(text)
            connection.close(CloseCode.BAD_FRAME)

        site.hears = hears
        said = Protocol(Side.CLIENT)
        for number in range(10):
            said.send_text(b"%d" % number)
        client.transport.write(b"".join(said.data_to_send()))
        await until(site.ends.is_set)
        assert site.closes == [CloseCode.BAD_FRAME]
        assert site.texts == ["0"]
        await asyncio.wait_for(client.wait_closed(), PATIENCE_S)
        assert client.close_code == CloseCode.BAD_FRAME


async def test_who_is_pinged_behind_a_full_row_lives_on() -> None:
    """Not writable for a turn is not the same as a client who takes nothing."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        connection = await site.connection()
        for _ in range(3):
            connection.write(Frame(b"h" * JOINED_MAX))
            assert not connection.writable
            connection.ping()
            await client.recv()
            await until(lambda: connection._is_alive)
        assert not connection._is_closed


async def test_what_is_relied_upon_is_there() -> None:
    """The names of uvicorn's class that ours reads; a new version must keep them."""
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        seen.append(scope["extensions"][EXTENSION])
        await receive()

    async with (
        a_site(application) as site,
        # Its close is never answered: the keepalive was stopped beneath it.
        connect(f"ws://127.0.0.1:{site.port}", close_timeout=0.1),
    ):
        await until(lambda: seen)
        (protocol,) = seen
        assert (protocol.close_sent, protocol.disconnected) == (False, False)
        assert protocol.queue.empty()
        assert (protocol.frames, protocol.curr_msg_data_type) == ([], "bytes")
        assert protocol.conn.extensions == []
        assert protocol in protocol.connections
        assert protocol.transport.get_protocol() is protocol
        assert protocol.ping_timer is not None
        protocol.stop_keepalive()
        assert protocol.ping_timer is None
    for name in ("connection_made", "run_asgi"):
        assert name in vars(FanoutProtocol.__base__), name


async def test_uvicorn_lets_go_of_an_adopted_connection() -> None:
    """Its object and its parser are freed at once: they are thirty kilobytes."""
    async with a_site() as site, connect(f"ws://127.0.0.1:{site.port}") as client:
        gc.collect()
        gc.disable()
        try:
            connection = await site.connection()
            objects = weakref.ref(site.raw), weakref.ref(site.raw.conn)
            await until(site.returned.is_set)
            site.raw = None
            await until(lambda: [one() for one in objects] == [None, None])
        finally:
            gc.enable()
        connection.write(DELTA)
        assert await asyncio.wait_for(client.recv(), PATIENCE_S) == DELTA.text


async def test_a_closed_connection_is_freed_at_once() -> None:
    """With its watcher, and without the garbage collector: there is no circle."""
    async with open_live_api() as live:
        gc.collect()
        gc.disable()
        try:
            async with live.client() as client:
                await client.send("subscribe", topics=["slots/prv_1/consult/2026-W33"])
                await client.until("snapshot")
                assert [one for one in gc.get_objects() if type(one) is Watcher]
            await until(lambda: not live.live.hub.watchers)
            kinds = LiveConnection, SocketSession, Watcher
            await until(
                lambda: not [one for one in gc.get_objects() if type(one) in kinds]
            )
        finally:
            gc.enable()


async def test_a_defect_in_what_waited_closes_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client without an answer would wait for ever."""
    async with open_live_api() as live, live.client("patient", "pat_1") as client:

        def fails(*_: object) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(live.live.hub, "subscribe", fails)
        await client.send("subscribe", topics=["me"])
        assert await client.closed() == 1011


async def test_sockets_of_another_protocol_class_are_refused() -> None:
    """501 with what to do: without our class nothing would bound them."""
    async with open_live_api(ws="websockets-sansio") as live:
        with pytest.raises(InvalidStatus) as found:
            async with live.client():
                pass
    assert found.value.response.status_code == 501
    assert b"slotcast serve" in (found.value.response.body or b"")


ON_UVLOOP = (
    test_frames_of_one_turn_leave_in_one_write,
    test_who_does_not_read_takes_little_and_is_told_when_it_reads,
    test_a_burst_in_one_turn_is_bounded_and_goes_on_after_it,
    test_a_close_comes_after_what_was_written,
    test_who_never_reads_again_is_cut_off,
    test_who_gives_no_sign_of_life_is_cut_off,
    test_who_closes_and_does_not_read_is_cut_off,
    test_a_stop_does_not_wait_for_who_does_not_read,
    test_a_defect_costs_one_connection_and_no_other,
    test_answers_are_taken_up_to_a_bound,
    test_who_is_closed_with_messages_waiting_answers_the_close,
    test_who_is_pinged_behind_a_full_row_lives_on,
    test_what_is_relied_upon_is_there,
    test_uvicorn_lets_go_of_an_adopted_connection,
    test_a_closed_connection_is_freed_at_once,
)


@pytest.mark.parametrize("test", ON_UVLOOP, ids=lambda test: test.__name__[5:])
def test_the_same_on_uvloop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Gateways run on uvloop, whose transports are others."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())
