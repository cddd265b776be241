"""Words of a text without endings, for English, German and Arabic alike.

Coarse on purpose: texts and phrases are cut by the same rule, so that only equality
counts. The language of a text is not asked for, people mix them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from care.directory.words import plain

_APOSTROPHES: Final = re.compile(r"(?<=\w)['’ʼ`´](?=\w)")
_ARABIC: Final = re.compile(r"[؀-ۿ]")
_SAME_LETTERS: Final = str.maketrans({"ة": "ه", "ى": "ي", "ـ": None})
"""Arabic letters that are written one for the other; the stretched line is none."""
_PREFIXES: Final = ("وال", "بال", "كال", "فال", "لل", "ال", "و", "ف", "ب", "ل", "ك")
_OWNERS: Final = ("تي", "ته", "تها", "نا", "ها", "ي", "ه", "ك")
"""Arabic endings that say whose it is; those of the plural come before them."""
_PLURALS: Final = ("تين", "ين", "ون", "ات", "ان")
_ENDINGS: Final = (
    *("ingly", "ungen", "ening", "ings", "ung", "ing", "edly", "ies", "ern", "est"),
    *("ied", "ely", "ed", "en", "em", "er", "es", "ly", "e", "n", "s", "t", "y"),
)
STEM_MIN: Final = 3
"""Letters that a stem keeps."""


def plain_words(text: str) -> list[str]:
    """The words of a text as they are compared, endings and all."""
    return plain(_APOSTROPHES.sub("", text)).translate(_SAME_LETTERS).split()


def without_prefixes(word: str) -> Iterator[str]:
    """An Arabic word as it stands, and without the articles that are written to it."""
    yield word
    if _ARABIC.match(word):
        for prefix in _PREFIXES:
            if word.startswith(prefix) and len(word) - len(prefix) >= STEM_MIN - 1:
                yield word[len(prefix) :]


def stem(word: str) -> str:
    """A word without its endings and, in Arabic, its articles."""
    if _ARABIC.match(word):
        word = _cut_front(word)
        return _cut_end(_cut_end(word, _OWNERS), _PLURALS)
    return _cut_end(word, _ENDINGS)


def _cut_front(word: str) -> str:
    for prefix in _PREFIXES[:6]:
        if word.startswith(prefix) and len(word) - len(prefix) >= STEM_MIN:
            return word[len(prefix) :]
    return word


def _cut_end(word: str, endings: tuple[str, ...]) -> str:
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= STEM_MIN:
            return word[: -len(ending)]
    return word
