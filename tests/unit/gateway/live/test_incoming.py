"""What clients send, in any pieces: heard whole, in order, or refused by the book."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from gateway.live.core.frames import Frame
from gateway.live.transport.connection import ANSWERS_BYTES_MAX
from gateway.live.transport.parsers import (
    IDLE_MAX,
    PIECE_BYTES,
    ParserPool,
    whole_text,
)
from gateway.live.transport.write_scheduler import WRITES_AT_ONCE, SharedTransport
from tests.fakes.adopting_site import PATIENCE_S, a_site, stalled, until
from tests.fakes.live_wire import BYTES_MAX, a_connection, reading, spoken, turns

PART = st.text(min_size=1, max_size=40)
MESSAGE = st.builds(
    lambda parts, last: [*parts, last], st.lists(PART, max_size=3), st.text(max_size=40)
)
SAID = st.lists(st.one_of(MESSAGE, st.binary(max_size=20), st.just(None)), max_size=8)
"""A text in parts, a message of bytes, or a ping."""


def _pings(message: list[str] | bytes | None) -> int:
    if message is None:
        return 1
    return 0 if isinstance(message, bytes) else len(message) - 1


@settings(max_examples=150, deadline=None)
@given(SAID, st.lists(st.integers(1, 30), min_size=1))
def test_messages_in_any_pieces_are_heard_whole(
    said: list[list[str] | bytes | None], sizes: list[int]
) -> None:
    """Against websockets' own client; every ping has its pong."""

    async def scene() -> None:
        data, heard = spoken(said)
        connection, wire, ear = a_connection()
        at = turn = 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            connection.data_received(data[at : at + size])
            at, turn = at + size, turn + 1
            if turn % 3 == 0:
                await asyncio.sleep(0)
        await turns(2 * len(heard) + len(data) // PIECE_BYTES + 4)
        assert ear.texts == heard
        assert wire.is_open
        assert wire.is_reading
        assert connection._parser is None
        assert connection._inbox is None
        frames: list[Any] = reading(wire).events_received()
        pongs = [frame.opcode for frame in frames]
        pings = sum(_pings(message) for message in said)
        assert pongs == [Opcode.PONG] * pings

    asyncio.run(scene())


async def test_one_message_is_heard_in_a_turn_and_reading_waits() -> None:
    """So that answers leave between them, and others have their turn."""
    data, heard = spoken([["a"], ["b"], ["c"]])
    connection, wire, ear = a_connection()
    connection.data_received(data)
    assert ear.texts == ["a"]
    assert not wire.is_reading
    await turns(1)
    assert ear.texts == ["a", "b"]
    await turns(2)
    assert ear.texts == heard
    await turns(1)
    assert wire.is_reading


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),  # no mask
        (b"\xc1\x80\0\0\0\0", 1002),  # compressed, which was not agreed
        (b"\x80\x80\0\0\0\0", 1002),  # goes on with nothing
        (b"\x83\x80\0\0\0\0", 1002),  # no such kind
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
        (b"\x81\xfe\xff\xff\0\0\0\0", 4509),
        (b"\x01\x81\0\0\0\0<\x00\x80\0\0\0\0", 4500),  # an empty part
        (b"\x01\x80\0\0\0\0", 4500),
    ],
)
async def test_what_nobody_can_read_closes(data: bytes, code: int) -> None:
    """With the code of RFC 6455 or our own, and the reason; nothing is heard after."""
    connection, wire, ear = a_connection()
    connection.data_received(data)
    await turns(3)
    close = reading(wire).close_rcvd
    assert close is not None
    assert close.code == code
    assert close.reason
    assert ear.texts == []
    connection.data_received(spoken([["later"]])[0])
    await turns(3)
    assert ear.texts == []
    assert not connection.writable


async def test_a_parser_that_waits_for_more_is_lent_to_nobody_else() -> None:
    """Two connections, each in the middle of a message, hear their own."""
    shared = SharedTransport(BYTES_MAX)
    one, other = a_connection(shared), a_connection(shared)
    first, _ = spoken([["one of ", "the first"]])
    second, _ = spoken([["the other's"]])
    for at in range(max(len(first), len(second))):
        for (connection, *_), data in ((one, first), (other, second)):
            if at < len(data):
                connection.data_received(data[at : at + 1])
    await turns(3)
    assert one[2].texts == ["one of the first"]
    assert other[2].texts == ["the other's"]


async def test_a_message_in_very_many_parts_takes_little_more_than_its_bytes() -> None:
    """However small its parts are."""
    part, count = b"a", 1_900
    connection, wire, ear = a_connection()
    frame = b"\x00%b\0\0\0\0%b" % (bytes((0x80 + len(part),)), part)
    connection.data_received(b"\x01\x81\0\0\0\0<")
    connection.data_received(frame)
    tracemalloc.start()
    for _ in range(count):
        connection.data_received(frame)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2 * BYTES_MAX + 1_000
    connection.data_received(b"\x80\x81\0\0\0\0>")
    assert ear.texts == [f"<{part.decode() * (count + 1)}>"]
    assert wire.is_open


