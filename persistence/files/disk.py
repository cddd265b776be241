"""The system calls that durability rests on, as a port, so that tests can cut power.

The real adapter is ``SystemDisk``; its twin with a durable prefix and an un-synced
tail is tests/simulation/sim_disk.py. Files are integer handles, paths are absolute or
relative strings, offsets and lengths are bytes. Errors are ``OSError``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """What the journal asks of a disk, one method per system call."""

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents, durably; no error if it is there."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """Sorted names in a folder; empty if there is no such folder."""
        ...

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        """A handle; ``create`` makes the file if it is missing (``write`` implied)."""
        ...

    def close(self, handle: int) -> None:
        """Give the handle back, and with it its lock."""
        ...

    def size(self, handle: int) -> int:
        """The file's length in bytes."""
        ...

    def read(self, handle: int, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes; fewer only at the end of the file."""
        ...

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """How many bytes were written, which may be fewer than given."""
        ...

    def reserve(self, handle: int, offset: int, length: int) -> None:
        """Make the file at least ``offset + length`` long, with room on the disk."""
        ...

    def truncate(self, handle: int, size: int) -> None:
        """Cut (or lengthen with zeros) to ``size``."""
        ...

    def sync(self, handle: int) -> None:
        """Return when the file's bytes and length are on stable media (fdatasync)."""
        ...

    def sync_folder(self, path: str) -> None:
        """Return when the folder's entries are on stable media."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Move a file over another, atomically."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a file; no error if it is not there."""
        ...

    def try_lock(self, handle: int) -> bool:
        """Take the exclusive lock of the handle's file if no other process has it."""
        ...

    def unlock(self, handle: int) -> None:
        """Give the lock back."""
        ...

    def lock_holder(self, handle: int) -> int | None:
        """The process that holds the lock of the handle's file, if that is known."""
        ...

    def free_bytes(self, path: str) -> int:
        """Room left for us on the file system of ``path``."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait a little, for another process's lock."""
        ...


class SystemDisk:
    """The disk of this machine. It must be local: ``flock`` is the fence."""

    def make_folder(self, path: str) -> None:
        """Make missing folders and sync the parent of each."""
        missing = []
        folder = Path(path)
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self.sync_folder(str(folder.parent))

    def names(self, folder: str) -> Sequence[str]:
        """Sorted names."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return ()

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        """Readable by the owner and the group only: the journal holds patients."""
        flags = os.O_CLOEXEC | (os.O_RDWR if write or create else os.O_RDONLY)
        return os.open(path, flags | (os.O_CREAT if create else 0), 0o640)

    def close(self, handle: int) -> None:
        """Close."""
        os.close(handle)

    def size(self, handle: int) -> int:
        """From fstat."""
        return os.fstat(handle).st_size

    def read(self, handle: int, length: int, offset: int) -> bytes:
        """As many preads as it takes."""
        data = os.pread(handle, length, offset)
        if len(data) in (0, length):
            return data
        parts = [data]
        got = len(data)
        while got < length and (data := os.pread(handle, length - got, offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """One pwrite."""
        return os.pwrite(handle, data, offset)

    def reserve(self, handle: int, offset: int, length: int) -> None:
        """posix_fallocate: running out of room shows here and not in a write."""
        os.posix_fallocate(handle, offset, length)

    def truncate(self, handle: int, size: int) -> None:
        """Ftruncate."""
        os.ftruncate(handle, size)

    def sync(self, handle: int) -> None:
        """Fdatasync."""
        os.fdatasync(handle)

    def sync_folder(self, path: str) -> None:
        """Open the folder and fsync it."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, old: str, new: str) -> None:
        """Rename."""
        os.replace(old, new)

    def unlink(self, path: str) -> None:
        """Unlink."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def try_lock(self, handle: int) -> bool:
        """Flock without waiting."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self, handle: int) -> None:
        """Flock."""
        fcntl.flock(handle, fcntl.LOCK_UN)

    def lock_holder(self, handle: int) -> int | None:
        """From /proc/locks, by inode; None where that is not to be had."""
        inode = os.fstat(handle).st_ino
        try:
            lines = Path("/proc/locks").read_text("ascii").splitlines()
        except OSError:
            return None
        for line in lines:
            words = line.split()  # 1: FLOCK ADVISORY WRITE 4711 fe:00:131 0 EOF
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
                return int(words[4])
        return None

    def free_bytes(self, path: str) -> int:
        """From statvfs, what is free for unprivileged users."""
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    def pause(self, seconds: float) -> None:
        """Sleep: only ever on a thread that waits for a lock."""
        time.sleep(seconds)
