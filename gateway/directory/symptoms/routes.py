"""``/v1/symptoms``: specialties for what a person describes in plain words.

The text is in the body of a POST, so that it stands in no address and no log of a proxy
or browser. GET is for integrations; this server logs no query, but others may. Neither
is audited, and no answer is kept by key.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Query, Request, Response

from gateway.access.rights import Action
from gateway.directory.schemas import LanguageTag
from gateway.directory.symptoms.schemas import (
    Complaint,
    SymptomsAnswer,
    SymptomsBody,
)
from gateway.directory.symptoms.service import SymptomService
from gateway.http.features import FeatureRouter

router = FeatureRouter(prefix="/v1/symptoms", tags=["directory"], audited=False)

_NOT_KEPT: Final = "no-store"


def _service_of(request: Request) -> SymptomService:
    service: SymptomService = request.app.state.services.symptoms
    return service


ServiceDep = Annotated[SymptomService, Depends(_service_of)]


@router.post("", right=Action.READ_PROVIDER, idempotent=False)
async def suggest_specialties(
    body: SymptomsBody, response: Response, symptoms: ServiceDep
) -> SymptomsAnswer:
    """Specialties that may fit what a person describes; no diagnosis, no triage."""
    response.headers["cache-control"] = _NOT_KEPT
    advice = await symptoms.advise(body.text, body.language)
    return SymptomsAnswer.of(advice, body.language)


@router.get("", right=Action.READ_PROVIDER)
async def suggest_specialties_for_text(
    response: Response,
    symptoms: ServiceDep,
    text: Annotated[Complaint, Query(description="What troubles a person.")],
    language: Annotated[LanguageTag, Query(description="Language of titles.")] = "en",
) -> SymptomsAnswer:
    """The same with the text in the address, which browsers and proxies may keep."""
    response.headers["cache-control"] = _NOT_KEPT
    return SymptomsAnswer.of(await symptoms.advise(text, language), language)
