"""Many WebSocket connections that only listen: for raw numbers, beside Locust.

    python -m loadtests.crowd ws://127.0.0.1:8000/v1/live --count 5000
        --say '{"op":"subscribe","id":1,"topics":["slots/…"]}' [--first-source 1]

Holds the connections from several loopback addresses, and answers commands on standard
input with a line of JSON each: ``report``, ``reset``, ``quit``. Frames that begin with
``--counts`` are counted by how many a connection had before, so with one such frame for
each change ``at[n]`` is when the last connection had the n-th, on the monotonic clock
that all processes of a machine share. It parses headers and no content, so that as
little of the machine as can be is the driver's.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import uvloop

PER_SOURCE = 900
"""Connections from one address, below a gateway's cap for each."""
AT_ONCE = 64
"""Handshakes in flight."""
PONG, PING, CLOSE = 10, 9, 8
_TWO, _EIGHT = 126, 127


class Crowd:
    """What all connections of this process saw."""

    def __init__(self, request: bytes, say: bytes, counts: bytes) -> None:
        self.request = request
        self.say = say
        self.counts = counts
        self.joined = 0
        self.lost = 0
        self.ready = 0
        """Connections that had at least one frame after they joined."""
        self.reset()

    def reset(self) -> None:
        """Count from here; every connection starts at its next frame."""
        self.round = getattr(self, "round", 0) + 1
        self.at: list[float] = []
        self.seen: list[int] = []

    def note(self, number: int, now: float) -> None:
        """A connection had its frame of this number."""
        if number >= len(self.at):
            self.at.append(now)
            self.seen.append(0)
        self.at[number] = now
        self.seen[number] += 1

    def report(self) -> dict[str, Any]:
        """Everything, for whoever asked."""
        return {
            "joined": self.joined,
            "ready": self.ready,
            "lost": self.lost,
            "at": self.at,
            "seen": self.seen,
        }


class Listener(asyncio.Protocol):
    """One connection."""

    __slots__ = ("_crowd", "_had", "_is_shaken", "_rest", "_round", "_transport", "up")

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._rest = b""
        self._is_shaken = False
        self._had = -1
        self._round = 0
        self._transport: Any = None
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport
        self._transport.write(self._crowd.request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it off."""
        self._crowd.lost += self._is_shaken
        if not self.up.done():
            self.up.set_exception(ConnectionError("no upgrade"))

    def data_received(self, data: bytes) -> None:
        """Count frames."""
        if self._rest:
            data = self._rest + data
        if not self._is_shaken:
            head, mark, data = data.partition(b"\r\n\r\n")
            if not mark:
                self._rest = head
                return
            self._shaken(head)
        now = time.monotonic()
        at = 0
        while (end := self._frame(data, at, now)) > at:
            at = end
        self._rest = data[at:]

    def _shaken(self, head: bytes) -> None:
        if b" 101 " not in head[:16]:
            self._transport.abort()
            return
        self._is_shaken = True
        self._crowd.joined += 1
        if self._crowd.say:
            self._transport.write(masked(1, self._crowd.say))
        if not self.up.done():
            self.up.set_result(None)

    def _frame(self, data: bytes, at: int, now: float) -> int:
        """Take one frame; where it ends, or ``at`` if it is not all there."""
        if len(data) - at < 2:
            return at
        length, body = data[at + 1], at + 2
        if length == _TWO:
            body = at + 4
            length = int.from_bytes(data[at + 2 : body], "big")
        elif length == _EIGHT:
            body = at + 10
            length = int.from_bytes(data[at + 2 : body], "big")
        end = body + length
        if end > len(data) or body > len(data):
            return at
        crowd, opcode = self._crowd, data[at] & 15
        if opcode == PING:
            self._transport.write(masked(PONG, data[body:end]))
        elif opcode == CLOSE:
            self._transport.close()
        else:
            self._count(now, is_news=data.startswith(crowd.counts, body, end))
        return end

    def _count(self, now: float, *, is_news: bool) -> None:
        crowd = self._crowd
        if self._had < 0:
            crowd.ready += 1
            self._had = 0
        if not is_news:
            return
        if self._round != crowd.round:
            self._round, self._had = crowd.round, 0
        crowd.note(self._had, now)
        self._had += 1


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame of up to 64 KiB; the mask is zero, which leaves the payload."""
    length = len(payload)
    if length < _TWO:
        return bytes((128 | opcode, 128 | length)) + bytes(4) + payload
    return (
        bytes((128 | opcode, 128 | _TWO))
        + length.to_bytes(2, "big")
        + bytes(4)
        + payload
    )


def request_of(url: str) -> tuple[str, int, bytes]:
    """Host, port and the bytes that ask for the upgrade."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {parts.path or '/'} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "",
        "",
    )
    return host, port, "\r\n".join(lines).encode()


async def hold(chosen: argparse.Namespace) -> None:
    """Connect, then answer questions until told to quit."""
    host, port, request = request_of(chosen.url)
    crowd = Crowd(request, chosen.say.encode(), chosen.counts.encode())
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        source = f"127.1.{chosen.first_source}.{1 + number // PER_SOURCE}"
        async with room:
            _, listener = await loop.create_connection(
                lambda: Listener(crowd), host, port, local_addr=(source, 0)
            )
            await listener.up

    began = time.monotonic()
    outcomes = await asyncio.gather(
        *(one(number) for number in range(chosen.count)), return_exceptions=True
    )
    failed = sum(isinstance(one, BaseException) for one in outcomes)
    tell({"connected_s": round(time.monotonic() - began, 2), "failed": failed})
    while (line := await asyncio.to_thread(sys.stdin.readline)).strip() != "quit":
        if not line:
            return
        if line.strip() == "reset":
            crowd.reset()
        tell(crowd.report())


def tell(what: dict[str, Any]) -> None:
    """A line for whoever asked."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Hold a crowd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--say", default="", help="sent once, as text")
    parser.add_argument("--counts", default="", help="only frames that begin so")
    parser.add_argument("--first-source", type=int, default=1, help="127.1.N.*")
    uvloop.run(hold(parser.parse_args()))


if __name__ == "__main__":
    main()
