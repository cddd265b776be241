"""HTTP connections on real ports: bounds, deadlines, and every request as it was sent.

One file because every promise of the protocol needs the same small site.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from websockets.protocol import Protocol, Side

from gateway.transport.connections import HttpConnections, SampledLog
from gateway.transport.http_protocol import BoundedHttpProtocol, http_protocol_of
from gateway.transport.limits import HttpLimits
from tests.fakes.adopting_site import PATIENCE_S, Site, a_site, until

PATIENT = HttpLimits(
    head_s=600, body_s=600, keep_alive_s=600, write_s=600, linger_s=600
)
"""No deadline plays a part."""
ORIGIN = "https://clinic.example"


class Echo:
    """Notes every request and answers with its number; waits where it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.disconnects = 0
        self.begun = 0
        self.at_once = self.at_once_max = 0
        self.go = asyncio.Event()
        self.go.set()
        self.answer = b""
        self.frames_answer = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                self.at_once -= 1
                return
            body += message["body"]
            more = message["more_body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["path"], headers, body))
        await self.go.wait()
        answer = self.answer or b"%d;" % len(self.seen)
        length = [(b"content-length", b"%d" % len(answer))]
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": length if self.frames_answer else [],
            }
        )
        self.at_once -= 1
        await send({"type": "http.response.body", "body": answer})


class Served:
    """The site, its application, and what its connections share."""

    def __init__(
        self,
        site: Site,
        app: Echo,
        shared: HttpConnections,
        made: list[BoundedHttpProtocol],
    ) -> None:
        self.port = site.port
        self.app = app
        self.shared = shared
        self.made = made
        """Its connections, as they came."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *parts: bytes) -> bytes:
        """All that comes until the server closes."""
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            heard = await reader.read()
        writer.close()
        return heard

    def refused(self, reason: str) -> float:
        counter = self.shared._refused.labels(reason)
        return float(counter._value.get())


@asynccontextmanager
async def served(
    limits: HttpLimits = PATIENT, *, http: Any = None, **options: Any
) -> AsyncIterator[Served]:
    app = Echo()
    shared = HttpConnections(limits, CollectorRegistry(), [ORIGIN], **options)
    made: list[BoundedHttpProtocol] = []

    def make(**named: Any) -> BoundedHttpProtocol:
        made.append(http_protocol_of(shared)(**named))
        return made[-1]

    async with a_site(app, http=http or make) as site:
        yield Served(site, app, shared, made)


def get(path: str = "/", *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()


async def goes_on(writer: asyncio.StreamWriter) -> None:
    """Send without end."""
    while True:
        writer.write(b"u" * 50_000)
        await writer.drain()


CLOSE = "Connection: close"


def problem_of(heard: bytes) -> tuple[int, str]:
    """Status and code of the one answer that came."""
    head, _, body = heard.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    told = json.loads(body)
    assert int(head.split()[1]) == told["status"]
    return told["status"], told["code"]


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


# --- time --------------------------------------------------------------------------


async def test_a_head_has_a_deadline() -> None:
    """Half a head is answered 408, a silent connection is closed without an answer."""
    async with served(replace(PATIENT, head_s=0.5)) as site:
        half, silent = await asyncio.gather(site.say(get()[:-2]), site.say())
        assert problem_of(half) == (408, "request_timeout")
        assert silent == b""
        assert site.refused("slow_head") == 1


async def test_a_drop_now_and_then_does_not_prolong_a_head() -> None:
    """The deadline is the whole head's."""
    async with served(replace(PATIENT, head_s=0.2)) as site:
        reader, writer = await site.connect()
        writer.write(get()[:-2] + b"x-a: ")
        heard = asyncio.ensure_future(reader.read())
        async with asyncio.timeout(PATIENCE_S):
            while not heard.done():
                writer.write(b"v")
                await asyncio.sleep(0.001)
        assert problem_of(heard.result()) == (408, "request_timeout")
        writer.close()


async def test_a_body_has_a_deadline_and_the_application_hears_of_it() -> None:
    """408 to the client, a disconnect to who waits for the body."""
    async with served(replace(PATIENT, body_s=0.05)) as site:
        heard = await site.say(get("/", "Content-Length: 9") + b"half")
        assert problem_of(heard) == (408, "request_timeout")
        await until(lambda: site.app.disconnects == 1)
        assert site.refused("slow_body") == 1


async def test_bytes_of_a_body_are_time_for_it() -> None:
    """A slow upload that goes on is not cut off."""
    async with served(replace(PATIENT, body_bytes_per_s=1)) as site:
        _, writer = await site.connect()
        writer.write(get("/", "Content-Length: 900"))
        await until(lambda: site.app.begun)
        (connection,) = site.made
        before = connection._deadline
        writer.write(b"b" * 600)
        await until(lambda: connection._deadline != before)
        assert before is not None
        assert connection._deadline == pytest.approx(before + 600)
        writer.close()


async def test_a_slow_answer_has_no_deadline() -> None:
    """The server's own time is not the client's, nor is a pause between requests."""
    async with served() as site:
        site.app.go.clear()
        reader, writer = await site.connect()
        await until(lambda: site.made)
        (connection,) = site.made
        await until(lambda: connection._deadline is not None)
        writer.write(get())
        await until(lambda: site.app.seen)
        assert connection._deadline is None
        site.app.go.set()
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b";")
        assert connection._deadline is None
        writer.close()


