"""Words that call for help at once: the page shows the emergency line first.

A rule of danger.txt is a row of groups; a text is dangerous when each group has a word
in it, in any order. A star stands for any ending. Wrong alarms cost a line on the page,
a missed one may cost a life: rules are wide, and a mistyped letter is forgiven.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from msgspec import Struct
from rapidfuzz.distance import OSA

from care.directory.symptoms.stems import plain_words, without_prefixes

_FORGIVEN_FROM: Final = 5
"""Letters from which on one edit is forgiven, the first letter excepted."""


class _Wanted(Struct, frozen=True):
    """A word of a rule; ``is_start``: any word that begins with it."""

    word: str
    is_start: bool

    def is_in(self, words: Collection[str]) -> bool:
        if not self.is_start and self.word in words:
            return True
        return any(self._is(word) for word in words)

    def _is(self, word: str) -> bool:
        size = len(self.word)
        if self.is_start and word.startswith(self.word):
            return True
        if min(size, len(word)) < _FORGIVEN_FROM or word[0] != self.word[0]:
            return False
        sizes = (size - 1, size, size + 1) if self.is_start else (len(word),)
        return any(_is_near(word[:cut], self.word) for cut in sizes)


def _is_near(word: str, wanted: str) -> bool:
    return OSA.distance(word, wanted, score_cutoff=1) <= 1


_Group = tuple[_Wanted, ...]


def _parse(lines: str) -> tuple[tuple[_Group, ...], ...]:
    """``language | word / word* + word``: groups by plus, words of one by slash."""
    rules = []
    for line in lines.strip().splitlines():
        _, _, groups = line.partition("|")
        rules.append(tuple(_group(group) for group in groups.split("+")))
    return tuple(rules)


def _group(words: str) -> _Group:
    return tuple(
        _Wanted(plain_words(one)[0], one.strip().endswith("*"))
        for one in words.split("/")
    )


_RULES: Final = _parse((Path(__file__).parent / "danger.txt").read_text("utf-8"))


def is_dangerous(text: str) -> bool:
    """Whether a text has words of danger, in any of our languages."""
    words = {form for word in plain_words(text) for form in without_prefixes(word)}
    return any(all(_has(group, words) for group in rule) for rule in _RULES)


def _has(group: _Group, words: Collection[str]) -> bool:
    return any(wanted.is_in(words) for wanted in group)
