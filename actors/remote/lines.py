"""Ports of shards, and the connections (lines) that gateways keep to them.

A shard's process opens a port when its address is first requested; a gateway requests
that through Ray, once for each process, and from then on calls over a line. Where no
line can be opened the call goes through Ray, so a direct connection is an optimisation,
never a requirement. A broken line is like any lost call: the outcome is unknown.

A peer that is frozen accepts packets and answers none: its line stays, since it may
recover, and every call on it is bounded by its caller. But Ray may have declared its
node dead and restarted the process elsewhere under the same name: so a silent peer is
looked up through Ray again (``check``). The kernel closes the connection to a peer
whose packets are lost (TCP_USER_TIMEOUT).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from actors.hosting.process import ShardHost
from actors.remote.line import LineLost, LineServer, RpcLine

EXECUTE, POLL, STATUS = 1, 2, 3
"""Kinds of calls."""
KEY_VARIABLE: Final = "RAY_AUTH_TOKEN"
"""A caller that may call through Ray may call here: the secret is the same."""
CONNECT_S: Final = 1.0
ADDRESS_S: Final = 5.0
"""How long a process may take to give its address; it may just be starting."""
WITHOUT_S: Final = 2.0
"""How long calls go through Ray before a line is tried again."""
SILENT_MS: Final = 3_000
"""A node that acknowledges no packets for this long counts as gone
(TCP_USER_TIMEOUT)."""

_LOG = logging.getLogger("slotcast.shard")
_CURSOR = struct.Struct(">QQQ")


def site_key() -> bytes:
    """The key of this process's lines; empty where Ray requires no token."""
    return os.environ.get(KEY_VARIABLE, "").encode()


def poll_payload(epoch: int, number: int, wait_ms: int) -> bytes:
    """The request of a long poll."""
    return _CURSOR.pack(epoch, number, wait_ms)


class ShardEndpoint:
    """A shard's RPC server, opened when its address is first requested."""

    def __init__(self, host: ShardHost) -> None:
        self._host = host
        self._opening: asyncio.Task[str] | None = None
        self._server: LineServer | None = None

    async def address(self, host: str) -> str:
        """``host:port``; listens on that address from now on. Empty: no port is open.

        Without a key it listens on loopback only: any caller that reaches it can book.
        """
        if not site_key() and not _is_loopback(host):
            _LOG.warning(
                "no direct connections at %s: %s is not set", host, KEY_VARIABLE
            )
            return ""
        if self._opening is None or _has_failed(self._opening):
            loop = asyncio.get_running_loop()
            self._opening = loop.create_task(self._open(host))
        try:
            return await asyncio.shield(self._opening)
        except OSError as error:
            _LOG.warning("no direct connections at %s: %r", host, error)
            return ""

    async def _open(self, host: str) -> str:
        self._server = LineServer(self._answer, site_key(), _note_failure)
        return f"{host}:{await self._server.start(host)}"

    async def close(self) -> None:
        """Close the port and break the lines; the process may go on without."""
        if self._server is not None:
            await self._server.close()

    async def _answer(self, kind: int, payload: bytes) -> bytes:
        if kind == EXECUTE:
            return await self._host.execute(payload)
        if kind == POLL:
            return await self._host.poll(*_CURSOR.unpack(payload))
        if kind == STATUS:
            return await self._host.status()
        raise ValueError(f"no call is of kind {kind}")


def _has_failed(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _note_failure(kind: int) -> None:
    _LOG.exception("a call of kind %d could not be answered", kind)


class Lines:
    """A gateway's lines, one for each shard process it calls."""

    def __init__(self) -> None:
        self._lines: dict[str, RpcLine] = {}
        self._addresses: dict[str, str] = {}
        self._checking: dict[str, asyncio.Task[None]] = {}
        self._without: dict[str, float] = {}
        self._connecting: dict[str, asyncio.Task[RpcLine | None]] = {}
        self._closed = False

    async def to(
        self, who: str, ask_address: Callable[[], Awaitable[str]]
    ) -> RpcLine | None:
        """The line to the process called ``who``; None while there is none.

        ``ask_address`` asks that process for its address, if it has one. Its
        exceptions are raised here.
        """
        line = self._lines.get(who)
        if line is not None and not line.is_lost:
            return line
        now = asyncio.get_running_loop().time()
        if self._closed or now < self._without.get(who, 0.0):
            return None
        task = self._connecting.get(who)
        if task is None:
            task = asyncio.get_running_loop().create_task(
                self._connected(who, ask_address)
            )
            self._connecting[who] = task
            task.add_done_callback(lambda _: self._connecting.pop(who, None))
        return await asyncio.shield(task)

    def check(self, who: str, ask_address: Callable[[], Awaitable[str]]) -> None:
        """Check in the background whether a silent process's address has changed.

        Then the line leads to a replaced process, and is closed.
        """
        if who in self._lines and who not in self._checking:
            task = asyncio.get_running_loop().create_task(
                self._checked(who, self._lines[who], ask_address)
            )
            self._checking[who] = task
            task.add_done_callback(lambda _: self._checking.pop(who, None))

    def drop(self, who: str) -> None:
        """Close the line to this process: it is silent, or no longer serves."""
        line = self._lines.pop(who, None)
        self._addresses.pop(who, None)
        if line is not None:
            line.hang_up()
        self._without.pop(who, None)

    def close(self) -> None:
        """Close all lines, including those being opened."""
        self._closed = True
        for who in tuple(self._lines):
            self.drop(who)
        for task in self._checking.values():
            task.cancel()

    async def _checked(
        self, who: str, line: RpcLine, ask_address: Callable[[], Awaitable[str]]
    ) -> None:
        try:
            async with asyncio.timeout(ADDRESS_S):
                address = await ask_address()
        except Exception as error:  # noqa: BLE001 - as silent as before
            _LOG.debug("%s does not say where it is: %r", who, error)
            return
        if self._lines.get(who) is line and address != self._addresses[who]:
            _LOG.info("%s is at %s now", who, address)
            self.drop(who)

    async def _connected(
        self, who: str, ask_address: Callable[[], Awaitable[str]]
    ) -> RpcLine | None:
        self.drop(who)
        try:
            async with asyncio.timeout(ADDRESS_S):
                address = await ask_address()
            host, _, port = address.rpartition(":")
            async with asyncio.timeout(CONNECT_S):
                line = await RpcLine.connect(host, int(port), site_key())
        except (LineLost, TimeoutError, ValueError) as error:
            _LOG.info("no line to %s: %r", who, error)
            loop = asyncio.get_running_loop()
            self._without[who] = loop.time() + WITHOUT_S
            return None
        if self._closed:
            line.hang_up()
            return None
        _notice_silence(line)
        self._lines[who] = line
        self._addresses[who] = address
        return line


def _notice_silence(line: RpcLine) -> None:
    """Set TCP_USER_TIMEOUT, so that a vanished peer is detected within seconds."""
    peer: socket.socket | None = line.socket()
    if peer is None:
        return
    with suppress(OSError):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
