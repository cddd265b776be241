"""Where photos are: an address of its own for each upload, so that it can be cached."""

from __future__ import annotations

from care.directory.photos import PhotoSize


def photo_of_provider(
    provider_id: str, photo: str, size: PhotoSize = PhotoSize.SQUARE
) -> str | None:
    """The address of a provider's photo; None without one."""
    return f"/v1/providers/{provider_id}/photo/{photo}/{size}" if photo else None


def photo_of_clinic(
    clinic_id: str, photo: str, size: PhotoSize = PhotoSize.SQUARE
) -> str | None:
    """The address of a clinic's photo; None without one."""
    return f"/v1/clinics/{clinic_id}/photo/{photo}/{size}" if photo else None
