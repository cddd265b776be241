"""The shipped nginx configuration, in the real nginx, before real gateways."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.architecture.sources import ROOT
from tests.fixtures.nginx import SPREADING, Nginx
from tests.fixtures.reserved import free_port
from tests.fixtures.waiting import until_listening

pytestmark = pytest.mark.timeout(90)

SPREADINGS = (SPREADING, "ip_hash;", "hash $cookie_slotcast consistent;")


class Gateways:
    """Two gateways as processes."""

    def __init__(self, folder: Path) -> None:
        self.ports = [free_port(), free_port()]
        self._folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, port: int) -> None:
        with (self._folder / f"{port}.log").open("wb") as output:
            self.processes[port] = subprocess.Popen(
                [sys.executable, "-m", "tests.deployment.one_gateway", str(port)],
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )

    def wait(self) -> None:
        for port, process in self.processes.items():
            until_listening(port, process, self._folder / f"{port}.log")

    def kill(self, port: int) -> None:
        self.processes[port].kill()
        self.processes[port].wait(20)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    made = Gateways(tmp_path_factory.mktemp("gateways"))
    yield made
    for port in list(made.processes):
        made.kill(port)


@pytest.fixture
def gateways(both: Gateways) -> Gateways:
    """Both of them alive, whatever the test before did to one."""
    for port in both.ports:
        if port not in both.processes or both.processes[port].poll() is not None:
            both.start(port)
    both.wait()
    return both


def live(nginx: Nginx) -> connect:
    """A live socket through nginx."""
    address = f"ws://127.0.0.1:{nginx.port}/v1/live"
    protocols = [Subprotocol("slotcast.v1")]
    return connect(address, subprotocols=protocols, open_timeout=60, close_timeout=1)


@pytest.mark.parametrize("spreading", SPREADINGS, ids=("least", "address", "cookie"))
async def test_a_killed_gateway_is_not_noticed_for_long(
    tmp_path: Path, gateways: Gateways, spreading: str
) -> None:
    """REST goes on without an error; its watchers come back to the other gateway."""
    with Nginx(tmp_path / "nginx", gateways.ports, spreading) as nginx:
        async with httpx.AsyncClient(base_url=nginx.url, timeout=60) as client:
            client.cookies.set("slotcast", "one-browser")
            async with live(nginx) as socket:
                for _ in range(4):
                    assert (await client.get("/v1/providers")).status_code == 200
                await (await socket.ping())
            dead = int(nginx.upstreams()[-1].split()[0].rpartition(":")[2])
            gateways.kill(dead)
            for _ in range(8):
                assert (await client.get("/v1/providers")).status_code == 200
            async with live(nginx) as socket:
                await (await socket.ping())
        (survivor,) = set(gateways.ports) - {dead}
        assert nginx.upstreams()[-1].split(" ")[0].endswith(str(survivor))


async def test_a_watcher_of_a_killed_gateway_is_told_at_once(
    tmp_path: Path, gateways: Gateways
) -> None:
    """The socket ends when its gateway does, so that the browser comes back."""
    with Nginx(tmp_path / "nginx", gateways.ports[:1]) as nginx:
        async with live(nginx) as socket:
            await (await socket.ping())
            gateways.kill(gateways.ports[0])
            async with asyncio.timeout(60):
                await socket.wait_closed()


async def test_operators_pages_are_not_for_the_outside(
    tmp_path: Path, gateways: Gateways
) -> None:
    """Metrics and readiness are asked of the gateways themselves."""
    with Nginx(tmp_path / "nginx", gateways.ports) as nginx:
        async with httpx.AsyncClient(base_url=nginx.url, timeout=60) as client:
            for path, status in {
                "/metrics": 404,
                "/readyz": 404,
                "/healthz": 200,
            }.items():
                assert (await client.get(path)).status_code == status


BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Connection: close\r\n\r\ndata: first\n\n"
)


class Stub:
    """An upstream that notes what it gets and does what it is told."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.go_on = asyncio.Event()
        self.port = 0
        self._answer = ""
        self._ended: list[asyncio.Event] = []

    @asynccontextmanager
    async def serving(self, answer: str) -> AsyncIterator[Stub]:
        """``answer``: "none" hangs up, "busy" is a 503, "stream" an event stream."""
        self._answer = answer
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.go_on.set()
            server.close()
            # nginx is gone, so every connection ends.
            async with asyncio.timeout(60):
                for ended in self._ended:
                    await ended.wait()

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        ended = asyncio.Event()
        self._ended.append(ended)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(request.decode())
                if self._answer == "none":
                    break
                writer.write(BUSY if self._answer == "busy" else EVENTS)
                await writer.drain()
                if self._answer == "stream":
                    await self.go_on.wait()
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # nginx has hung up
        finally:
            writer.close()
            ended.set()


