"""Where a backup lies: a folder, or a container of Azure Blob Storage.

A place holds named blobs, none larger than a few megabytes. The first one written,
``BEGUN``, claims the place; the last one is the manifest, and a place without it holds
no backup.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cluster.terminal.obstacle import Obstacle

BEGUN = "begun.json"
MANIFEST = "manifest.json"


class BackupDamaged(Obstacle):
    """The backup is incomplete or damaged; nothing was changed."""

    def __init__(self, wrong: str) -> None:
        super().__init__(
            wrong, "Restore another backup; no part of this one can be trusted."
        )


class BlobStore(Protocol):
    """Named blobs. Failures are raised as ``Obstacle``."""

    name: str
    """Its name for messages, without secrets."""

    async def begin(self, content: bytes) -> None:
        """Claim the place for a new backup. Raises Obstacle: it is not empty."""
        ...

    async def put(self, name: str, content: bytes) -> None:
        """Store a blob, durably."""
        ...

    async def get(self, name: str) -> bytes | None:
        """A blob; None if there is none of this name."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class FolderPlace:
    """A folder on this machine, or on a mounted file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.name = str(self._folder)

    async def begin(self, content: bytes) -> None:
        """The folder must be empty or new; only its owner may read it."""
        with _explained(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = sorted(entry.name for entry in self._folder.iterdir())
        if found:
            what = "a backup" if MANIFEST in found else "something"
            if BEGUN in found and MANIFEST not in found:
                what = "a backup that was never finished, or is being made,"
            raise Obstacle(
                f"{self._folder} holds {what} already.",
                "Name a new or empty folder for each backup.",
            )
        await self.put(BEGUN, content)

    async def put(self, name: str, content: bytes) -> None:
        """Written under another name, synced, renamed: never visible in part."""
        path = self._folder / name
        with _explained(self._folder):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    async def get(self, name: str) -> bytes | None:
        """None also where there is no folder."""
        with _explained(self._folder):
            try:
                return (self._folder / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    async def close(self) -> None:
        """Nothing is kept open."""


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "The disk is full",
            errno.EACCES: "This user may not read or write it",
            errno.EROFS: "It is on a read-only file system",
            errno.ENOTDIR: "It lies below a file",
            errno.EEXIST: "It is a file, not a folder",
        }
        reason = reasons.get(error.errno or 0, str(error.strerror))
        raise Obstacle(
            f"The backup folder {folder} cannot be used. {reason}.",
            "Make it usable, or name another one.",
        ) from error
