"""Waking the reader of a journal in files, in another process, after an append.

A writer sends an empty datagram to a socket that is named after the journal's folder;
the reader at rest waits for it. Nothing hangs on it: one that is lost or forged costs
a look that is later than need be, or in vain. The name is an abstract one of Linux:
no file is left among the journal's, which are copied for backups, and a folder's path
may be longer than a socket's may be. Elsewhere nothing is bound, and the reader polls.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

POLL_S = 0.1
"""How often a reader looks that cannot be woken: no such names here, or another
reader has this one."""
QUEUED_MAX = 64
"""Datagrams taken from the queue at once; the system holds about ten."""


def _name_of(folder: str) -> str:
    """The socket's name. Raises OSError: there is no such folder."""
    about = os.stat(folder)
    return f"\0slotcast-journal-{about.st_dev}-{about.st_ino}"


class WakeSender:
    """The writers' end. ``send`` may be called by one thread at a time."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._name = ""
        self._socket: socket.socket | None = None

    def send(self) -> None:
        """Wake the reader, if one is there; a full queue wakes it as well."""
        # OSError: no reader, or its queue is full, or no such names on this system.
        with suppress(OSError):
            if self._socket is None:
                self._name = _name_of(self._folder)
                self._socket = _socket()
            self._socket.sendto(b"", self._name)

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class WakeReceiver:
    """The reader's end, for one task."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._socket: socket.socket | None = None

    def clear(self) -> None:
        """Drop earlier wake-ups; look at the journal after this, then ``wait``."""
        if self._socket is None:
            self._bind()
        with suppress(BlockingIOError):
            for _ in range(QUEUED_MAX if self._socket else 0):
                assert self._socket is not None
                self._socket.recv(1)

    async def wait(self, timeout_s: float) -> None:
        """Wait for a wake-up since ``clear``, but not longer than this."""
        if self._socket is None:
            await asyncio.sleep(min(timeout_s, POLL_S))
            return
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        number = self._socket.fileno()
        loop.add_reader(number, woken.set)
        try:
            async with asyncio.timeout(timeout_s):
                await woken.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(number)

    def close(self) -> None:
        """Give the name back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _bind(self) -> None:
        with suppress(OSError):
            opened = _socket()
            try:
                opened.bind(_name_of(self._folder))
            except OSError:
                opened.close()
                raise
            self._socket = opened


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    opened.settimeout(0)
    return opened
