"""``/v1/providers/{provider_id}/profile``: name, specialty, languages and about."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Depends, Request, Response
from pydantic import ConfigDict, Field, StringConstraints

from actors.domain.calendar.validation import LANGUAGE_MAX, LANGUAGES_MAX, TEXT_MAX
from gateway.access.rights import Action
from gateway.directory.entry_routes import IfMatch, ProviderParam
from gateway.directory.profiles import ProviderProfiles, ProviderText
from gateway.directory.schemas import LINES, TEXT
from gateway.http.features import Answer, Body, CallerDep, FeatureRouter

router = FeatureRouter(prefix="/v1/providers", tags=["directory"])

ShortText = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=TEXT)
]
LanguageTag = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LANGUAGE_MAX, pattern=TEXT),
    Field(description="A language tag of BCP 47.", examples=["de-CH"]),
]


class ProfileBody(Body):
    """What is said of a provider. Doctors themselves change languages and ``about``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Dr. Ada Weiß",
                "specialty": "Cardiology",
                "languages": ["de", "en"],
                "about": "Hearts of all ages.",
            }
        }
    )

    name: ShortText
    specialty: ShortText
    languages: Annotated[list[LanguageTag], Field(max_length=LANGUAGES_MAX)] = Field(
        default_factory=list
    )
    about: Annotated[str, StringConstraints(max_length=TEXT_MAX, pattern=LINES)] = ""

    def text(self) -> ProviderText:
        """The value that is compared and stored."""
        once = tuple(dict.fromkeys(self.languages))
        return ProviderText(self.name, self.specialty, once, self.about)


class ProfileAnswer(Answer):
    """What is said of a provider."""

    provider_id: str
    name: str
    specialty: str
    languages: list[str]
    about: str

    @classmethod
    def of(cls, provider_id: str, text: ProviderText) -> Self:
        """The answer for a profile."""
        return cls(
            provider_id=provider_id,
            name=text.name,
            specialty=text.specialty,
            languages=list(text.languages),
            about=text.about,
        )


async def profiles_of(request: Request) -> ProviderProfiles:
    """This gateway's profiles."""
    found: ProviderProfiles = request.app.state.profiles
    return found


ProfilesDep = Annotated[ProviderProfiles, Depends(profiles_of)]


@router.get(
    "/{provider_id}/profile",
    right=Action.READ_PROVIDER,
    refusals=["provider_not_found"],
)
async def read_profile_of_provider(
    provider_id: ProviderParam, response: Response, profiles: ProfilesDep
) -> ProfileAnswer:
    """A provider's profile, with the ETag that a change names."""
    text = await profiles.read(provider_id)
    response.headers["ETag"] = text.tag
    return ProfileAnswer.of(provider_id, text)


@router.put(
    "/{provider_id}/profile",
    right=Action.EDIT_PROVIDER_PROFILE,
    refusals=["provider_not_found", "version_behind"],
)
async def put_profile_of_provider(
    provider_id: ProviderParam,
    body: ProfileBody,
    caller: CallerDep,
    response: Response,
    profiles: ProfilesDep,
    if_match: IfMatch = None,
) -> ProfileAnswer:
    """Replace a provider's profile; their clinic, visits and calendar stay."""
    text = await profiles.put(caller, provider_id, body.text(), if_match)
    response.headers["ETag"] = text.tag
    return ProfileAnswer.of(provider_id, text)
