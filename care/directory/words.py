"""Words and places: how texts, names and distances are compared. Pure.

The search in memory, the directory in SQL and its twin in memory compare alike.
"""

from __future__ import annotations

import math
import re
import unicodedata

WORD_MAX = 40
"""Significant characters of a search word; longer words match by this prefix."""
SORT_MAX = 120
"""Significant characters of a name when sorting."""
WORDS_MAX = 8
"""Maximum words of one query; people do not type more."""
EARTH_KM = 6371.0088
"""Mean radius of the Earth, in km."""

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_BREAK = re.compile(r"[\W_]+")
_INNER = re.compile(r"(?<=\w)['’ʼ\-‐.](?=\w)")


def plain(text: str) -> str:
    """``text`` without case, accents and punctuation, words separated by one space."""
    if text.isascii():  # most texts, in a quarter of the time
        return _BREAK.sub(" ", text.lower()).strip()
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return _BREAK.sub(" ", bare.translate(_LETTERS)).strip()


def sort_key(name: str) -> str:
    """Sort key of names, compared by code point."""
    return plain(name)[:SORT_MAX].rstrip()


def words_of(*texts: str) -> frozenset[str]:
    """All words by whose prefixes these texts are found.

    ``O'Brien`` is found as ``o'brien``, ``brien`` and ``obrien``.
    """
    found: set[str] = set()
    for text in texts:
        for form in {text, _INNER.sub("", text)}:
            found.update(word[:WORD_MAX] for word in plain(form).split())
    return frozenset(found)


def query_words(text: str) -> tuple[str, ...]:
    """The words that must all match, the longest (rarest) first."""
    distinct = {word[:WORD_MAX] for word in plain(text).split()}
    return tuple(sorted(distinct, key=lambda word: (-len(word), word))[:WORDS_MAX])


def after_prefix(word: str) -> str:
    """The least text greater than every text with the prefix ``word``."""
    return word[:-1] + chr(ord(word[-1]) + 1)


Point = tuple[float, float]
"""Latitude and longitude in degrees."""


def distance_km(here: Point, there: Point) -> float:
    """The great-circle distance (haversine)."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*here, *there))
    a = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(a)))
