"""Words that call for help at once: the page shows the emergency line first.

A rule of danger.txt is a row of groups; a text is dangerous when each group has a word
in it, in any order. A star stands for any ending. Wrong alarms cost a line on the page,
a missed one may cost a life: rules are wide, and a mistyped letter is forgiven.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rapidfuzz.distance import OSA

from care.directory.symptoms.stems import plain_words, without_prefixes

_SWAPPED_FROM: Final = 5
"""Letters from which on two swapped ones are forgiven, the first excepted."""
_EDITED_FROM: Final = 6
"""Letters from which on any one edit is: shorter words are too near to others."""

_Place = tuple[int, int]
"""A rule, and a group of it."""


class _Rules:
    """The rules by their words, so that a text costs its words and not the rules."""

    def __init__(self, lines: str) -> None:
        self.sizes: list[int] = []
        self._words: dict[str, set[_Place]] = defaultdict(set)
        self._starts: dict[str, set[_Place]] = defaultdict(set)
        for number, line in enumerate(lines.strip().splitlines()):
            groups = line.partition("|")[2].split("+")
            self.sizes.append(len(groups))
            for at, group in enumerate(groups):
                for one in group.split("/"):
                    known = self._starts if one.strip().endswith("*") else self._words
                    known[plain_words(one)[0]].add((number, at))
        self._longest = max(map(len, self._starts))
        self._near: dict[tuple[str, int], list[str]] = defaultdict(list)
        for word in {*self._words, *self._starts}:
            if len(word) >= _SWAPPED_FROM:
                self._near[word[0], len(word)].append(word)

    def places(self, word: str) -> Iterator[_Place]:
        """Where a word of a text stands in the rules, mistyped or not."""
        yield from self._words.get(word, ())
        for size in range(1, min(len(word), self._longest) + 1):
            yield from self._starts.get(word[:size], ())
        if len(word) < _SWAPPED_FROM:
            return
        for size in range(_SWAPPED_FROM, min(len(word), self._longest) + 2):
            for meant in self._near.get((word[0], size), ()):
                if meant in self._words and _is_meant(word, meant):
                    yield from self._words[meant]
                if meant in self._starts and _begins(word, meant):
                    yield from self._starts[meant]


def _begins(word: str, meant: str) -> bool:
    """Whether a word begins as was meant, but for one letter."""
    size = len(meant)
    cuts = (size - 1, size, size + 1) if size >= _EDITED_FROM else (size,)
    return any(_is_meant(word[:cut], meant) for cut in cuts)


def _is_meant(word: str, meant: str) -> bool:
    if abs(len(word) - len(meant)) > 1 or (
        len(meant) < _EDITED_FROM and sorted(word) != sorted(meant)
    ):
        return False
    return OSA.distance(word, meant, score_cutoff=1) <= 1


_RULES: Final = _Rules((Path(__file__).parent / "danger.txt").read_text("utf-8"))


def is_dangerous(text: str) -> bool:
    """Whether a text has words of danger, in any of our languages."""
    words = {form for word in plain_words(text) for form in without_prefixes(word)}
    found: dict[int, set[int]] = defaultdict(set)
    for word in words:
        for rule, group in _RULES.places(word):
            found[rule].add(group)
    return any(len(groups) == _RULES.sizes[rule] for rule, groups in found.items())
