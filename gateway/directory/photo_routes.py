"""``…/photo``: the public photos of providers and clinics.

A photo's address has its id in it, so the picture behind it never changes, and may be
kept by every cache. What is uploaded is never shown: only what was made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Self

from fastapi import Depends, Header, Path, Request
from starlette.responses import Response

from care.directory.photos import PhotoSize
from gateway.access.rights import Action
from gateway.directory.entry_routes import ClinicParam, ProviderParam
from gateway.directory.photo_addresses import photo_of_clinic, photo_of_provider
from gateway.directory.photos import PhotoService
from gateway.http.features import Answer, FeatureRouter

router = FeatureRouter(prefix="/v1", tags=["directory"])

PhotoParam = Annotated[str, Path(description="Which photo.", max_length=64)]
SizeParam = Annotated[
    PhotoSize, Path(description="square: 192 by 192; large: within 1,024.")
]
Known = Annotated[str, Header(alias="If-None-Match", max_length=1000)]

_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_KINDS: Final = ("image/jpeg", "image/png", "image/webp")
_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file itself. Its content is judged, not its type.",
        "content": {kind: dict(_BINARY) for kind in _KINDS},
    }
}
_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The picture.", "content": {"image/webp": _BINARY}},
    304: {"description": "It is known already."},
}
_REFUSED: Final = (
    "photo_not_supported",
    "photo_too_large",
    "photo_damaged",
    "invalid_request",
)
_AddressOf = Callable[[str, str, PhotoSize], str | None]
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class PhotoAnswer(Answer):
    """Where a photo is, on this server: a square for lists, and a large one."""

    photo: str
    photo_large: str

    @classmethod
    def of(cls, address_of: _AddressOf, whose: str, photo: str) -> Self:
        """The answer for the photo of a provider or a clinic."""
        return cls(
            photo=address_of(whose, photo, PhotoSize.SQUARE) or "",
            photo_large=address_of(whose, photo, PhotoSize.LARGE) or "",
        )


async def photos_of(request: Request) -> PhotoService:
    """This gateway's photos."""
    found: PhotoService = request.app.state.photos
    return found


PhotosDep = Annotated[PhotoService, Depends(photos_of)]


@router.put(
    "/providers/{provider_id}/photo",
    right=Action.EDIT_PROVIDER_ENTRY,
    streamed=True,
    refusals=["provider_not_found", *_REFUSED],
    openapi_extra=_UPLOAD,
)
async def put_provider_photo(
    provider_id: ProviderParam, request: Request, photos: PhotosDep
) -> PhotoAnswer:
    """Replace a provider's photo: at most 12 MiB and 50 million pixels."""
    photo = await photos.put_provider(provider_id, request)
    return PhotoAnswer.of(photo_of_provider, provider_id, photo)


@router.delete(
    "/providers/{provider_id}/photo",
    right=Action.EDIT_PROVIDER_ENTRY,
    status_code=204,
    refusals=["photo_not_found"],
)
async def drop_provider_photo(provider_id: ProviderParam, photos: PhotosDep) -> None:
    """Take a provider's photo away."""
    await photos.drop(provider_id)


@router.get(
    "/providers/{provider_id}/photo/{photo}/{size}",
    right=Action.READ_PROVIDER,
    response_class=Response,
    responses=_PICTURE,
    refusals=["photo_not_found"],
)
async def read_provider_photo(
    provider_id: ProviderParam,
    photo: PhotoParam,
    size: SizeParam,
    photos: PhotosDep,
    known: Known = "",
) -> Response:
    """A provider's photo."""
    return _answer(await photos.shown(provider_id, photo, size), photo, size, known)


@router.put(
    "/clinics/{clinic_id}/photo",
    right=Action.EDIT_CLINIC_ENTRY,
    streamed=True,
    refusals=["clinic_not_found", *_REFUSED],
    openapi_extra=_UPLOAD,
)
async def put_clinic_photo(
    clinic_id: ClinicParam, request: Request, photos: PhotosDep
) -> PhotoAnswer:
    """Replace a clinic's photo: at most 12 MiB and 50 million pixels."""
    photo = await photos.put_clinic(clinic_id, request)
    return PhotoAnswer.of(photo_of_clinic, clinic_id, photo)


@router.delete(
    "/clinics/{clinic_id}/photo",
    right=Action.EDIT_CLINIC_ENTRY,
    status_code=204,
    refusals=["photo_not_found"],
)
async def drop_clinic_photo(clinic_id: ClinicParam, photos: PhotosDep) -> None:
    """Take a clinic's photo away."""
    await photos.drop(clinic_id)


@router.get(
    "/clinics/{clinic_id}/photo/{photo}/{size}",
    right=Action.READ_CLINIC,
    response_class=Response,
    responses=_PICTURE,
    refusals=["photo_not_found"],
)
async def read_clinic_photo(
    clinic_id: ClinicParam,
    photo: PhotoParam,
    size: SizeParam,
    photos: PhotosDep,
    known: Known = "",
) -> Response:
    """A clinic's photo."""
    return _answer(await photos.shown(clinic_id, photo, size), photo, size, known)


def _answer(content: bytes, photo: str, size: PhotoSize, known: str) -> Response:
    tag = f'"{photo}.{size}"'
    headers = {"etag": tag, "cache-control": _FOR_EVER}
    if tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="image/webp", headers=headers)
