"""WebSocket bytes: a server reads ours, and we read a server's, cut anywhere."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol

from loadtests.wire import websocket as wire
from loadtests.wire.websocket import Frames, source_of


def of_a_server(*payloads: bytes) -> bytes:
    """Texts as a real server's library writes them."""
    server = Protocol(SERVER)
    for payload in payloads:
        server.send_text(payload)
    return b"".join(server.data_to_send())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535])
def test_a_server_reads_what_we_write(size: int) -> None:
    server = Protocol(SERVER)
    server.receive_data(wire.masked(wire.TEXT, b"x" * size))
    [read] = server.events_received()
    assert isinstance(read, Frame)
    assert (read.opcode, read.data) == (Opcode.TEXT, b"x" * size)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1_000, 10**6])
def test_frames_are_whole_wherever_bytes_are_cut(step: int) -> None:
    payloads = [b"", b"a", b"b" * 126, b"c" * 70_000, b"d"]
    data, frames, found = of_a_server(*payloads), Frames(), []
    for at in range(0, len(data), step):
        found += list(frames.feed(data[at : at + step]))
    assert found == [(wire.TEXT, payload) for payload in payloads]


def test_nothing_is_read_twice_when_the_reader_stops_between_frames() -> None:
    frames = Frames()
    first = next(frames.feed(of_a_server(b"one", b"two")))
    rest = list(frames.feed(of_a_server(b"three")))
    assert [first[1], *(payload for _, payload in rest)] == [b"one", b"two", b"three"]


def test_a_close_frame_brings_its_code() -> None:
    server = Protocol(SERVER)
    server.send_close(4012, "draining")
    [(opcode, payload)] = Frames().feed(b"".join(server.data_to_send()))
    assert (opcode, wire.close_code(payload)) == (wire.CLOSE, 4012)
    assert wire.close_code(b"") is None


def test_our_close_is_a_clients() -> None:
    server = Protocol(SERVER)
    server.receive_data(wire.closing(1000))
    [read] = server.events_received()
    assert isinstance(read, Frame)
    assert read.opcode is Opcode.CLOSE


def test_people_come_from_addresses_that_a_server_lets_in() -> None:
    """At most 900 of an address, and no two processes from the same."""
    here = "ws://127.0.0.1:8000/v1/live"
    of_one = [source_of(here, 0, number) for number in range(5_000)]
    assert max(of_one.count(source) for source in set(of_one)) <= 900
    assert not set(of_one) & {source_of(here, 1, number) for number in range(5_000)}
    assert source_of("ws://slots.example/v1/live", 0, 7) == ""
