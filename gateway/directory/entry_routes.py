"""``…/directory-entry``: what clinics and providers say of themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Request, Response

from gateway.access.rights import Action
from gateway.directory.schemas import (
    ClinicEntryAnswer,
    ClinicEntryBody,
    ProviderEntryAnswer,
    ProviderEntryBody,
)
from gateway.directory.service import DirectoryService, entry_tag
from gateway.http.features import FeatureRouter

router = FeatureRouter(prefix="/v1", tags=["directory"])

ProviderParam = Annotated[str, Path(description="Which provider.", max_length=100)]
ClinicParam = Annotated[str, Path(description="Which clinic.", max_length=100)]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        description="The ETag of the entry that is replaced; without it the newest.",
    ),
]


async def directory_of(request: Request) -> DirectoryService:
    """This gateway's directory."""
    found: DirectoryService = request.app.state.directory
    return found


DirectoryDep = Annotated[DirectoryService, Depends(directory_of)]


@router.get(
    "/providers/{provider_id}/directory-entry",
    right=Action.READ_PROVIDER,
    refusals=["provider_not_found"],
)
async def read_provider_entry(
    provider_id: ProviderParam, response: Response, directory: DirectoryDep
) -> ProviderEntryAnswer:
    """What a provider costs, accepts and offers remotely."""
    kept = await directory.provider(provider_id)
    response.headers["ETag"] = entry_tag(provider_id, kept.version)
    return ProviderEntryAnswer.of(kept)


@router.put(
    "/providers/{provider_id}/directory-entry",
    right=Action.EDIT_PROVIDER_ENTRY,
    refusals=["provider_not_found", "version_behind"],
)
async def put_provider_entry(
    provider_id: ProviderParam,
    body: ProviderEntryBody,
    response: Response,
    directory: DirectoryDep,
    if_match: IfMatch = None,
) -> ProviderEntryAnswer:
    """Replace a provider's entry."""
    kept = await directory.put_provider(provider_id, body.entry(), if_match)
    response.headers["ETag"] = entry_tag(provider_id, kept.version)
    return ProviderEntryAnswer.of(kept)


@router.get(
    "/clinics/{clinic_id}/directory-entry",
    right=Action.READ_CLINIC,
    refusals=["clinic_not_found"],
)
async def read_clinic_entry(
    clinic_id: ClinicParam, response: Response, directory: DirectoryDep
) -> ClinicEntryAnswer:
    """How a clinic is reached, and what it accepts."""
    kept = await directory.clinic(clinic_id)
    response.headers["ETag"] = entry_tag(clinic_id, kept.version)
    return ClinicEntryAnswer.of(kept)


@router.put(
    "/clinics/{clinic_id}/directory-entry",
    right=Action.EDIT_CLINIC_ENTRY,
    refusals=["clinic_not_found", "version_behind"],
)
async def put_clinic_entry(
    clinic_id: ClinicParam,
    body: ClinicEntryBody,
    response: Response,
    directory: DirectoryDep,
    if_match: IfMatch = None,
) -> ClinicEntryAnswer:
    """Replace a clinic's entry."""
    kept = await directory.put_clinic(clinic_id, body.entry(), if_match)
    response.headers["ETag"] = entry_tag(clinic_id, kept.version)
    return ClinicEntryAnswer.of(kept)
