"""The score of a specialty, from how close a text is to each of its phrases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from care.directory.symptoms.ports import SUGGESTIONS_MAX, Suggestion

BEST_SHARE: Final = 0.8
"""Weight of the closest phrase; the second closest has the rest."""


def score_of(closeness: Iterable[float]) -> float:
    """0.8 of the best phrase and 0.2 of the second: one lucky phrase is not enough."""
    best = second = 0.0
    for value in closeness:
        if value > best:
            best, second = value, best
        elif value > second:
            second = value
    return min(1.0, BEST_SHARE * best + (1 - BEST_SHARE) * second)


def ranked(scores: Mapping[str, float]) -> tuple[Suggestion, ...]:
    """The best specialties first; those that have nothing in common are left out."""
    found = [
        Suggestion(specialty_id, round(score, 4))
        for specialty_id, score in scores.items()
        if score > 0
    ]
    found.sort(key=lambda one: (-one.score, one.specialty_id))
    return tuple(found[:SUGGESTIONS_MAX])
