"""The crowd reads the wire as a client that parses everything does."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from loadtests.crowd.listener import Crowd, Listener
from loadtests.crowd.wire import Sighting, refusal_of, request_of
from loadtests.wire.websocket import PONG, TEXT, frame_at, masked

TOPIC = "slots/prv_1/consult/2026-W33"
LENGTHS = st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000])
FRAMES = st.lists(
    st.one_of(
        st.tuples(st.just(Opcode.TEXT), LENGTHS),
        st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.integers(0, 125)),
    ),
    max_size=8,
)


def delta(before: int, version: int) -> bytes:
    told = {"t": "delta", "topic": TOPIC, "epoch": 7, "from": before}
    content = {**told, "version": version, "slots": [["2026-08-10T09:00:00Z", "held"]]}
    return json.dumps(content, separators=(",", ":")).encode()


def snapshot(version: int) -> bytes:
    told = {"t": "snapshot", "topic": TOPIC, "epoch": 7, "version": version}
    return json.dumps({**told, "slots": []}, separators=(",", ":")).encode()


def wire(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, payload).serialize(mask=False)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    """The stream in pieces that end at these places."""
    edges = [0, *sorted({place % (len(stream) + 1) for place in at}), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges) if b > a]


class Transport:
    """Takes what a listener writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    abort = close


def a_listener(crowd: Crowd, *topics: str) -> tuple[Listener, Any]:
    listener, transport = Listener(crowd, 0, topics), Transport()
    crowd.listeners.append(listener)
    listener.connection_made(transport)  # type: ignore[arg-type]
    return listener, transport


def a_crowd(**given: bytes) -> Crowd:
    return Crowd(b"GET", given.get("say", b""), given.get("counts", b""))


RESULT = wire(b'{"t":"result","id":1,"status":200,"body":{}}')
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@given(FRAMES, st.lists(st.integers(0, 300_000), max_size=12))
def test_frames_are_found_where_another_parser_finds_them(
    lengths: list[tuple[Opcode, int]], places: list[int]
) -> None:
    """However the stream is cut, each frame comes once, whole and in order."""
    frames = [(opcode, bytes((n % 251,)) * n) for opcode, n in lengths]
    stream = b"".join(wire(payload, opcode) for opcode, payload in frames)
    theirs = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
    found: list[tuple[int, bytes]] = []
    rest = b""
    for piece in cut(stream, places):
        theirs.receive_data(piece)
        rest += piece
        at = 0
        while (place := frame_at(rest, at))[1]:
            found.append((rest[at] & 15, rest[place[0] : place[1]]))
            at = place[1]
        rest = rest[at:]
    expected = [
        (int(frame.opcode), bytes(frame.data))
        for frame in theirs.events_received()
        if isinstance(frame, Frame)
    ]
    assert rest == b""
    assert found == expected == [(int(opcode), data) for opcode, data in frames]


@given(st.lists(st.integers(0, 10_000), max_size=20), st.integers(1, 12))
def test_every_delivery_is_kept_however_the_stream_is_cut(
    places: list[int], changes: int
) -> None:
    """Handshake, answer, snapshot, deltas and pings in any pieces: each delta is seen
    once with its versions, and each ping is answered with its payload."""

    async def run() -> None:
        crowd = a_crowd()
        listener, transport = a_listener(crowd, TOPIC)
        news = b"".join(
            wire(delta(n, n + 1)) + wire(b"%d" % n, Opcode.PING) for n in range(changes)
        )
        stream = UPGRADED + RESULT + wire(snapshot(0)) + news
        for piece in cut(stream, places):
            listener.data_received(piece)
        seen = [one for one in crowd.heads.values() if one.is_delta]
        assert [(one.before, one.version, len(one.at)) for one in seen] == [
            (n, n + 1, 1) for n in range(changes)
        ]
        assert (crowd.frames, crowd.answered, crowd.ready) == (changes + 1, 1, 1)
        assert listener.stands() == {TOPIC: (7, changes)}
        assert transport.written[2:] == [
            masked(PONG, b"%d" % n) for n in range(changes)
        ]

    asyncio.run(run())


