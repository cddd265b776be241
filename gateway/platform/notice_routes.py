"""``/v1/samples/notices``: what people would read, of an invented visit.

For administrators, to see texts before people do. The page of a mail is answered as
such, for a tab of its own: it needs no token, as it holds nothing of this site but its
address.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from pydantic import Field

from care.notices.kinds import LANGUAGES, NoticeKind
from care.notices.samples import LetterSamples
from care.notices.wording import Written
from gateway.access.rights import Action, Of
from gateway.config import GatewayPorts
from gateway.http.features import ANYONE, Answer, FeatureRouter

router = FeatureRouter(prefix="/v1/samples/notices", tags=["notices"], audited=False)

_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/html; charset=utf-8": {"schema": {"type": "string"}}}}
}


class SampleLanguage(StrEnum):
    """A language that notices are written in."""

    EN, DE, AR = LANGUAGES


class SampleAnswer(Answer):
    """A notice in the forms that people get, but for the page of a mail."""

    kind: NoticeKind
    language: SampleLanguage
    subject: str
    text: str = Field(description="The plain text of a mail.")
    short: str = Field(description="What is sent to phones.")


class SamplesAnswer(Answer):
    """A notice of each kind."""

    items: list[SampleAnswer]


async def samples_of(request: Request) -> LetterSamples:
    """The gateway's samples."""
    ports: GatewayPorts = request.app.state.ports
    assert ports.samples is not None, "mounted only where there are samples"
    return ports.samples


SamplesDep = Annotated[LetterSamples, Depends(samples_of)]


@router.get("", right=Action.READ_CLUSTER)
async def list_samples(
    samples: SamplesDep, language: SampleLanguage = SampleLanguage.EN
) -> SamplesAnswer:
    """A notice of each kind, of an invented visit."""
    found = [(kind, await _written(samples, kind, language)) for kind in NoticeKind]
    return SamplesAnswer(
        items=[
            SampleAnswer(
                kind=kind,
                language=language,
                subject=one.subject,
                text=one.text,
                short=one.short,
            )
            for kind, one in found
        ]
    )


@router.get(
    "/{kind}/{language}",
    right=ANYONE,
    of=Of.PLATFORM,
    takes_token=False,
    response_class=Response,
    responses=_PAGE,
)
async def sample_page(
    kind: NoticeKind, language: SampleLanguage, samples: SamplesDep
) -> Response:
    """The page of a mail, of an invented visit."""
    written = await _written(samples, kind, language)
    return Response(written.html, media_type="text/html; charset=utf-8")


async def _written(
    samples: LetterSamples, kind: NoticeKind, language: SampleLanguage
) -> Written:
    return await asyncio.to_thread(samples.of, kind, language.value)
