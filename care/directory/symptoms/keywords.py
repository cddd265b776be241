"""Suggestions from words alone: stems of our phrases, titles and synonyms, weighted.

It needs no package, no file and no time, so it answers whenever the language model
cannot. Rare stems weigh more (inverse document frequency over specialties), a phrase is
as close as the cosine of the weights, and words that no phrase has count against all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import log, sqrt
from typing import Final

from care.directory.specialties import Specialty
from care.directory.symptoms.phrases import PHRASES
from care.directory.symptoms.ports import Suggestion
from care.directory.symptoms.ranking import ranked, score_of
from care.directory.symptoms.stems import plain_words, stem

_STOP_WORDS: Final = frozenset(
    stem(word)
    for word in plain_words(
        """a about after again all always am an and any are as at be because been but
        by can cannot cant could did do does dont down every feel for from get getting
        give go goes going got had has have having he her him his how i if im in is it
        its ive just keep keeps like me mine more most much my need no not now of often
        on one or our out over really she since so some someone that the their them
        then there they this time times to too up us very want was we were what when
        where which while who with without would you your
        day days month months today week weeks year years yesterday
        aber alle als am an auch auf aus bei beim bin bis da das dass dem den der des
        die doch du durch ein eine einem einen einer er es etwas fur hab habe haben hat
        ich ihm ihr im immer in ist ja kann kein keine man mehr mein meine meinem
        meinen meiner mich mir mit nach nicht nichts noch nur ob oder ohne schon sehr
        seit sich sie sind so um und uns unser von vor wann war was weil wenn wer werde
        wie wieder wir wird wo zu zum zur
        gestern heute jahr jahre jahren monat monate monaten tag tage tagen woche wochen
        في من على عن إلى أن إن لا ما هو هي أنا لي عند عندي عنده عندها منذ كل مع هل قد لم
        لن هذا هذه ذلك التي الذي أو ثم بعد قبل جدا دائما أريد أحتاج أشعر كثيرا كثير
        يوم أيام أسبوع أسابيع شهر أشهر سنة سنوات اليوم أمس"""
    )
)
_UNKNOWN_WEIGHT: Final = 0.75
"""Weight of a word that no phrase has, as a share of that of the rarest stem."""
_PART_MIN: Final = 4
"""Letters of a known stem that begins or ends a compound, as German builds them."""
_NAME_SHARE: Final = 0.9
"""Weight of titles and synonyms: a word alone says less than a phrase."""


class KeywordSymptoms:
    """Implements Symptoms from the specialties of a site."""

    def __init__(self, specialties: Iterable[Specialty]) -> None:
        bags: dict[str, list[tuple[frozenset[str], float]]] = {}
        for one in specialties:
            own = PHRASES.get(one.specialty_id, {}).values()
            bags[one.specialty_id] = [
                *((_stems_of(phrase), 1.0) for phrases in own for phrase in phrases),
                *((_stems_of(name), _NAME_SHARE) for name in one.texts()),
            ]
        in_specialties: dict[str, int] = defaultdict(int)
        for phrases in bags.values():
            for known in frozenset().union(*(bag for bag, _ in phrases)):
                in_specialties[known] += 1
        self._weight = {
            known: log(1 + len(bags) / count) for known, count in in_specialties.items()
        }
        self._rarest = max(self._weight.values(), default=1.0)
        self._phrases: dict[str, list[tuple[str, int, float]]] = defaultdict(list)
        self._add(bags)

    async def suggest(
        self, text: str, k: int, language: str = "en"
    ) -> Sequence[Suggestion]:
        """See Symptoms.suggest; words of all languages are known at once."""
        del language
        return ranked(self.scores(text))[:k]

    def scores(self, text: str) -> dict[str, float]:
        """The score of each specialty that has a word of the text, from 0 to 1."""
        parts = (self._known_parts(one) for one in _stems_of(text))
        wanted = frozenset().union(*parts)
        if not wanted:
            return {}
        unknown = self._rarest * _UNKNOWN_WEIGHT
        weights = {one: self._weight.get(one, unknown) for one in wanted}
        norm = sqrt(sum(weight**2 for weight in weights.values()))
        shared: dict[tuple[str, int], float] = defaultdict(float)
        for one, weight in weights.items():
            for specialty_id, number, share in self._phrases.get(one, ()):
                shared[specialty_id, number] += weight * share
        by_specialty: dict[str, list[float]] = defaultdict(list)
        for (specialty_id, _), value in shared.items():
            by_specialty[specialty_id].append(value / norm)
        return {key: score_of(found) for key, found in by_specialty.items()}

    def _add(self, bags: dict[str, list[tuple[frozenset[str], float]]]) -> None:
        """Postings: of each stem the phrases that have it, with its share of them."""
        for specialty_id, phrases in bags.items():
            for number, (bag, factor) in enumerate(phrases):
                norm = sqrt(sum(self._weight[one] ** 2 for one in bag))
                for one in bag:
                    share = factor * self._weight[one] / norm
                    self._phrases[one].append((specialty_id, number, share))

    def _known_parts(self, one: str) -> frozenset[str]:
        """A stem that is known; else the known parts of a compound, else itself."""
        if one in self._weight or len(one) < 2 * _PART_MIN - 1:
            return frozenset({one})
        sizes = range(len(one) - 2, _PART_MIN - 1, -1)
        first = next((one[:n] for n in sizes if one[:n] in self._weight), None)
        last = next((one[-n:] for n in sizes if one[-n:] in self._weight), None)
        return frozenset(part for part in (first, last) if part) or frozenset({one})


def _stems_of(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in plain_words(text)) - _STOP_WORDS
