"""Mutual exclusion of the keeper and the commands that move shards.

This only avoids interference: the journal's epoch decides which process writes a shard,
whichever process moves it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Protocol

from actors.errors import Unavailable

_LOOK_AGAIN_S = 0.1


class Turn(Protocol):
    """A lock held by one process of the site at a time."""

    def mine(self, wait_s: float) -> AbstractAsyncContextManager[None]:
        """Hold it within the block; it is released by itself if the process dies.

        Raises:
            Unavailable: another process held it for ``wait_s`` seconds.
        """
        ...


class FileTurn:
    """``Turn`` by a lock on a file, for sites whose data are on one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def mine(self, wait_s: float) -> AsyncIterator[None]:
        """See ``Turn``."""
        until = monotonic() + wait_s
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                if monotonic() >= until:
                    raise Unavailable("another process is moving shards just now")
                await asyncio.sleep(_LOOK_AGAIN_S)
            yield
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
