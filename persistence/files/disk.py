"""The system calls behind durability, as a port, so that tests can simulate power cuts.

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
    """The journal's disk operations, one method per system call."""

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents, durably; no error if it exists."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """Sorted names in a folder; empty if there is no such folder."""
        ...

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        """A handle; ``create`` makes the file if it is missing (``write`` implied)."""
        ...

    def close(self, handle: int) -> None:
        """Close the handle, which releases its lock."""
        ...

    def size(self, handle: int) -> int:
        """The file's length in bytes."""
        ...

    def read(self, handle: int, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes; fewer only at the end of the file."""
        ...

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """Write; returns the number of bytes written, which may be fewer than given."""
        ...

    def reserve(self, handle: int, offset: int, length: int) -> None:
        """Allocate disk space for at least ``offset + length`` bytes."""
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
        """Try to take the exclusive lock of the handle's file."""
        ...

    def unlock(self, handle: int) -> None:
        """Release the lock."""
        ...

    def lock_holder(self, handle: int) -> int | None:
        """The pid of the process that holds the lock of the handle's file, if known."""
        ...

    def free_bytes(self, path: str) -> int:
        """Bytes available to this user on the file system of ``path``."""
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
        """Open; new files have mode 640, as they hold patients' data."""
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
        """posix_fallocate: a full disk fails here and not in a write."""
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
        """From /proc/locks, by inode; None where that is not available."""
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
        """From statvfs: free for unprivileged users."""
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    def pause(self, seconds: float) -> None:
        """Sleep; called only on a thread that waits for a lock."""
        time.sleep(seconds)
