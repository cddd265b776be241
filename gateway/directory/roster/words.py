"""Which words mean which providers: names, specialties, clinics and towns.

A word of a specialty or of a clinic means all its providers, so it is kept once for
these. A word that is no word here and begins none is compared with all of them, with
one or two letters changed, left out, added or swapped.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from care.directory.words import after_prefix
from gateway.directory.roster.columns import Column

LIKENESSES_MAX: Final = 50
"""Words of a query's word that were taken to be misspelt."""
KEPT_MAX: Final = 1_000
"""Misspelt words whose meanings are kept: one search may ask for them twice."""
TYPED_MAX: Final = 16
"""Letters up to which a word may be the misspelt beginning of a longer one."""
_SHORT, _MIDDLE = 4, 8
"""Letters from which one, and two, edits are allowed."""


class Field(IntEnum):
    """What a word is found in, and how much it counts."""

    NAME = 8
    SPECIALTY = 6
    TOWN = 4
    PRACTICE = 3


class Likeness(IntEnum):
    """How a query's word is like a known one."""

    EXACT = 10
    PREFIX = 8
    ONE_EDIT = 5
    TWO_EDITS = 3


Scores = NDArray[np.uint8]
Meaning = tuple[str, Likeness]
"""A known word, and how it is like the one asked for."""


class Found(Struct):
    """What a query's word was taken for."""

    meanings: list[Meaning]
    instead: str = ""
    """The nearest known word, if the one that was asked for is unknown."""


class _Places(Struct):
    """Where a word is found: rows by name, codes of specialties and of clinics.

    Each ascending, for they are added so.
    """

    found: dict[Field, Column]


class Vocabulary:
    """All words, in order."""

    def __init__(self) -> None:
        self._places: dict[str, _Places] = {}
        self._sorted: list[str] = []
        self._is_sorted = True
        self._kept: dict[str, list[Meaning]] = {}
        self.is_filling = True
        """Words are sorted when the first is looked for."""

    def __len__(self) -> int:
        return len(self._places)

    def add(self, words: Iterable[str], field: Field, number: int) -> None:
        """Something is found by these: a row by its name, a specialty, a clinic.

        Numbers of one field come in ascending order.
        """
        for word in words:
            found = self._place(word).found
            if field not in found:
                found[field] = Column(np.int32, room=1)
            found[field].append(number)

    def find(self, word: str, *, loosely: bool = False, exactly: bool = False) -> Found:
        """What a word means; ``loosely``: misspelt even if it is known.

        ``exactly``: it is not misspelt.
        """
        words = self._words()
        begin = bisect_left(words, word)
        end = bisect_left(words, after_prefix(word), begin)
        known = [
            (one, Likeness.EXACT if one == word else Likeness.PREFIX)
            for one in words[begin:end]
        ]
        if exactly or (known and not loosely):
            return Found(known)
        like = self._like_known(word)
        instead = "" if known or not like else like[0][0]
        return Found([*known, *like], instead)

    def scores(
        self, meanings: Iterable[Meaning], sizes: tuple[int, int, int]
    ) -> tuple[Scores, Scores, Scores]:
        """How well rows, specialties and clinics match: the best of the meanings."""
        rows, specialties, clinics = (np.zeros(size, np.uint8) for size in sizes)
        of_field = {
            Field.NAME: rows,
            Field.SPECIALTY: specialties,
            Field.TOWN: clinics,
            Field.PRACTICE: clinics,
        }
        hits = [
            (field * likeness, field, numbers.all)
            for word, likeness in meanings
            for field, numbers in self._places[word].found.items()
        ]
        # Ascending, so that what counts more is written last.
        for score, field, numbers in sorted(hits, key=lambda hit: hit[0]):
            of_field[field][numbers] = score
        return rows, specialties, clinics

    def _place(self, word: str) -> _Places:
        places = self._places.get(word)
        if places is None:
            places = self._places[word] = _Places({})
            self._kept.clear()
            if self.is_filling:
                self._sorted.append(word)
                self._is_sorted = False
            else:
                insort(self._sorted, word)
        return places

    def _words(self) -> list[str]:
        if not self._is_sorted:
            self._sorted.sort()
            self._is_sorted = True
        self.is_filling = False
        return self._sorted

    def _like_known(self, word: str) -> list[Meaning]:
        """Words that it may be an error for, the nearest first; kept for a while."""
        like = self._kept.get(word)
        if like is None:
            like = self._misspelt(word) or self._misspelt_beginning(word)
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[word] = like
        return like

    def _misspelt(self, word: str) -> list[Meaning]:
        """Known words within the edits that a word of its length may have."""
        edits = edits_in(word)
        return list(self._like(word, self._sorted, edits)) if edits else []

    def _misspelt_beginning(self, word: str) -> list[Meaning]:
        """Known words that begin with something like it, while it is being typed."""
        size = len(word)
        if not edits_in(word) or size > TYPED_MAX:
            return []
        longer = [one for one in self._sorted if len(one) > size]
        beginnings = {one[:size] for one in longer}
        like = {one for one, _ in self._like(word, sorted(beginnings), 1)}
        found = [one for one in longer if one[:size] in like]
        return [(one, Likeness.TWO_EDITS) for one in found[:LIKENESSES_MAX]]

    @staticmethod
    def _like(word: str, words: list[str], edits: int) -> Iterator[Meaning]:
        found = process.extract(
            word,
            words,
            scorer=OSA.distance,
            score_cutoff=edits,
            limit=LIKENESSES_MAX,
        )
        for one, distance, _ in found:
            yield one, Likeness.TWO_EDITS if distance > 1 else Likeness.ONE_EDIT


def edits_in(word: str) -> int:
    """How many edits a misspelt word may have."""
    return 0 if len(word) < _SHORT else 1 if len(word) < _MIDDLE else 2
