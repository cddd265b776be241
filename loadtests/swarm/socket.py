"""A WebSocket under gevent that costs no greenlet: the loop calls when bytes are there.

A greenlet for each of thousands of readers would cost two switches per frame; a
callback of the loop costs none. Such a callback must not block: reading and writing
never do, only ``open`` does, in the connecting user's greenlet.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent import socket

from loadtests.wire import websocket as wire

READ, WRITE = 1, 2
CHUNK = 64 * 1024
UNSENT_MAX = 256 * 1024
"""Most unsent bytes; beyond that the server is taken for dead."""
_RESET = struct.pack("ii", 1, 0)


class NotLetIn(Exception):
    """The server refused the upgrade; ``retry_s`` is its Retry-After."""

    def __init__(self, status: int, retry_s: float) -> None:
        super().__init__(f"the upgrade was answered with {status}")
        self.status = status
        self.retry_s = retry_s


class LiveSocket:
    """One connection. ``on_text`` receives messages, ``on_end`` once the close code."""

    def __init__(
        self, on_text: Callable[[bytes], None], on_end: Callable[[int | None], None]
    ) -> None:
        self._on_text = on_text
        self._on_end = on_end
        self._frames = wire.Frames()
        self._unsent = b""
        self._socket: Any = None
        self._reading: Any = None
        self._writing: Any = None

    def open(self, url: str, protocol: str, source: str, timeout_s: float) -> None:
        """Connect and upgrade. Raises OSError, NotLetIn."""
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        bound = (source, 0) if source else None
        sock = socket.create_connection((host, port), timeout_s, bound)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = wire.upgrade(
                f"{host}:{port}", parts.path, os.urandom(16), protocol
            )
            sock.sendall(request)
            head, rest = _head(sock)
            _must_be_upgraded(head)
        except BaseException:
            sock.close()
            raise
        sock.setblocking(0)
        self._socket = sock
        loop = gevent.get_hub().loop
        self._reading = loop.io(sock.fileno(), READ)
        self._writing = loop.io(sock.fileno(), WRITE)
        self._reading.start(self._readable)
        if rest:
            self._take(rest)

    def send(self, text: str) -> None:
        """Send a message now or when there is room; ignored after the end."""
        if self._socket is not None:
            self._write(wire.masked(wire.TEXT, text.encode()))

    def vanish(self) -> None:
        """Abort without a close frame, like a phone in a tunnel: a reset."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._drop()

    def close(self) -> None:
        """Send a close frame and close."""
        if self._socket is not None:
            self._write(wire.closing(1000))
            self._drop()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self._ended(None)

    def _take(self, data: bytes) -> None:
        for opcode, payload in self._frames.feed(data):
            if opcode == wire.TEXT:
                self._on_text(payload)
            elif opcode == wire.PING:
                self._write(wire.masked(wire.PONG, payload))
            elif opcode == wire.CLOSE:
                self._write(wire.masked(wire.CLOSE, payload[:2]))
                self._ended(wire.close_code(payload))
            if self._socket is None:
                return  # the last message closed this connection

    def _write(self, data: bytes) -> None:
        if self._socket is None:
            return
        if self._unsent:
            self._unsent += data
        else:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the read callback reports the end
            self._unsent = data[sent:]
            if self._unsent:
                self._writing.start(self._writable)
        if len(self._unsent) > UNSENT_MAX:
            self._ended(None)

    def _writable(self) -> None:
        data, self._unsent = self._unsent, b""
        self._writing.stop()
        self._write(data)

    def _ended(self, code: int | None) -> None:
        if self._socket is not None:
            self._drop()
            self._on_end(code)

    def _drop(self) -> None:
        for watcher in (self._reading, self._writing):
            watcher.stop()
            watcher.close()
        self._socket.close()
        self._socket = None


def _head(sock: Any) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(CHUNK)
        if not more:
            raise ConnectionError("closed before the upgrade")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _must_be_upgraded(head: bytes) -> None:
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ")[1])
    if status == 101:
        return
    told = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    raise NotLetIn(status, float(told.get("retry-after", 0) or 0))
