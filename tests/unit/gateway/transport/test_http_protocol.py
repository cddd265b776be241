"""HTTP connections: bounds on what is sent, and every request as it was sent."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from random import Random

import pytest

from tests.fakes.adopting_site import PATIENCE_S, until
from tests.fakes.http_connections import (
    CLOSE,
    ORIGIN,
    PATIENT,
    get,
    goes_on,
    problem_of,
    served,
)


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (get()[:-2], b"x-a: b\r\n", 431),
        (get()[:-2] + b"x-a: ", b"v", 431),
        (get()[:-2], b"n", 431),
        (b"GET /", b"u", 414),
        (b"", b"\r\n", 431),
        (get("/", "Transfer-Encoding: chunked") + b"0\r\nx-a: ", b"t", 431),
        (get("/", "Transfer-Encoding: chunked") + b"0\r\n", b"x-a: b\r\n", 431),
        (get("/", "Transfer-Encoding: chunked") + b"5;", b"e", 431),
    ],
    ids=["lines", "value", "name", "url", "blank", "trailer", "trailers", "chunk"],
)
async def test_what_never_ends_is_refused(
    start: bytes, piece: bytes, status: int
) -> None:
    """Bytes are counted as they come, wherever an end is missing."""
    async with served() as site:
        heard = await site.say(start, *[piece * (4096 // len(piece))] * 32)
        assert problem_of(heard)[0] == status
        assert site.app.seen == []


async def test_without_the_bounds_a_head_grows_on() -> None:
    """The control: uvicorn's own connection takes a head of a megabyte."""
    async with served(http="httptools") as site:
        value = b"v" * 1_000_000
        await site.say(get("/", CLOSE)[:-2] + b"x-a: " + value + b"\r\n\r\n")
        assert len(site.app.seen[0][2]["x-a"]) == len(value)


async def test_a_head_within_the_bounds_passes() -> None:
    """A hundred lines and sixteen kilobytes: room for cookies."""
    async with served() as site:
        lines = [f"x-{number}: {'v' * 160}" for number in range(98)]
        assert b" 200 " in await site.say(get("/", *lines, CLOSE))


async def test_one_request_of_a_connection_at_a_time() -> None:
    """Those behind it wait unread, in order, and every one is answered."""
    count = 2_000
    async with served() as site:
        site.app.go.clear()
        reader, writer = await site.connect()
        writer.write(b"".join(get(f"/{number}") for number in range(count)))
        await until(lambda: site.app.seen)
        assert site.app.begun == 1
        site.app.go.set()
        writer.write(get("/last", CLOSE))
        async with asyncio.timeout(PATIENCE_S):
            heard = await reader.read()
        writer.close()
        assert heard.count(b"HTTP/1.1 200 ") == count + 1
        paths = [path for _, path, _, _ in site.app.seen]
        assert paths == [f"/{number}" for number in range(count)] + ["/last"]
        assert site.app.at_once_max == 1
        await until(lambda: site.shared.pipelined_bytes == 0)


async def test_requests_that_wait_are_not_read() -> None:
    """A client that pipelines for ever is stopped by its own connection."""
    async with served() as site:
        site.app.go.clear()
        client = socket.socket()
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", site.port))
        flood, sent = get() * 4_000, 0
        await loop.sock_sendall(client, get())
        await until(lambda: site.app.begun)
        for _ in range(400):
            try:
                sent += client.send(flood)
            except BlockingIOError:
                await asyncio.sleep(0.001)
        assert site.app.begun == 1
        assert site.shared.pipelined_bytes <= 512 * 1024
        assert sent < 400 * len(flood) / 2, "the kernel's buffers are full long before"
        client.close()
        site.app.go.set()
        await until(lambda: site.shared.pipelined_bytes == 0)


async def test_all_that_waits_together_is_bounded() -> None:
    """A connection that pipelines more than there is room for ends after its answer."""
    async with served(replace(PATIENT, pipelined_bytes_max=100)) as site:
        heard = await site.say(get() * 10)
        assert heard.count(b"HTTP/1.1 200 ") == 1
        assert site.refused("pipelined") == 1