def test_idle_parsers_are_few() -> None:
    """However many were lent at once."""
    incoming = ParserPool(BYTES_MAX)
    lent = [incoming.borrow() for _ in range(3 * IDLE_MAX)]
    assert all(incoming.give_back(parser) for parser in lent)
    for piece in (b"\x81", b"\x81\x82", b"\x81\x82\0\0\0\0h", b"\x01\x80\0\0\0\0"):
        parser = incoming.borrow()
        parser.receive_data(piece)
        assert not incoming.give_back(parser), piece
        incoming._idle.append(lent[0])
    assert len(incoming._idle) == IDLE_MAX
    assert incoming.borrow() in lent


async def test_an_answer_does_not_wait_in_a_topics_lane() -> None:
    """What came before it leaves with it, and the others' lanes wait."""
    shared = SharedTransport(BYTES_MAX)
    delta, answer = Frame(b"delta"), Frame(b"answer")
    crowd = [a_connection(shared) for _ in range(WRITES_AT_ONCE + 1)]
    for connection, *_ in crowd:
        connection.write(delta)
    connection, wire, _ = crowd[-1]
    connection.answer(answer)
    connection.answer(answer)
    await turns(1)
    assert wire.written == delta.wire + 2 * answer.wire
    await turns(1)
    assert not shared.flushes.waiting
    assert crowd[-2][1].written == delta.wire


async def test_who_closes_is_answered_and_let_go() -> None:
    """Its own code comes back, after what was written in this turn."""
    connection, wire, ear = a_connection()
    client = Protocol(Side.CLIENT)
    client.send_close(1001, "away")
    connection.data_received(b"".join(client.data_to_send()))
    client.receive_data(wire.written)
    assert client.close_rcvd is not None
    assert client.close_rcvd.code == 1001
    assert not wire.is_open
    assert ear.codes == []
    connection.close(4012)
    await turns(2)
    assert ear.codes == []


async def test_who_pings_on_and_does_not_read_is_cut_off() -> None:
    """Pongs wait in the transport, up to a bound."""
    connection, wire, _ = a_connection()
    ping, _ = spoken([None])
    wire.unsent = ANSWERS_BYTES_MAX
    connection.data_received(ping)
    assert wire.written
    wire.unsent = ANSWERS_BYTES_MAX + 1
    connection.data_received(ping)
    assert not wire.is_open


@pytest.mark.parametrize("missing", [0, 3, 14])
async def test_what_comes_before_the_adoption_is_heard(missing: int) -> None:
    """Whole messages and the half of one are handed on; reading goes on."""
    data, heard = spoken([["early"], ["two ", "parts"], ["late"]])
    loop = asyncio.get_running_loop()
    async with a_site() as site:
        site.gate.clear()
        client = await stalled(site.port)
        cut = len(data) - missing
        await loop.sock_sendall(client, data[:cut])
        await until(lambda: site.raw is not None)
        site.gate.set()
        await asyncio.wait_for(site.connection(), PATIENCE_S)
        await loop.sock_sendall(client, data[cut:])
        await until(lambda: len(site.texts) == len(heard))
        assert site.texts == heard
        client.close()


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 300, 16_000])
def test_a_whole_text_is_read_without_a_parser(length: int) -> None:
    """As websockets writes it, whatever form its length has, and only whole."""
    text = "ä" * (length // 2) + "x" * (length % 2)
    frame = WireFrame(Opcode.TEXT, text.encode()).serialize(mask=True)
    assert whole_text(b"?" + frame + b"next", 1, length) == (text, 1 + len(frame))
    assert whole_text(frame[:-1], 0, length) is None
    assert whole_text(frame, 0, length - 1) is None


@pytest.mark.parametrize(
    "frame",
    [
        WireFrame(Opcode.TEXT, b"x").serialize(mask=False),
        b"\xc1\x81\0\0\0\0x",  # compressed, which was not agreed
        b"\x81\xff" + bytes(8) + bytes(4),  # a length in eight bytes
        WireFrame(Opcode.TEXT, b"x", fin=False).serialize(mask=True),
        WireFrame(Opcode.TEXT, b"\xff").serialize(mask=True),
        WireFrame(Opcode.TEXT, b"x" * 65_536).serialize(mask=True),
        WireFrame(Opcode.BINARY, b"x").serialize(mask=True),
        WireFrame(Opcode.CONT, b"x").serialize(mask=True),
        b"\x88\x80\0\0\0\0",
        WireFrame(Opcode.PING, b"x").serialize(mask=True),
    ],
    # By number: masks are random, and every worker must collect the same names.
    ids=range(10),
)
def test_everything_else_is_the_parsers(frame: bytes) -> None:
    """Frames that are wrong, in parts, no text, or longer than one read."""
    assert whole_text(frame, 0, 1_000_000) is None
