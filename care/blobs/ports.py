"""Stores of blobs. Every method may raise Unavailable.

A blob is written once as a stream and is visible whole or not at all: a writer that
fails, leaves or is killed leaves nothing that a reader or a list can see. Features
write the blobs first and then the row that names them, and remove the row first; a
sweeper removes blobs without a row (``list``), so a kill between the two loses nothing
that is shown.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import Millis

BLOCK_BYTES: Final = 1024 * 1024
"""What a store keeps of a stream in memory."""
NAME_MAX: Final = 200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")


class BlobMissing(Exception):
    """There is no blob of this name."""


class BlobTooLarge(Exception):
    """The stream is longer than it may be; nothing of it was kept."""


class Blob(Struct, frozen=True):
    """A blob: its name, size in bytes, and when it became visible."""

    name: str
    size: int
    written_at: Millis


class OpenBlob(Struct, frozen=True):
    """A blob that is being read; ``size`` is that of the whole blob in bytes."""

    size: int
    pieces: AsyncIterator[bytes]
    """The bytes of the range that was asked for; none is empty."""


class Blobs(Protocol):
    """Named blobs; see ``check_name`` for what names may be."""

    async def put(
        self, name: str, content: AsyncIterable[bytes], *, size_max: int
    ) -> int:
        """Store a stream durably; returns its size. Replaces a blob of this name.

        An exception of ``content`` is passed on, and nothing is kept.

        Raises:
            BlobTooLarge: there are more than ``size_max`` bytes.
        """
        ...

    def opened(
        self, name: str, *, start: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[OpenBlob]:
        """Read ``length`` bytes from ``start`` on, by default all of them.

        Beyond the end there is nothing. Raises BlobMissing.
        """
        ...

    async def delete(self, name: str) -> None:
        """Remove a blob; no error if there is none."""
        ...

    def list(self, prefix: str) -> AsyncIterator[Blob]:
        """All blobs whose names begin with ``prefix``, in any order."""
        ...

    async def tidy(self, before: Millis) -> int:
        """Remove what writers left that were killed before this instant; how many."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def check_name(name: str) -> str:
    """The name, of small letters, digits, ``.``, ``_``, ``-``, with ``/`` between.

    Raises ValueError otherwise. The same on every store: none tells cases apart that
    another does not, and no part leads out of a folder. Where ``a`` is a blob's name,
    ``a/b`` must be none: a folder cannot keep both.
    """
    if len(name) > NAME_MAX or not _NAME.fullmatch(name):
        raise ValueError(f"not a blob's name: {name!r}")
    return name


async def read_whole(blobs: Blobs, name: str, size_max: int) -> bytes:
    """A small blob in memory. Raises BlobMissing; BlobTooLarge: it is larger."""
    async with blobs.opened(name) as blob:
        if blob.size > size_max:
            raise BlobTooLarge
        return b"".join([piece async for piece in blob.pieces])


async def one_piece(content: bytes) -> AsyncIterator[bytes]:
    """Bytes as a stream."""
    if content:
        yield content