def _mixed() -> tuple[bytes, list[tuple[str, str, bytes]]]:
    """A stream of requests of every framing, and what each of them says."""
    tricky = b"\r\n\r\nGET /no HTTP/1.1\r\n\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    declared = b"Content-Length: %d\r\n\r\n" % len(tricky)
    chunk = b"%x\r\n%b\r\n" % (len(tricky), tricky)
    stream = (
        get("/1")
        + b"POST /2 HTTP/1.1\r\nHost: x\r\n"
        + declared
        + tricky
        + b"POST /3 HTTP/1.1\r\nHost: x\r\n"
        + chunked
        + chunk
        + chunk
        + b"0\r\nAuthorization: Bearer t\r\n\r\n"
        + get("/4", "Content-Length: 0")
        + b"PUT /5 HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
        + b"b" * 70_000
        + get("/6", CLOSE)
    )
    said = [
        ("GET", "/1", b""),
        ("POST", "/2", tricky),
        ("POST", "/3", tricky + tricky),
        ("GET", "/4", b""),
        ("PUT", "/5", b"b" * 70_000),
        ("GET", "/6", b""),
    ]
    return stream, said


@pytest.mark.parametrize("seed", range(12))
async def test_a_stream_is_understood_however_it_is_cut(seed: int) -> None:
    """The application sees what was sent, in order, wherever packets end."""
    dice = Random(seed)
    stream, said = _mixed()
    cuts = sorted(dice.sample(range(1, len(stream)), dice.choice([0, 3, 40])))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    async with served() as site:
        heard = await site.say(*parts)
        assert heard.count(b"HTTP/1.1 200 ") == len(said)
        assert [(m, p, b) for m, p, _, b in site.app.seen] == said
        assert not any("authorization" in headers for _, _, headers, _ in site.app.seen)


async def test_a_trailer_is_no_header() -> None:
    """Not even one that comes before the application looks at its headers."""
    message = (
        get("/", "Transfer-Encoding: chunked", CLOSE) + b"0\r\nauthorization: x\r\n\r\n"
    )
    async with served() as site:
        await site.say(message)
        assert "authorization" not in site.app.seen[0][2]
    async with served(http="httptools") as site:
        await site.say(message)
        assert "authorization" in site.app.seen[0][2], "the control"


@pytest.mark.parametrize(
    "message",
    [
        get("/", "Host: y"),
        get("/", "Authorization: a", "Authorization: b"),
        get("/", "Content-Length: 1", "Content-Length: 1"),
        b"GET / HTTP/1.1\r\n\r\n",
        get("/", "Upgrade: websocket", "Connection: Upgrade", "Content-Length: 4"),
        get(
            *("/", "Upgrade: websocket", "Connection: Upgrade"),
            "Transfer-Encoding: chunked",
        ),
        get("/", "Upgrade: h2c", "Connection: Upgrade", "Content-Length: 4"),
        b"what is this\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_what_can_be_read_in_two_ways_is_refused(message: bytes) -> None:
    """400 as a problem, the connection closed, and the application sees nothing."""
    async with served() as site:
        assert problem_of(await site.say(message)) == (400, "bad_request")
        assert site.app.begun == 0
        assert site.refused("bad_request") == 1


async def test_a_page_of_an_allowed_origin_can_read_a_refusal() -> None:
    """And a page of another cannot."""
    async with served() as site:
        for origin, readable in ((ORIGIN, True), ("https://evil.example", False)):
            head = get("/", f"Origin: {origin}")[:-2]
            heard = await site.say(head + b"x-a: " + b"v" * 60_000)
            assert problem_of(heard)[0] == 431
            told = f"access-control-allow-origin: {ORIGIN}\r\n".encode()
            assert (told in heard) == readable


async def test_a_large_refused_request_hears_why() -> None:
    """What still comes is read for a while: a reset would lose the answer."""
    async with served() as site:
        heard = await site.say(get()[:-2] + b"x-a: " + b"v" * 900_000)
        assert problem_of(heard)[0] == 431
        await until(lambda: site.shared.lingering == 0)


async def test_who_sends_on_after_a_refusal_is_cut_off() -> None:
    """Reading a body that has no use is bounded."""
    async with served(replace(PATIENT, linger_bytes_max=100_000)) as site:
        reader, writer = await site.connect()
        writer.write(b"GET /" + b"u" * 50_000)
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
            with pytest.raises(ConnectionError):
                await goes_on(writer)
        await until(lambda: site.shared.lingering == 0)


# --- HTTP/1.0 ----------------------------------------------------------------------


@pytest.mark.parametrize("framed", [True, False])
async def test_an_old_client_gets_no_chunks(framed: bool) -> None:
    """HTTP/1.0 has none: the answer ends with the connection."""
    async with served() as site:
        site.app.frames_answer = framed
        heard = await site.say(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = heard.partition(b"\r\n\r\n")
        assert body == b"1;"
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head


async def test_an_old_client_that_asks_for_the_head_gets_no_body() -> None:
    """HEAD, as in HTTP/1.1."""
    async with served() as site:
        heard = await site.say(b"HEAD / HTTP/1.0\r\n\r\n")
        assert heard.endswith(b"\r\n\r\n")
