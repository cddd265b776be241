"""Revocations in the data folder: one JSON line each, replaced as a whole.

Lines of kinds, or with fields, that this version does not know stay as they are: a
newer version beside it needs them. A line that is no revocation hides none of the
others; it stays too, and the standing tells of it.

The command line may write while a server runs; the server checks the file's stamp a few
times a second. A lock file beside it serialises writers.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from actors.errors import Unavailable
from actors.ports import Clock
from care.sharing import Learn, Revocation, Standing

LOOK_S: Final = 0.25
"""Seconds between checks of the file's stamp, a system call of microseconds."""
REVOCATIONS_MAX: Final = 100_000

_decode = msgspec.json.Decoder(Revocation).decode
_Stamp = tuple[int, int, int]
_UNREAD: Final[_Stamp | None] = (0, 0, 0)
"""No file has it."""


class _Found(msgspec.Struct):
    """What a file holds."""

    live: dict[Revocation, bytes] = {}
    """With the line that each is from."""
    unreadable: list[bytes] = []


class FileRevocations:
    """Implements Revocations on one machine."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._trouble = ""

    async def add(self, revocation: Revocation) -> None:
        """See Revocations.add."""
        await self.add_all([revocation])

    async def add_all(self, revocations: Sequence[Revocation]) -> None:
        """Revoke several in one write. Raises Unavailable."""
        try:
            await asyncio.to_thread(self._add, revocations)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error}.") from error

    async def held(self) -> Sequence[Revocation]:
        """All live revocations that can be read. Raises OSError."""
        return list((await asyncio.to_thread(self._read)).live)

    async def follow(self, learn: Learn) -> None:
        """See Revocations.follow."""
        seen = _UNREAD
        while True:
            try:
                stamp = self._stamp()
                if stamp != seen:
                    found = await asyncio.to_thread(self._read)
                    seen = stamp
                    if found.live:
                        learn(list(found.live))
                    self._trouble = ""
                    if found.unreadable:
                        number = len(found.unreadable)
                        self._trouble = (
                            f"{self._path.name}: lines that are no revocation: {number}"
                        )
            except OSError as error:
                seen = _UNREAD
                self._trouble = f"{self._path.name} cannot be read: {error}"
            await asyncio.sleep(LOOK_S)

    def standing(self) -> Standing:
        """See Revocations.standing."""
        return Standing(ok=not self._trouble, detail=self._trouble)

    def _stamp(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> _Found:
        found = _Found()
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return found
        now = self._clock.now()
        for line in filter(None, lines):
            try:
                one = _decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                found.unreadable.append(line)
                continue
            if one.until > now:
                found.live.setdefault(one, line)
        return found

    def _add(self, revocations: Sequence[Revocation]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            held = self._read()
            for one in revocations:
                held.live.setdefault(one, msgspec.json.encode(one))
            lines = [*held.unreadable, *held.live.values()]
            if len(lines) > REVOCATIONS_MAX:
                raise OSError(f"there are {REVOCATIONS_MAX} live revocations already")
            fresh = self._path.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(b"\n".join(lines) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            _sync_folder(self._path.parent)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self._path.with_suffix(".lock")
        with lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