@pytest.mark.parametrize(
    ("method", "tries"), [("POST", 1), ("PATCH", 1), ("GET", 2), ("DELETE", 2)]
)
async def test_only_what_may_be_done_twice_is_sent_twice(
    tmp_path: Path, method: str, tries: int
) -> None:
    """A gateway that took a booking and fell silent may have booked: no second one."""
    one, two = Stub(), Stub()
    async with one.serving("none"), two.serving("none"):
        with Nginx(tmp_path / "nginx", [one.port, two.port]) as nginx:
            async with httpx.AsyncClient(base_url=nginx.url, timeout=60) as client:
                answer = await client.request(method, "/v1/bookings")
    assert answer.status_code == 502
    assert len(one.requests) + len(two.requests) == tries


async def test_a_post_goes_past_a_gateway_that_is_not_there(
    tmp_path: Path, gateways: Gateways
) -> None:
    """What was never sent can be sent to another."""
    with Nginx(tmp_path / "nginx", [free_port(), gateways.ports[0]]) as nginx:
        async with httpx.AsyncClient(base_url=nginx.url, timeout=60) as client:
            for _ in range(3):
                answer = await client.post("/v1/bookings", json={})
                assert answer.status_code == 401  # a gateway's own word


async def test_a_503_is_an_answer(tmp_path: Path) -> None:
    """Retry-After reaches the client; the others are not asked the same."""
    one, two = Stub(), Stub()
    async with one.serving("busy"), two.serving("busy"):
        with Nginx(tmp_path / "nginx", [one.port, two.port]) as nginx:
            async with httpx.AsyncClient(base_url=nginx.url, timeout=60) as client:
                answer = await client.get("/v1/providers")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert len(one.requests) + len(two.requests) == 1


async def test_events_go_out_as_they_come(tmp_path: Path) -> None:
    """Who asks for an event stream gets the first event while the second is awaited."""
    stub = Stub()
    async with stub.serving("stream"):
        with Nginx(tmp_path / "nginx", [stub.port]) as nginx:
            async with (
                httpx.AsyncClient(base_url=nginx.url, timeout=60) as client,
                client.stream(
                    "GET", "/v1/events", headers={"Accept": "text/event-stream"}
                ) as answer,
            ):
                async with asyncio.timeout(60):
                    first = await anext(answer.aiter_lines())
                stub.go_on.set()
    assert first == "data: first"


async def test_the_callers_address_cannot_be_made_up(tmp_path: Path) -> None:
    """What a client claims in X-Forwarded-For is replaced; Host keeps its port."""
    stub = Stub()
    async with stub.serving("busy"):
        with Nginx(tmp_path / "nginx", [stub.port]) as nginx:
            async with httpx.AsyncClient(base_url=nginx.url, timeout=60) as client:
                await client.get("/", headers={"X-Forwarded-For": "203.0.113.7"})
            port = nginx.port
    (request,) = stub.requests
    assert "203.0.113.7" not in request
    assert "X-Forwarded-For: 127.0.0.1\r\n" in request
    assert f"Host: 127.0.0.1:{port}\r\n" in request


async def test_addresses_that_are_secrets_are_not_logged(tmp_path: Path) -> None:
    """Feeds, links that stop messages, and those of documents; other addresses are
    logged as they are."""
    with Nginx(tmp_path, [free_port()]) as nginx:
        async with httpx.AsyncClient(base_url=nginx.url) as client:
            for path in (
                "/feeds/hush.ics",
                "/v1/unsubscribe/hush",
                "/v1/document-links/hush",
                "/v1/providers",
            ):
                await client.get(path)
    logged = (tmp_path / "access.log").read_text()
    assert "hush" not in logged
    for shown in (
        "/feeds/-",
        "/v1/unsubscribe/-",
        "/v1/document-links/-",
        "/v1/providers",
    ):
        assert f" {shown} " in logged


def test_answers_are_written_to_no_disk(tmp_path: Path) -> None:
    """A document is in the clear on no disk: of an answer whose reader is slow nginx
    takes no more than its memory holds, and an upload is passed on as it comes."""
    config = Nginx(tmp_path, [free_port()]).rendered()
    # In the server itself, for all its addresses.
    assert config.count("\n        proxy_max_temp_file_size 0;\n") == 1
    assert config.count("proxy_max_temp_file_size") == 1
    _, _, content = config.partition("/content$ {")
    assert "proxy_request_buffering off;" in content.partition("}")[0]
