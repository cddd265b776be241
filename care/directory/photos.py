"""Public photos of providers and clinics.

A photo is two blobs under a name of its own: a square for lists, and a large one. Each
upload gets a new name that is never used again, so an address always shows the same
bytes, and a blob without a row can be removed whatever is uploaded meanwhile.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from actors.domain.ids import Millis
from care.blobs.pictures import Pictures, PictureSize
from care.blobs.ports import Blobs, one_piece
from care.directory.ports import DirectoryPhotos

PREFIX: Final = "photos/"
BLOB_BYTES_MAX: Final = 2 * 1024 * 1024
"""A made picture; the largest of 1,024 pixels are a fifth of it."""
UNUSED_MS: Final = 3_600_000
"""How old a blob without a row must be before it is removed: its row may be about to be
written."""
ASKED_AT_ONCE: Final = 200


class PhotoSize(StrEnum):
    """The sizes of a photo."""

    SQUARE = "square"
    LARGE = "large"


WANTED: Final = MappingProxyType(
    {
        PhotoSize.SQUARE: PictureSize(192, is_square=True),
        PhotoSize.LARGE: PictureSize(1024),
    }
)


class PhotoPorts(Struct, frozen=True):
    """What a gateway needs for photos."""

    rows: DirectoryPhotos
    blobs: Blobs
    pictures: Pictures


class Swept(Struct, frozen=True):
    """What a sweep removed: blobs without a row, and what killed uploads left."""

    unused: int
    unfinished: int


def photo_id(subject: str, token: str, content: bytes) -> str:
    """The id of an upload; ``token`` is drawn for it, so none comes twice."""
    digest = blake2b(f"{subject} {token} ".encode(), digest_size=16)
    digest.update(content)
    return digest.hexdigest()


def blob_name(photo: str, size: PhotoSize) -> str:
    """The name of a photo's blob."""
    return f"{PREFIX}{photo}.{size.value}"


async def keep(blobs: Blobs, photo: str, files: dict[PhotoSize, bytes]) -> None:
    """Store the blobs of a photo, before its row. Raises Unavailable."""
    for size, content in files.items():
        name = blob_name(photo, size)
        await blobs.put(name, one_piece(content), size_max=BLOB_BYTES_MAX)


async def sweep(blobs: Blobs, photos: DirectoryPhotos, now: Millis) -> Swept:
    """Remove blobs of photos that no row names, and what killed uploads left.

    Raises Unavailable; what was removed until then stays so.
    """
    before = Millis(now - UNUSED_MS)
    waiting: dict[str, list[str]] = {}
    unused = 0
    async for blob in blobs.list(PREFIX):
        if blob.written_at < before:
            photo = blob.name.removeprefix(PREFIX).partition(".")[0]
            waiting.setdefault(photo, []).append(blob.name)
        if len(waiting) >= ASKED_AT_ONCE:
            unused += await _remove_unused(blobs, photos, waiting)
            waiting = {}
    unused += await _remove_unused(blobs, photos, waiting)
    return Swept(unused, await blobs.tidy(before))


async def _remove_unused(
    blobs: Blobs, photos: DirectoryPhotos, waiting: dict[str, list[str]]
) -> int:
    used = await photos.used(list(waiting))
    names = [name for one in waiting.keys() - used for name in waiting[one]]
    for name in sorted(names):
        await blobs.delete(name)
    return len(names)
