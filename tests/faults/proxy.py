"""A TCP proxy that breaks connections in the ways that networks do.

In a test: ``async with Proxy("127.0.0.1", 3306) as proxy``. As a process of its own,
so that its work is not the test's: ``python -m tests.faults.proxy HOST PORT`` prints
its port and the port of its control line, and takes one command a line there
(``{"latency_ms": 0.5}``, ``{"cut": true}``); see ``Trouble`` for the words.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import selectors
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import Any

CHUNK = 64 * 1024
IN_FLIGHT_MAX = 256
"""Chunks on their way in one direction; the sender waits for room."""


@dataclass(frozen=True)
class Trouble:
    """What happens to bytes. Without any, they pass."""

    latency_ms: float = 0.0
    """Added each way."""
    swallow_up: bool = False
    """Black hole: bytes to the server disappear without an error."""
    swallow_down: bool = False
    """Black hole for what the server says."""
    refuse: bool = False
    """New connections are reset at once."""
    cut_after: int = -1
    """Reset a connection when so many more bytes came from its server; -1: never.
    Counted over all connections from the moment it is set."""
    cut_at: str = ""
    """Reset a connection just before the server gets to see this text."""
    half_close: bool = False
    """Nothing more is sent to the server on old connections: it sees their end."""


class _Pipe:
    """One direction of one connection."""

    def __init__(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link
    ) -> None:
        self._source = source
        self._sink = sink
        self._link = link
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT_MAX)

    async def run(self, admits: Callable[[bytes], bytes | None]) -> None:
        """Carry bytes until either side ends. ``admits`` may drop or cut them."""
        loop = asyncio.get_running_loop()
        sender = asyncio.ensure_future(self._send())
        try:
            while data := await self._source.read(CHUNK):
                if (kept := admits(data)) is None:
                    return
                due = loop.time() + self._link.trouble.latency_ms / 1000
                if kept:
                    await self._queue.put((due, kept))
            await self._queue.put((loop.time(), b""))
            await sender
        except OSError:  # a killed peer may end in a reset: the other side hears it
            self._link.reset()
        finally:
            sender.cancel()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, RuntimeError):
            while True:
                due, data = await self._queue.get()
                if (pause := due - loop.time()) > 0:
                    await asyncio.sleep(pause)
                if not data:
                    self._sink.write_eof()
                    return
                self._sink.write(data)
                await self._sink.drain()


class _Link:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.client = client
        self.server: asyncio.StreamWriter | None = None

    @property
    def trouble(self) -> Trouble:
        """What just now goes wrong."""
        return self.proxy.trouble

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Carry both directions until both have ended or the link is reset."""
        from_server, self.server = await asyncio.open_connection(
            self.proxy.host, self.proxy.target
        )
        for writer in (self.client, self.server):
            _no_delay(writer)
        up = asyncio.ensure_future(_Pipe(reader, self.server, self).run(self._up))
        down = asyncio.ensure_future(
            _Pipe(from_server, self.client, self).run(self._down)
        )
        try:
            await asyncio.wait({up, down})
        finally:
            up.cancel()
            down.cancel()

    def _up(self, data: bytes) -> bytes | None:
        if self.trouble.cut_at and self.trouble.cut_at.encode() in data:
            self.proxy.cuts += 1
            self.reset()
            return None
        return b"" if self.trouble.swallow_up else data

    def _down(self, data: bytes) -> bytes | None:
        proxy = self.proxy
        if proxy.trouble.cut_after >= 0:
            proxy.passed += len(data)
            if proxy.passed > proxy.trouble.cut_after:
                proxy.passed = 0
                proxy.cuts += 1
                self.reset()
                return None
        return b"" if self.trouble.swallow_down else data

    def half_close(self) -> None:
        """The server sees the end of this client; the client hears on."""
        if self.server is not None and not self.server.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self.server.write_eof()

    def reset(self) -> None:
        """RST both ways: what was on its way is lost."""
        for writer in (self.client, self.server):
            if writer is not None:
                _reset(writer)


def _no_delay(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        linger = struct.pack("ii", 1, 0)  # close sends RST instead of FIN
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class Proxy:
    """Listens on a free port of ``listen`` and carries to ``host:target``."""

    def __init__(self, host: str, target: int, listen: str = "127.0.0.1") -> None:
        self.host = host
        self.target = target
        self.listen = listen
        self.port = 0
        self.trouble = Trouble()
        self.cuts = 0
        """Connections reset by ``cut_after`` or ``cut_at``."""
        self.passed = 0
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def links(self) -> int:
        """Connections that are open through it."""
        return len(self._links)

    def set(self, **trouble: Any) -> None:
        """Change some of the trouble; the rest stays."""
        self.trouble = replace(self.trouble, **trouble)
        if "cut_after" in trouble:
            self.passed = 0
        if self.trouble.half_close:
            for link in list(self._links):
                link.half_close()

    def heal(self) -> None:
        """Bytes pass again; connections that were broken stay broken."""
        self.trouble = Trouble()

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    async def start(self, port: int = 0) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, self.listen, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and reset what is open."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' own last step

    async def __aenter__(self) -> Proxy:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.ensure_future(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        link = _Link(self, writer)
        if self.trouble.refuse:
            link.reset()
            return
        self._links.add(link)
        try:
            await link.run(reader)
        except OSError:
            link.reset()
        finally:
            self._links.discard(link)
            for side in (link.client, link.server):
                if side is not None:
                    side.close()


# --- as a process of its own ----------------------------------------------------------

_WORDS = {one.name for one in fields(Trouble)}


def _obey(proxy: Proxy, line: bytes) -> dict[str, Any]:
    """One line of the control port: heal, cut, or what to change."""
    wish = json.loads(line)
    unknown = set(wish) - _WORDS - {"heal", "cut"}
    if unknown:
        return {"error": f"unknown words: {', '.join(sorted(unknown))}"}
    if wish.pop("heal", False):
        proxy.heal()
    cut = proxy.cut() if wish.pop("cut", False) else 0
    proxy.set(**wish)
    told = {"links": proxy.links, "cut": cut, "cuts": proxy.cuts}
    return told | {"latency_ms": proxy.trouble.latency_ms}


async def _serve(host: str, port: int, listen: str, latency_ms: float) -> None:
    async with Proxy(host, port, listen) as proxy:
        proxy.set(latency_ms=latency_ms)

        async def control(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            while line := await reader.readline():
                writer.write(json.dumps(_obey(proxy, line)).encode() + b"\n")
            writer.close()

        line = await asyncio.start_server(control, listen, 0)
        ports = {
            "port": proxy.port,
            "control": line.sockets[0].getsockname()[1],
        }
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()
        # It ends with its parent process: at the end of our standard input.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    chosen = parser.parse_args()
    # select() waits in microseconds where epoll waits in whole milliseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    with contextlib.closing(loop):
        loop.run_until_complete(
            _serve(chosen.host, chosen.port, chosen.listen, chosen.latency_ms)
        )


if __name__ == "__main__":
    main()
