"""Photos of providers and clinics: made again from what is uploaded, shown to all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request

from actors.errors import Unavailable
from care.blobs.pictures import (
    PIXELS_MAX,
    UPLOAD_BYTES_MAX,
    PictureFault,
    PictureRefused,
)
from care.blobs.ports import BlobMissing, read_whole
from care.directory.photos import (
    BLOB_BYTES_MAX,
    WANTED,
    PhotoPorts,
    PhotoSize,
    blob_name,
    keep,
    photo_id,
)
from gateway.directory.service import DirectoryService
from gateway.http.features import request_body
from gateway.wire.errors import InvalidRequest, NotFound, RequestError, TooLarge

UPLOADS_MAX: Final = 8
"""Uploads of a gateway at a time: each is held in memory whole."""
UPLOAD_S: Final = 120.0
"""Seconds for a body: a slow line takes a minute, and a place is held as long."""
_LARGEST: Final = (
    f"at most {UPLOAD_BYTES_MAX // (1024 * 1024)} MiB and "
    f"{PIXELS_MAX // 1_000_000} million pixels"
)


class PhotoNotSupported(RequestError):
    """A photo is a JPEG, PNG or WebP file; save it as one of these."""

    code = "photo_not_supported"


class PhotoDamaged(RequestError):
    """The picture cannot be read to its end; save it again, or take another one."""

    code = "photo_damaged"


class UploadTooSlow(RequestError):
    """The picture did not come in time; send a smaller one, or use a faster line."""

    code = "request_timeout"


class PhotoService:
    """The photos of a site.

    Every method may raise the errors of gateway/wire/errors.py, and Unavailable.
    """

    def __init__(
        self,
        directory: DirectoryService,
        ports: PhotoPorts,
        tokens: Callable[[], str],
    ) -> None:
        self._directory = directory
        self._ports = ports
        self._tokens = tokens
        self._uploads = 0

    async def put_provider(self, provider_id: str, request: Request) -> str:
        """Take the body as a provider's photo; returns its id."""
        await self._directory.check_provider(provider_id)
        return await self._put(provider_id, request)

    async def put_clinic(self, clinic_id: str, request: Request) -> str:
        """Take the body as a clinic's photo; returns its id."""
        await self._directory.check_clinic(clinic_id)
        return await self._put(clinic_id, request)

    async def drop(self, subject: str) -> None:
        """Take a photo away. Raises NotFound: there is none."""
        if not await self._ports.rows.drop_photo(subject):
            raise NotFound(code="photo_not_found")

    async def shown(self, subject: str, photo: str, size: PhotoSize) -> bytes:
        """The picture. Raises NotFound: the subject has not this photo now."""
        if not photo or await self._ports.rows.photo(subject) != photo:
            raise NotFound(code="photo_not_found")
        name = blob_name(photo, size)
        try:
            return await read_whole(self._ports.blobs, name, BLOB_BYTES_MAX)
        except BlobMissing:
            raise NotFound(code="photo_not_found") from None

    async def _put(self, subject: str, request: Request) -> str:
        async with self._one_upload():
            content = await _content(request)
            try:
                made = await self._ports.pictures.made(content, tuple(WANTED.values()))
            except PictureRefused as error:
                raise _refusal(error.fault) from None
            photo = photo_id(subject, self._tokens(), content)
            await keep(self._ports.blobs, photo, dict(zip(WANTED, made, strict=True)))
        await self._ports.rows.put_photo(subject, photo)
        return photo

    @asynccontextmanager
    async def _one_upload(self) -> AsyncIterator[None]:
        if self._uploads >= UPLOADS_MAX:
            raise Unavailable("many photos are being uploaded", retry_after_s=5)
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1


async def _content(request: Request) -> bytes:
    try:
        async with asyncio.timeout(UPLOAD_S):
            content = await request_body(request, UPLOAD_BYTES_MAX)
    except TooLarge:
        raise _refusal(PictureFault.PIXELS) from None
    except TimeoutError:
        raise UploadTooSlow from None
    if not content:
        raise InvalidRequest("Send the picture as the request's body.")
    return content


def _refusal(fault: PictureFault) -> RequestError:
    match fault:
        case PictureFault.KIND:
            return PhotoNotSupported()
        case PictureFault.HEIC:
            return PhotoNotSupported(
                "HEIC pictures cannot be read here; save it as JPEG, PNG or WebP."
            )
        case PictureFault.PIXELS:
            return TooLarge(f"A photo has {_LARGEST}.", code="photo_too_large")
        case PictureFault.DAMAGED:
            return PhotoDamaged()