async def test_a_second_head_has_a_deadline_too() -> None:
    """From its first byte on; until then keep-alive decides."""
    async with served() as site:
        reader, writer = await site.connect()
        writer.write(get())
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b";")
            (connection,) = site.made
            connection._limits = replace(PATIENT, head_s=0.02)
            writer.write(get()[:-2])
            assert problem_of(await reader.read()) == (408, "request_timeout")
        writer.close()


async def test_a_connection_is_kept_longer_than_proxies_keep_theirs() -> None:
    """nginx closes after 60 s of silence, and must be the first to do so."""
    assert HttpLimits().keep_alive_s > 60
    async with served(replace(PATIENT, keep_alive_s=0.05)) as site:
        assert b" 200 " in await site.say(get()), "and then it is closed"


async def test_who_reads_nothing_of_an_answer_is_cut_off() -> None:
    """An answer that is not read is not kept for ever."""
    async with served(replace(PATIENT, write_s=0.02)) as site:
        site.app.answer = b"a" * 50_000_000
        reader, writer = await site.connect()
        writer.write(get())
        await until(lambda: site.app.seen)
        await until(lambda: site.shared._count == 0)
        writer.close()
        del reader


async def test_a_body_that_still_comes_when_all_is_said_is_bounded() -> None:
    """Answered before its body, a request does not upload for ever."""
    limits = replace(PATIENT, unread_body_bytes_max=100_000)

    shared = HttpConnections(limits, CollectorRegistry())
    async with a_site(refuses, http=http_protocol_of(shared)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(get("/", "Content-Length: 100000000"))
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"no")
            with pytest.raises(ConnectionError):
                await goes_on(writer)
        writer.close()


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers without a look at the body."""
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"no"})


async def test_an_answered_request_is_not_answered_again() -> None:
    """Trailers without end behind it close the connection without a word."""
    shared = HttpConnections(PATIENT, CollectorRegistry())
    async with a_site(refuses, http=http_protocol_of(shared)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(get("/", "Transfer-Encoding: chunked") + b"0\r\nx: ")
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"no")
            writer.write(b"t" * 60_000)
            assert await reader.read() == b""
        writer.close()


async def test_the_rest_of_a_body_must_not_take_long_once_all_is_said() -> None:
    """An answered request does not keep its connection by a drop now and then."""
    shared = HttpConnections(replace(PATIENT, head_s=0.5), CollectorRegistry())
    async with a_site(refuses, http=http_protocol_of(shared)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(get("/", "Content-Length: 100000"))
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"no")
            heard = asyncio.ensure_future(reader.read())
            while not heard.done():
                writer.write(b"b")
                await asyncio.sleep(0.001)
            # What is written after the server has closed is answered with a reset.
            with suppress(ConnectionResetError):
                assert heard.result() == b""
        writer.close()


# --- how many ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "status", "reason"),
    [
        (replace(PATIENT, connections_max=2), 503, "connections"),
        (
            replace(PATIENT, connections_per_address_max=2),
            429,
            "connections_per_address",
        ),
    ],
)
async def test_connections_are_counted(
    limits: HttpLimits, status: int, reason: str
) -> None:
    """One more is told so; one that leaves makes room."""
    async with served(limits) as site:
        first, second = await site.connect(), await site.connect()
        await until(lambda: site.shared._count == 2)
        heard = await site.say(get())
        assert problem_of(heard)[0] == status
        assert b"retry-after" in heard
        assert site.refused(reason) == 1
        first[1].close()
        await until(lambda: site.shared._count == 1)
        assert b" 200 " in await site.say(get("/", CLOSE))
        second[1].close()


async def test_behind_a_proxy_addresses_are_not_counted() -> None:
    """All connections are the proxy's."""
    limits = replace(PATIENT, connections_per_address_max=1)
    async with served(limits, by_address=False) as site:
        held = [await site.connect() for _ in range(3)]
        await until(lambda: site.shared._count == 3)
        for _, writer in held:
            writer.close()


async def test_near_the_limit_of_open_files_newcomers_are_told() -> None:
    """503 and a count, where the kernel would reset them and nothing would be said."""
    async with served() as site:
        site.shared._files_max = 0
        assert problem_of(await site.say()) == (503, "unavailable")
        assert site.refused("open_files") == 1


async def test_a_live_socket_is_no_http_connection_any_more() -> None:
    """It has caps of its own; frames sent with the handshake reach it."""
    shared = HttpConnections(PATIENT, CollectorRegistry())
    async with a_site(http=http_protocol_of(shared)) as live:
        said = Protocol(Side.CLIENT)
        said.send_text(b"early")
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        handshake = get(
            *("/", "Upgrade: websocket", "Connection: Upgrade"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        writer.write(handshake + b"".join(said.data_to_send()))
        async with asyncio.timeout(PATIENCE_S):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        await until(lambda: live.texts == ["early"])
        assert shared._count == 0
        writer.close()


def test_a_reason_is_written_once_in_a_while() -> None:
    """With how many there were; another reason is written at once."""
    now = 0.0
    lines: list[tuple[str, int]] = []
    sampled = SampledLog(
        lambda: now, lambda reason, times: lines.append((reason, times))
    )
    for _ in range(1_000):
        sampled.warn("bad_request")
    sampled.warn("slow_head")
    now = 11.0
    sampled.warn("bad_request")
    assert lines == [("bad_request", 1), ("slow_head", 1), ("bad_request", 1000)]


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
