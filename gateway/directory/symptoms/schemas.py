"""Body and answer of ``/v1/symptoms``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints

from care.directory.symptoms.ports import TEXT_CHARACTERS_MAX
from gateway.directory.schemas import LanguageTag
from gateway.directory.symptoms.service import Advice
from gateway.http.features import Answer, Body

Complaint = Annotated[
    str, StringConstraints(min_length=1, max_length=TEXT_CHARACTERS_MAX)
]


class SymptomsBody(Body):
    """What troubles a person, in their own words; neither logged nor stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"text": "my knee hurts when I walk", "language": "en"}
        }
    )

    text: Complaint
    language: Annotated[
        LanguageTag, Field(description="Language of the page, and of the titles.")
    ] = "en"


class SuggestionAnswer(Answer):
    """A specialty: its id, its title in the language asked for, its fit from 0 to 1."""

    specialty: str
    title: str
    score: float


class SymptomsAnswer(Answer):
    """At most three specialties, the best first.

    ``sure``: the first is more than a guess. ``urgent``: show the emergency line first.
    """

    suggestions: list[SuggestionAnswer]
    sure: bool
    urgent: bool

    @classmethod
    def of(cls, advice: Advice, language: str) -> Self:
        """The answer for an advice."""
        return cls(
            suggestions=[
                SuggestionAnswer(
                    specialty=one.specialty_id, title=one.title(language), score=score
                )
                for one, score in advice.suggestions
            ],
            sure=advice.sure,
            urgent=advice.urgent,
        )
