"""A hostile connection: it sends what it is told to, and notes what comes."""

from __future__ import annotations

import asyncio
import re
import socket
from time import monotonic

from tests.attacks.registry import Aim, Outcome

ADDRESS = "127.0.0.2"
"""Where attacks come from: not the polite client's address."""
LOOK_S = 0.05
"""How often it is looked at whether there were answers enough."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class Hostile:
    """One connection of an attack."""

    def __init__(self, aim: Aim, outcome: Outcome) -> None:
        self.outcome = outcome
        self.is_closed = False
        self.heard = b""
        """The last bytes that came."""
        self._aim = aim
        self._until = monotonic() + aim.seconds
        self._socket = socket.socket()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, *, reads: bool = True) -> Hostile:
        """Connect; without ``reads`` nothing that comes is taken."""
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        self._socket.bind((ADDRESS, 0))
        await loop.sock_connect(self._socket, ("127.0.0.1", self._aim.port))
        self.outcome.opened += 1
        if reads:
            self._reading = asyncio.ensure_future(self._read())
        return self

    @property
    def goes_on(self) -> bool:
        """Whether there is time and volume left, and the server still listens."""
        return (
            not self.is_closed
            and self.outcome.sent < self._aim.bytes_max
            and monotonic() < self._until
            and not self.has_enough
        )

    @property
    def has_enough(self) -> bool:
        """Whether it was answered as often as it may be."""
        return 0 < self._aim.enough <= self.outcome.statuses.total()

    async def send(self, data: bytes) -> None:
        """Send all of it, or as much as the server takes in the attack's time."""
        loop = asyncio.get_running_loop()
        sent = 0
        while sent < len(data) and not self.is_closed:
            try:
                sent += self._socket.send(data[sent:])
            except BlockingIOError:
                if not await self._writable(loop):
                    break
            except OSError:
                self._closed()
        self.outcome.sent += sent
        await asyncio.sleep(0)

    async def _writable(self, loop: asyncio.AbstractEventLoop) -> bool:
        free = asyncio.Event()
        loop.add_writer(self._socket, free.set)
        try:
            async with asyncio.timeout(max(0.0, self._until - monotonic())):
                await free.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_writer(self._socket)
        return True

    async def wait(self) -> None:
        """Stay until the server closes, enough was answered, or the time is up."""
        if self._reading is None:
            return
        while not self._reading.done() and not self.has_enough:
            left = self._until - monotonic()
            if left <= 0:
                return
            await asyncio.wait({self._reading}, timeout=min(left, LOOK_S))

    async def leave(self) -> None:
        """Go without a word."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._socket.close()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        tail = b""
        try:
            while data := await loop.sock_recv(self._socket, 65_536):
                tail += data
                self.heard = tail[-4096:]
                found = list(_STATUS.finditer(tail))
                self.outcome.statuses.update(int(one[1]) for one in found)
                tail = tail[found[-1].end() :] if found else tail
                tail = tail[-16:]
        except OSError:
            pass
        self._closed()

    def _closed(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.outcome.closed += 1
