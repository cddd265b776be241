"""``/v1/specialties``: what specialties are called, in every language."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from gateway.access.rights import Action
from gateway.directory.entry_routes import DirectoryDep, IfMatch
from gateway.directory.schemas import (
    SpecialtiesAnswer,
    SpecialtyAnswer,
    SpecialtyBody,
)
from gateway.http.features import FeatureRouter

router = FeatureRouter(prefix="/v1/specialties", tags=["directory"])

SpecialtyParam = Annotated[
    str,
    Path(
        description="A specialty's id: small letters, digits and hyphens.",
        pattern=r"^[a-z0-9][a-z0-9\-]{0,63}$",
        examples=["dermatology"],
    ),
]


@router.get("", right=Action.READ_PROVIDER)
async def list_specialties(
    directory: DirectoryDep,
    language: Annotated[
        str, Query(pattern=r"^[a-z]{2,3}$", description="Language of the titles.")
    ] = "en",
) -> SpecialtiesAnswer:
    """All specialties with their titles and synonyms, by title."""
    found = await directory.specialties(language)
    items = [SpecialtyAnswer.of(one, language, built_in=is_so) for one, is_so in found]
    return SpecialtiesAnswer(items=items)


@router.put("/{specialty}", right=Action.EDIT_SPECIALTIES, refusals=["version_behind"])
async def put_specialty(
    specialty: SpecialtyParam,
    body: SpecialtyBody,
    directory: DirectoryDep,
    if_match: IfMatch = None,
) -> SpecialtyAnswer:
    """Add a specialty, or replace all names of one."""
    made = body.specialty(specialty)
    await directory.put_specialty(made, if_match)
    return SpecialtyAnswer.of(made, "en", built_in=False)


@router.delete(
    "/{specialty}",
    right=Action.EDIT_SPECIALTIES,
    status_code=204,
    refusals=["specialty_not_found"],
)
async def drop_specialty(specialty: SpecialtyParam, directory: DirectoryDep) -> None:
    """Take back what the site said of a specialty; built-in ones are as they were."""
    await directory.drop_specialty(specialty)
