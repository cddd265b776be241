"""Specialties with their titles and synonyms, in English, German and Arabic.

A provider's specialty is free text of the profile. It is taken for one of these when it
is one of its titles or synonyms, whatever its case and accents, and is found by all of
them; British and American spellings are both among them. The built-in list is
specialties.txt; a site adds its own and replaces these (``care.directory.ports``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from care.directory.words import sort_key, words_of

LANGUAGES: Final = ("en", "de", "ar")
"""The languages of the built-in list; a site's own may have others."""
SPECIALTIES_MAX: Final = 500
"""Of a site, the built-in ones included."""


class SpecialtyNames(Struct, frozen=True, omit_defaults=True):
    """A specialty in one language."""

    title: str
    synonyms: tuple[str, ...] = ()


class Specialty(Struct, frozen=True, omit_defaults=True):
    """A specialty: its id, and what it is called in each language."""

    specialty_id: str
    names: dict[str, SpecialtyNames]

    def title(self, language: str = "en") -> str:
        """The title in a language, else in English, else in any."""
        found = self.names.get(language) or self.names.get("en")
        return (found or next(iter(self.names.values()))).title

    def texts(self) -> list[str]:
        """All titles and synonyms, the English ones first."""
        ordered = sorted(self.names.items(), key=lambda one: (one[0] != "en", one[0]))
        return [text for _, names in ordered for text in (names.title, *names.synonyms)]


class SpecialtyIndex:
    """Finds the specialty that a text names; built-in ones and those of the site."""

    def __init__(self, of_site: Iterable[Specialty] = ()) -> None:
        known = {one.specialty_id: one for one in BUILT_IN}
        known.update((one.specialty_id, one) for one in of_site)
        self.known: Mapping[str, Specialty] = MappingProxyType(known)
        self._by_text: dict[str, str] = {}
        self._words: dict[str, frozenset[str]] = {}
        # Titles first: a title never means another specialty's synonym.
        for one in known.values():
            for names in one.names.values():
                self._by_text.setdefault(sort_key(names.title), one.specialty_id)
        for one in known.values():
            self._by_text.setdefault(sort_key(one.specialty_id), one.specialty_id)
            for text in one.texts():
                self._by_text.setdefault(sort_key(text), one.specialty_id)

    def find(self, text: str) -> Specialty | None:
        """The specialty of this id, title or synonym."""
        specialty_id = self._by_text.get(sort_key(text))
        return None if specialty_id is None else self.known[specialty_id]

    def key(self, text: str) -> str:
        """What texts of one specialty have in common; the text's own key if unknown."""
        found = self.find(text)
        return found.specialty_id if found is not None else sort_key(text)

    def words(self, text: str) -> frozenset[str]:
        """All words that a provider with this specialty is found by."""
        found = self.find(text)
        if found is None:
            return words_of(text)
        if found.specialty_id not in self._words:
            self._words[found.specialty_id] = words_of(*found.texts())
        return self._words[found.specialty_id] | words_of(text)


def _parse(lines: str) -> tuple[Specialty, ...]:
    """``id | en | de | ar``; in each a title, a colon and synonyms with commas."""
    made = []
    for line in lines.strip().splitlines():
        specialty_id, *parts = (part.strip() for part in line.split("|"))
        names = {}
        for language, part in zip(LANGUAGES, parts, strict=True):
            title, _, rest = part.partition(":")
            synonyms = tuple(one.strip() for one in rest.split(",") if one.strip())
            names[language] = SpecialtyNames(title.strip(), synonyms)
        made.append(Specialty(specialty_id, names))
    return tuple(made)


BUILT_IN: Final = _parse((Path(__file__).parent / "specialties.txt").read_text("utf-8"))
"""The specialties that every site knows."""