async def test_frames_that_begin_so_are_counted_by_their_number() -> None:
    """``at[n]`` has the n-th counted frame of every connection; others do not count."""
    crowd = a_crowd(counts=b'{"t":"delta"')
    other, _ = a_listener(crowd)
    listener, _ = a_listener(crowd)
    for one in (other, listener):
        one.data_received(UPGRADED + wire(snapshot(1)) + wire(delta(1, 2)))
    listener.data_received(wire(delta(2, 3)))
    assert crowd.seen == [2, 1]
    crowd.reset()
    listener.data_received(wire(delta(3, 4)))
    assert crowd.seen == [1]


async def test_a_refused_handshake_tells_when_to_come_again() -> None:
    """503 and Retry-After are what the future ends with, and none joined."""
    crowd = a_crowd()
    listener, transport = a_listener(crowd, TOPIC)
    up = listener.up
    assert up is not None
    listener.data_received(
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\n\r\n"
    )
    error: Any = up.exception()
    assert (error.status, error.retry_s) == (503, 2.0)
    assert transport.is_closed
    assert (crowd.joined, dict(crowd.refused)) == (0, {503: 1})


async def test_who_was_cut_off_is_not_lost_and_says_where_it_stood() -> None:
    """Leaving is no loss; coming back asks for what follows the last version."""
    crowd = a_crowd()
    listener, _ = a_listener(crowd, TOPIC)
    listener.data_received(UPGRADED + RESULT + wire(snapshot(4)) + wire(delta(4, 6)))
    listener.leave()
    listener.connection_lost(None)
    assert crowd.lost == 0
    listener.since = listener.stands()
    listener.prepare()
    again: Any = Transport()
    listener.connection_made(again)
    listener.data_received(UPGRADED + RESULT)
    asked = again.written[-1]
    assert json.loads(asked[asked.index(b"{") :])["since"] == {TOPIC: [7, 6]}
    assert crowd.stands() == {TOPIC: {"6": 1}}
    listener.connection_lost(None)
    assert crowd.lost == 1
    assert crowd.stands() == {}


async def test_who_watches_several_topics_stands_on_each() -> None:
    """Positions are kept by topic, not by the last frame."""
    crowd = a_crowd()
    listener, _ = a_listener(crowd, TOPIC, "slots/prv_2/consult/2026-W33")
    other = delta(3, 9).replace(b"prv_1", b"prv_2")
    listener.data_received(UPGRADED + wire(delta(1, 2)) + wire(other))
    assert listener.stands() == {
        TOPIC: (7, 2),
        "slots/prv_2/consult/2026-W33": (7, 9),
    }


def test_a_sighting_reads_a_head() -> None:
    """Kind, topic, epoch and both versions."""
    one = Sighting(delta(3, 5).partition(b',"slots"')[0])
    assert (one.topic, one.epoch, one.before, one.version) == (TOPIC, 7, 3, 5)
    assert one.is_delta
    one.at.extend([10.0, 10.000_250])
    assert one.told()["us"] == [0, 250]


def test_a_clients_frames_are_masked_as_a_server_reads_them() -> None:
    """The mask of zeros leaves the payload, in both lengths that clients need."""
    for size in (0, 125, 126, 60_000):
        frame = masked(TEXT, b"a" * size)
        assert frame[1] & 128
        assert frame.endswith(b"a" * size)
        assert len(frame) == size + (6 if size < 126 else 8)


def test_requests_and_refusals_are_read() -> None:
    """A URL's parts are asked for; a status without Retry-After waits for nothing."""
    host, port, request = request_of("ws://127.0.0.1:81/v1/live")
    assert (host, port) == ("127.0.0.1", 81)
    assert request.startswith(b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:81\r\n")
    assert refusal_of(b"HTTP/1.1 403 Forbidden\r\nDate: x") == (403, 0.0)
