"""HTTP connections on real ports: a site behind the protocol, and raw requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.transport.connections import HttpConnections
from gateway.transport.http_protocol import BoundedHttpProtocol, http_protocol_of
from gateway.transport.limits import HttpLimits
from tests.fakes.adopting_site import PATIENCE_S, Site, a_site

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


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers without a look at the body."""
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"no"})
