"""Suggestions from the language model and from words; words of danger first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from care.directory.specialties import LANGUAGES, Specialty, SpecialtyIndex
from care.directory.symptoms.danger import is_dangerous
from care.directory.symptoms.keywords import KeywordSymptoms
from care.directory.symptoms.ports import SURE_SCORE, Suggestion
from care.directory.symptoms.ranking import ranked
from gateway.directory.symptoms.model_thread import ModelThread

SHOWN: Final = 3
"""Suggestions of one answer."""
WORDS_SHARE: Final = 0.15
"""Of the score from words, what is added to the model's."""
OWN_WORDS_SHARE: Final = 0.5
"""The same in languages other than English in which we have phrases: the model knows
some of their words too little, and is given English phrases alone."""
_OWN_LANGUAGES: Final = frozenset(LANGUAGES) - {"en"}
_ARABIC: Final = re.compile(r"[؀-ۿ]")
_SPACES: Final = re.compile(r"\s+")


class Advice(Struct, frozen=True):
    """What a text leads to; titles are the caller's to add.

    ``sure``: the first suggestion is more than a guess. ``urgent``: the text has words
    of danger, so help is to be called before anything is booked.
    """

    suggestions: Sequence[tuple[Specialty, float]]
    sure: bool
    urgent: bool


class SymptomService:
    """Implements Symptoms for the specialties of this site, as they are now."""

    def __init__(
        self, specialties: Callable[[], SpecialtyIndex], model: ModelThread | None
    ) -> None:
        """Without a ``model`` words suggest alone."""
        self._specialties = specialties
        self.model = model
        self._of: SpecialtyIndex | None = None
        self._words = KeywordSymptoms(())

    async def suggest(
        self, text: str, k: int, language: str = "en"
    ) -> Sequence[Suggestion]:
        """See Symptoms.suggest."""
        text = normalised(text)
        is_own = language in _OWN_LANGUAGES or _ARABIC.search(text) is not None
        share = OWN_WORDS_SHARE if is_own else WORDS_SHARE
        index, words = self._current()
        by_words = words.scores(text)
        by_model = None if self.model is None else await self.model.scores(text)
        scores = dict(by_words)
        for specialty_id, score in (by_model or {}).items():
            added = share * by_words.get(specialty_id, 0.0)
            scores[specialty_id] = min(1.0, score + added)
        named = index.find(text)
        if named is not None:
            scores[named.specialty_id] = 1.0
        return ranked(scores)[:k]

    async def advise(self, text: str, language: str) -> Advice:
        """Suggestions for a text, whether they are sure, and whether it is urgent."""
        urgent = is_dangerous(text)
        found = await self.suggest(text, SHOWN, language)
        known = self._specialties().known
        return Advice(
            [
                (known[one.specialty_id], one.score)
                for one in found
                if one.specialty_id in known
            ],
            sure=bool(found) and found[0].score >= SURE_SCORE,
            urgent=urgent,
        )

    def close(self) -> None:
        """Stop the model's thread."""
        if self.model is not None:
            self.model.close()

    def _current(self) -> tuple[SpecialtyIndex, KeywordSymptoms]:
        """The words of the specialties as they are now."""
        index = self._specialties()
        if index is not self._of:
            if self._of is None or index.known != self._of.known:
                self._words = KeywordSymptoms(index.known.values())
            self._of = index
        return index, self._words


def normalised(text: str) -> str:
    """A text in one line, without case: what is compared and remembered."""
    return _SPACES.sub(" ", text).strip().casefold()
