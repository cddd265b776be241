"""Pictures that people upload, taken apart and made again.

Whatever a file claims to be, the decoder is the judge; what is kept is a new file of
the pixels alone, without place, camera, hidden files behind the end, or a program in a
comment.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

UPLOAD_BYTES_MAX: Final = 12 * 1024 * 1024
"""A picture of a phone's camera; the largest are as large."""
PIXELS_MAX: Final = 50_000_000
"""Width times height: the cameras of most phones have no more."""


class PictureFault(StrEnum):
    """Why a file cannot be taken."""

    KIND = "kind"
    """It is no JPEG, PNG or WebP."""
    HEIC = "heic"
    """It is of the kind that iPhones keep."""
    PIXELS = "pixels"
    """It has more pixels than PIXELS_MAX, or needs too much memory or time."""
    DAMAGED = "damaged"
    """It cannot be decoded to its end."""


class PictureRefused(Exception):
    """The file is not taken; ``fault`` says why."""

    def __init__(self, fault: PictureFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class PictureSize(Struct, frozen=True):
    """A size to be made: fitted within ``side`` pixels, or cut to a square of it.

    ``is_jpeg``: for programs that may not read WebP.
    """

    side: int
    is_square: bool = False
    is_jpeg: bool = False


class Pictures(Protocol):
    """Makes pictures again."""

    async def made(
        self, content: bytes, wanted: tuple[PictureSize, ...]
    ) -> list[bytes]:
        """The picture as a file of each size, upright, smaller ones not enlarged.

        A square is always ``side`` wide.

        Raises:
            PictureRefused: the file cannot be taken.
            Unavailable: too many are being made just now.
        """
        ...
