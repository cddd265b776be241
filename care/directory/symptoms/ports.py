"""What the feature needs: suggestions of specialties for a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

TEXT_CHARACTERS_MAX: Final = 300
"""Of a text; a complaint in plain words is shorter."""
SUGGESTIONS_MAX: Final = 10
"""Of one answer, whatever ``k`` asks for."""
SURE_SCORE: Final = 0.35
"""Below it the best suggestion is a guess, and is shown as one."""


class Suggestion(Struct, frozen=True):
    """A specialty, and how well it fits, from 0 to 1."""

    specialty_id: str
    score: float


class Symptoms(Protocol):
    """Suggests specialties. The text is neither logged nor stored."""

    async def suggest(
        self, text: str, k: int, language: str = "en"
    ) -> Sequence[Suggestion]:
        """At most ``k`` specialties that may fit, the best first; none may.

        ``language``: of the page; the text may be in another.
        """
        ...
