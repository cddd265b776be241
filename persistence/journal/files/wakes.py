"""Wakes the reader of a journal in files, in another process, after an append.

A writer sends an empty datagram to a socket that is named after the journal's folder;
the idle reader waits for it. Correctness does not depend on it: a lost or forged one
causes a late or a needless read. The name is an abstract one of Linux: no file is left
among the journal's, which are copied for backups, and a folder's path may be longer
than a socket's. On other systems nothing is bound, and the reader polls.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

POLL_S = 0.1
"""Seconds between reads of a reader that cannot be woken: the system has no such names,
or another reader has this one."""
QUEUED_MAX = 64
"""Datagrams taken from the queue at once; the system holds about ten."""


def _name_of(folder: str) -> str:
    """The socket's name. Raises OSError: there is no such folder."""
    about = os.stat(folder)
    return f"\0slotcast-journal-{about.st_dev}-{about.st_ino}"


class WakeSender:
    """The writer's end. ``send`` may be called by one thread at a time."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._name = ""
        self._socket: socket.socket | None = None

    def send(self) -> None:
        """Wake the reader, if there is one; if its queue is full, it wakes anyway."""
        # OSError: no reader, a full queue, or a system without abstract names.
        with suppress(OSError):
            if self._socket is None:
                self._name = _name_of(self._folder)
                self._socket = _socket()
            self._socket.sendto(b"", self._name)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class WakeReceiver:
    """The reader's end, for tasks of one event loop; each hears every wake-up."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._socket: socket.socket | None = None
        self._waiting: set[asyncio.Event] = set()
        self._hears = False
        """Whether the event loop watches the socket."""

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that wake-ups set from now on; look at the journal, then ``wait``.

        Earlier wake-ups are dropped.
        """
        if self._socket is None:
            self._bind()
        if self._socket is not None and not self._hears:
            self._drain()
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._ring)
            self._hears = True
        woken = asyncio.Event()
        self._waiting.add(woken)
        try:
            yield woken
        finally:
            self._waiting.discard(woken)
            if not self._waiting:
                self._hear_no_more()

    async def wait(self, woken: asyncio.Event, timeout_s: float) -> bool:
        """Wait for a wake-up since ``listening``, but not longer; whether it came."""
        if not self._hears:
            await asyncio.sleep(min(timeout_s, POLL_S))
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await woken.wait()
        return woken.is_set()

    def close(self) -> None:
        """Release the name."""
        self._hear_no_more()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ring(self) -> None:
        self._drain()
        for woken in self._waiting:
            woken.set()

    def _drain(self) -> None:
        assert self._socket is not None
        with suppress(BlockingIOError):
            for _ in range(QUEUED_MAX):
                self._socket.recv(1)

    def _hear_no_more(self) -> None:
        if self._hears:
            assert self._socket is not None
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._hears = False

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
