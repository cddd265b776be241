"""Blobs in a folder of this machine, or of a file system that all machines share.

A stream is written beside the blobs, synced, and renamed: it is visible whole or not
at all. Implements ``care.blobs.ports.Blobs``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.blobs.ports import (
    BLOCK_BYTES,
    Blob,
    BlobMissing,
    BlobTooLarge,
    OpenBlob,
    check_name,
)
from persistence.files.disk import SystemDisk

UNFINISHED: Final = ".unfinished"
"""Folder of streams that are being written; no blob's name begins with a dot."""
PORTION: Final = 1_000
"""Files whose names and sizes are read with one call."""
_DISK: Final = SystemDisk()
P = ParamSpec("P")
T = TypeVar("T")


class OpenFile(int):
    """The number of a file that was opened, to be closed by the one who gets it."""


class FolderBlobs:
    """Blobs as files below one folder, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._unfinished = self._folder / UNFINISHED

    async def put(
        self, name: str, content: AsyncIterable[bytes], *, size_max: int
    ) -> int:
        """See Blobs.put."""
        goal = self._folder / check_name(name)
        draft = self._unfinished / secrets.token_hex(16)
        handle = await _done(_begun, draft)
        size = 0
        try:
            async for block in blocks_of(content, size_max):
                await _done(_write, handle, block)
                size += len(block)
            await _done(_finished, handle, draft, goal)
        finally:
            os.close(handle)
            draft.unlink(missing_ok=True)
        return size

    @asynccontextmanager
    async def opened(
        self, name: str, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[OpenBlob]:
        """See Blobs.opened."""
        path = self._folder / check_name(name)
        handle = await _done(_opened, path)
        if handle is None:
            raise BlobMissing
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise BlobMissing
            end = facts.st_size if length is None else start + length
            pieces = _pieces(handle, start, min(facts.st_size, end))
            yield OpenBlob(facts.st_size, pieces)
        finally:
            os.close(handle)

    async def delete(self, name: str) -> None:
        """See Blobs.delete."""
        await _done(_removed, self._folder / check_name(name))

    async def list(self, prefix: str) -> AsyncIterator[Blob]:
        """See Blobs.list."""
        found = _found(self._folder, prefix)
        while portion := await _done(lambda: list(islice(found, PORTION))):
            for blob in portion:
                yield blob

    async def tidy(self, before: Millis) -> int:
        """See Blobs.tidy."""
        return await _done(_swept, self._unfinished, before)

    async def close(self) -> None:
        """Nothing is kept open."""


async def blocks_of(
    content: AsyncIterable[bytes], size_max: int
) -> AsyncIterator[bytes]:
    """A stream in blocks of BLOCK_BYTES; the last may be shorter.

    Raises BlobTooLarge: it is longer than ``size_max``.
    """
    waiting, size = bytearray(), 0
    async for piece in content:
        size += len(piece)
        if size > size_max:
            raise BlobTooLarge
        waiting += piece
        while len(waiting) >= BLOCK_BYTES:
            yield bytes(waiting[:BLOCK_BYTES])
            del waiting[:BLOCK_BYTES]
    if waiting:
        yield bytes(waiting)


async def _done(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A call that waits for the disk, in a thread. Raises Unavailable.

    A cancelled caller waits for the thread too: it would go on with a file number that
    may soon be another file's.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():  # it may be cancelled once more meanwhile
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({work})
        with contextlib.suppress(OSError):
            found = work.result()
            if isinstance(found, OpenFile):
                os.close(found)  # its caller is gone
        raise
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Unavailable(f"the blobs' folder cannot be used: {reason}") from error


def _opened(path: Path) -> OpenFile | None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return OpenFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    return None


def _begun(draft: Path) -> OpenFile:
    _DISK.make_folder(str(draft.parent))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return OpenFile(os.open(draft, flags, 0o600))


def _write(handle: int, block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[os.write(handle, left) :]


def _finished(handle: int, draft: Path, goal: Path) -> None:
    """Make what was written visible; durable when this returns."""
    os.fsync(handle)
    _DISK.make_folder(str(goal.parent))
    draft.rename(goal)
    _DISK.sync_folder(str(goal.parent))


async def _pieces(handle: int, start: int, end: int) -> AsyncIterator[bytes]:
    at = start
    while at < end:
        piece = await _done(os.pread, handle, min(BLOCK_BYTES, end - at), at)
        if not piece:
            raise Unavailable("a blob is shorter than it was")
        yield piece
        at += len(piece)


def _removed(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def _found(folder: Path, prefix: str) -> Iterator[Blob]:
    """Blobs with this prefix; those removed meanwhile are left out."""
    begin = folder / prefix.rpartition("/")[0]
    for parent, folders, names in os.walk(begin, onerror=_unless_missing):
        folders[:] = [one for one in folders if not one.startswith(".")]
        for name in names:
            path = Path(parent, name)
            known = path.relative_to(folder).as_posix()
            if name.startswith(".") or not known.startswith(prefix):
                continue
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                yield Blob(known, facts.st_size, Millis(int(facts.st_mtime * 1000)))


def _unless_missing(error: OSError) -> None:
    """A folder that cannot be read is no empty one."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _swept(unfinished: Path, before: Millis) -> int:
    """Remove drafts that nothing was written to since ``before``."""
    count = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(unfinished) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.stat().st_mtime * 1000 < before:
                    os.unlink(entry.path)
                    count += 1
    return count
